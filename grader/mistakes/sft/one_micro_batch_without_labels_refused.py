"""A list is refused as soon as one micro-batch has no label.

A micro-batch without labels adds nothing to the sum, and the others can still be learned. Only the whole list
must have a label.
"""
# Shows in: a_micro_batch_without_labels_adds_nothing


def train_step(model, micro_batches, optimizer, *, scheduler=None, max_grad_norm=1.0):
    total = sum(_count(batch["labels"]).item() for batch in micro_batches)
    if any(_count(batch["labels"]) == 0 for batch in micro_batches) or total == 0:
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
        nn.utils.clip_grad_norm_(parameters, max_grad_norm)
    optimizer.step()
    if scheduler is not None:
        scheduler.step()
    return mean_loss
