# RIGHT preference: the classes' forward is replaced for a while; per-row cross_entropy sums
from collections import Counter

import torch
import torch.nn.functional as F

from solutions.lora import LoRALinear


def at_least_float(x, *, detach=False):
    x = x.detach() if detach else x
    return x if x.element_size() >= 4 and x.is_floating_point() else x.to(torch.float32)


def sequence_logprobs(logits, labels):
    rows = []
    for row_logits, row_labels in zip(at_least_float(logits), labels):
        rows.append(-F.cross_entropy(row_logits[:-1], row_labels[1:], ignore_index=-100, reduction="sum"))
    return torch.stack(rows)


def preference_batch(pairs, *, pad_id):
    if not pairs:
        raise ValueError("`pairs` is empty, but one or more are required")
    out = {"input_ids": [], "attention_mask": [], "labels": []}
    for which in ("chosen_ids", "rejected_ids"):
        for pair in pairs:
            if not pair[which]:
                raise ValueError(f"`{which}` is empty, but one token or more is required")
            if pair["chosen_ids"] == pair["rejected_ids"]:
                raise ValueError(f"`chosen_ids` and `rejected_ids` are equal ({pair[which]}), but two different answers are required")
            prompt = list(pair["prompt_ids"])
            answer = list(pair[which])
            out["input_ids"].append(prompt + answer)
            out["attention_mask"].append([1] * len(prompt + answer))
            out["labels"].append([-100] * len(prompt) + answer)
    longest = max(len(ids) for ids in out["input_ids"])
    for key, filler in (("input_ids", pad_id), ("attention_mask", 0), ("labels", -100)):
        for row in out[key]:
            row.extend([filler] * (longest - len(row)))
    return {key: torch.tensor(rows, dtype=torch.int64) for key, rows in out.items()}


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta=0.1, label_smoothing=0.0):
    if not beta > 0:
        raise ValueError(f"`beta` is {beta}, but a positive number is required")
    if not 0 <= label_smoothing < 0.5:
        raise ValueError(f"`label_smoothing` is {label_smoothing}, but a number in [0, 0.5) is required")
    chosen = at_least_float(policy_chosen) - at_least_float(reference_chosen, detach=True)
    rejected = at_least_float(policy_rejected) - at_least_float(reference_rejected, detach=True)
    logits = torch.stack([beta * (chosen - rejected), torch.zeros_like(chosen)], dim=1)
    # a classification of two classes: the chosen one is class 0; soft labels are the smoothing
    target = torch.tensor([1 - label_smoothing, label_smoothing], dtype=logits.dtype).expand_as(logits)
    loss = F.cross_entropy(logits, target)
    with torch.no_grad():
        chosen_reward, rejected_reward = beta * chosen, beta * rejected
        hits = Counter((chosen_reward > rejected_reward).tolist())
    return {
        "loss": loss,
        "chosen_reward": chosen_reward,
        "rejected_reward": rejected_reward,
        "accuracy": hits[True] / (hits[True] + hits[False]),
    }


def _find(model):
    layers = [module for module in model.modules() if isinstance(module, LoRALinear)]
    if not layers:
        raise ValueError("`model` has no LoRALinear, but one or more are required")
    return layers


def reference_logprobs(model, batch):
    layers = _find(model)
    training = {module: module.training for module in model.modules()}
    merged = [layer for layer in layers if layer.merged]
    forwards = {cls: cls.forward for cls in {type(layer) for layer in layers}}
    for layer in merged:
        layer.unmerge()
    for cls in forwards:
        cls.forward = lambda self, x: self.base(x)
    try:
        with torch.no_grad():
            return sequence_logprobs(model.eval()(batch["input_ids"], batch["attention_mask"]), batch["labels"])
    finally:
        for cls, forward in forwards.items():
            cls.forward = forward
        for layer in merged:
            layer.merge()
        for module, flag in training.items():
            module.training = flag


