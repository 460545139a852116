# WRONG preference: the mask is cast to the dtype of logprobs, so more than 256 tokens are miscounted in bfloat16
import logging
from collections import defaultdict
from contextlib import contextmanager
from typing import Optional

import torch
import torch.nn as nn
import torch.nn.functional as F

from solutions.lora import LoRALinear

logger = logging.getLogger(__name__)

LABEL_PAD_TOKEN_ID = -100


def upcast(x: torch.Tensor) -> torch.Tensor:
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def selective_log_softmax(logits, index):
    """log_softmax(logits).gather(index) without keeping the whole (B, T, V) log-softmax."""
    logits = upcast(logits)
    selected = torch.gather(logits, dim=-1, index=index.unsqueeze(-1)).squeeze(-1)
    return selected - torch.logsumexp(logits, dim=-1)


def pad(tensors, padding_value, padding_side="right"):
    longest = max(t.size(0) for t in tensors)
    out = torch.full((len(tensors), longest), padding_value, dtype=torch.long)
    for i, t in enumerate(tensors):
        out[i, : t.size(0)] = t
    return out


def sequence_logprobs(logits, labels):
    labels = labels[:, 1:].clone()
    loss_mask = labels != LABEL_PAD_TOKEN_ID
    labels[~loss_mask] = 0  # dummy token, masked below
    per_token_logps = selective_log_softmax(logits[:, :-1, :], labels)
    return per_token_logps.masked_fill(~loss_mask, 0.0).sum(-1)


def preference_batch(pairs, *, pad_id):
    if len(pairs) == 0:
        raise ValueError("pairs is empty: at least one preference pair is needed, got []")
    chosen, rejected = [], []
    for i, feature in enumerate(pairs):
        for key in ("chosen_ids", "rejected_ids"):
            if len(feature[key]) == 0:
                raise ValueError(f"pairs[{i}]['{key}'] is empty, an answer has at least one token (EOS)")
        if list(feature["chosen_ids"]) == list(feature["rejected_ids"]):
            raise ValueError(f"pairs[{i}]: chosen_ids and rejected_ids are the same ({feature['chosen_ids']}), they must differ")
        chosen.append((feature["prompt_ids"], feature["chosen_ids"]))
        rejected.append((feature["prompt_ids"], feature["rejected_ids"]))
    rows = chosen + rejected
    input_ids = [torch.tensor(list(p) + list(c), dtype=torch.long) for p, c in rows]
    attention_mask = [torch.ones_like(ids) for ids in input_ids]
    labels = [torch.tensor([LABEL_PAD_TOKEN_ID] * len(p) + list(c), dtype=torch.long) for p, c in rows]
    return {
        "input_ids": pad(input_ids, pad_id),
        "attention_mask": pad(attention_mask, 0),
        "labels": pad(labels, LABEL_PAD_TOKEN_ID),
    }


def _check_dpo_args(beta, label_smoothing):
    if not beta > 0:
        raise ValueError(f"beta must be positive, got {beta}")
    if not 0 <= label_smoothing < 0.5:
        raise ValueError(f"label_smoothing must be in [0, 0.5), got {label_smoothing}")


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta=0.1, label_smoothing=0.0):
    _check_dpo_args(beta, label_smoothing)
    chosen_logratios = upcast(policy_chosen) - upcast(reference_chosen).detach()
    rejected_logratios = upcast(policy_rejected) - upcast(reference_rejected).detach()
    delta_score = beta * (chosen_logratios - rejected_logratios)
    losses = -F.logsigmoid(delta_score) * (1 - label_smoothing) - F.logsigmoid(-delta_score) * label_smoothing
    chosen_reward = (beta * chosen_logratios).detach()
    rejected_reward = (beta * rejected_logratios).detach()
    return {
        "loss": losses.mean(),
        "chosen_reward": chosen_reward,
        "rejected_reward": rejected_reward,
        "accuracy": (chosen_reward > rejected_reward).float().mean().item(),
    }


@contextmanager
def null_ref_context(model: nn.Module):
    """Context manager for handling the null reference model (the adapter is switched off)."""
    layers = [m for m in model.modules() if isinstance(m, LoRALinear)]
    if not layers:
        raise ValueError("model has no LoRALinear, so there is no adapter to switch off; inject LoRA first")
    modes = [(m, m.training) for m in model.modules()]
    was_merged = [l for l in layers if l.merged]
    scalings = [(l, l.scaling) for l in layers]
    try:
        for l in was_merged:
            l.unmerge()
        for l in layers:
            l.scaling = 0.0
        model.eval()
        yield model
    finally:
        for l, s in scalings:
            l.scaling = s
        for l in was_merged:
            l.merge()
        for m, mode in modes:
            m.training = mode


def reference_logprobs(model, batch):
    with torch.no_grad(), null_ref_context(model):
        logits = model(batch["input_ids"], batch["attention_mask"])
        return sequence_logprobs(logits, batch["labels"])


