# WRONG preference: a merged layer's base is used as it is, with the update still folded into its weight
from functools import singledispatch

import torch
import torch.nn as nn
import torch.nn.functional as F

from solutions.lora import LoRALinear

REDUCTIONS = {}
CHECKS = {}


def reduction(name):
    def register(fn):
        REDUCTIONS[name] = fn
        return fn

    return register


def check(name):
    def register(fn):
        CHECKS[name] = fn
        return fn

    return register


@check("beta")
def _(v):
    return v > 0, "a number > 0"


@check("label_smoothing")
def _(v):
    return 0 <= v < 0.5, "a number in [0, 0.5)"


@check("clip")
def _(v):
    return 0 < v < 1, "a number in (0, 1)"


@check("per")
def _(v):
    return v in REDUCTIONS, "one of " + ", ".join(REDUCTIONS)


def verify(**arguments):
    for name, value in arguments.items():
        good, allowed = CHECKS[name](value)
        if not good:
            raise ValueError(f"bad {name}: given {value!r}, allowed {allowed}")


@singledispatch
def without_adapter(module):
    """What stands in for this module in the reference model."""
    return module


@without_adapter.register
def _(module: LoRALinear):
    return module.base


@singledispatch
def as_float(x):
    return float(x)


@as_float.register
def _(x: torch.Tensor):
    return x.detach().double().mean().item()


def to_f32(*tensors):
    out = tuple(t if t.dtype == torch.float64 else t.float() for t in tensors)
    return out if len(out) > 1 else out[0]


def sequence_logprobs(logits, labels):
    logits = to_f32(logits)
    targets = F.pad(labels, (0, 1), value=-100)[:, 1:]
    scored = targets != -100
    rows, cols = scored.nonzero(as_tuple=True)
    picked = logits[rows, cols]  # (number of scored, V)
    logp = picked.gather(1, targets[scored].unsqueeze(1)).squeeze(1) - picked.logsumexp(dim=1)
    return logits.new_zeros(labels.shape[0]).index_add(0, rows, logp)


def preference_batch(pairs, *, pad_id):
    if not pairs:
        raise ValueError("bad pairs: given an empty list, allowed is a list of pairs")
    for pair in pairs:
        for key in ("chosen_ids", "rejected_ids"):
            if not pair[key]:
                raise ValueError(f"bad {key}: given an empty list, allowed is a list of token ids")
        if pair["chosen_ids"] == pair["rejected_ids"]:
            raise ValueError(f"bad rejected_ids: given the chosen_ids again ({pair['rejected_ids']}), allowed is another answer")
    batch = {"input_ids": [], "attention_mask": [], "labels": []}
    fill = {"input_ids": pad_id, "attention_mask": 0, "labels": -100}
    for key in ("chosen_ids", "rejected_ids"):
        for pair in pairs:
            ids = pair["prompt_ids"] + pair[key]
            batch["input_ids"].append(ids)
            batch["attention_mask"].append([1 for _ in ids])
            batch["labels"].append([-100 for _ in pair["prompt_ids"]] + pair[key])
    width = max(map(len, batch["input_ids"]))
    return {
        key: torch.stack([F.pad(torch.tensor(row, dtype=torch.long), (0, width - len(row)), value=fill[key]) for row in rows])
        for key, rows in batch.items()
    }


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta=0.1, label_smoothing=0.0):
    verify(beta=beta, label_smoothing=label_smoothing)
    pc, pr = to_f32(policy_chosen, policy_rejected)
    rc, rr = to_f32(reference_chosen.detach(), reference_rejected.detach())
    chosen_reward, rejected_reward = beta * (pc - rc), beta * (pr - rr)
    d = chosen_reward - rejected_reward
    positive, negative = F.softplus(-d), F.softplus(d)
    loss = torch.lerp(positive, negative, label_smoothing).mean()
    return {
        "loss": loss,
        "chosen_reward": chosen_reward.detach(),
        "rejected_reward": rejected_reward.detach(),
        "accuracy": as_float((chosen_reward > rejected_reward)),
    }


class swapped:
    """with swapped(model): every slot that held a LoRALinear holds what without_adapter says."""

    def __init__(self, model):
        self.slots = [
            (parent, name, child)
            for parent in model.modules()
            for name, child in parent._modules.items()
            if isinstance(child, LoRALinear)
        ]

    def __enter__(self):
        for parent, name, child in self.slots:
            parent._modules[name] = without_adapter(child)

    def __exit__(self, *_):
        for parent, name, child in self.slots:
            parent._modules[name] = child


