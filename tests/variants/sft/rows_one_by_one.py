"""train_step goes row by row, without padding, and returns numpy's float; the history tells more than was asked."""

import numpy as np

plain_finetune = finetune


def train_step(model, micro_batches, optimizer, *, scheduler=None, max_grad_norm=1.0):
    rows = []
    for batch in micro_batches:
        for ids, mask, labels in zip(batch["input_ids"], batch["attention_mask"], batch["labels"]):
            length = int(mask.sum())
            if (labels[1:length] != -100).any():
                rows.append((ids[None, :length], mask[None, :length], labels[None, :length]))
    if not rows:
        raise ValueError("no row of micro_batches has a label")
    counts = np.array([int((labels[:, 1:] != -100).sum()) for _, _, labels in rows])
    model.train()
    for parameter in model.parameters():
        parameter.grad = None
    losses = []
    for (ids, mask, labels), count in zip(rows, counts):
        loss = sft_loss(model(input_ids=ids, attention_mask=mask), labels)
        (loss * float(count / counts.sum())).backward()
        losses.append(loss.item())
    if max_grad_norm is not None:
        nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
    optimizer.step()
    if scheduler is not None:
        scheduler.step()
    return np.average(losses, weights=counts)


def finetune(model, train_batches, val_batches, **options):
    history = plain_finetune(model, train_batches, val_batches, **options)
    return [entry | {"perplexity": math.exp(entry["val_loss"]), "lr": options["lr"]} for entry in history]
