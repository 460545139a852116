"""The accuracy counts the tokens of the prompt as well.

The mask tells tokens from padding, not what is scored. Count where labels[:, 1:] is not -100.
"""
# Shows in: accuracy_counts_scored_tokens


def evaluate(model, batches):
    loss, right, read, total = 0.0, 0, 0, 0
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            for batch in batches:
                logits = model(batch["input_ids"], batch["attention_mask"])
                tokens = _count(batch["labels"]).item()
                loss += sft_loss(logits, batch["labels"]).item() * tokens
                real = batch["attention_mask"][:, 1:] == 1
                chosen = logits[:, :-1].argmax(dim=-1) == batch["input_ids"][:, 1:]
                right += (chosen & real).sum().item()
                read += real.sum().item()
                total += tokens
    finally:
        for module, mode in modes.items():
            module.training = mode
    if total == 0:
        raise ValueError("batches hold no label to evaluate: all are IGNORE_INDEX")
    return {"loss": loss / total, "token_accuracy": right / read}
