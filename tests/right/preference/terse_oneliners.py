# RIGHT preference: terse one-liners, lambdas and walrus operators
import copy, torch, torch.nn.functional as F
from itertools import zip_longest
from solutions.lora import LoRALinear, merge_lora

up = lambda x: x if x.dtype == torch.double else x.float()
die = lambda s: (_ for _ in ()).throw(ValueError(s))
ok = lambda b, e: (b > 0 or die(f"beta={b}, not > 0")) and (0 <= e < .5 or die(f"label_smoothing={e}, not in [0, .5)"))
loras = lambda m: [l for l in m.modules() if isinstance(l, LoRALinear)] or die("model without LoRALinear, one is needed")
pad = lambda rows, v: torch.tensor(list(zip(*zip_longest(*rows, fillvalue=v))), dtype=torch.long)


def sequence_logprobs(logits, labels):
    return -F.cross_entropy(up(logits)[:, :-1].flatten(0, 1), (y := labels[:, 1:]).flatten(), reduction="none").view_as(y).sum(1)


def preference_batch(pairs, *, pad_id):
    pairs or die("pairs=[], one is needed")
    for p in pairs:
        all(len(p[k]) or die(f"{k}=[], a token is needed") for k in ("chosen_ids", "rejected_ids"))
        p["chosen_ids"] != p["rejected_ids"] or die(f"chosen_ids=rejected_ids={p['chosen_ids']}, different ones are needed")
    xy = [(p["prompt_ids"], p[k]) for k in ("chosen_ids", "rejected_ids") for p in pairs]
    return {"input_ids": pad([x + y for x, y in xy], pad_id), "attention_mask": pad([[1] * len(x + y) for x, y in xy], 0),
            "labels": pad([[-100] * len(x) + y for x, y in xy], -100)}


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta=0.1, label_smoothing=0.0):
    ok(beta, label_smoothing)
    c, r = (beta * (up(p) - up(q.detach())) for p, q in ((policy_chosen, reference_chosen), (policy_rejected, reference_rejected)))
    return {"loss": -((1 - label_smoothing) * F.logsigmoid(c - r) + label_smoothing * F.logsigmoid(r - c)).mean(),
            "chosen_reward": c.detach(), "rejected_reward": r.detach(), "accuracy": (c > r).float().mean().item()}


def reference_logprobs(model, batch):
    loras(model)
    ref = copy.deepcopy(model)
    for l in loras(ref):
        l.unmerge(), l.lora_A.data.zero_()
    with torch.no_grad():
        return sequence_logprobs(merge_lora(ref).eval()(batch["input_ids"], batch["attention_mask"]), batch["labels"])


def train_dpo(model, batches, *, lr, beta=0.1, label_smoothing=0.0, max_grad_norm=1.0):
    ok(beta, label_smoothing), any(l.merged for l in loras(model)) and die("model has merged LoRALinear, unmerged ones are needed")
    refs, ps, out = [reference_logprobs(model, b) for b in batches], [p for p in model.parameters() if p.requires_grad], []
    opt = batches and torch.optim.AdamW(ps, lr=lr, weight_decay=0)
    for b, ref in zip(batches, refs):
        model.train(), opt.zero_grad()
        lp = sequence_logprobs(model(b["input_ids"], b["attention_mask"]), b["labels"])
        o = dpo_loss(*lp.chunk(2), *ref.chunk(2), beta=beta, label_smoothing=label_smoothing)
        o["loss"].backward(), max_grad_norm is None or torch.nn.utils.clip_grad_norm_(ps, max_grad_norm), opt.step()
        c, r = (x.mean().item() for x in lp.detach().chunk(2))
        out += [{"loss": o["loss"].item(), "accuracy": o["accuracy"], "chosen_logprob": c, "rejected_logprob": r,
                 "margin": (o["chosen_reward"] - o["rejected_reward"]).mean().item()}]
    model.eval()
    return out


def group_advantages(rewards, *, scale=True, epsilon=1e-4):
    (rewards.ndim == 2 and rewards.shape[1] > 1) or die(f"rewards of shape {tuple(rewards.shape)}, (P, G > 1) is needed")
    r = (r := up(rewards.detach())) - r.mean(1, True)
    r = r * (rewards != rewards[:, :1]).any(1, True)
    return r / (r.pow(2).mean(1, True).sqrt() + epsilon).masked_fill((r == 0).all(1, True), 1) if scale else r


def grpo_loss(logprobs, old_logprobs, advantages, mask, *, clip=0.2, kl_coef=0.0, reference_logprobs=None, per="token"):
    per in ("token", "sequence", "constant") or die(f"per={per!r}, token, sequence or constant is needed")
    0 < clip < 1 or die(f"clip={clip}, a number in (0, 1) is needed")
    kl_coef > 0 and reference_logprobs is None and die("reference_logprobs=None, a tensor is needed for kl_coef > 0")
    m, z = mask != 0, lambda x: torch.where(mask != 0, up(x), 0)
    lp, a, n = z(logprobs), up(advantages.detach())[:, None], m.sum(1, True)
    rho = (lp - z(old_logprobs.detach())).exp()
    l = -torch.min(rho * a, rho.clamp(1 - clip, 1 + clip) * a)
    l = l + kl_coef * ((r := z(reference_logprobs.detach()) - lp).exp() - r - 1) if kl_coef > 0 else l
    w = {"token": n.sum().clamp(1), "sequence": n.clamp(1) * (n > 0).sum().clamp(1), "constant": max(m.numel(), 1)}[per]
    return (torch.where(m, l, 0) / w).sum()
