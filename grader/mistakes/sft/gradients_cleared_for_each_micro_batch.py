"""The gradients are cleared before each micro-batch.

Then only the last micro-batch counts. Clear once, before the loop.
"""
# Shows in: unequal_micro_batches_equal_one_batch


def train_step(model, micro_batches, optimizer, *, scheduler=None, max_grad_norm=1.0):
    total = sum(_count(batch["labels"]).item() for batch in micro_batches)
    if total == 0:
        raise ValueError("micro_batches hold no label to learn from: all are IGNORE_INDEX")
    model.train()
    mean_loss = 0.0
    for batch in micro_batches:
        logits = model(batch["input_ids"], batch["attention_mask"])
        loss = sft_loss(logits, batch["labels"]) * _count(batch["labels"]) / total
        optimizer.zero_grad()
        loss.backward()
        mean_loss += loss.item()
    if max_grad_norm is not None:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(parameters, max_grad_norm)
    optimizer.step()
    if scheduler is not None:
        scheduler.step()
    return mean_loss
