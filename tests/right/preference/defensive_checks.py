# RIGHT preference: very defensive, long messages; lora_B is zeroed in place and copied back, base weights restored bit by bit
import math
import numbers

import torch
import torch.nn as nn

from solutions.lora import LoRALinear

_IGNORE_INDEX = -100
_PERS = ("token", "sequence", "constant")


def _require_tensor(name, value):
    if not torch.is_tensor(value):
        raise TypeError(f"{name} must be a torch.Tensor, but an object of type {type(value).__name__} was given")
    return value


def _require_ndim(name, value, ndim):
    _require_tensor(name, value)
    if value.dim() != ndim:
        raise ValueError(f"{name} must have {ndim} dimension(s), but a tensor of shape {tuple(value.shape)} was given")
    return value


def _require_number(name, value):
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a real number, but {value!r} of type {type(value).__name__} was given")
    if math.isnan(value):
        raise ValueError(f"{name} must be a number, but NaN was given")
    return value


def _require_dpo(beta, label_smoothing):
    _require_number("beta", beta)
    _require_number("label_smoothing", label_smoothing)
    if beta <= 0:
        raise ValueError(f"beta must be strictly positive, but beta={beta} was given")
    if label_smoothing < 0 or label_smoothing >= 0.5:
        raise ValueError(f"label_smoothing must be in the half-open interval [0, 0.5), but label_smoothing={label_smoothing} was given")


def _at_least_float32(x):
    if x.dtype in (torch.float32, torch.float64):
        return x
    return x.to(dtype=torch.float32)


def sequence_logprobs(logits, labels):
    _require_ndim("logits", logits, 3)
    _require_ndim("labels", labels, 2)
    if logits.shape[:2] != labels.shape:
        raise ValueError(f"labels must have shape {tuple(logits.shape[:2])} like logits, but {tuple(labels.shape)} was given")
    batch_size, length = labels.shape
    logits = _at_least_float32(logits)
    # Position t predicts the label t + 1. The last position predicts nothing.
    logits = logits.narrow(1, 0, length - 1)
    labels = labels.narrow(1, 1, length - 1)
    keep = labels.ne(_IGNORE_INDEX)
    index = labels.masked_fill(labels.eq(_IGNORE_INDEX), 0)
    maximum = logits.detach().amax(dim=-1, keepdim=True)
    shifted = logits - maximum
    log_z = shifted.exp().sum(dim=-1).log()
    chosen = shifted.gather(dim=-1, index=index.unsqueeze(dim=-1)).squeeze(dim=-1)
    logprob = (chosen - log_z).masked_fill(~keep, 0.0)
    result = logprob.sum(dim=1)
    assert result.shape == (batch_size,)
    return result


