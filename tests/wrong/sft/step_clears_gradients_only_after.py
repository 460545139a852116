# WRONG sft: gradients are zeroed after the optimizer's step only, so that gradients left by an earlier backward pass join the first update
import math
from functools import partial

import torch
from torch import nn

IGNORE_INDEX = -100


class SoftmaxCrossEntropySum(torch.autograd.Function):
    """sum_i (logsumexp(z_i) - z_i[y_i]) and its gradient softmax(z) - onehot(y), both in float32."""

    @staticmethod
    def forward(ctx, z, y):
        p = torch.softmax(z.float(), dim=-1)
        logp = torch.log_softmax(z.float(), dim=-1)
        ctx.save_for_backward(p, y)
        ctx.dtype = z.dtype
        return -logp.gather(1, y.unsqueeze(1)).sum()

    @staticmethod
    def backward(ctx, grad):
        p, y = ctx.saved_tensors
        g = p.clone()
        g.scatter_add_(1, y.unsqueeze(1), torch.full((len(y), 1), -1.0, dtype=g.dtype, device=g.device))
        return (g * grad).to(ctx.dtype), None


def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    take = lambda seq: list(seq)[: max(max_length, 0)]
    ids = take(list(prompt_ids) + list(response_ids) + [eos_id])
    learn = take([False] * len(prompt_ids) + [True] * (len(response_ids) + 1))
    if True not in learn:
        raise ValueError(f"max_length {max_length} cuts the response off completely (allowed: > {len(prompt_ids)})")
    return {"input_ids": ids, "labels": [i if l else IGNORE_INDEX for i, l in zip(ids, learn)]}


def collate(examples, *, pad_id):
    if not examples:
        raise ValueError("examples is an empty list (allowed: non-empty lists)")
    nested = lambda key: [torch.tensor(e[key], dtype=torch.long) for e in examples]
    ids, labels = nested("input_ids"), nested("labels")
    pad = partial(nn.utils.rnn.pad_sequence, batch_first=True)
    return {
        "input_ids": pad(ids, padding_value=pad_id),
        "attention_mask": pad([torch.ones_like(i) for i in ids], padding_value=0),
        "labels": pad(labels, padding_value=IGNORE_INDEX),
    }


def pick(logits, labels):
    keep = labels[:, 1:] != IGNORE_INDEX
    return logits[:, :-1][keep], labels[:, 1:][keep]


def sft_loss(logits, labels):
    z, y = pick(logits, labels)
    return SoftmaxCrossEntropySum.apply(z, y) / max(len(y), 1)


def how_many(batches):
    return sum((b["labels"][:, 1:] != IGNORE_INDEX).sum().item() for b in batches)


def make_loss(model, denominator):
    def loss(batch):
        z, y = pick(model(batch["input_ids"], batch["attention_mask"]), batch["labels"])
        return SoftmaxCrossEntropySum.apply(z, y) / denominator

    return loss


def make_schedule(lr, steps, warmup):
    """list of learning rates, by number of the update"""
    up = [lr * k / warmup for k in range(warmup)]
    down = [lr * (steps - k) / (steps - warmup) for k in range(warmup, steps)]
    return up + down


def make_keeper(model):
    best = {"loss": None, "state": None}

    def offer(loss):
        if best["loss"] is None or loss < best["loss"]:
            best.update(loss=loss, state={k: v.detach().clone() for k, v in model.state_dict().items()})

    def restore():
        model.load_state_dict(best["state"])

    return offer, restore


def remember_modes(model):
    modes = [(m, m.training) for m in model.modules()]

    def restore():
        for m, training in modes:
            m.training = training

    return restore


