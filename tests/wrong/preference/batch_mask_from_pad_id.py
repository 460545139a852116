# WRONG preference: the attention mask is input_ids != pad_id, so real EOS tokens are masked when pad_id is the EOS id
from __future__ import annotations

import torch
import torch.nn.utils.parametrize as parametrize
from torch import nn

from solutions.lora import LoRALinear


class Nothing(nn.Module):
    """Whatever the parameter is, the layer sees zeros."""

    def forward(self, parameter):
        return torch.zeros_like(parameter)


class AdapterOff:
    def __init__(self, model):
        self.model = model
        self.layers = find_lora(model)

    def __enter__(self):
        self.modes = [(module, module.training) for module in self.model.modules()]
        self.remerge = []
        self.covered = []
        try:
            for layer in self.layers:
                if layer.merged:
                    layer.unmerge()
                    self.remerge.append(layer)
                parametrize.register_parametrization(layer, "lora_B", Nothing())
                self.covered.append(layer)
            self.model.eval()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self.model

    def __exit__(self, *exc):
        for layer in self.covered:
            parametrize.remove_parametrizations(layer, "lora_B", leave_parametrized=False)
        for layer in self.remerge:
            layer.merge()
        for module, mode in self.modes:
            module.training = mode
        return False


def find_lora(model) -> list[LoRALinear]:
    found = list(filter(lambda m: isinstance(m, LoRALinear), model.modules()))
    if not found:
        names = sorted({type(m).__name__ for m in model.modules()})
        raise ValueError(f"model should hold LoRALinear modules, it only holds {names}")
    return found


def precise(x):
    return x.to(torch.float64) if x.dtype == torch.float64 else x.to(torch.float32)


def token_logprobs(logits, labels):
    """(B, T-1) log-probabilities and (B, T-1) bool mask."""
    target = labels[:, 1:]
    scored = target != -100
    normalised = precise(logits[:, :-1]).log_softmax(-1)
    values = torch.take_along_dim(normalised, target.clamp(min=0).unsqueeze(-1), dim=-1).squeeze(-1)
    return values, scored


def sequence_logprobs(logits, labels):
    values, scored = token_logprobs(logits, labels)
    return torch.sum(values * scored, dim=-1)


def preference_batch(pairs, *, pad_id):
    if len(pairs) < 1:
        raise ValueError(f"pairs should have 1 entry or more, has {len(pairs)}")
    sequences, prompts = [], []
    for side in ("chosen_ids", "rejected_ids"):
        other = "rejected_ids" if side == "chosen_ids" else "chosen_ids"
        for pair in pairs:
            if len(pair[side]) < 1:
                raise ValueError(f"{side} should have 1 token or more, has 0")
            if pair[side] == pair[other]:
                raise ValueError(f"{side} should differ from {other}, both are {pair[side]}")
            sequences.append(pair["prompt_ids"] + pair[side])
            prompts.append(len(pair["prompt_ids"]))
    lengths = torch.tensor([len(s) for s in sequences])
    width = int(lengths.max())
    position = torch.arange(width)[None]
    input_ids = torch.tensor([s + [pad_id] * (width - len(s)) for s in sequences], dtype=torch.long)
    real = position < lengths[:, None]
    answer = real & (position >= torch.tensor(prompts)[:, None])
    return {
        "input_ids": input_ids,
        "attention_mask": (input_ids != pad_id).long(),
        "labels": input_ids.masked_fill(~answer, -100),
    }


def need(condition, text):
    if not condition:
        raise ValueError(text)


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta=0.1, label_smoothing=0.0):
    need(beta > 0, f"beta should be > 0, is {beta}")
    need(0 <= label_smoothing < 0.5, f"label_smoothing should be in [0, 0.5), is {label_smoothing}")
    with torch.no_grad():
        anchor = precise(reference_chosen) - precise(reference_rejected)
    d = beta * (precise(policy_chosen) - precise(policy_rejected) - anchor)
    # logaddexp(0, -d) = -log sigmoid(d)
    zero = torch.zeros_like(d)
    loss = ((1 - label_smoothing) * torch.logaddexp(zero, -d) + label_smoothing * torch.logaddexp(zero, d)).mean()
    with torch.no_grad():
        chosen = beta * (precise(policy_chosen) - precise(reference_chosen))
        rejected = beta * (precise(policy_rejected) - precise(reference_rejected))
    return dict(loss=loss, chosen_reward=chosen, rejected_reward=rejected,
                accuracy=sum((chosen > rejected).tolist()) / len(chosen))