def preference_batch(pairs, *, pad_id):
    if isinstance(pairs, dict):
        raise TypeError("pairs must be a list of dicts, but a single dict was given")
    pairs = list(pairs)
    if len(pairs) == 0:
        raise ValueError("pairs must contain at least one pair, but an empty list was given")
    for i, pair in enumerate(pairs):
        for key in ("prompt_ids", "chosen_ids", "rejected_ids"):
            if key not in pair:
                raise ValueError(f"pairs[{i}] must have the key {key!r}, but only {sorted(pair)} were given")
        for key in ("chosen_ids", "rejected_ids"):
            if len(pair[key]) == 0:
                raise ValueError(f"pairs[{i}][{key!r}] must contain at least one token id, but an empty answer was given")
        if list(pair["chosen_ids"]) == list(pair["rejected_ids"]):
            raise ValueError(
                f"pairs[{i}]: chosen_ids and rejected_ids must be different answers, but {list(pair['chosen_ids'])} was given for both"
            )
    n = len(pairs)
    width = 0
    for pair in pairs:
        width = max(width, len(pair["prompt_ids"]) + len(pair["chosen_ids"]))
        width = max(width, len(pair["prompt_ids"]) + len(pair["rejected_ids"]))
    input_ids = torch.empty((2 * n, width), dtype=torch.long).fill_(pad_id)
    attention_mask = torch.zeros((2 * n, width), dtype=torch.long)
    labels = torch.empty((2 * n, width), dtype=torch.long).fill_(_IGNORE_INDEX)
    for offset, key in ((0, "chosen_ids"), (n, "rejected_ids")):
        for i, pair in enumerate(pairs):
            row = offset + i
            p = len(pair["prompt_ids"])
            a = len(pair[key])
            if p > 0:
                input_ids[row, :p] = torch.as_tensor(pair["prompt_ids"], dtype=torch.long)
            input_ids[row, p : p + a] = torch.as_tensor(pair[key], dtype=torch.long)
            attention_mask[row, : p + a] = 1
            labels[row, p : p + a] = input_ids[row, p : p + a]
    return {"input_ids": input_ids, "attention_mask": attention_mask, "labels": labels}


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta=0.1, label_smoothing=0.0):
    _require_dpo(beta, label_smoothing)
    shape = _require_ndim("policy_chosen", policy_chosen, 1).shape
    for name, value in (
        ("policy_rejected", policy_rejected),
        ("reference_chosen", reference_chosen),
        ("reference_rejected", reference_rejected),
    ):
        if _require_tensor(name, value).shape != shape:
            raise ValueError(f"{name} must have the shape {tuple(shape)} of policy_chosen, but {tuple(value.shape)} was given")
    policy_chosen = _at_least_float32(policy_chosen)
    policy_rejected = _at_least_float32(policy_rejected)
    reference_chosen = _at_least_float32(reference_chosen.detach())
    reference_rejected = _at_least_float32(reference_rejected.detach())
    chosen_log_ratio = policy_chosen - reference_chosen
    rejected_log_ratio = policy_rejected - reference_rejected
    d = beta * (chosen_log_ratio - rejected_log_ratio)
    # log sigmoid(d) = -log(exp(0) + exp(-d)), which logsumexp computes without overflow
    zero = torch.zeros_like(d)
    log_sigmoid_plus = -torch.stack([zero, -d]).logsumexp(dim=0)
    log_sigmoid_minus = -torch.stack([zero, d]).logsumexp(dim=0)
    losses = -(1.0 - label_smoothing) * log_sigmoid_plus - label_smoothing * log_sigmoid_minus
    chosen_reward = (beta * chosen_log_ratio).detach()
    rejected_reward = (beta * rejected_log_ratio).detach()
    accuracy = float((chosen_reward > rejected_reward).to(torch.float64).mean().item())
    return {"loss": losses.mean(), "chosen_reward": chosen_reward, "rejected_reward": rejected_reward, "accuracy": accuracy}


def _collect_lora(model):
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be an nn.Module, but {type(model).__name__} was given")
    layers = [module for module in model.modules() if isinstance(module, LoRALinear)]
    if len(layers) == 0:
        raise ValueError(
            f"model must contain at least one LoRALinear (call inject_lora first), but the {type(model).__name__} given contains none"
        )
    return layers


def reference_logprobs(model, batch):
    layers = _collect_lora(model)
    modes = []
    for module in model.modules():
        modes.append((module, module.training))
    saved_b = [layer.lora_B.detach().clone() for layer in layers]
    merged = [(layer, layer.base.weight.detach().clone()) for layer in layers if layer.merged]
    try:
        model.eval()
        for layer, _ in merged:
            layer.unmerge()
        with torch.no_grad():
            for layer in layers:
                layer.lora_B.zero_()
            logits = model(batch["input_ids"], batch["attention_mask"])
            result = sequence_logprobs(logits, batch["labels"])
        return result.detach()
    finally:
        with torch.no_grad():
            for layer, value in zip(layers, saved_b):
                layer.lora_B.copy_(value)
            for layer, weight in merged:
                layer.merge()
            for layer, weight in merged:
                layer.base.weight.copy_(weight)  # exactly the bits from before
        for module, mode in modes:
            module.training = mode


