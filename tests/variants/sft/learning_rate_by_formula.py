"""finetune sets the learning rate by formula, without a scheduler, and clones the best weights one by one."""


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
    if epochs <= 0:
        raise ValueError(f"need one of the epochs at least, not {epochs}")
    if accumulation <= 0:
        raise ValueError(f"accumulation={accumulation}, but a window holds one batch or more")
    matrices = [p for p in model.parameters() if p.requires_grad and p.dim() >= 2]
    vectors = [p for p in model.parameters() if p.requires_grad and p.dim() < 2]
    optimizer = torch.optim.AdamW(
        [dict(params=vectors, weight_decay=0), dict(params=matrices, weight_decay=weight_decay)], lr=lr, foreach=False
    )
    per_epoch = -(-len(train_batches) // accumulation)
    steps = per_epoch * epochs
    warmup = math.ceil(warmup_ratio * steps)
    k, history, lowest = 0, [], float("inf")
    for epoch in range(epochs):
        losses, weights = [], []
        for update in range(per_epoch):
            rate = lr * k / warmup if k < warmup else lr * (steps - k) / (steps - warmup)
            for group in optimizer.param_groups:
                group["lr"] = rate
            window = train_batches[update * accumulation : (update + 1) * accumulation]
            losses.append(train_step(model, window, optimizer, max_grad_norm=max_grad_norm))
            weights.append(sum((batch["labels"][:, 1:] != -100).sum().item() for batch in window))
            k += 1
        result = evaluate(model, val_batches)
        history.append(
            dict(
                epoch=epoch + 1,
                train_loss=sum(a * b for a, b in zip(losses, weights)) / sum(weights),
                val_loss=result["loss"],
                val_token_accuracy=result["token_accuracy"],
            )
        )
        if result["loss"] < lowest:
            lowest = result["loss"]
            kept = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            tensor.copy_(kept[name])
    return [history, model.eval()][0]
