# WRONG sft: afterwards model.train(was_training) is called, which gives every submodule the mode of the root
from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import reduce, singledispatch
from typing import Any, Callable, Dict, Final, Iterable, List, Mapping, NamedTuple, Optional, Protocol, Sequence, TypedDict, runtime_checkable

import torch
import torch.nn as nn
from torch import Tensor

IGNORE_INDEX: Final[int] = -100


class Example(TypedDict):
    input_ids: List[int]
    labels: List[int]


class Batch(TypedDict):
    input_ids: Tensor
    attention_mask: Tensor
    labels: Tensor


@runtime_checkable
class Steppable(Protocol):
    def step(self) -> Any: ...


class CausalModel(Protocol):
    def __call__(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor: ...


class Tally(NamedTuple):
    """Sums over target tokens; tallies of disjoint token sets add up."""

    loss: float = 0.0
    hits: int = 0
    tokens: int = 0

    def __add__(self, other: Tally) -> Tally:  # type: ignore[override]
        return Tally(*(a + b for a, b in zip(self, other)))

    def mean(self) -> float:
        return self.loss / self.tokens

    def accuracy(self) -> float:
        return self.hits / self.tokens


@singledispatch
def count_targets(thing: Any) -> int:
    raise TypeError(f"cannot count the targets of a {type(thing).__name__}; a batch, a list of them or a tensor is allowed")


@count_targets.register
def _(thing: torch.Tensor) -> int:
    return int(thing[:, 1:].ne(IGNORE_INDEX).sum())


@count_targets.register
def _(thing: dict) -> int:
    return count_targets(thing["labels"])


@count_targets.register(list)
@count_targets.register(tuple)
def _(thing) -> int:
    return sum(count_targets(part) for part in thing)


def encode_example(prompt_ids: Sequence[int], response_ids: Sequence[int], *, eos_id: int, max_length: int) -> Example:
    full: List[int] = [*prompt_ids, *response_ids, eos_id]
    n_prompt: int = len(prompt_ids)
    if max_length <= n_prompt:
        raise ValueError(f"max_length must exceed the {n_prompt} tokens of prompt_ids to leave a label, got {max_length}")
    end: int = min(max_length, len(full))
    if end <= 0:
        raise ValueError(f"max_length must be positive, got {max_length}")
    return Example(input_ids=full[:end], labels=[IGNORE_INDEX] * n_prompt + full[n_prompt:end])


def collate(examples: Sequence[Example], *, pad_id: int) -> Batch:
    if len(examples) == 0:
        raise ValueError("examples must have at least one element, got none")
    lengths: Tensor = torch.tensor([len(example["input_ids"]) for example in examples])
    width: int = int(lengths.max())

    def dense(get: Callable[[Example], Sequence[int]], filler: int) -> Tensor:
        rows = [[*get(example), *([filler] * (width - len(get(example))))] for example in examples]
        return torch.tensor(rows, dtype=torch.long)

    return Batch(
        input_ids=dense(lambda example: example["input_ids"], pad_id),
        attention_mask=torch.arange(width).lt(lengths[:, None]).to(torch.long),
        labels=dense(lambda example: example["labels"], IGNORE_INDEX),
    )


def summed_loss(logits: Tensor, labels: Tensor) -> Tensor:
    return nn.CrossEntropyLoss(ignore_index=IGNORE_INDEX, reduction="sum")(
        logits[:, :-1].float().transpose(1, 2), labels[:, 1:]
    )


def sft_loss(logits: Tensor, labels: Tensor) -> Tensor:
    tokens = count_targets(labels)
    total = summed_loss(logits, labels)
    return total if tokens == 0 else total / tokens


def train_step(
    model: nn.Module,
    micro_batches: Sequence[Batch],
    optimizer: torch.optim.Optimizer,
    *,
    scheduler: Optional[Steppable] = None,
    max_grad_norm: Optional[float] = 1.0,
) -> float:
    total: int = count_targets(list(micro_batches))
    if total == 0:
        raise ValueError("micro_batches must hold at least one target token (a label other than -100 after the first), got 0")
    model.train()
    optimizer.zero_grad(set_to_none=True)
    model.zero_grad(set_to_none=True)

    def one(batch: Batch) -> float:
        loss = summed_loss(model(batch["input_ids"], batch["attention_mask"]), batch["labels"])
        loss.backward(gradient=torch.full_like(loss, 1.0 / total))
        return float(loss.detach())

    loss_sum = math.fsum(map(one, micro_batches))
    if max_grad_norm is not None:
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        norm = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(g.float()) for g in gradients]))
        coefficient = torch.clamp(max_grad_norm / (norm + 1e-6), max=1.0)
        for g in gradients:
            g.mul_(coefficient.to(g.dtype))
    for stage in (optimizer, scheduler):
        if isinstance(stage, Steppable):
            stage.step()
    return loss_sum / total


