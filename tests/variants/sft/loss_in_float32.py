"""Logits are cast to float32 for the loss, as transformers does; shares of tokens are tensors."""


def sft_loss(logits, labels):
    logits = logits.float()
    labels = F.pad(labels, (0, 1), value=IGNORE_INDEX)[:, 1:]
    summed = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), labels.reshape(-1), reduction="sum")
    return summed / torch.clamp((labels != IGNORE_INDEX).sum(), min=1)


def train_step(model, micro_batches, optimizer, *, scheduler=None, max_grad_norm=1.0):
    counts = torch.tensor([(batch["labels"][:, 1:] != IGNORE_INDEX).sum() for batch in micro_batches])
    if counts.sum() == 0:
        raise ValueError("micro_batches: every label is ignored")
    model.train()
    optimizer.zero_grad()
    losses = []
    for batch, share in zip(micro_batches, counts / counts.sum()):
        losses.append(sft_loss(model(batch["input_ids"], batch["attention_mask"]), batch["labels"]) * share)
        losses[-1].backward()
    if max_grad_norm is not None:
        nn.utils.clip_grad_norm_(model.parameters(), max_norm=max_grad_norm)
    optimizer.step()
    if scheduler is not None:
        scheduler.step()
    return torch.stack(losses).sum().item()