def reference_logprobs(model, batch):
    with AdapterOff(model) as reference, torch.no_grad():
        return sequence_logprobs(reference(batch["input_ids"], batch["attention_mask"]), batch["labels"])


def train_dpo(model, batches, *, lr, beta=0.1, label_smoothing=0.0, max_grad_norm=1.0):
    need(beta > 0, f"beta should be > 0, is {beta}")
    need(0 <= label_smoothing < 0.5, f"label_smoothing should be in [0, 0.5), is {label_smoothing}")
    need(not any(layer.merged for layer in find_lora(model)), "model should have no merged LoRALinear, has one")
    with torch.no_grad():
        references = [reference_logprobs(model, batch) for batch in batches]
    optimizer = torch.optim.AdamW(
        filter(lambda p: p.requires_grad, model.parameters()), lr=lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0
    )
    parameters = optimizer.param_groups[0]["params"]
    report = []
    for batch, reference in zip(batches, references):
        model.train()
        optimizer.zero_grad()
        chosen, rejected = sequence_logprobs(
            model(batch["input_ids"], batch["attention_mask"]), batch["labels"]
        ).reshape(2, -1)
        ref_chosen, ref_rejected = reference.reshape(2, -1)
        out = dpo_loss(chosen, rejected, ref_chosen, ref_rejected, beta=beta, label_smoothing=label_smoothing)
        out["loss"].backward()
        if max_grad_norm is not None:
            nn.utils.clip_grad_norm_(parameters, max_grad_norm)
        optimizer.step()
        report.append({
            "loss": out["loss"].item(),
            "accuracy": float(out["accuracy"]),
            "margin": (out["chosen_reward"] - out["rejected_reward"]).mean().item(),
            "chosen_logprob": chosen.mean().item(),
            "rejected_logprob": rejected.mean().item(),
        })
    model.eval()
    return report


def group_advantages(rewards, *, scale=True, epsilon=1e-4):
    need(rewards.dim() == 2, f"rewards should have 2 dimensions, has {rewards.dim()}")
    need(rewards.size(1) >= 2, f"rewards should have groups of 2 or more, has {rewards.size(1)}")
    rewards = precise(rewards).detach()
    spread = rewards.max(dim=1, keepdim=True).values - rewards.min(dim=1, keepdim=True).values
    centred = rewards - rewards.sum(dim=1, keepdim=True) / rewards.size(1)
    centred = centred * (spread > 0)
    if not scale:
        return centred
    std = torch.linalg.vector_norm(centred, dim=1, keepdim=True) / rewards.size(1) ** 0.5
    return centred / torch.where(spread > 0, std + epsilon, torch.ones_like(std))


def grpo_loss(logprobs, old_logprobs, advantages, mask, *, clip=0.2, kl_coef=0.0, reference_logprobs=None, per="token"):
    need(per in ("token", "sequence", "constant"), f"per should be token, sequence or constant, is {per}")
    need(0 < clip < 1, f"clip should be in (0, 1), is {clip}")
    need(kl_coef <= 0 or reference_logprobs is not None, f"reference_logprobs should be a tensor for kl_coef {kl_coef}, is None")
    keep = mask.to(torch.bool)
    new = precise(logprobs)
    old = precise(old_logprobs).detach()
    A = precise(advantages).detach()[:, None].expand_as(new)
    rho = torch.where(keep, new - old, 0.0).exp()
    objective = torch.min(rho * A, rho.clamp(1 - clip, 1 + clip) * A)
    if kl_coef > 0:
        r = torch.where(keep, precise(reference_logprobs).detach() - new, 0.0)
        objective = objective - kl_coef * (r.exp() - 1 - r)
    objective = torch.where(keep, objective, 0.0)
    count = keep.sum(dim=1)
    if per == "token":
        value = objective.sum() / count.sum().clamp(min=1)
    elif per == "sequence":
        value = (objective.sum(dim=1) / count.clamp(min=1)).sum() / (count > 0).sum().clamp(min=1)
    else:
        value = objective.sum() / max(keep.numel(), 1)
    return -value