def tally(model: CausalModel, batch: Batch) -> Tally:
    logits = model(batch["input_ids"], batch["attention_mask"])
    predicted = logits[:, :-1].argmax(dim=-1)
    return Tally(
        loss=float(summed_loss(logits, batch["labels"])),
        hits=int(predicted.eq(batch["labels"][:, 1:]).sum()),
        tokens=count_targets(batch["labels"]),
    )


def evaluate(model: nn.Module, batches: Iterable[Batch]) -> Dict[str, float]:
    was_training: bool = model.training
    try:
        model.eval()
        with torch.no_grad():
            sums: Tally = reduce(Tally.__add__, (tally(model, batch) for batch in batches), Tally())
    finally:
        model.train(was_training)
    if sums.tokens == 0:
        raise ValueError("batches must contain at least one label, got 0")
    return {"loss": sums.mean(), "token_accuracy": sums.accuracy()}


@dataclass(frozen=True)
class Schedule:
    peak: float
    warmup: int
    steps: int
    k: int = 0

    def rate(self) -> float:
        if self.k < self.warmup:
            return self.peak * self.k / self.warmup
        return self.peak * (self.steps - self.k) / (self.steps - self.warmup)

    def next(self) -> Schedule:
        return replace(self, k=self.k + 1)


@dataclass(frozen=True)
class Checkpoint:
    loss: float
    weights: Mapping[str, Tensor]

    @classmethod
    def of(cls, model: nn.Module, loss: float) -> Checkpoint:
        return cls(loss, {name: value.detach().clone() for name, value in model.state_dict().items()})

    def better(self, model: nn.Module, loss: float) -> Checkpoint:
        return type(self).of(model, loss) if loss < self.loss else self


def finetune(
    model: nn.Module,
    train_batches: Sequence[Batch],
    val_batches: Sequence[Batch],
    *,
    epochs: int,
    lr: float,
    weight_decay: float = 0.01,
    warmup_ratio: float = 0.06,
    accumulation: int = 1,
    max_grad_norm: Optional[float] = 1.0,
) -> List[Dict[str, float]]:
    if epochs < 1:
        raise ValueError(f"epochs must be at least 1, got {epochs}")
    if accumulation < 1:
        raise ValueError(f"accumulation must be at least 1, got {accumulation}")
    if len(train_batches) < 1:
        raise ValueError("train_batches must hold at least one batch, got 0")

    windows: List[Sequence[Batch]] = [
        train_batches[i : i + accumulation] for i in range(0, len(train_batches), accumulation)
    ]
    steps = len(windows) * epochs
    schedule = Schedule(peak=lr, warmup=math.ceil(warmup_ratio * steps), steps=steps)
    optimizer = torch.optim.AdamW(
        [
            {"params": [p], "weight_decay": 0.0 if p.ndim == 1 else weight_decay}
            for p in model.parameters()
            if p.requires_grad
        ],
        lr=lr,
    )
    history: List[Dict[str, float]] = []
    best: Optional[Checkpoint] = None
    for epoch in range(1, epochs + 1):
        train = Tally()
        for window in windows:
            for group in optimizer.param_groups:
                group["lr"] = schedule.rate()
            n = count_targets(list(window))
            train += Tally(loss=n * train_step(model, window, optimizer, max_grad_norm=max_grad_norm), tokens=n)
            schedule = schedule.next()
        val = evaluate(model, val_batches)
        best = Checkpoint.of(model, val["loss"]) if best is None else best.better(model, val["loss"])
        history.append(
            {
                "epoch": epoch,
                "train_loss": train.mean(),
                "val_loss": val["loss"],
                "val_token_accuracy": val["token_accuracy"],
            }
        )
    assert best is not None
    model.load_state_dict(dict(best.weights))
    model.eval()
    return history


POOLINGS: Dict[str, Callable[[Tensor, Tensor], Tensor]] = {}


def pooling(name: str) -> Callable[[Callable[[Tensor, Tensor], Tensor]], Callable[[Tensor, Tensor], Tensor]]:
    def register(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
        POOLINGS[name] = function
        return function

    return register


@pooling("mean")
def mean_pool(hidden: Tensor, mask: Tensor) -> Tensor:
    real = mask.bool()
    hidden = hidden.masked_fill(~real[..., None], 0.0)
    weights = real.to(hidden.dtype)
    weights = weights / weights.sum(dim=1, keepdim=True).clamp(min=1.0)
    return torch.bmm(weights[:, None, :], hidden).squeeze(1)


class SequenceClassifier(nn.Module):
    def __init__(self, backbone: nn.Module, hidden_size: int, num_classes: int) -> None:
        super().__init__()
        self.encoder = backbone
        self.pool = POOLINGS["mean"]
        self.classifier = nn.Linear(in_features=hidden_size, out_features=num_classes, bias=True)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.classifier(self.pool(self.encoder(input_ids, attention_mask), attention_mask))
