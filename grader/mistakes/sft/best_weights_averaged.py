"""The weights at the end are the mean of those of all epochs.

Averaging weights is a method of its own (SWA). The contract asks for the weights of one epoch, that of the
lowest val_loss.
"""
# Shows in: keeps_the_best_epoch


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
    for name, value in (("epochs", epochs), ("accumulation", accumulation), ("train_batches", len(train_batches))):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    windows = [train_batches[start : start + accumulation] for start in range(0, len(train_batches), accumulation)]
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in trainable if p.ndim > 1], "weight_decay": weight_decay},
            {"params": [p for p in trainable if p.ndim <= 1], "weight_decay": 0.0},
        ],
        lr=lr,
    )
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, _warmup_then_decay(epochs * len(windows), warmup_ratio))
    history, best = [], None
    for epoch in range(1, epochs + 1):
        loss, tokens = 0.0, 0
        for window in windows:
            count = sum(_count(batch["labels"]).item() for batch in window)
            loss += count * train_step(model, window, optimizer, scheduler=scheduler, max_grad_norm=max_grad_norm)
            tokens += count
        result = evaluate(model, val_batches)
        if best is None:
            best = {name: torch.zeros_like(tensor) for name, tensor in model.state_dict().items()}
        for name, tensor in model.state_dict().items():
            best[name] += tensor / epochs if tensor.is_floating_point() else tensor * (epoch == 1)
        history.append(
            {
                "epoch": epoch,
                "train_loss": loss / tokens,
                "val_loss": result["loss"],
                "val_token_accuracy": result["token_accuracy"],
            }
        )
    model.load_state_dict(best)
    model.eval()
    return history
