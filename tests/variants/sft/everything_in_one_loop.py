"""finetune stands alone: it uses neither train_step nor evaluate, and keeps one group for each parameter."""


def finetune(
    model,
    train_batches,
    val_batches,
    *,
    epochs,
    lr,
    weight_decay=0.01,
    warmup_ratio=0.06,
    accumulation=1,
    max_grad_norm=1.0,
):
    if min(epochs, accumulation) < 1:
        raise ValueError(f"epochs and accumulation are counts, not {epochs} and {accumulation}")
    groups = [
        {"params": [p], "weight_decay": 0.0 if len(p.shape) == 1 else weight_decay}
        for p in model.parameters()
        if p.requires_grad
    ]
    optimizer = torch.optim.AdamW(groups, lr)
    starts = list(range(0, len(train_batches), accumulation))
    steps = epochs * len(starts)
    warmup = math.ceil(steps * warmup_ratio)
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda k: float(k) / max(1, warmup) if k < warmup else max(0.0, float(steps - k) / max(1, steps - warmup)),
    )
    history, best_loss, best = [], None, None
    for epoch in range(epochs):
        model.train()
        epoch_loss = epoch_tokens = 0
        for start in starts:
            window = train_batches[start : start + accumulation]
            tokens = sum((b["labels"][:, 1:] != IGNORE_INDEX).sum() for b in window)
            optimizer.zero_grad()
            for b in window:
                logits = model(b["input_ids"], attention_mask=b["attention_mask"])
                target = b["labels"][:, 1:].contiguous().view(-1)
                loss = F.cross_entropy(logits[:, :-1].contiguous().view(-1, logits.size(-1)), target, reduction="sum")
                (loss / tokens).backward()
                epoch_loss += loss.detach()
            epoch_tokens += tokens
            if max_grad_norm is not None:
                nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
            optimizer.step()
            scheduler.step()
        model.eval()
        val_loss = val_right = val_tokens = 0
        with torch.no_grad():
            for b in val_batches:
                logits, target = model(b["input_ids"], b["attention_mask"])[:, :-1], b["labels"][:, 1:]
                scored = target != IGNORE_INDEX
                val_loss += F.cross_entropy(logits[scored], target[scored], reduction="sum")
                val_right += (logits[scored].argmax(-1) == target[scored]).sum()
                val_tokens += scored.sum()
        val_loss = (val_loss / val_tokens).item()
        if best_loss is None or val_loss < best_loss:
            best_loss, best = val_loss, copy.deepcopy(model.state_dict())
        history += [
            {
                "epoch": epoch + 1,
                "train_loss": (epoch_loss / epoch_tokens).item(),
                "val_loss": val_loss,
                "val_token_accuracy": (val_right / val_tokens).item(),
            }
        ]
    model.load_state_dict(best)
    return history
