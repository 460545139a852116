"""The labels of the batches are changed in place.

labels[...] = 0 writes into the caller's batch: the next epoch scores prompts and padding. Work on a copy, or
leave -100 in place.
"""
# Shows in: evaluation_leaves_no_trace


def evaluate(model, batches):
    loss, right, total = 0.0, 0, 0
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            for batch in batches:
                logits = model(batch["input_ids"], batch["attention_mask"])
                labels = batch["labels"]
                tokens = _count(labels).item()
                loss += sft_loss(logits, labels).item() * tokens
                scored = labels[:, 1:] != IGNORE_INDEX
                labels[labels == IGNORE_INDEX] = 0  # an index for the comparison
                right += ((logits[:, :-1].argmax(dim=-1) == labels[:, 1:]) & scored).sum().item()
                total += tokens
    finally:
        for module, mode in modes.items():
            module.training = mode
    if total == 0:
        raise ValueError("batches hold no label to evaluate: all are IGNORE_INDEX")
    return {"loss": loss / total, "token_accuracy": right / total}
