# WRONG preference: the reference of a batch is computed just before its own update, after earlier updates moved trained parameters outside LoRA
from __future__ import annotations

import enum
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, Literal, NamedTuple, Protocol, TypedDict, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from solutions.lora import LoRALinear

IGNORE_INDEX: Final = -100
Per = Literal["token", "sequence", "constant"]
T = TypeVar("T")


class CausalModel(Protocol):
    training: bool

    def __call__(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor: ...
    def modules(self) -> Iterable[nn.Module]: ...
    def parameters(self) -> Iterable[nn.Parameter]: ...


class Pair(TypedDict):
    prompt_ids: list[int]
    chosen_ids: list[int]
    rejected_ids: list[int]


class Batch(TypedDict):
    input_ids: Tensor
    attention_mask: Tensor
    labels: Tensor


class DPOOutput(TypedDict):
    loss: Tensor
    chosen_reward: Tensor
    rejected_reward: Tensor
    accuracy: float


class Update(TypedDict):
    loss: float
    accuracy: float
    margin: float
    chosen_logprob: float
    rejected_logprob: float


class Split(NamedTuple):
    chosen: Tensor
    rejected: Tensor


class Range(NamedTuple):
    test: Callable[[float], bool]
    words: str


class Allowed(enum.Enum):
    beta = Range(lambda b: b > 0, "> 0")
    label_smoothing = Range(lambda e: 0 <= e < 0.5, "in [0, 0.5)")
    clip = Range(lambda c: 0 < c < 1, "in (0, 1)")

    @classmethod
    def validate(cls, **values: float) -> None:
        for name, value in values.items():
            if not cls[name].value.test(value):
                raise ValueError(f"argument {name}: expected {cls[name].value.words}, received {value}")


def _hi(x: Tensor) -> Tensor:
    return x if x.dtype is torch.float64 else x.to(torch.float32)


def _halves(x: Tensor) -> Split:
    return Split(*torch.chunk(x, 2, dim=0))


def sequence_logprobs(logits: Tensor, labels: Tensor) -> Tensor:
    source, target = _hi(logits[:, :-1, :]), labels[:, 1:]
    valid = target.not_equal(IGNORE_INDEX)
    # -inf - -inf can not happen below: only valid targets keep their value
    dist = torch.distributions.Categorical(logits=source, validate_args=False)
    values = dist.log_prob(target.where(valid, torch.zeros_like(target)))
    return values.where(valid, torch.zeros_like(values)).sum(dim=-1)


def preference_batch(pairs: Sequence[Pair], *, pad_id: int) -> Batch:
    if not pairs:
        raise ValueError(f"argument pairs: expected at least one pair, received {pairs!r}")

    def validated(items: Sequence[Pair]) -> Generator[Pair, None, None]:
        for position, item in enumerate(items):
            for key in ("chosen_ids", "rejected_ids"):
                if len(item[key]) == 0:  # type: ignore[literal-required]
                    raise ValueError(f"argument pairs[{position}].{key}: expected at least one token, received none")
            if item["chosen_ids"] == item["rejected_ids"]:
                raise ValueError(f"argument pairs[{position}]: expected chosen_ids != rejected_ids, received {item['chosen_ids']} for both")
            yield item

    good = list(validated(pairs))
    rows = [(p["prompt_ids"], p["chosen_ids"]) for p in good]
    rows.extend((p["prompt_ids"], p["rejected_ids"]) for p in good)

    def padded(make: Callable[[list[int], list[int]], list[int]], value: int) -> Tensor:
        tensors = [torch.tensor(make(prompt, answer), dtype=torch.long) for prompt, answer in rows]
        return pad_sequence(tensors, batch_first=True, padding_value=value)

    return Batch(
        input_ids=padded(lambda p, a: [*p, *a], pad_id),
        attention_mask=padded(lambda p, a: [1] * (len(p) + len(a)), 0),
        labels=padded(lambda p, a: [IGNORE_INDEX] * len(p) + list(a), IGNORE_INDEX),
    )


def dpo_loss(
    policy_chosen: Tensor,
    policy_rejected: Tensor,
    reference_chosen: Tensor,
    reference_rejected: Tensor,
    *,
    beta: float = 0.1,
    label_smoothing: float = 0.0,
) -> DPOOutput:
    Allowed.validate(beta=beta, label_smoothing=label_smoothing)
    chosen = _hi(policy_chosen).sub(_hi(reference_chosen).detach()).mul(beta)
    rejected = _hi(policy_rejected).sub(_hi(reference_rejected).detach()).mul(beta)
    d = chosen.sub(rejected)
    per_pair = F.logsigmoid(d).mul(label_smoothing - 1).sub(F.logsigmoid(d.neg()).mul(label_smoothing))
    return DPOOutput(
        loss=per_pair.mean(),
        chosen_reward=chosen.detach(),
        rejected_reward=rejected.detach(),
        accuracy=float(chosen.detach().gt(rejected.detach()).double().mean()),
    )


class _BaseOnly(Protocol):
    base: nn.Module


def _detour(cls: type[LoRALinear]) -> type[LoRALinear]:
    """A subclass whose forward is the base's."""

    def forward(self: _BaseOnly, x: Tensor) -> Tensor:
        return self.base(x)

    return type(f"{cls.__name__}WithoutAdapter", (cls,), {"forward": forward})


def _lora_layers(model: CausalModel) -> list[LoRALinear]:
    layers = [module for module in model.modules() if isinstance(module, LoRALinear)]
    if not layers:
        raise ValueError(f"argument model: expected a model with LoRALinear layers, received a {type(model).__name__} without")
    return layers


@contextmanager
def _reference(model: CausalModel) -> Generator[CausalModel, None, None]:
    layers = _lora_layers(model)
    modes: Mapping[nn.Module, bool] = {module: module.training for module in model.modules()}
    classes = [type(layer) for layer in layers]
    merged = [layer for layer in layers if layer.merged]
    try:
        for layer in merged:
            layer.unmerge()
        for layer, cls in zip(layers, classes):
            layer.__class__ = _detour(cls)
        for module in modes:
            module.training = False
        yield model
    finally:
        for layer, cls in zip(layers, classes):
            layer.__class__ = cls
        for layer in merged:
            layer.merge()
        for module, mode in modes.items():
            module.training = mode


def reference_logprobs(model: CausalModel, batch: Batch) -> Tensor:
    with _reference(model) as reference, torch.no_grad():
        return sequence_logprobs(reference(batch["input_ids"], batch["attention_mask"]), batch["labels"])


def train_dpo(
    model: Any,
    batches: Sequence[Batch],
    *,
    lr: float,
    beta: float = 0.1,
    label_smoothing: float = 0.0,
    max_grad_norm: float | None = 1.0,
) -> list[Update]:
    Allowed.validate(beta=beta, label_smoothing=label_smoothing)
    merged = [layer for layer in _lora_layers(model) if layer.merged]
    if merged:
        raise ValueError(f"argument model: expected unmerged LoRALinear layers, received {len(merged)} merged")
    trainable: list[nn.Parameter] = [p for p in model.parameters() if p.requires_grad]
    updates: list[Update] = []
    optimizer = torch.optim.AdamW(params=trainable, lr=lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    for batch in batches:
        reference = _halves(reference_logprobs(model, batch))
        model.train()
        optimizer.zero_grad(set_to_none=True)
        policy = _halves(sequence_logprobs(model(batch["input_ids"], batch["attention_mask"]), batch["labels"]))
        output = dpo_loss(*policy, *reference, beta=beta, label_smoothing=label_smoothing)
        output["loss"].backward()
        if max_grad_norm is not None:
            nn.utils.clip_grad_norm_(trainable, max_grad_norm)
        optimizer.step()
        updates.append(
            Update(
                loss=output["loss"].item(),
                accuracy=output["accuracy"],
                margin=(output["chosen_reward"] - output["rejected_reward"]).mean().item(),
                chosen_logprob=policy.chosen.mean().item(),
                rejected_logprob=policy.rejected.mean().item(),
            )
        )
    model.eval()
    return updates


@torch.no_grad()
def group_advantages(rewards: Tensor, *, scale: bool = True, epsilon: float = 1e-4) -> Tensor:
    if rewards.ndim != 2 or rewards.shape[1] < 2:
        raise ValueError(f"argument rewards: expected (P, G) with G >= 2, received {tuple(rewards.shape)}")
    values = _hi(rewards)
    reference = values.median(dim=1, keepdim=True).values  # some reward of the row
    shifted = values - reference
    mean = shifted.mean(dim=1, keepdim=True)
    centred = shifted - mean
    if not scale:
        return centred
    std = shifted.std(dim=1, keepdim=True, unbiased=False)
    return torch.where(std == 0, centred, centred / (std + epsilon))


def _grpo_tokens(
    new: Tensor, old: Tensor, advantages: Tensor, reference: Tensor | None, clip: float, kl_coef: float
) -> Tensor:
    ratio = torch.exp(new - old)
    gain = torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)
    if reference is None:
        return gain.neg()
    r = reference - new
    return kl_coef * (r.exp() - r - 1) - gain


def grpo_loss(
    logprobs: Tensor,
    old_logprobs: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    clip: float = 0.2,
    kl_coef: float = 0.0,
    reference_logprobs: Tensor | None = None,
    per: Per = "token",
) -> Tensor:
    if per not in Per.__args__:  # type: ignore[attr-defined]
        raise ValueError(f"argument per: expected one of {Per.__args__}, received {per!r}")  # type: ignore[attr-defined]
    Allowed.validate(clip=clip)
    if kl_coef > 0 and reference_logprobs is None:
        raise ValueError(f"argument reference_logprobs: expected a Tensor for kl_coef {kl_coef}, received None")
    present = mask.bool()

    def clean(x: Tensor) -> Tensor:
        return torch.where(present, _hi(x), 0.0)

    tokens = _grpo_tokens(
        clean(logprobs),
        clean(old_logprobs.detach()),
        _hi(advantages.detach()).unsqueeze(1),
        clean(reference_logprobs.detach()) if kl_coef > 0 and reference_logprobs is not None else None,
        clip,
        kl_coef,
    )
    tokens = torch.where(present, tokens, 0.0)
    lengths = present.sum(dim=1)
    if per == "token":
        return tokens.sum() / lengths.sum().clamp(min=1)
    if per == "constant":
        return tokens.sum() / max(present.numel(), 1)
    used = lengths > 0
    if not used.any():
        return tokens.sum()
    return (tokens[used].sum(dim=1) / lengths[used]).mean()
