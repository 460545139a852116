"""The model is always put into train mode at the end.

A model that came in eval mode is in use: its answers become random. Remember the mode of each module, and
give that back.
"""
# Shows in: mode_is_restored


def evaluate(model, batches):
    loss, right, total = 0.0, 0, 0
    model.eval()
    try:
        with torch.no_grad():
            for batch in batches:
                logits = model(batch["input_ids"], batch["attention_mask"])
                tokens = _count(batch["labels"]).item()
                loss += sft_loss(logits, batch["labels"]).item() * tokens
                right += (logits[:, :-1].argmax(dim=-1) == batch["labels"][:, 1:]).sum().item()
                total += tokens
    finally:
        model.train()
    if total == 0:
        raise ValueError("batches hold no label to evaluate: all are IGNORE_INDEX")
    return {"loss": loss / total, "token_accuracy": right / total}
