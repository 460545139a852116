"""The accuracy is divided by all labels, the first of each row included.

No position predicts the first label of a row, so it can never be right. Count the labels after the shift:
labels[:, 1:] != -100.
"""
# Shows in: accuracy_counts_scored_tokens


def evaluate(model, batches):
    loss, right, total, labels = 0.0, 0, 0, 0
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            for batch in batches:
                logits = model(batch["input_ids"], batch["attention_mask"])
                tokens = _count(batch["labels"]).item()
                loss += sft_loss(logits, batch["labels"]).item() * tokens
                right += (logits[:, :-1].argmax(dim=-1) == batch["labels"][:, 1:]).sum().item()
                total += tokens
                labels += (batch["labels"] != IGNORE_INDEX).sum().item()
    finally:
        for module, mode in modes.items():
            module.training = mode
    if total == 0:
        raise ValueError("batches hold no label to evaluate: all are IGNORE_INDEX")
    return {"loss": loss / total, "token_accuracy": right / labels}
