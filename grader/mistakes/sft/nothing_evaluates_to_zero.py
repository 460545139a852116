"""An evaluation without labels returns numbers instead of an error.

A loss of 0 looks like a perfect model, and NaN is below and above nothing. Raise a ValueError that names
batches.
"""


def evaluate(model, batches):
    loss, right, total = 0.0, 0, 0
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
    finally:
        for module, mode in modes.items():
            module.training = mode
    if total == 0:
        return {"loss": 0.0, "token_accuracy": 0.0}
    return {"loss": loss / total, "token_accuracy": right / total}
