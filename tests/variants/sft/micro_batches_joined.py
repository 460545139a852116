"""All micro-batches are joined to one batch, which is slow in memory but right."""


def train_step(model, micro_batches, optimizer, *, scheduler=None, max_grad_norm=1.0):
    if not any((batch["labels"][:, 1:] != -100).any() for batch in micro_batches):
        raise ValueError("micro_batches hold no label")
    width = max(batch["labels"].shape[1] for batch in micro_batches)

    def joined(key, value):
        parts = [F.pad(batch[key], (0, width - batch[key].shape[1]), value=value) for batch in micro_batches]
        return torch.cat(parts)

    model.train()
    optimizer.zero_grad(set_to_none=True)
    logits = model(joined("input_ids", 0), joined("attention_mask", 0))
    loss = sft_loss(logits, joined("labels", -100))
    loss.backward()
    if max_grad_norm is not None:
        nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], max_grad_norm, foreach=False)
    optimizer.step()
    if scheduler is not None:
        scheduler.step()
    return loss.item()
