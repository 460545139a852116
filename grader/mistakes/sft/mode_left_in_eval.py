"""The model is left in eval mode.

The rest of the epoch then runs without dropout, and nobody notices. Give the mode back as it was.
"""
# Shows in: mode_is_restored


def evaluate(model, batches):
    loss, right, total = 0.0, 0, 0
    model.eval()
    with torch.no_grad():
        for batch in batches:
            logits = model(batch["input_ids"], batch["attention_mask"])
            tokens = _count(batch["labels"]).item()
            loss += sft_loss(logits, batch["labels"]).item() * tokens
            right += (logits[:, :-1].argmax(dim=-1) == batch["labels"][:, 1:]).sum().item()
            total += tokens
    if total == 0:
        raise ValueError("batches hold no label to evaluate: all are IGNORE_INDEX")
    return {"loss": loss / total, "token_accuracy": right / total}
