# RIGHT preference: a mathematician's notation, Adam written by hand, advantages by a projection matrix
import math

import torch

from solutions.lora import LoRALinear

# Notation. pi: policy, mu: reference, s_i(y) = log-probability of the answer y of row i,
# sigma(x) = 1 / (1 + exp(-x)),  -log sigma(x) = log(1 + exp(-x)) =: phi(x).


def _R(x):
    """Embed into the reals, that is into float64."""
    return x.to(torch.float64)


def _phi(x):
    # log(1 + e^-x) for x >= 0, and -x + log(1 + e^x) for x < 0; both branches are smooth at 0
    right = torch.log1p(torch.exp(-x.clamp(min=0)))
    left = -x + torch.log1p(torch.exp(x.clamp(max=0)))
    return torch.where(x >= 0, right, left)


def sequence_logprobs(logits, labels):
    z = _R(logits)
    # delta[b, t] = 1 if position t predicts something, t = 0 .. T - 2
    y = labels[:, 1:]
    delta = (y != -100).to(z.dtype)
    head = z[:, : y.shape[1]]
    u = head.gather(2, (y * delta.long()).unsqueeze(2)).squeeze(2)
    return ((u - head.logsumexp(2)) * delta).sum(1).to(torch.float32)


def preference_batch(pairs, *, pad_id):
    if not pairs:
        raise ValueError("pairs is the empty list; a non-empty list is allowed")
    for p in pairs:
        if not p["chosen_ids"] or not p["rejected_ids"]:
            raise ValueError(f"chosen_ids, rejected_ids: one of them is empty in {p}; non-empty lists are allowed")
        if p["chosen_ids"] == p["rejected_ids"]:
            raise ValueError(f"chosen_ids = rejected_ids = {p['chosen_ids']}; distinct lists are allowed")
    X = [(p["prompt_ids"], p["chosen_ids"]) for p in pairs] + [(p["prompt_ids"], p["rejected_ids"]) for p in pairs]
    T = max(len(x) + len(y) for x, y in X)
    f = {
        "input_ids": lambda x, y, t: (list(x) + list(y))[t] if t < len(x) + len(y) else pad_id,
        "attention_mask": lambda x, y, t: int(t < len(x) + len(y)),
        "labels": lambda x, y, t: y[t - len(x)] if len(x) <= t < len(x) + len(y) else -100,
    }
    return {k: torch.tensor([[g(x, y, t) for t in range(T)] for x, y in X], dtype=torch.long) for k, g in f.items()}


def _hypotheses(beta, eps):
    if not beta > 0:
        raise ValueError(f"beta = {beta}; allowed: beta > 0")
    if not 0 <= eps < 1 / 2:
        raise ValueError(f"label_smoothing = {eps}; allowed: 0 <= label_smoothing < 1/2")


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta=0.1, label_smoothing=0.0):
    _hypotheses(beta, label_smoothing)
    mu_w, mu_l = _R(reference_chosen).detach(), _R(reference_rejected).detach()
    r_w = beta * (_R(policy_chosen) - mu_w)
    r_l = beta * (_R(policy_rejected) - mu_l)
    d = r_w - r_l
    L = ((1 - label_smoothing) * _phi(d) + label_smoothing * _phi(-d)).mean()
    return {
        "loss": L.float(),
        "chosen_reward": r_w.detach().float(),
        "rejected_reward": r_l.detach().float(),
        "accuracy": (d > 0).sum().item() / d.shape[0],
    }


def _adapters(model):
    Lambda = tuple(m for m in model.modules() if isinstance(m, LoRALinear))
    if len(Lambda) == 0:
        raise ValueError("model contains 0 LoRALinear layers; allowed: 1, 2, 3, ...")
    return Lambda


def reference_logprobs(model, batch):
    Lambda = _adapters(model)
    # W_0 is what remains of base.weight without the update.
    modes = {m: m.training for m in model.modules()}
    state = [(m, m.merged, m.base.weight.detach().clone(), m.scaling) for m in Lambda]
    try:
        for m in Lambda:
            m.unmerge()
            m.scaling = 0
        for m in modes:
            m.training = False
        with torch.no_grad():
            return sequence_logprobs(model(batch["input_ids"], batch["attention_mask"]), batch["labels"])
    finally:
        for m, merged, W, s in state:
            m.scaling = s
            if merged:
                m.merge()
                m.base.weight.data.copy_(W)
        for m, mode in modes.items():
            m.training = mode


