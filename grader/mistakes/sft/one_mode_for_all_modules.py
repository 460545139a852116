"""All modules get the mode of the model, though some had another one.

model.train(mode) sets everything inside. A part that is kept in eval mode on purpose, such as a frozen
encoder, then starts to drop out. Remember and restore the mode of each module.
"""
# Shows in: mode_is_restored


def evaluate(model, batches):
    loss, right, total = 0.0, 0, 0
    was_training = model.training
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
