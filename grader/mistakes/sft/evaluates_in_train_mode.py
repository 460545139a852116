"""The model is evaluated in train mode.

Dropout acts, so the loss is too high and changes from call to call. Call model.eval() first.
"""
# Shows in: evaluates_in_eval_mode_without_gradients


def evaluate(model, batches):
    loss, right, total = 0.0, 0, 0
    was_training = model.training
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
