# WRONG preference: AdamW keeps its default weight decay of 0.01
from typing import Dict, List, Tuple

import torch
import torch.nn as nn

from solutions.lora import LoRALinear


@torch.jit.script
def _widen(x: torch.Tensor) -> torch.Tensor:
    if x.dtype == torch.float64:
        return x
    return x.to(torch.float32)


@torch.jit.script
def _seq_kernel(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    shift_labels = labels[:, 1:]
    logp = torch.log_softmax(logits[:, :-1], dim=-1)
    ignored = shift_labels == -100
    idx = shift_labels.masked_fill(ignored, 0).unsqueeze(-1)
    return torch.gather(logp, -1, idx).squeeze(-1).masked_fill(ignored, 0.0).sum(-1)


@torch.jit.script
def _dpo_kernel(c: torch.Tensor, r: torch.Tensor, eps: float) -> torch.Tensor:
    d = c - r
    return torch.mean(-(1.0 - eps) * torch.nn.functional.logsigmoid(d) - eps * torch.nn.functional.logsigmoid(-d))


@torch.jit.script
def _grpo_kernel(
    new: torch.Tensor, old: torch.Tensor, ref: torch.Tensor, adv: torch.Tensor, keep: torch.Tensor, clip: float, kl_coef: float
) -> torch.Tensor:
    ratio = torch.exp((new - old).masked_fill(~keep, 0.0))
    a = adv.unsqueeze(1)
    loss = -torch.where(a >= 0, torch.clamp(ratio, max=1.0 + clip), torch.clamp(ratio, min=1.0 - clip)) * a
    if kl_coef > 0.0:
        r = (ref - new).masked_fill(~keep, 0.0)
        loss = loss + kl_coef * (torch.exp(r) - r - 1.0)
    return loss.masked_fill(~keep, 0.0)


@torch.jit.script
def _advantage_kernel(r: torch.Tensor, scale: bool, epsilon: float) -> torch.Tensor:
    a = r - r.mean(dim=1, keepdim=True)
    if scale:
        a = a / (torch.std(r, dim=[1], unbiased=False, keepdim=True) + epsilon)
    constant = (r == r[:, 0:1]).all(dim=1, keepdim=True)
    return a.masked_fill(constant, 0.0)


def sequence_logprobs(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    return _seq_kernel(_widen(logits), labels)


def preference_batch(pairs: List[Dict[str, List[int]]], *, pad_id: int) -> Dict[str, torch.Tensor]:
    if len(pairs) == 0:
        raise ValueError("pairs has no entry; it needs to have at least one")
    flat: List[Tuple[List[int], List[int]]] = []
    for key in ("chosen_ids", "rejected_ids"):
        for pair in pairs:
            if len(pair[key]) == 0:
                raise ValueError(f"{key} has no token; it needs to have at least one")
            flat.append((list(pair["prompt_ids"]), list(pair[key])))
    n = len(pairs)
    for i in range(n):
        if flat[i][1] == flat[n + i][1]:
            raise ValueError(f"chosen_ids and rejected_ids of pair {i} are {flat[i][1]} both; they need to differ")
    T = max(len(p) + len(a) for p, a in flat)
    ids = torch.nested.nested_tensor([torch.tensor(p + a) for p, a in flat]).to_padded_tensor(pad_id, (2 * n, T))
    lab = torch.nested.nested_tensor([torch.tensor([-100] * len(p) + a) for p, a in flat]).to_padded_tensor(-100, (2 * n, T))
    one = torch.nested.nested_tensor([torch.ones(len(p) + len(a), dtype=torch.long) for p, a in flat]).to_padded_tensor(0, (2 * n, T))
    return {"input_ids": ids, "attention_mask": one, "labels": lab}


def _validate(beta: float, label_smoothing: float) -> None:
    if not beta > 0:
        raise ValueError(f"beta is {beta}; it needs to be > 0")
    if not 0 <= label_smoothing < 0.5:
        raise ValueError(f"label_smoothing is {label_smoothing}; it needs to be in [0, 0.5)")


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta=0.1, label_smoothing=0.0):
    _validate(beta, label_smoothing)
    c = beta * (_widen(policy_chosen) - _widen(reference_chosen.detach()))
    r = beta * (_widen(policy_rejected) - _widen(reference_rejected.detach()))
    return {
        "loss": _dpo_kernel(c, r, float(label_smoothing)),
        "chosen_reward": c.detach(),
        "rejected_reward": r.detach(),
        "accuracy": (c > r).float().mean().item(),
    }


class Bypass(nn.Module):
    """Stands in for a LoRALinear and only calls its base."""

    def __init__(self, layer: LoRALinear):
        super().__init__()
        self.layer = [layer]  # in a list: not registered

    def forward(self, x):
        return self.layer[0].base(x)


def _slots(module: nn.Module, seen=None):
    """Recursion over the children: yields (parent, name, LoRALinear), shared parents once."""
    seen = set() if seen is None else seen
    if id(module) in seen:
        return
    seen.add(id(module))
    for name, child in module._modules.items():
        if child is None:
            continue
        if isinstance(child, LoRALinear):
            yield module, name, child
        else:
            yield from _slots(child, seen)


def _need_slots(model):
    slots = list(_slots(model))
    if not slots:
        raise ValueError("model has no LoRALinear; it needs to have at least one")
    return slots


def reference_logprobs(model: nn.Module, batch: Dict[str, torch.Tensor]) -> torch.Tensor:
    slots = _need_slots(model)
    modes = {module: module.training for module in model.modules()}
    merged = {layer for _, _, layer in slots if layer.merged}
    try:
        for layer in merged:
            layer.unmerge()
        model.eval()
        for parent, name, layer in slots:
            parent._modules[name] = Bypass(layer).eval()
            layer.base.eval()
        with torch.no_grad():
            logits = model(batch["input_ids"], batch["attention_mask"])
            return sequence_logprobs(logits, batch["labels"])
    finally:
        for parent, name, layer in slots:
            parent._modules[name] = layer
        for layer in merged:
            layer.merge()
        for module, mode in modes.items():
            module.training = mode


def train_dpo(model, batches, *, lr, beta=0.1, label_smoothing=0.0, max_grad_norm=1.0):
    _validate(beta, label_smoothing)
    if any(layer.merged for _, _, layer in _need_slots(model)):
        raise ValueError("model has a merged LoRALinear; it needs to have unmerged ones only")
    references = [reference_logprobs(model, batch) for batch in batches]
    if len(batches) == 0:
        model.eval()
        return []
    trainable = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=lr, betas=(0.9, 0.999), eps=1e-8, foreach=False)
    history: List[Dict[str, float]] = []
    for batch, reference in zip(batches, references):
        model.train()
        optimizer.zero_grad()
        policy = sequence_logprobs(model(batch["input_ids"], batch["attention_mask"]), batch["labels"])
        chosen, rejected = torch.chunk(policy, 2)
        ref_chosen, ref_rejected = torch.chunk(reference, 2)
        out = dpo_loss(chosen, rejected, ref_chosen, ref_rejected, beta=beta, label_smoothing=label_smoothing)
        out["loss"].backward()
        if max_grad_norm is not None:
            nn.utils.clip_grad_norm_(trainable, max_grad_norm)
        optimizer.step()
        history.append(
            {
                "loss": float(out["loss"]),
                "accuracy": float(out["accuracy"]),
                "margin": float(torch.mean(out["chosen_reward"] - out["rejected_reward"])),
                "chosen_logprob": float(chosen.mean()),
                "rejected_logprob": float(rejected.mean()),
            }
        )
    model.eval()
    return history