class _Adam:
    """m <- b1 m + (1 - b1) g;  v <- b2 v + (1 - b2) g^2;  theta <- theta - lr * m_hat / (sqrt(v_hat) + eps)."""

    def __init__(self, theta, lr, b1=0.9, b2=0.999, eps=1e-8):
        self.theta, self.lr, self.b1, self.b2, self.eps = theta, lr, b1, b2, eps
        self.k = {}
        self.m = {}
        self.v = {}

    @torch.no_grad()
    def step(self):
        for i, p in enumerate(self.theta):
            if p.grad is None:
                continue
            g = p.grad
            k = self.k[i] = self.k.get(i, 0) + 1
            m = self.m[i] = self.b1 * self.m.get(i, torch.zeros_like(p)) + (1 - self.b1) * g
            v = self.v[i] = self.b2 * self.v.get(i, torch.zeros_like(p)) + (1 - self.b2) * g * g
            denominator = v.sqrt() / math.sqrt(1 - self.b2**k) + self.eps
            p.sub_(m / denominator, alpha=self.lr / (1 - self.b1**k))


def train_dpo(model, batches, *, lr, beta=0.1, label_smoothing=0.0, max_grad_norm=1.0):
    _hypotheses(beta, label_smoothing)
    if any(m.merged for m in _adapters(model)):
        raise ValueError("model contains a merged LoRALinear; allowed: unmerged ones")
    mu = [reference_logprobs(model, x) for x in batches]
    theta = [p for p in model.parameters() if p.requires_grad]
    adam = _Adam(theta, lr)
    diary = []
    model.train()
    for x, s_mu in zip(batches, mu):
        for p in theta:
            p.grad = None
        s = sequence_logprobs(model(x["input_ids"], x["attention_mask"]), x["labels"])
        n = s.shape[0] // 2
        q = dpo_loss(s[:n], s[n:], s_mu[:n], s_mu[n:], beta=beta, label_smoothing=label_smoothing)
        q["loss"].backward()
        if max_grad_norm is not None:
            g = [p.grad for p in theta if p.grad is not None]
            norm = torch.sqrt(sum((h.double() ** 2).sum() for h in g)).item()
            if norm > max_grad_norm:
                for h in g:
                    h.mul_(max_grad_norm / norm)
        adam.step()
        diary.append({
            "loss": q["loss"].item(),
            "accuracy": q["accuracy"],
            "margin": (q["chosen_reward"] - q["rejected_reward"]).mean().item(),
            "chosen_logprob": s[:n].mean().item(),
            "rejected_logprob": s[n:].mean().item(),
        })
    model.eval()
    return diary


def group_advantages(rewards, *, scale=True, epsilon=1e-4):
    if rewards.ndim != 2 or rewards.shape[1] < 2:
        raise ValueError(f"rewards is in R^{tuple(rewards.shape)}; allowed: R^(P, G) with G >= 2")
    R = _R(rewards.detach())
    G = R.shape[1]
    # H = I - 11'/G is the projection onto the complement of the constants. Subtracting a constant first
    # (the first reward) changes nothing in exact arithmetic and makes constants exactly zero.
    H = torch.eye(G, dtype=R.dtype) - 1 / G
    C = (R - R[:, [0]]) @ H
    if not scale:
        return C.float()
    var = (C * C).mean(1)
    D = torch.where(var > 0, 1 / (var.sqrt() + epsilon), 0.0)
    return (C * D[:, None]).float()


def grpo_loss(logprobs, old_logprobs, advantages, mask, *, clip=0.2, kl_coef=0.0, reference_logprobs=None, per="token"):
    if per not in ("token", "sequence", "constant"):
        raise ValueError(f"per = {per!r}; allowed: token, sequence, constant")
    if not 0 < clip < 1:
        raise ValueError(f"clip = {clip}; allowed: 0 < clip < 1")
    if kl_coef > 0 and reference_logprobs is None:
        raise ValueError(f"reference_logprobs = None with kl_coef = {kl_coef}; allowed: a tensor")
    chi = (mask != 0).double()
    lam = _R(logprobs)
    rho = torch.exp((lam - _R(old_logprobs).detach()) * chi)
    A = _R(advantages).detach().outer(torch.ones(chi.shape[1], dtype=torch.float64))
    # min(rho A, clamp(rho) A) = rho A - relu(rho A - clamp(rho) A)
    J = rho * A - torch.relu(rho * A - rho.clamp(1 - clip, 1 + clip) * A)
    ell = -J
    if kl_coef > 0:
        r = (_R(reference_logprobs).detach() - lam) * chi
        ell = ell + kl_coef * (torch.expm1(r) - r)
    n = chi.sum(1)
    if per == "token":
        w = chi / n.sum().clamp(min=1)
    elif per == "sequence":
        w = chi / n.clamp(min=1)[:, None] / (n > 0).sum().clamp(min=1)
    else:
        w = chi / max(chi.numel(), 1)
    return (w * ell).sum().float()
