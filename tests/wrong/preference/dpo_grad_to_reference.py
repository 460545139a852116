# WRONG preference: the reference's log-probabilities are not detached, gradients flow into them
import torch
import torch.nn.functional as F
from torch.func import functional_call, vmap

from solutions.lora import LoRALinear


def _f(x):
    """At least float32."""
    return x * torch.ones((), dtype=torch.float32, device=x.device) if x.dtype == torch.float32 else (
        x if x.dtype == torch.float64 else x.to(torch.float32)
    )


def _one_row(logits, labels):
    # logits (T, V), labels (T,)
    target = labels[1:]
    valid = target >= 0
    logp = F.log_softmax(logits[:-1], dim=-1)
    picked = torch.gather(logp, 1, torch.where(valid, target, 0)[:, None])[:, 0]
    return torch.where(valid, picked, 0.0).sum()


def sequence_logprobs(logits, labels):
    return vmap(_one_row)(_f(logits), labels)


def preference_batch(pairs, *, pad_id):
    if not pairs:
        raise ValueError(f"pairs: expected a list of one pair or more, got {pairs}")
    for p in pairs:
        for k in ("chosen_ids", "rejected_ids"):
            if not p[k]:
                raise ValueError(f"{k}: expected one token or more, got {p[k]}")
        if p["chosen_ids"] == p["rejected_ids"]:
            raise ValueError(f"chosen_ids and rejected_ids: expected two different answers, got {p['chosen_ids']} twice")
    prompts = [p["prompt_ids"] for p in pairs] * 2
    answers = [p["chosen_ids"] for p in pairs] + [p["rejected_ids"] for p in pairs]
    T = max(len(a) + len(b) for a, b in zip(prompts, answers))

    def fill(value, *parts):
        flat = sum(map(list, parts), [])
        return flat + [value] * (T - len(flat))

    return {
        "input_ids": torch.tensor([fill(pad_id, p, a) for p, a in zip(prompts, answers)], dtype=torch.long),
        "attention_mask": torch.tensor([fill(0, [1] * len(p), [1] * len(a)) for p, a in zip(prompts, answers)], dtype=torch.long),
        "labels": torch.tensor([fill(-100, [-100] * len(p), a) for p, a in zip(prompts, answers)], dtype=torch.long),
    }


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta=0.1, label_smoothing=0.0):
    if beta <= 0:
        raise ValueError(f"beta: expected a positive number, got {beta}")
    if label_smoothing < 0 or not label_smoothing < 0.5:
        raise ValueError(f"label_smoothing: expected a number in [0, 0.5), got {label_smoothing}")
    chosen_reward = beta * (_f(policy_chosen) - _f(reference_chosen))
    rejected_reward = beta * (_f(policy_rejected) - _f(reference_rejected))

    def one(c, r):
        d = c - r
        return -(1 - label_smoothing) * F.logsigmoid(d) - label_smoothing * F.logsigmoid(-d)

    loss = one(chosen_reward, rejected_reward).mean()
    return {
        "loss": loss,
        "chosen_reward": chosen_reward.detach(),
        "rejected_reward": rejected_reward.detach(),
        "accuracy": torch.gt(chosen_reward, rejected_reward).float().mean().item(),
    }


def reference_logprobs(model, batch):
    adapters = {n: m for n, m in model.named_modules() if isinstance(m, LoRALinear)}
    if not adapters:
        raise ValueError("model: expected a model with LoRALinear layers, got one without")
    modes = [m.training for m in model.modules()]
    merged = [m for m in adapters.values() if m.merged]
    try:
        [m.unmerge() for m in merged]
        model.eval()
        zeros = {(n + "." if n else "") + "lora_B": torch.zeros_like(m.lora_B) for n, m in adapters.items()}
        with torch.no_grad():
            logits = functional_call(model, zeros, (batch["input_ids"], batch["attention_mask"]), tie_weights=False)
            return sequence_logprobs(logits, batch["labels"])
    finally:
        [m.merge() for m in merged]
        for m, mode in zip(model.modules(), modes):
            m.training = mode


