# RIGHT sft: metric classes registered by __init_subclass__, mixins, and a handwritten AdamW optimizer class
import math
from abc import ABC, abstractmethod

import torch
from torch import nn
from torch.optim import Optimizer

IGNORE_INDEX = -100


# -------------------------------------------------------------------- features
def encode_example(prompt_ids, response_ids, *, eos_id, max_length):
    ids, labels = [], []
    for part, is_learned in ((prompt_ids, False), (response_ids, True), ((eos_id,), True)):
        ids += list(part)
        labels += list(part) if is_learned else [IGNORE_INDEX] * len(part)
    del ids[max(0, max_length):], labels[max(0, max_length):]
    if len(labels) - labels.count(IGNORE_INDEX) == 0:
        raise ValueError(
            f"Nothing to learn from: got max_length={max_length} for a prompt of {len(prompt_ids)} tokens, "
            f"max_length >= {len(prompt_ids) + 1} is allowed"
        )
    return {"input_ids": ids, "labels": labels}


class Padder:
    def __init__(self, **fillers):
        self.fillers = fillers

    def __call__(self, columns):
        width = max(len(row) for row in columns["input_ids"])
        return {
            key: torch.tensor([row + (width - len(row)) * [filler] for row in columns[key]], dtype=torch.long)
            for key, filler in self.fillers.items()
        }


def collate(examples, *, pad_id):
    if not examples:
        raise ValueError(f"Got examples={examples!r}, a list with at least one example is allowed")
    columns = {
        "input_ids": [list(e["input_ids"]) for e in examples],
        "attention_mask": [[1] * len(e["input_ids"]) for e in examples],
        "labels": [list(e["labels"]) for e in examples],
    }
    return Padder(input_ids=pad_id, attention_mask=0, labels=IGNORE_INDEX)(columns)


# -------------------------------------------------------------------- metrics
def aligned(logits, labels):
    flat = labels[:, 1:].reshape(-1)
    keep = flat.ne(IGNORE_INDEX).nonzero().squeeze(1)
    return logits[:, :-1].reshape(-1, logits.size(-1))[keep], flat[keep]


def surprisal(logits, labels):
    z, y = aligned(logits, labels)
    return nn.functional.cross_entropy(z.float(), y, reduction="sum")


class Metric(ABC):
    registry = {}

    def __init_subclass__(cls, key=None, **kwargs):
        super().__init_subclass__(**kwargs)
        if key is not None:
            Metric.registry[key] = cls

    def __init__(self):
        self.total, self.count = 0.0, 0

    @abstractmethod
    def measure(self, logits, labels):
        ...

    def update(self, logits, labels):
        self.total += self.measure(logits, labels)
        self.count += self.weight(logits, labels)

    def compute(self):
        return self.total / self.count


class PerTokenMixin:
    def weight(self, logits, labels):
        return int(labels[:, 1:].ne(IGNORE_INDEX).sum())


class Loss(PerTokenMixin, Metric, key="loss"):
    def measure(self, logits, labels):
        return surprisal(logits, labels).item()


class TokenAccuracy(PerTokenMixin, Metric, key="token_accuracy"):
    def measure(self, logits, labels):
        z, y = aligned(logits, labels)
        return int((z.argmax(-1) == y).sum())


def sft_loss(logits, labels):
    n = PerTokenMixin().weight(logits, labels)
    return surprisal(logits, labels) / (n or 1)


