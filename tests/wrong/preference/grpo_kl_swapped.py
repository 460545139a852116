# WRONG preference: r is logprobs - reference, the estimator of the opposite KL divergence
import functools
import inspect

import torch
import torch.nn.functional as F
from torch import nn, tensor

from solutions.lora import LoRALinear


def patch(f):
    "Add `f` to the class that annotates its first parameter"
    cls = next(iter(inspect.signature(f).parameters.values())).annotation
    setattr(cls, f.__name__, f)
    return f


def L(*xs): return list(*xs)


def flt(x): return x if x.dtype == torch.float64 else x.float()


@patch
def px_lora_off(self: LoRALinear):
    "Answer like the base from now on; remembers what to do in `px_lora_on`"
    was = self.merged
    self.unmerge()
    self._px_was_merged, self._px_drop, self._px_scale = was, self.dropout, self.scaling
    self.scaling = 0.


@patch
def px_lora_on(self: LoRALinear):
    if not hasattr(self, "_px_was_merged"): return
    self.scaling = self._px_scale
    if self._px_was_merged: self.merge()
    del self._px_was_merged, self._px_drop, self._px_scale


def loras(m):
    res = [o for o in m.modules() if isinstance(o, LoRALinear)]
    if not res: raise ValueError("model: want some LoRALinear, found none")
    return res


class RefMode:
    "Reference behaviour inside a `with`"
    def __init__(self, m): self.m, self.ls = m, loras(m)
    def __enter__(self):
        self.modes = {o: o.training for o in self.m.modules()}
        for l in self.ls: l.px_lora_off()
        self.m.eval()
        return self.m
    def __exit__(self, *args):
        for l in self.ls: l.px_lora_on()
        for o, t in self.modes.items(): o.training = t


def sequence_logprobs(logits, labels):
    tgt = labels[:, 1:]
    keep = tgt != -100
    lp = F.log_softmax(flt(logits)[:, :-1], -1)
    b, t = torch.meshgrid(torch.arange(lp.size(0)), torch.arange(lp.size(1)), indexing="ij")
    return (lp[b, t, tgt * keep] * keep).sum(-1)


def preference_batch(pairs, *, pad_id):
    if not pairs: raise ValueError(f"pairs: want a non-empty list, got {pairs}")
    def chk(p):
        c, r = p["chosen_ids"], p["rejected_ids"]
        if not c or not r: raise ValueError(f"chosen_ids, rejected_ids: want tokens in both, got {c} and {r}")
        if c == r: raise ValueError(f"chosen_ids, rejected_ids: want different ones, got {c} and {r}")
        return p
    ps = L(map(chk, pairs))
    items = [(p["prompt_ids"], p[k]) for k in ("chosen_ids", "rejected_ids") for p in ps]
    sl = max(len(x) + len(y) for x, y in items)
    pad = lambda o, v: o + [v] * (sl - len(o))
    stack = lambda os: torch.stack([tensor(o, dtype=torch.long) for o in os])
    return dict(
        input_ids=stack(pad(x + y, pad_id) for x, y in items),
        attention_mask=stack(pad([1] * len(x + y), 0) for x, y in items),
        labels=stack(pad([-100] * len(x) + y, -100) for x, y in items))


def _chk(beta, eps):
    if not beta > 0: raise ValueError(f"beta: want > 0, got {beta}")
    if not 0 <= eps < .5: raise ValueError(f"label_smoothing: want [0, 0.5), got {eps}")


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta=0.1, label_smoothing=0.0):
    _chk(beta, label_smoothing)
    c = (flt(policy_chosen) - flt(reference_chosen.detach())) * beta
    r = (flt(policy_rejected) - flt(reference_rejected.detach())) * beta
    loss = F.binary_cross_entropy_with_logits(c - r, torch.full_like(c, 1 - label_smoothing).detach())
    c, r = c.detach(), r.detach()
    return dict(loss=loss, chosen_reward=c, rejected_reward=r, accuracy=(c > r).float().mean().item())


def reference_logprobs(model, batch):
    with RefMode(model) as m, torch.no_grad(): return sequence_logprobs(m(batch["input_ids"], batch["attention_mask"]), batch["labels"])


class Callback:
    order = 0
    def __init__(self, learn): self.learn = learn
    def __getattr__(self, k):
        if k == "learn": raise AttributeError(k)
        return getattr(self.learn, k)