def group_advantages(rewards, *, scale=True, epsilon=1e-4):
    if rewards.dim() != 2 or rewards.size(1) < 2:
        raise ValueError(f"rewards is of shape {tuple(rewards.shape)}; it needs to be (P, G) with G >= 2")
    return _advantage_kernel(_widen(rewards.detach()), bool(scale), float(epsilon))


def grpo_loss(logprobs, old_logprobs, advantages, mask, *, clip=0.2, kl_coef=0.0, reference_logprobs=None, per="token"):
    if per not in ("token", "sequence", "constant"):
        raise ValueError(f"per is {per!r}; it needs to be token, sequence or constant")
    if not 0 < clip < 1:
        raise ValueError(f"clip is {clip}; it needs to be in (0, 1)")
    if kl_coef > 0 and reference_logprobs is None:
        raise ValueError(f"reference_logprobs is None; it needs to be a tensor as kl_coef is {kl_coef}")
    keep = mask.bool()
    old = _widen(old_logprobs.detach())
    ref = _widen(reference_logprobs.detach()) if kl_coef > 0 else old
    losses = _grpo_kernel(_widen(logprobs), old, ref, _widen(advantages.detach()), keep, float(clip), float(kl_coef))
    if per == "token":
        return losses.sum() / keep.sum().clamp(min=1)
    if per == "constant":
        return losses.sum() / max(keep.numel(), 1)
    n = keep.sum(dim=1)
    return (losses.sum(dim=1) / n.clamp(min=1)).sum() / (n > 0).sum().clamp(min=1)