def train_dpo(model, batches, *, lr, beta=0.1, label_smoothing=0.0, max_grad_norm=1.0):
    # ---- all checks come first, nothing is changed before they pass ----
    _require_dpo(beta, label_smoothing)
    layers = _collect_lora(model)
    number_merged = sum(1 for layer in layers if layer.merged)
    if number_merged > 0:
        raise ValueError(
            f"model must hold unmerged LoRALinear layers only, but {number_merged} of {len(layers)} are merged: call unmerge() first"
        )
    batches = list(batches)
    if len(batches) == 0:
        model.eval()
        return []
    # ---- reference ----
    references = []
    for batch in batches:
        references.append(reference_logprobs(model, batch))
    # ---- policy ----
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    results = []
    for batch, reference in zip(batches, references):
        model.train()
        for parameter in model.parameters():
            parameter.grad = None
        logits = model(batch["input_ids"], batch["attention_mask"])
        logprobs = sequence_logprobs(logits, batch["labels"])
        number_of_pairs = logprobs.shape[0] // 2
        chosen, rejected = logprobs[:number_of_pairs], logprobs[number_of_pairs:]
        out = dpo_loss(
            chosen,
            rejected,
            reference[:number_of_pairs],
            reference[number_of_pairs:],
            beta=beta,
            label_smoothing=label_smoothing,
        )
        loss = out["loss"]
        loss.backward()
        if max_grad_norm is not None:
            torch.nn.utils.clip_grad_norm_(trainable, float(max_grad_norm))
        optimizer.step()
        results.append(
            {
                "loss": float(loss.detach()),
                "accuracy": float(out["accuracy"]),
                "margin": float((out["chosen_reward"] - out["rejected_reward"]).mean()),
                "chosen_logprob": float(chosen.detach().mean()),
                "rejected_logprob": float(rejected.detach().mean()),
            }
        )
    model.eval()
    return results


def group_advantages(rewards, *, scale=True, epsilon=1e-4):
    _require_tensor("rewards", rewards)
    _require_ndim("rewards", rewards, 2)
    group_size = rewards.shape[1]
    if group_size < 2:
        raise ValueError(f"rewards must have groups of at least 2 (G >= 2), but G={group_size} was given")
    values = _at_least_float32(rewards.detach())
    mean = values.mean(dim=1, keepdim=True)
    centred = values - mean
    all_equal = values.eq(values[:, 0:1]).all(dim=1, keepdim=True)
    centred = centred.masked_fill(all_equal, 0.0)
    if not scale:
        return centred
    variance = centred.pow(2).sum(dim=1, keepdim=True) / group_size
    standard_deviation = variance.sqrt()
    scaled = centred / (standard_deviation + epsilon)
    return scaled.masked_fill(all_equal, 0.0)


def grpo_loss(logprobs, old_logprobs, advantages, mask, *, clip=0.2, kl_coef=0.0, reference_logprobs=None, per="token"):
    if per not in _PERS:
        raise ValueError(f"per must be one of {_PERS}, but per={per!r} was given")
    _require_number("clip", clip)
    if clip <= 0 or clip >= 1:
        raise ValueError(f"clip must be in the open interval (0, 1), but clip={clip} was given")
    _require_number("kl_coef", kl_coef)
    if kl_coef > 0 and reference_logprobs is None:
        raise ValueError(f"reference_logprobs must be given when kl_coef is positive (kl_coef={kl_coef}), but None was given")
    _require_ndim("logprobs", logprobs, 2)
    _require_ndim("advantages", advantages, 1)
    n, t = logprobs.shape
    keep = mask.ne(0)
    new = _at_least_float32(logprobs)
    new = torch.where(keep, new, torch.zeros_like(new))
    old = _at_least_float32(old_logprobs.detach())
    old = torch.where(keep, old, torch.zeros_like(old))
    adv = _at_least_float32(advantages.detach()).unsqueeze(1).expand(n, t)
    ratio = (new - old).exp()
    clipped_ratio = ratio.clamp(min=1.0 - clip, max=1.0 + clip)
    unclipped_objective = ratio * adv
    clipped_objective = clipped_ratio * adv
    objective = torch.where(unclipped_objective < clipped_objective, unclipped_objective, clipped_objective)
    token_loss = -objective
    if kl_coef > 0:
        ref = _at_least_float32(reference_logprobs.detach())
        ref = torch.where(keep, ref, torch.zeros_like(ref))
        r = ref - new
        kl = torch.exp(r) - r - 1.0
        token_loss = token_loss + kl_coef * kl
    token_loss = torch.where(keep, token_loss, torch.zeros_like(token_loss))
    if per == "token":
        number_of_tokens = max(1, int(keep.sum().item()))
        return token_loss.sum() / number_of_tokens
    if per == "constant":
        return token_loss.sum() / max(1, n * t)
    tokens_per_row = keep.sum(dim=1)
    row_mean = token_loss.sum(dim=1) / tokens_per_row.clamp(min=1)
    number_of_rows = max(1, int((tokens_per_row > 0).sum().item()))
    return row_mean.sum() / number_of_rows
