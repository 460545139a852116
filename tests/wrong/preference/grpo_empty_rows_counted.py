# WRONG preference: per='sequence' divides by all N rows, empty ones too (as TRL's grpo)
import numpy as np
import torch
from torch import nn

from solutions import lora as lora_module

NEG = -100


def _num(t):
    return t.double()


def sequence_logprobs(logits, labels):
    V = logits.shape[-1]
    shifted = labels[:, 1:]
    z = _num(logits[:, :-1])
    counted = (shifted != NEG).to(z.dtype)
    onehot = torch.nn.functional.one_hot(shifted.clamp(min=0), V).to(z.dtype)
    score = torch.einsum("btv,btv,bt->b", z, onehot, counted)
    normaliser = torch.einsum("bt,bt->b", torch.logsumexp(z, dim=-1), counted)
    return (score - normaliser).float()


def preference_batch(pairs, *, pad_id):
    if len(pairs) == 0:
        raise ValueError("pairs: got 0 pairs, allowed are 1 or more")
    for p in pairs:
        if min(len(p["chosen_ids"]), len(p["rejected_ids"])) == 0:
            raise ValueError(f"chosen_ids/rejected_ids: got an empty answer in {p}, allowed are answers of 1 token or more")
        if np.array_equal(p["chosen_ids"], p["rejected_ids"]):
            raise ValueError(f"chosen_ids/rejected_ids: got two equal answers in {p}, allowed are different ones")
    rows = [(p["prompt_ids"], p["chosen_ids"]) for p in pairs] + [(p["prompt_ids"], p["rejected_ids"]) for p in pairs]
    start = np.array([len(a) for a, _ in rows], dtype=np.int64)
    stop = start + np.array([len(b) for _, b in rows], dtype=np.int64)
    grid = np.arange(stop.max())[None, :]
    real = grid < stop[:, None]
    ids = np.full(real.shape, pad_id, dtype=np.int64)
    ids[real] = np.concatenate([np.asarray(list(a) + list(b), dtype=np.int64) for a, b in rows])
    labels = np.where(real & (grid >= start[:, None]), ids, NEG)
    return {
        "input_ids": torch.from_numpy(ids),
        "attention_mask": torch.from_numpy(real.astype(np.int64)),
        "labels": torch.from_numpy(labels),
    }


def _check(beta, label_smoothing):
    if not (beta > 0):
        raise ValueError(f"beta: got {beta}, allowed are numbers above 0")
    if not (0 <= label_smoothing < 0.5):
        raise ValueError(f"label_smoothing: got {label_smoothing}, allowed is [0, 0.5)")


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta=0.1, label_smoothing=0.0):
    _check(beta, label_smoothing)
    P = torch.stack((_num(policy_chosen), _num(policy_rejected)), dim=0)
    R = torch.stack((_num(reference_chosen), _num(reference_rejected)), dim=0).detach()
    sign = torch.tensor([1.0, -1.0], dtype=P.dtype)
    d = torch.einsum("s,sb->b", beta * sign, P - R)
    both = torch.nn.functional.logsigmoid(torch.stack((d, -d)))
    weights = torch.tensor([1 - label_smoothing, label_smoothing], dtype=P.dtype)
    loss = -torch.einsum("s,sb->", weights, both) / d.numel()
    reward = (beta * (P - R)).detach().numpy()
    return {
        "loss": loss,
        "chosen_reward": torch.from_numpy(reward[0].copy()),
        "rejected_reward": torch.from_numpy(reward[1].copy()),
        "accuracy": float(np.mean(reward[0] > reward[1])),
    }


def _lora(model):
    layers = []
    for m in model.modules():
        if isinstance(m, lora_module.LoRALinear):
            layers.append(m)
    if not layers:
        raise ValueError("model: got no LoRALinear in it, allowed are models with LoRA")
    return layers


def reference_logprobs(model, batch):
    layers = _lora(model)
    mods = list(model.modules())
    train_flags = np.array([m.training for m in mods])
    merged = [l for l in layers if l.merged]
    stash = {}
    try:
        for l in merged:
            l.unmerge()
        for l in layers:
            stash[l] = l._parameters["lora_B"]
            l._parameters["lora_B"] = nn.Parameter(torch.zeros_like(stash[l]), requires_grad=False)
        model.eval()
        with torch.no_grad():
            out = sequence_logprobs(model(batch["input_ids"], batch["attention_mask"]), batch["labels"])
    finally:
        for l, B in stash.items():
            l._parameters["lora_B"] = B
        for l in merged:
            l.merge()
        for m, flag in zip(mods, train_flags.tolist()):
            m.training = flag
    return out


