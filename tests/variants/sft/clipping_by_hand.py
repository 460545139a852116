"""Gradients of summed losses, divided afterwards, and clipped by hand."""


def train_step(model, micro_batches, optimizer, *, scheduler=None, max_grad_norm=1.0):
    counts = [int((batch["labels"][:, 1:] != -100).sum()) for batch in micro_batches]
    if sum(counts) == 0:
        raise ValueError("no target tokens in micro_batches")
    model.train()
    model.zero_grad()
    summed = 0.0
    for batch in micro_batches:
        logits = model(batch["input_ids"], batch["attention_mask"])[:, :-1]
        loss = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), batch["labels"][:, 1:].reshape(-1), reduction="sum")
        loss.backward()
        summed += float(loss)
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    for gradient in gradients:
        gradient /= sum(counts)
    if max_grad_norm is not None:
        norm = sum(float((gradient**2).sum()) for gradient in gradients) ** 0.5
        if norm > max_grad_norm:
            for gradient in gradients:
                gradient *= max_grad_norm / norm
    optimizer.step()
    if scheduler:
        scheduler.step()
    return summed / sum(counts)