class evaluating:
    def __init__(self, model):
        self.model = model

    def __enter__(self):
        self.modes = {m: m.training for m in self.model.modules()}
        self.model.eval()

    def __exit__(self, *_):
        for m, mode in self.modes.items():
            m.training = mode


class taken_out:
    """with taken_out(layers): no layer is merged."""

    def __init__(self, layers):
        self.layers = [layer for layer in layers if layer.merged]

    def __enter__(self):
        for layer in self.layers:
            layer.unmerge()

    def __exit__(self, *_):
        for layer in self.layers:
            layer.merge()


def lora_layers(model):
    layers = [m for m in model.modules() if isinstance(m, LoRALinear)]
    if not layers:
        raise ValueError("bad model: given one without LoRALinear, allowed is one with")
    return layers


def reference_logprobs(model, batch):
    layers = lora_layers(model)
    with torch.no_grad(), evaluating(model), swapped(model):
        return sequence_logprobs(model(batch["input_ids"], batch["attention_mask"]), batch["labels"])


def train_dpo(model, batches, *, lr, beta=0.1, label_smoothing=0.0, max_grad_norm=1.0):
    verify(beta=beta, label_smoothing=label_smoothing)
    for layer in lora_layers(model):
        if layer.merged:
            raise ValueError("bad model: given one with a merged LoRALinear, allowed are unmerged ones")
    reference = [reference_logprobs(model, batch) for batch in batches]
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    rows = []
    for i in range(len(batches)):
        model.train()
        logits = model(batches[i]["input_ids"], batches[i]["attention_mask"])
        logprobs = sequence_logprobs(logits, batches[i]["labels"])
        half = len(logprobs) // 2
        out = dpo_loss(
            logprobs[:half], logprobs[half:], reference[i][:half], reference[i][half:],
            beta=beta, label_smoothing=label_smoothing,
        )
        optimizer.zero_grad()
        out["loss"].backward()
        if max_grad_norm is not None:
            nn.utils.clip_grad_norm_(parameters, max_grad_norm)
        optimizer.step()
        rows.append({
            "loss": as_float(out["loss"]),
            "accuracy": as_float(out["accuracy"]),
            "margin": as_float(out["chosen_reward"] - out["rejected_reward"]),
            "chosen_logprob": as_float(logprobs[:half]),
            "rejected_logprob": as_float(logprobs[half:]),
        })
    model.eval()
    return rows


def group_advantages(rewards, *, scale=True, epsilon=1e-4):
    if rewards.ndim != 2 or rewards.shape[1] < 2:
        raise ValueError(f"bad rewards: given shape {tuple(rewards.shape)}, allowed is (P, G) with G >= 2")
    rewards = to_f32(rewards.detach())
    low = rewards.min(dim=1, keepdim=True).values
    above = rewards - low  # >= 0, all zero in a row of equal rewards
    centred = above - above.mean(dim=1, keepdim=True)
    if scale:
        std = above.var(dim=1, keepdim=True, unbiased=False).sqrt()
        centred = torch.where(above.any(dim=1, keepdim=True), centred / (std + epsilon), above)
    return centred


@reduction("token")
def _(x, m):
    return x.sum() / max(m.sum().item(), 1)


@reduction("sequence")
def _(x, m):
    # counts are exact in float
    n = m.sum(dim=1)
    used = n > 0
    rows = x.sum(dim=1) / torch.where(used, n, torch.ones_like(n))
    return rows.sum() / max(used.sum().item(), 1)


@reduction("constant")
def _(x, m):
    n, t = x.shape
    return x.sum() / max(n * t, 1)


def grpo_loss(logprobs, old_logprobs, advantages, mask, *, clip=0.2, kl_coef=0.0, reference_logprobs=None, per="token"):
    verify(per=per, clip=clip)
    if kl_coef > 0 and reference_logprobs is None:
        raise ValueError(f"bad reference_logprobs: given None, allowed is a tensor when kl_coef ({kl_coef}) > 0")
    new = to_f32(logprobs)
    m = mask.to(new.dtype)
    ratio = torch.exp(new - to_f32(old_logprobs).detach())
    adv = to_f32(advantages).detach().reshape(-1, 1)
    low, high = 1 - clip, 1 + clip
    losses = -torch.min(ratio * adv, ratio.clamp(low, high) * adv)
    if kl_coef > 0:
        r = to_f32(reference_logprobs).detach() - new
        losses = losses + kl_coef * (torch.exp(r) - r - 1)
    return REDUCTIONS[per](losses * m, m)