def train_dpo(model, batches, *, lr, beta=0.1, label_smoothing=0.0, max_grad_norm=1.0):
    _check(beta, label_smoothing)
    if any(l.merged for l in _lora(model)):
        raise ValueError("model: got a merged LoRALinear, allowed are unmerged ones")
    ref = [reference_logprobs(model, b) for b in batches]
    theta = [p for p in model.parameters() if p.requires_grad]
    log = np.zeros((len(batches), 5))
    if batches:
        opt = torch.optim.AdamW(theta, lr=lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
        model.train()
    for k, (b, r) in enumerate(zip(batches, ref)):
        opt.zero_grad()
        q = sequence_logprobs(model(b["input_ids"], b["attention_mask"]), b["labels"])
        B = q.shape[0] // 2
        res = dpo_loss(q[:B], q[B:], r[:B], r[B:], beta=beta, label_smoothing=label_smoothing)
        res["loss"].backward()
        if max_grad_norm is not None:
            total = np.sqrt(sum(float(p.grad.double().pow(2).sum()) for p in theta if p.grad is not None))
            factor = min(1.0, max_grad_norm / (total + 1e-6))
            for p in theta:
                if p.grad is not None:
                    p.grad.mul_(factor)
        opt.step()
        q = q.detach().numpy()
        log[k] = [
            res["loss"].item(), res["accuracy"],
            float((res["chosen_reward"] - res["rejected_reward"]).mean()), q[:B].mean(), q[B:].mean(),
        ]
    model.eval()
    keys = ("loss", "accuracy", "margin", "chosen_logprob", "rejected_logprob")
    return [dict(zip(keys, row)) for row in log.tolist()]


def group_advantages(rewards, *, scale=True, epsilon=1e-4):
    r = rewards.detach().cpu().to(torch.float64).numpy()
    if r.ndim != 2 or r.shape[1] < 2:
        raise ValueError(f"rewards: got shape {r.shape}, allowed is (P, G) with G at least 2")
    a = r - r.mean(axis=1, keepdims=True)
    a[np.ptp(r, axis=1) == 0] = 0.0
    if scale:
        std = np.std(a, axis=1, keepdims=True, ddof=0)
        a = np.divide(a, std + epsilon, out=np.zeros_like(a), where=std > 0)
    return torch.from_numpy(a).to(rewards.device, torch.float32)


def grpo_loss(logprobs, old_logprobs, advantages, mask, *, clip=0.2, kl_coef=0.0, reference_logprobs=None, per="token"):
    if per not in ("token", "sequence", "constant"):
        raise ValueError(f"per: got {per!r}, allowed are token, sequence, constant")
    if not 0 < clip < 1:
        raise ValueError(f"clip: got {clip}, allowed is (0, 1)")
    if kl_coef > 0 and reference_logprobs is None:
        raise ValueError("reference_logprobs: got None with kl_coef > 0, allowed is a tensor (N, T)")
    # every way of averaging is a weighted sum; the weights are numbers, made in numpy
    m = (mask.detach().cpu().to(torch.float64).numpy() != 0).astype(np.float64)
    N, T = m.shape
    if per == "token":
        w = m / max(m.sum(), 1)
    elif per == "sequence":
        n = m.sum(1, keepdims=True)
        w = m / np.maximum(n, 1) / N
    else:
        w = m / max(N * T, 1)
    w = torch.from_numpy(w)
    lp = torch.where(w > 0, _num(logprobs), 0.0)
    old = torch.where(w > 0, _num(old_logprobs.detach()), 0.0)
    A = _num(advantages.detach())
    rho = torch.exp(lp - old)
    a = torch.einsum("nt,n->nt", rho, A)
    b = torch.einsum("nt,n->nt", rho.clip(1 - clip, 1 + clip), A)
    loss = -torch.einsum("nt,nt->", w, torch.minimum(a, b))
    if kl_coef > 0:
        r = torch.where(w > 0, _num(reference_logprobs.detach()), 0.0) - lp
        loss = loss + kl_coef * torch.einsum("nt,nt->", w, r.exp() - r - 1)
    return loss.float()
