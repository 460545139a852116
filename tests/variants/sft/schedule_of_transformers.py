"""finetune imports transformers' schedule when it needs it, validates on a copy, and keeps the best weights as bytes."""

import io


def windows_of(batches, size):
    window = []
    for batch in batches:
        window.append(batch)
        if len(window) == size:
            yield window
            window = []
    if window:
        yield window


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
    from transformers import get_linear_schedule_with_warmup

    for name in ("epochs", "accumulation"):
        if locals()[name] < 1:
            raise ValueError(f"{name} must be positive")
    vectors, rest = [], []
    for parameter in filter(lambda p: p.requires_grad, model.parameters()):
        (vectors if parameter.dim() == 1 else rest).append(parameter)
    optimizer = torch.optim.AdamW(
        [{"params": rest, "weight_decay": weight_decay}, {"params": vectors}], lr=lr, weight_decay=0.0
    )
    steps = sum(1 for _ in windows_of(train_batches, accumulation)) * epochs
    scheduler = get_linear_schedule_with_warmup(optimizer, math.ceil(warmup_ratio * steps), steps)
    history, saved = [], {}
    for epoch in range(1, epochs + 1):
        total, tokens = 0.0, 0
        for window in windows_of(train_batches, accumulation):
            count = int(sum((batch["labels"][:, 1:] != IGNORE_INDEX).sum() for batch in window))
            total += count * train_step(model, window, optimizer, scheduler=scheduler, max_grad_norm=max_grad_norm)
            tokens += count
        result = evaluate(copy.deepcopy(model), val_batches)
        history.append(
            {
                "epoch": epoch,
                "train_loss": total / tokens,
                "val_loss": result["loss"],
                "val_token_accuracy": result["token_accuracy"],
            }
        )
        file = io.BytesIO()
        torch.save(model.state_dict(), file)
        saved[epoch] = file.getvalue()
    best = min(history, key=lambda entry: entry["val_loss"])["epoch"]
    model.load_state_dict(torch.load(io.BytesIO(saved[best])))
    for module in model.modules():
        module.training = False
    return history