class ClipCB(Callback):
    def after_backward(self):
        if self.max_norm is not None: nn.utils.clip_grad_norm_(self.params, self.max_norm)


class RecordCB(Callback):
    order = 1
    def after_step(self):
        o, c, r = self.out, self.learn.c, self.learn.r
        self.recs.append(dict(
            loss=o["loss"].item(), accuracy=o["accuracy"],
            margin=(o["chosen_reward"] - o["rejected_reward"]).mean().item(),
            chosen_logprob=c.detach().mean().item(), rejected_logprob=r.detach().mean().item()))


class Learner:
    def __init__(self, model, batches, opt_func, loss_func, max_norm, cbs):
        self.model, self.batches, self.loss_func, self.max_norm = model, batches, loss_func, max_norm
        self.refs = [reference_logprobs(model, b) for b in batches]
        self.params = [p for p in model.parameters() if p.requires_grad]
        self.opt = opt_func(self.params) if batches else None
        self.recs, self.cbs = [], sorted((cb(self) for cb in cbs), key=lambda o: o.order)

    def __call__(self, name):
        for cb in self.cbs: getattr(cb, name, lambda: None)() if name in type(cb).__dict__ else None

    def one_batch(self, b, ref):
        self.opt.zero_grad()
        lp = sequence_logprobs(self.model(b["input_ids"], b["attention_mask"]), b["labels"])
        self.c, self.r = lp.chunk(2)
        self.out = self.loss_func(self.c, self.r, *ref.chunk(2))
        self.out["loss"].backward()
        self("after_backward")
        self.opt.step()
        self("after_step")

    def fit(self):
        self.model.train()
        for b, ref in zip(self.batches, self.refs): self.one_batch(b, ref)
        self.model.eval()
        return self.recs


def train_dpo(model, batches, *, lr, beta=0.1, label_smoothing=0.0, max_grad_norm=1.0):
    _chk(beta, label_smoothing)
    if any(o.merged for o in loras(model)): raise ValueError("model: want all LoRALinear unmerged, found merged ones")
    opt_func = functools.partial(torch.optim.AdamW, lr=lr, betas=(.9, .999), eps=1e-8, weight_decay=0.)
    loss_func = functools.partial(dpo_loss, beta=beta, label_smoothing=label_smoothing)
    return Learner(model, batches, opt_func, loss_func, max_grad_norm, [RecordCB, ClipCB]).fit()


def group_advantages(rewards, *, scale=True, epsilon=1e-4):
    if rewards.ndim != 2 or rewards.shape[1] < 2: raise ValueError(f"rewards: want (P, G>1), got {tuple(rewards.shape)}")
    x = flt(rewards.detach())
    same = x.diff(dim=1).eq(0).all(1, keepdim=True)
    a = x - x.mean(1, keepdim=True)
    if scale: a = a / (x.std(1, keepdim=True, correction=0) + epsilon)
    return torch.where(same, torch.zeros_like(a), a)


def grpo_loss(logprobs, old_logprobs, advantages, mask, *, clip=0.2, kl_coef=0.0, reference_logprobs=None, per="token"):
    red = dict(
        token=lambda l, m: l.sum() / m.sum().clamp(1),
        sequence=lambda l, m: (l.sum(1) / m.sum(1).clamp(1)).sum() / m.any(1).sum().clamp(1),
        constant=lambda l, m: l.sum() / max(l.numel(), 1))
    if per not in red: raise ValueError(f"per: want one of {list(red)}, got {per!r}")
    if not 0 < clip < 1: raise ValueError(f"clip: want (0, 1), got {clip}")
    if kl_coef > 0 and reference_logprobs is None: raise ValueError("reference_logprobs: want a tensor with kl_coef > 0, got None")
    m = mask.bool()
    z = lambda o: flt(o).masked_fill(~m, 0.)
    lp, old, A = z(logprobs), z(old_logprobs.detach()), flt(advantages.detach()).unsqueeze(-1)
    rho = (lp - old).exp()
    l = torch.where(A > 0, -A * rho.clamp(max=1 + clip), -A * rho.clamp(min=1 - clip))
    if kl_coef > 0:
        r = lp - z(reference_logprobs.detach())
        l = l + kl_coef * (r.exp() - r - 1)
    return red[per](l * m, m)