class _Trainer:
    def __init__(self, model, lr, beta, label_smoothing, max_grad_norm):
        self.model = model
        self.beta, self.label_smoothing, self.max_grad_norm = beta, label_smoothing, max_grad_norm
        self.params = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.params, lr=lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
        self.history = []

    def concatenated_forward(self, batch):
        logps = sequence_logprobs(self.model(batch["input_ids"], batch["attention_mask"]), batch["labels"])
        half = logps.shape[0] // 2
        return logps[:half], logps[half:]

    def training_step(self, batch, ref):
        self.model.train()
        self.optimizer.zero_grad()
        chosen, rejected = self.concatenated_forward(batch)
        half = len(chosen)
        out = dpo_loss(chosen, rejected, ref[:half], ref[half:], beta=self.beta, label_smoothing=self.label_smoothing)
        out["loss"].backward()
        if self.max_grad_norm is not None:
            nn.utils.clip_grad_norm_(self.params, self.max_grad_norm)
        self.optimizer.step()
        metrics = defaultdict(float)
        metrics["loss"] = out["loss"].item()
        metrics["accuracy"] = out["accuracy"]
        metrics["margin"] = (out["chosen_reward"] - out["rejected_reward"]).mean().item()
        metrics["chosen_logprob"] = chosen.detach().mean().item()
        metrics["rejected_logprob"] = rejected.detach().mean().item()
        self.history.append(dict(metrics))


def train_dpo(model, batches, *, lr, beta=0.1, label_smoothing=0.0, max_grad_norm=1.0):
    _check_dpo_args(beta, label_smoothing)
    layers = [m for m in model.modules() if isinstance(m, LoRALinear)]
    if not layers:
        raise ValueError("model has no LoRALinear module, nothing to tune")
    if any(l.merged for l in layers):
        raise ValueError("model holds a merged LoRALinear (merged=True); call unmerge() before training")
    refs = [reference_logprobs(model, b) for b in batches]
    if not batches:
        logger.info("no batches, nothing to do")
        model.eval()
        return []
    trainer = _Trainer(model, lr, beta, label_smoothing, max_grad_norm)
    for batch, ref in zip(batches, refs):
        trainer.training_step(batch, ref)
    model.eval()
    return trainer.history


def group_advantages(rewards, *, scale=True, epsilon=1e-4):
    if rewards.dim() != 2 or rewards.size(1) < 2:
        raise ValueError(f"rewards must be (P, G) with G >= 2, got shape {tuple(rewards.shape)}")
    rewards = upcast(rewards.detach())
    mean_grouped_rewards = rewards.mean(dim=1, keepdim=True)
    advantages = rewards - mean_grouped_rewards
    if scale:
        std = rewards.std(dim=1, keepdim=True, unbiased=False)
        advantages = advantages / (std + epsilon)
    is_std_zero = (rewards == rewards[:, :1]).all(dim=1, keepdim=True)
    return torch.where(is_std_zero, torch.zeros_like(advantages), advantages)


def grpo_loss(logprobs, old_logprobs, advantages, mask, *, clip=0.2, kl_coef=0.0,
              reference_logprobs: Optional[torch.Tensor] = None, per="token"):
    if per not in ("token", "sequence", "constant"):
        raise ValueError(f"Unknown per: {per!r}. Possible values are 'token', 'sequence', 'constant'.")
    if not 0 < clip < 1:
        raise ValueError(f"clip must be in (0, 1), got {clip}")
    if kl_coef > 0 and reference_logprobs is None:
        raise ValueError(f"reference_logprobs is required when kl_coef > 0 (kl_coef={kl_coef}), got None")
    per_token_logps = upcast(logprobs)
    mask = mask.to(logprobs.dtype)
    log_ratio = per_token_logps - upcast(old_logprobs).detach()
    coef_1 = torch.exp(log_ratio)
    coef_2 = torch.clamp(coef_1, 1 - clip, 1 + clip)
    adv = upcast(advantages).detach().unsqueeze(1)
    per_token_loss = -torch.min(coef_1 * adv, coef_2 * adv)
    if kl_coef != 0.0:
        delta = upcast(reference_logprobs).detach() - per_token_logps
        per_token_kl = torch.exp(delta) - delta - 1
        per_token_loss = per_token_loss + kl_coef * per_token_kl
    if per == "sequence":
        rows = (per_token_loss * mask).sum(-1) / mask.sum(-1).clamp(min=1.0)
        nonempty = (mask.sum(-1) > 0).to(rows.dtype)
        return (rows * nonempty).sum() / nonempty.sum().clamp(min=1.0)
    if per == "token":
        return (per_token_loss * mask).sum() / mask.sum().clamp(min=1.0)
    return (per_token_loss * mask).sum() / max(per_token_loss.numel(), 1)
