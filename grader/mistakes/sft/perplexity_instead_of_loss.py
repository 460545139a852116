"""The loss is given as perplexity.

exp(loss) is another number, though it orders models in the same way. The contract says nats per target token.
"""
# Shows in: loss_is_a_mean_over_all_tokens


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
        raise ValueError("batches hold no label to evaluate: all are IGNORE_INDEX")
    return {"loss": math.exp(loss / total), "token_accuracy": right / total}