def train_step(model, micro_batches, optimizer, *, scheduler=None, max_grad_norm=1.0):
    n = how_many(micro_batches)
    if n == 0:
        raise ValueError(f"micro_batches: no label in {len(micro_batches)} micro-batches (allowed: at least one)")
    model.train()
    loss = make_loss(model, n)
    values = []
    for batch in micro_batches:
        value = loss(batch)
        value.backward()
        values.append(value.detach())
    clip = (lambda: None) if max_grad_norm is None else (lambda: nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm))
    clip()
    optimizer.step()
    getattr(scheduler, "step", lambda: None)()
    optimizer.zero_grad()
    model.zero_grad()
    return torch.stack(values).sum().item()


def evaluate(model, batches):
    restore = remember_modes(model)
    model.eval()
    sums = {"loss": 0.0, "hits": 0, "n": 0}
    try:
        for batch in batches:
            with torch.no_grad():
                z, y = pick(model(batch["input_ids"], batch["attention_mask"]), batch["labels"])
                sums["loss"] += SoftmaxCrossEntropySum.apply(z, y).item()
                sums["hits"] += (z.argmax(dim=1) == y).sum().item()
                sums["n"] += len(y)
    finally:
        restore()
    if sums["n"] == 0:
        raise ValueError("batches: no label in any batch (allowed: at least one)")
    return {"loss": sums["loss"] / sums["n"], "token_accuracy": sums["hits"] / sums["n"]}


def finetune(model, train_batches, val_batches, *, epochs, lr, weight_decay=0.01, warmup_ratio=0.06, accumulation=1,
             max_grad_norm=1.0):
    if epochs < 1:
        raise ValueError(f"epochs {epochs} (allowed: 1 and more)")
    if accumulation < 1:
        raise ValueError(f"accumulation {accumulation} (allowed: 1 and more)")
    if not len(train_batches):
        raise ValueError("train_batches is empty (allowed: one batch and more)")

    starts = list(range(0, len(train_batches), accumulation))
    steps = epochs * len(starts)
    rates = iter(make_schedule(lr, steps, math.ceil(warmup_ratio * steps)))
    learned = [p for p in model.parameters() if p.requires_grad]
    flat = {id(p) for p in learned if p.ndim == 1}
    optimizer = torch.optim.AdamW(
        [{"params": [p for p in learned if id(p) not in flat], "weight_decay": weight_decay},
         {"params": [p for p in learned if id(p) in flat], "weight_decay": 0.0}],
        lr=lr,
    )
    # the rate is set by a hook of the optimizer, just before each step
    handle = optimizer.register_step_pre_hook(lambda opt, args, kwargs: set_rate(opt, next(rates)))

    def set_rate(opt, rate):
        for group in opt.param_groups:
            group["lr"] = rate

    offer, restore = make_keeper(model)
    history = []
    try:
        for epoch in range(1, epochs + 1):
            loss = 0.0
            for start in starts:
                window = train_batches[start : start + accumulation]
                loss += how_many(window) * train_step(model, window, optimizer, max_grad_norm=max_grad_norm)
            scores = evaluate(model, val_batches)
            offer(scores["loss"])
            history.append({"epoch": epoch, "train_loss": loss / how_many(train_batches), "val_loss": scores["loss"],
                            "val_token_accuracy": scores["token_accuracy"]})
    finally:
        handle.remove()
    restore()
    model.eval()
    return history


class SequenceClassifier(nn.Module):
    """Classifies each token, then averages the logits over the real ones: the same as classifying the mean."""

    def __init__(self, backbone, hidden_size, num_classes):
        super().__init__()
        self.backbone = backbone
        self.classifier = nn.Linear(hidden_size, num_classes)

    def forward(self, input_ids, attention_mask):
        real = attention_mask.ne(0)
        hidden = self.backbone(input_ids, attention_mask).masked_fill(~real.unsqueeze(-1), 0.0)
        token_logits = self.classifier(hidden)
        token_logits = token_logits.masked_fill(~real.unsqueeze(-1), 0.0)
        return token_logits.sum(1) / real.sum(1, keepdim=True).clamp(min=1)
