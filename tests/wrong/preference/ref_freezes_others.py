# WRONG preference: the model is frozen for the reference and afterwards only lora_A and lora_B require gradients again, not another trained parameter
from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from solutions.lora import LoRALinear

IGNORE_INDEX = -100


@dataclass(frozen=True)
class DPOConfig:
    beta: float = 0.1
    label_smoothing: float = 0.0

    def __post_init__(self):
        if not self.beta > 0:
            raise ValueError(f"beta must be greater than zero; received {self.beta}")
        if not 0 <= self.label_smoothing < 0.5:
            raise ValueError(f"label_smoothing must be at least 0 and below 0.5; received {self.label_smoothing}")


@dataclass
class Sides:
    chosen: Tensor
    rejected: Tensor

    @classmethod
    def split(cls, x: Tensor) -> Sides:
        return cls(*x.unflatten(0, (2, -1)).unbind(0))

    def f32(self) -> Sides:
        cast = lambda t: t if t.dtype == torch.float64 else t.to(torch.float32)  # noqa: E731
        return Sides(cast(self.chosen), cast(self.rejected))

    def detach(self) -> Sides:
        return Sides(self.chosen.detach(), self.rejected.detach())

    def __sub__(self, other: Sides) -> Sides:
        return Sides(self.chosen - other.chosen, self.rejected - other.rejected)

    def __rmul__(self, k: float) -> Sides:
        return Sides(k * self.chosen, k * self.rejected)

    @property
    def gap(self) -> Tensor:
        return self.chosen - self.rejected


@dataclass(frozen=True)
class UpdateRecord:
    loss: float
    accuracy: float
    margin: float
    chosen_logprob: float
    rejected_logprob: float


@dataclass
class Row:
    prompt: list[int]
    answer: list[int]
    length: int = field(init=False)

    def __post_init__(self):
        self.length = len(self.prompt) + len(self.answer)

    def ids(self, width: int, pad: int) -> list[int]:
        return self.prompt + self.answer + [pad] * (width - self.length)

    def mask(self, width: int) -> list[int]:
        return [int(i < self.length) for i in range(width)]

    def labels(self, width: int) -> list[int]:
        return [IGNORE_INDEX] * len(self.prompt) + self.answer + [IGNORE_INDEX] * (width - self.length)


def sequence_logprobs(logits: Tensor, labels: Tensor) -> Tensor:
    if logits.dtype != torch.float64:
        logits = logits.float()
    loss = F.cross_entropy(
        logits[:, :-1].transpose(1, 2), labels[:, 1:], ignore_index=IGNORE_INDEX, reduction="none"
    )  # (B, T - 1)
    return (-loss).sum(dim=1)


def preference_batch(pairs: list[dict], *, pad_id: int) -> dict[str, Tensor]:
    if not pairs:
        raise ValueError("pairs must not be empty; received no pair")
    for index, pair in enumerate(pairs):
        for name in ("chosen_ids", "rejected_ids"):
            if not len(pair[name]):
                raise ValueError(f"{name} must have a token; received an empty one at index {index}")
        if tuple(pair["chosen_ids"]) == tuple(pair["rejected_ids"]):
            raise ValueError(f"chosen_ids must differ from rejected_ids; received the same at index {index}")
    rows = [Row(list(p["prompt_ids"]), list(p[k])) for k in ("chosen_ids", "rejected_ids") for p in pairs]
    width = max(row.length for row in rows)
    return {
        "input_ids": torch.tensor([row.ids(width, pad_id) for row in rows], dtype=torch.long),
        "attention_mask": torch.tensor([row.mask(width) for row in rows], dtype=torch.long),
        "labels": torch.tensor([row.labels(width) for row in rows], dtype=torch.long),
    }


def dpo_loss(
    policy_chosen: Tensor,
    policy_rejected: Tensor,
    reference_chosen: Tensor,
    reference_rejected: Tensor,
    *,
    beta: float = 0.1,
    label_smoothing: float = 0.0,
) -> dict:
    cfg = DPOConfig(beta, label_smoothing)
    policy = Sides(policy_chosen, policy_rejected).f32()
    reference = Sides(reference_chosen, reference_rejected).f32().detach()
    rewards = cfg.beta * (policy - reference)
    # -(1 - e) log s(d) - e log s(-d) with log s(-d) = log s(d) - d
    losses = cfg.label_smoothing * rewards.gap - F.logsigmoid(rewards.gap)
    rewards = rewards.detach()
    return {
        "loss": losses.mean(),
        "chosen_reward": rewards.chosen,
        "rejected_reward": rewards.rejected,
        "accuracy": (rewards.gap > 0).float().mean().item(),
    }


