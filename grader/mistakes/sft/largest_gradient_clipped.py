"""The largest entry of the gradients is held below the limit, not their norm.

max_grad_norm is a bound of the Euclidean norm of all gradients together. norm_type=inf bounds the largest
entry, which is far smaller, so nearly nothing is clipped.
"""
# Shows in: clips_the_total_norm


def train_step(model, micro_batches, optimizer, *, scheduler=None, max_grad_norm=1.0):
    total = sum(_count(batch["labels"]).item() for batch in micro_batches)
    if total == 0:
        raise ValueError("micro_batches hold no label to learn from: all are IGNORE_INDEX")
    model.train()
    optimizer.zero_grad()
    mean_loss = 0.0
    for batch in micro_batches:
        logits = model(batch["input_ids"], batch["attention_mask"])
        loss = sft_loss(logits, batch["labels"]) * _count(batch["labels"]) / total
        loss.backward()  # adds to the gradients of the micro-batches before
        mean_loss += loss.item()
    if max_grad_norm is not None:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(parameters, max_grad_norm, norm_type=math.inf)
    optimizer.step()
    if scheduler is not None:
        scheduler.step()
    return mean_loss
