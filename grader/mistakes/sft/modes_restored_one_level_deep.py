"""Only the model and its direct children get their own modes back.

children() is one level deep, and train(mode) sets all below in one way. modules() gives every module at every
depth.
"""
# Shows in: mode_is_restored


def evaluate(model, batches):
    loss, right, total = 0.0, 0, 0
    was_training, modes = model.training, {child: child.training for child in model.children()}
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
        model.training = was_training
        for child, mode in modes.items():
            child.train(mode)
    if total == 0:
        raise ValueError("batches hold no label to evaluate: all are IGNORE_INDEX")
    return {"loss": loss / total, "token_accuracy": right / total}
