"""The weights of the micro-batches count first labels, which no position predicts.

The first label of a row is never scored. Count what the loss scores: labels[:, 1:] != -100.
"""
# Shows in: unequal_micro_batches_equal_one_batch


def train_step(model, micro_batches, optimizer, *, scheduler=None, max_grad_norm=1.0):
    total = sum(_count(batch["labels"]).item() for batch in micro_batches)
    if total == 0:
        raise ValueError("micro_batches hold no label to learn from: all are IGNORE_INDEX")
    model.train()
    optimizer.zero_grad()
    mean_loss = 0.0
    for batch in micro_batches:
        logits = model(batch["input_ids"], batch["attention_mask"])
        counts = [(other["labels"] != IGNORE_INDEX).sum() for other in micro_batches]
        loss = sft_loss(logits, batch["labels"]) * (batch["labels"] != IGNORE_INDEX).sum() / sum(counts)
        loss.backward()  # adds to the gradients of the micro-batches before
        mean_loss += loss.item()
    if max_grad_norm is not None:
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        nn.utils.clip_grad_norm_(parameters, max_grad_norm)
    optimizer.step()
    if scheduler is not None:
        scheduler.step()
    return mean_loss
