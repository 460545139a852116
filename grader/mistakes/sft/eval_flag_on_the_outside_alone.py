"""Only the flag of the outermost module is set to eval.

model.training = False does not reach the submodules, so the dropout inside still acts. model.eval() sets all
of them.
"""
# Shows in: evaluates_in_eval_mode_without_gradients


def evaluate(model, batches):
    loss, right, total = 0.0, 0, 0
    modes = {module: module.training for module in model.modules()}
    model.training = False
    try:
        with torch.no_grad():
            for batch in batches:
                logits = model(batch["input_ids"], batch["attention_mask"])
                tokens = _count(batch["labels"]).item()
                loss += sft_loss(logits, batch["labels"]).item() * tokens
                right += (logits[:, :-1].argmax(dim=-1) == batch["labels"][:, 1:]).sum().item()
                total += tokens
    finally:
        for module, mode in modes.items():
            module.training = mode
    if total == 0:
        raise ValueError("batches hold no label to evaluate: all are IGNORE_INDEX")
    return {"loss": loss / total, "token_accuracy": right / total}
