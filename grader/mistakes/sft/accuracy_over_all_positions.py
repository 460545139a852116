"""The accuracy is divided by all positions, ignored ones included.

No logit equals -100, so prompt and padding always count as wrong. Divide by the number of scored labels.
"""


def evaluate(model, batches):
    loss, right, total, positions = 0.0, 0, 0, 0
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
                positions += batch["labels"][:, 1:].numel()
    finally:
        for module, mode in modes.items():
            module.training = mode
    if total == 0:
        raise ValueError("batches hold no label to evaluate: all are IGNORE_INDEX")
    return {"loss": loss / total, "token_accuracy": right / positions}