def train_dpo(model, batches, *, lr, beta=0.1, label_smoothing=0.0, max_grad_norm=1.0):
    if beta <= 0:
        raise ValueError(f"beta: expected a positive number, got {beta}")
    if label_smoothing < 0 or not label_smoothing < 0.5:
        raise ValueError(f"label_smoothing: expected a number in [0, 0.5), got {label_smoothing}")
    merged = {n: m.merged for n, m in model.named_modules() if isinstance(m, LoRALinear)}
    if not merged:
        raise ValueError("model: expected a model with LoRALinear layers, got one without")
    if any(merged.values()):
        raise ValueError(f"model: expected unmerged LoRALinear layers, got merged ones: {[n for n in merged if merged[n]]}")
    ref = [reference_logprobs(model, b) for b in batches]
    params = {n: p for n, p in model.named_parameters() if p.requires_grad}
    opt = torch.optim.AdamW(list(params.values()), lr=lr, weight_decay=0) if batches else None
    out = []
    for b, r in zip(batches, ref):
        model.train()
        n = len(r) // 2
        lp = sequence_logprobs(model(b["input_ids"], b["attention_mask"]), b["labels"])
        res = dpo_loss(lp[:n], lp[n:], r[:n], r[n:], beta=beta, label_smoothing=label_smoothing)
        # fresh gradients: whatever lay in .grad before is overwritten
        grads = torch.autograd.grad(res["loss"], list(params.values()), allow_unused=True)
        for p, g in zip(params.values(), grads):
            p.grad = g
        if max_grad_norm is not None:
            torch.nn.utils.clip_grad_norm_(params.values(), max_grad_norm)
        opt.step()
        out.append({
            "loss": res["loss"].item(),
            "accuracy": res["accuracy"],
            "margin": (res["chosen_reward"] - res["rejected_reward"]).mean().item(),
            "chosen_logprob": lp[:n].mean().item(),
            "rejected_logprob": lp[n:].mean().item(),
        })
    model.eval()
    return out


def group_advantages(rewards, *, scale=True, epsilon=1e-4):
    if rewards.dim() != 2 or rewards.shape[1] < 2:
        raise ValueError(f"rewards: expected shape (P, G) with G >= 2, got {tuple(rewards.shape)}")

    def one(r):
        centred = r - r[0]
        centred = centred - centred.mean()
        if scale:
            var = (centred ** 2).mean()
            centred = torch.where(var > 0, centred / (torch.sqrt(var) + epsilon), 0.0)
        return torch.where((r == r[0]).all(), 0.0, centred)

    return vmap(one)(_f(rewards.detach()))


def grpo_loss(logprobs, old_logprobs, advantages, mask, *, clip=0.2, kl_coef=0.0, reference_logprobs=None, per="token"):
    if per not in ("token", "sequence", "constant"):
        raise ValueError(f'per: expected "token", "sequence" or "constant", got {per!r}')
    if clip <= 0 or clip >= 1:
        raise ValueError(f"clip: expected a number in (0, 1), got {clip}")
    if kl_coef > 0 and reference_logprobs is None:
        raise ValueError("reference_logprobs: expected a tensor because kl_coef > 0, got None")
    m = mask > 0
    lp, old, A = _f(logprobs), _f(old_logprobs.detach()), _f(advantages.detach())
    ref = _f(reference_logprobs.detach()) if kl_coef > 0 else torch.zeros_like(old)

    def token(lp, old, ref, A, m):
        rho = torch.exp(torch.where(m, lp - old, 0.0))
        loss = -torch.minimum(rho * A, torch.clamp(rho, 1 - clip, 1 + clip) * A)
        if kl_coef > 0:
            r = torch.where(m, ref - lp, 0.0)
            loss = loss + kl_coef * (torch.exp(r) - r - 1)
        return torch.where(m, loss, 0.0)

    losses = vmap(token)(lp, old, ref, A, m)
    N, T = m.shape
    n = m.sum(1)
    if per == "token":
        return losses.sum() / n.sum().clamp(min=1)
    if per == "sequence":
        per_row = losses.sum(1) / n.clamp(min=1)
        return per_row.sum() / (n > 0).sum().clamp(min=1)
    return losses.sum() / max(N * T, 1)