# -------------------------------------------------------------------- optimizer
class DecoupledAdam(Optimizer):
    """AdamW, arXiv 1711.05101, algorithm 2, with PyTorch's defaults."""

    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
        if lr < 0:
            raise ValueError(f"Got lr={lr}, 0 or more is allowed")
        if weight_decay < 0:
            raise ValueError(f"Got weight_decay={weight_decay}, 0 or more is allowed")
        super().__init__(params, dict(lr=lr, betas=betas, eps=eps, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            b1, b2 = group["betas"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                s = self.state[p]
                if not s:
                    s["step"], s["m"], s["v"] = 0, torch.zeros_like(p), torch.zeros_like(p)
                s["step"] += 1
                p.mul_(1 - group["lr"] * group["weight_decay"])
                s["m"].lerp_(p.grad, 1 - b1)
                s["v"].mul_(b2).addcmul_(p.grad, p.grad, value=1 - b2)
                m_hat_scale = group["lr"] / (1 - b1 ** s["step"])
                denom = (s["v"] / (1 - b2 ** s["step"])).sqrt_().add_(group["eps"])
                p.addcdiv_(s["m"], denom, value=-m_hat_scale)


class WarmupThenLinear:
    """Not a torch scheduler, but it has `step()`, which is all that train_step asks for."""

    def __init__(self, optimizer, warmup, steps, peak):
        self.optimizer, self.warmup, self.steps, self.peak, self.k = optimizer, warmup, steps, peak, 0
        self.apply()

    def apply(self):
        k, w, n = self.k, self.warmup, self.steps
        rate = k / w if k < w else (n - k) / (n - w) if k < n else 0.0
        for group in self.optimizer.param_groups:
            group["lr"] = self.peak * rate

    def step(self):
        self.k += 1
        self.apply()


# -------------------------------------------------------------------- loops
def train_step(model, micro_batches, optimizer, *, scheduler=None, max_grad_norm=1.0):
    weights = [PerTokenMixin().weight(None, b["labels"]) for b in micro_batches]
    if not any(weights):
        raise ValueError(f"Got micro_batches with {sum(weights)} target tokens, at least one is allowed")
    model.train()
    optimizer.zero_grad()
    model.zero_grad()
    meter = Loss()
    for b, w in zip(micro_batches, weights):
        if not w:
            continue
        loss = surprisal(model(b["input_ids"], b["attention_mask"]), b["labels"])
        (loss / sum(weights)).backward()
        meter.total += loss.item()
        meter.count += w
    if max_grad_norm is not None:
        nn.utils.clip_grad_norm_(list(model.parameters()), max_grad_norm)
    optimizer.step()
    if scheduler is not None:
        scheduler.step()
    return meter.compute()


class Frozen:
    def __init__(self, model):
        self.model = model

    def __enter__(self):
        self.was = {m: m.training for m in self.model.modules()}
        self.no_grad = torch.no_grad()
        self.no_grad.__enter__()
        self.model.eval()

    def __exit__(self, *exc):
        for m, training in self.was.items():
            m.training = training
        return self.no_grad.__exit__(*exc)


def evaluate(model, batches):
    metrics = {key: cls() for key, cls in Metric.registry.items()}
    with Frozen(model):
        for b in batches:
            logits = model(b["input_ids"], b["attention_mask"])
            for metric in metrics.values():
                metric.update(logits, b["labels"])
    if metrics["loss"].count == 0:
        raise ValueError("Got batches without any label, at least one label is allowed")
    return {key: metric.compute() for key, metric in metrics.items()}


def finetune(model, train_batches, val_batches, *, epochs, lr, weight_decay=0.01, warmup_ratio=0.06, accumulation=1,
             max_grad_norm=1.0):
    for key in ("epochs", "accumulation"):
        if locals()[key] < 1:
            raise ValueError(f"Got {key}={locals()[key]}, 1 or more is allowed")
    if not len(train_batches):
        raise ValueError("Got train_batches=[], one batch or more is allowed")
    updates = -(-len(train_batches) // accumulation)
    steps = updates * epochs
    params = [p for p in model.parameters() if p.requires_grad]
    optimizer = DecoupledAdam(
        [dict(params=[p for p in params if p.ndim != 1], weight_decay=weight_decay),
         dict(params=[p for p in params if p.ndim == 1], weight_decay=0.0)],
        lr=lr,
    )
    scheduler = WarmupThenLinear(optimizer, math.ceil(warmup_ratio * steps), steps, lr)
    history, best = [], None
    for epoch in range(1, epochs + 1):
        train = Loss()
        for u in range(updates):
            window = train_batches[u * accumulation : (u + 1) * accumulation]
            n = sum(PerTokenMixin().weight(None, b["labels"]) for b in window)
            train.total += n * train_step(model, window, optimizer, scheduler=scheduler, max_grad_norm=max_grad_norm)
            train.count += n
        val = evaluate(model, val_batches)
        history.append(dict(epoch=epoch, train_loss=train.compute(), **{f"val_{k}": v for k, v in val.items()}))
        if best is None or history[best]["val_loss"] > val["loss"]:
            best = epoch - 1
            weights = {k: v.clone() for k, v in model.state_dict().items()}
    model.load_state_dict(weights)
    model.eval()
    return history


# -------------------------------------------------------------------- classifier
class MaskedMeanMixin:
    @staticmethod
    def masked_mean(hidden, mask):
        b, t, d = hidden.shape
        row = torch.arange(b, device=hidden.device).repeat_interleave(t)
        real = mask.reshape(-1) != 0
        sums = torch.zeros(b, d, dtype=hidden.dtype, device=hidden.device)
        sums = sums.scatter_add(0, row[real, None].expand(-1, d), hidden.reshape(-1, d)[real])
        return sums / mask.ne(0).sum(1, keepdim=True).clamp(min=1).to(hidden.dtype)


class SequenceClassifier(MaskedMeanMixin, nn.Module):
    def __init__(self, backbone, hidden_size, num_classes):
        super().__init__()
        self.features = backbone
        self.classifier = nn.Linear(hidden_size, num_classes)

    def forward(self, input_ids, attention_mask):
        return self.classifier(self.masked_mean(self.features(input_ids, attention_mask), attention_mask))