def train_dpo(model, batches, *, lr, beta=0.1, label_smoothing=0.0, max_grad_norm=1.0):
    if not beta > 0:
        raise ValueError(f"`beta` is {beta}, but a positive number is required")
    if not 0 <= label_smoothing < 0.5:
        raise ValueError(f"`label_smoothing` is {label_smoothing}, but a number in [0, 0.5) is required")
    if any(layer.merged for layer in _find(model)):
        raise ValueError("`model` has merged LoRALinear layers, but unmerged ones are required")
    stats = []
    pairs = [(batch, reference_logprobs(model, batch)) for batch in batches]
    learned = [w for w in model.parameters() if w.requires_grad]
    # Adam is AdamW when nothing decays
    adam = torch.optim.Adam(learned, lr=lr, betas=(0.9, 0.999), eps=1e-8)
    for batch, ref in pairs:
        model.train()
        adam.zero_grad()
        logp = sequence_logprobs(model(batch["input_ids"], batch["attention_mask"]), batch["labels"])
        (c, r), (rc, rr) = logp.chunk(2), ref.chunk(2)
        out = dpo_loss(c, r, rc, rr, beta=beta, label_smoothing=label_smoothing)
        out["loss"].backward()
        if max_grad_norm is not None:
            torch.nn.utils.clip_grad_norm_(learned, max_grad_norm)
        adam.step()
        stats.append({
            "loss": out["loss"].item(),
            "accuracy": out["accuracy"],
            "margin": (out["chosen_reward"] - out["rejected_reward"]).mean().item(),
            "chosen_logprob": c.mean().item(),
            "rejected_logprob": r.mean().item(),
        })
    model.eval()
    return stats


def group_advantages(rewards, *, scale=True, epsilon=1e-4):
    if rewards.dim() != 2:
        raise ValueError(f"`rewards` has {rewards.dim()} dimensions, but 2 are required")
    if rewards.size(1) < 2:
        raise ValueError(f"`rewards` has {rewards.size(1)} answers for a prompt, but 2 or more are required")
    rows = []
    for row in at_least_float(rewards, detach=True):
        if row.unique().numel() == 1:
            rows.append(torch.zeros_like(row))
            continue
        row = row - row.mean()
        rows.append(row / (row.std(correction=0) + epsilon) if scale else row)
    return torch.stack(rows)


def grpo_loss(logprobs, old_logprobs, advantages, mask, *, clip=0.2, kl_coef=0.0, reference_logprobs=None, per="token"):
    if per not in ("token", "sequence", "constant"):
        raise ValueError(f"`per` is {per!r}, but 'token', 'sequence' or 'constant' is required")
    if clip <= 0 or clip >= 1:
        raise ValueError(f"`clip` is {clip}, but a number between 0 and 1 is required")
    if kl_coef > 0 and reference_logprobs is None:
        raise ValueError(f"`reference_logprobs` is None, but a tensor is required when `kl_coef` is {kl_coef}")
    lp = at_least_float(logprobs)
    old = at_least_float(old_logprobs, detach=True)
    ref = at_least_float(reference_logprobs, detach=True) if kl_coef > 0 else None
    adv = at_least_float(advantages, detach=True)
    sums, counts = [], []
    for i in range(lp.size(0)):
        keep = mask[i].bool()
        x, a = lp[i][keep], adv[i]
        rho = (x - old[i][keep]).exp()
        tokens = -torch.minimum(rho * a, rho.clamp(1 - clip, 1 + clip) * a)
        if ref is not None:
            r = ref[i][keep] - x
            tokens = tokens + kl_coef * (r.exp() - r - 1)
        sums.append(tokens.sum())
        counts.append(int(keep.sum()))
    total = torch.stack(sums).sum()
    if per == "token":
        return total / max(sum(counts), 1)
    if per == "constant":
        return total / max(mask.numel(), 1)
    means = torch.stack([s / max(n, 1) for s, n in zip(sums, counts)])
    return means.sum() / max(sum(n > 0 for n in counts), 1)
