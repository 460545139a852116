"""The mean loss of a micro-batch without labels is NaN, and NaN times 0 is NaN.

F.cross_entropy divides by the number of scored labels, here 0. Take the sum of the losses (reduction="sum"),
or leave out what has no label.
"""
# Shows in: a_micro_batch_without_labels_adds_nothing


def train_step(model, micro_batches, optimizer, *, scheduler=None, max_grad_norm=1.0):
    total = sum(_count(batch["labels"]).item() for batch in micro_batches)
    if total == 0:
        raise ValueError("micro_batches hold no label to learn from: all are IGNORE_INDEX")
    model.train()
    optimizer.zero_grad()
    mean_loss = 0.0
    for batch in micro_batches:
        logits = model(batch["input_ids"], batch["attention_mask"])
        loss = F.cross_entropy(
            logits[:, :-1].flatten(0, 1), batch["labels"][:, 1:].flatten(), ignore_index=IGNORE_INDEX
        )
        loss = loss * _count(batch["labels"]) / total
        loss.backward()  # adds to the gradients of the micro-batches before
        mean_loss += loss.item()
    if max_grad_norm is not None:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(parameters, max_grad_norm)
    optimizer.step()
    if scheduler is not None:
        scheduler.step()
    return mean_loss
