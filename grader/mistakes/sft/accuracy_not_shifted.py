"""The accuracy compares the logits at t with the label at t.

The model foretells the next token, so a good model looks bad here. Shift as in the loss: logits[:, :-1] and
labels[:, 1:].
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
                right += (logits.argmax(dim=-1) == batch["labels"]).sum().item()
                total += tokens
    finally:
        for module, mode in modes.items():
            module.training = mode
    if total == 0:
        raise ValueError("batches hold no label to evaluate: all are IGNORE_INDEX")
    return {"loss": loss / total, "token_accuracy": right / total}
