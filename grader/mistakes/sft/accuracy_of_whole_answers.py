"""The accuracy is the share of rows without an error.

That is exact match, a harder measure. token_accuracy counts tokens: right ones over scored ones.
"""
# Shows in: accuracy_counts_scored_tokens


def evaluate(model, batches):
    loss, right, rows, total = 0.0, 0, 0, 0
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            for batch in batches:
                logits = model(batch["input_ids"], batch["attention_mask"])
                tokens = _count(batch["labels"]).item()
                loss += sft_loss(logits, batch["labels"]).item() * tokens
                chosen, target = logits[:, :-1].argmax(dim=-1), batch["labels"][:, 1:]
                scored = target != IGNORE_INDEX
                right += ((chosen == target) | ~scored).all(dim=1)[scored.any(dim=1)].sum().item()
                rows += scored.any(dim=1).sum().item()
                total += tokens
    finally:
        for module, mode in modes.items():
            module.training = mode
    if total == 0:
        raise ValueError("batches hold no label to evaluate: all are IGNORE_INDEX")
    return {"loss": loss / total, "token_accuracy": right / rows}