@dataclass
class ModelSnapshot:
    """Modes and merge states; restore() puts them back."""

    model: nn.Module
    modes: list[tuple[nn.Module, bool]] = field(default_factory=list)
    layers: list[tuple[LoRALinear, bool]] = field(default_factory=list)

    def __post_init__(self):
        for module in self.model.modules():
            self.modes.append((module, module.training))
            if isinstance(module, LoRALinear):
                self.layers.append((module, bool(module.merged)))
        if not self.layers:
            raise ValueError("model must contain LoRALinear layers; received one that has none")

    def switch_off(self) -> None:
        for layer, _ in self.layers:
            layer.unmerge()
        for layer, _ in self.layers:
            layer.merged = True  # nothing is folded in, but forward now is the base alone
        self.model.requires_grad_(False).eval()

    def restore(self) -> None:
        for layer, _ in self.layers:
            layer.merged = False
            layer.lora_A.requires_grad_(True)
            layer.lora_B.requires_grad_(True)
        for layer, merged in self.layers:
            if merged:
                layer.merge()
        for module, mode in self.modes:
            module.training = mode


def reference_logprobs(model: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    snapshot = ModelSnapshot(model)
    try:
        snapshot.switch_off()
        with torch.no_grad():
            logits = model(batch["input_ids"], batch["attention_mask"])
        return sequence_logprobs(logits, batch["labels"])
    finally:
        snapshot.restore()


def _updates(model, batches, references, optimizer, cfg, max_grad_norm) -> Iterator[UpdateRecord]:
    trainable = [p for group in optimizer.param_groups for p in group["params"]]
    for batch, reference in zip(batches, references):
        optimizer.zero_grad()
        policy = Sides.split(sequence_logprobs(model(batch["input_ids"], batch["attention_mask"]), batch["labels"]))
        frozen = Sides.split(reference)
        out = dpo_loss(policy.chosen, policy.rejected, frozen.chosen, frozen.rejected, **asdict(cfg))
        out["loss"].backward()
        if max_grad_norm is not None:
            nn.utils.clip_grad_norm_(trainable, max_grad_norm)
        optimizer.step()
        yield UpdateRecord(
            loss=out["loss"].item(),
            accuracy=out["accuracy"],
            margin=(out["chosen_reward"] - out["rejected_reward"]).mean().item(),
            chosen_logprob=policy.chosen.mean().item(),
            rejected_logprob=policy.rejected.mean().item(),
        )


def train_dpo(model, batches, *, lr, beta=0.1, label_smoothing=0.0, max_grad_norm=1.0):
    cfg = DPOConfig(beta=beta, label_smoothing=label_smoothing)
    if any(merged for _, merged in ModelSnapshot(model).layers):
        raise ValueError("model must not contain merged LoRALinear layers; received at least one")
    references = [reference_logprobs(model, batch) for batch in batches]
    optimizer = torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad], lr=lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0
    )
    model.train()
    records = [asdict(r) for r in _updates(model, batches, references, optimizer, cfg, max_grad_norm)]
    model.eval()
    return records


def group_advantages(rewards: Tensor, *, scale: bool = True, epsilon: float = 1e-4) -> Tensor:
    match tuple(rewards.shape):
        case (_, g) if g >= 2:
            pass
        case other:
            raise ValueError(f"rewards must have shape (P, G), G >= 2; received {other}")
    x = rewards.detach()
    x = x if x.dtype == torch.float64 else x.float()
    flat = (x[:, 1:] == x[:, :-1]).all(dim=1)
    advantages = x - x.mean(1, True)
    if scale:
        advantages = advantages / (advantages.square().mean(1, True).sqrt() + epsilon)
    return advantages.masked_fill(flat[:, None], 0.0)


@dataclass(frozen=True)
class Mean:
    values: Tensor
    keep: Tensor

    def token(self) -> Tensor:
        return self.values.sum() / self.keep.sum().clamp_min(1)

    def sequence(self) -> Tensor:
        n = self.keep.sum(1)
        return (self.values.sum(1) / n.clamp_min(1)).sum() / (n > 0).sum().clamp_min(1)

    def constant(self) -> Tensor:
        return self.values.sum() / max(self.keep.numel(), 1)


def grpo_loss(
    logprobs: Tensor,
    old_logprobs: Tensor,
    advantages: Tensor,
    mask: Tensor,
    *,
    clip: float = 0.2,
    kl_coef: float = 0.0,
    reference_logprobs: Tensor | None = None,
    per: str = "token",
) -> Tensor:
    if per not in ("token", "sequence", "constant"):
        raise ValueError(f"per must be one of token, sequence, constant; received {per!r}")
    if not 0 < clip < 1:
        raise ValueError(f"clip must be above 0 and below 1; received {clip}")
    if kl_coef > 0 and reference_logprobs is None:
        raise ValueError(f"reference_logprobs must be given for kl_coef > 0; received None and kl_coef {kl_coef}")
    keep = mask.bool()
    wide = torch.promote_types(logprobs.dtype, torch.float32)
    new, old = logprobs.to(wide), old_logprobs.detach().to(wide)
    A = advantages.detach().to(wide)[:, None]
    rho = (new - old).masked_fill(~keep, 0).exp()
    loss = torch.maximum(-rho * A, -rho.clamp(1 - clip, 1 + clip) * A)
    if kl_coef > 0:
        r = (reference_logprobs.detach().to(wide) - new).masked_fill(~keep, 0)
        loss = loss + kl_coef * (r.exp() - r - 1)
    return getattr(Mean(loss.masked_fill(~keep, 0), keep), per)()
