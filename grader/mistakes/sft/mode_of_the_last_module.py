"""The mode to restore is that of the last module, and all modules get it.

Each module has a mode of its own: {m: m.training for m in model.modules()} remembers them all.
"""
# Shows in: mode_is_restored


def evaluate(model, batches):
    loss, right, total = 0.0, 0, 0
    was_training = list(model.modules())[-1].training
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
        model.train(was_training)
    if total == 0:
        raise ValueError("batches hold no label to evaluate: all are IGNORE_INDEX")
    return {"loss": loss / total, "token_accuracy": right / total}
