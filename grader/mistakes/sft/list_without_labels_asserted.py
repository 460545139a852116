"""A list without labels is an AssertionError.

assert is for what cannot happen unless the code itself is wrong, and python -O removes it. An argument that
makes no sense is a ValueError that names it.
"""
# Shows in: refuses_a_list_without_labels


def train_step(model, micro_batches, optimizer, *, scheduler=None, max_grad_norm=1.0):
    total = sum(_count(batch["labels"]).item() for batch in micro_batches)
    assert total > 0, "micro_batches hold no label"
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
