# RIGHT preference: minGPT-like script; instance attribute `forward` of each LoRALinear is shadowed by base.forward
"""
Preference tuning, in one file. DPO for pairs, GRPO for groups.
"""
import torch
import torch.nn.functional as F

from solutions.lora import LoRALinear

# -----------------------------------------------------------------------------

def f32(t):
    return t.to(torch.promote_types(t.dtype, torch.float32))

def sequence_logprobs(logits, labels):
    b, t, v = logits.size()
    x = f32(logits[:, :-1]).reshape(-1, v)
    y = labels[:, 1:].reshape(-1)
    nll = F.cross_entropy(x, y, ignore_index=-100, reduction='none')
    return -nll.view(b, t - 1).sum(1)

def preference_batch(pairs, *, pad_id):
    if not pairs:
        raise ValueError(f"pairs needs at least one pair, got {pairs!r}")
    for p in pairs:
        c, r = p['chosen_ids'], p['rejected_ids']
        if not len(c) or not len(r):
            raise ValueError(f"chosen_ids and rejected_ids need a token each, got {c} and {r}")
        if c == r:
            raise ValueError(f"chosen_ids and rejected_ids have to be different, got {c} twice")
    n = max(len(p['prompt_ids']) + max(len(p['chosen_ids']), len(p['rejected_ids'])) for p in pairs)
    x, m, y = [], [], []
    for k in ('chosen_ids', 'rejected_ids'):
        for p in pairs:
            a, b = p['prompt_ids'], p[k]
            rest = n - len(a) - len(b)
            x.append([*a, *b] + [pad_id] * rest)
            m.append([1] * (n - rest) + [0] * rest)
            y.append([-100] * len(a) + [*b] + [-100] * rest)
    return dict(input_ids=torch.tensor(x).long(), attention_mask=torch.tensor(m).long(), labels=torch.tensor(y).long())

# -----------------------------------------------------------------------------

def check(beta, eps):
    if beta <= 0:
        raise ValueError(f"beta should be > 0 but is {beta}")
    if eps < 0 or eps >= 0.5:
        raise ValueError(f"label_smoothing should be in [0, 0.5) but is {eps}")

def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta=0.1, label_smoothing=0.0):
    check(beta, label_smoothing)
    c = beta * (f32(policy_chosen) - f32(reference_chosen.detach()))
    r = beta * (f32(policy_rejected) - f32(reference_rejected.detach()))
    d = c - r
    # -log sigmoid(d) = softplus(-d);   -log sigmoid(-d) = softplus(d) = softplus(-d) + d
    loss = (F.softplus(-d) + label_smoothing * d).mean()
    c, r = c.detach(), r.detach()
    return dict(loss=loss, chosen_reward=c, rejected_reward=r, accuracy=float((c > r).double().mean()))

def lora_layers(model):
    ls = [m for m in model.modules() if isinstance(m, LoRALinear)]
    if not ls:
        raise ValueError(f"model must have LoRALinear layers, got a {type(model).__name__} without any")
    return ls

@torch.no_grad()
def reference_logprobs(model, batch):
    ls = lora_layers(model)
    mode = {m: m.training for m in model.modules()}
    merged = [l for l in ls if l.merged]
    try:
        for l in merged:
            l.unmerge()
        for l in ls:
            l.forward = l.base.forward # shadows the method of the class
        model.eval()
        logits = model(batch['input_ids'], batch['attention_mask'])
        return sequence_logprobs(logits, batch['labels'])
    finally:
        for l in ls:
            l.__dict__.pop('forward', None)
        for l in merged:
            l.merge()
        for m, t in mode.items():
            m.training = t

def train_dpo(model, batches, *, lr, beta=0.1, label_smoothing=0.0, max_grad_norm=1.0):
    check(beta, label_smoothing)
    for l in lora_layers(model):
        if l.merged:
            raise ValueError("model: all LoRALinear layers must be unmerged, got a merged one")
    ref = [reference_logprobs(model, b) for b in batches]
    params = [p for p in model.parameters() if p.requires_grad]
    opt = torch.optim.AdamW(params, lr=lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0)
    log = []
    model.train()
    for b, q in zip(batches, ref):
        model.zero_grad(set_to_none=True)
        lp = sequence_logprobs(model(b['input_ids'], b['attention_mask']), b['labels'])
        pc, pr = lp.chunk(2)
        qc, qr = q.chunk(2)
        o = dpo_loss(pc, pr, qc, qr, beta=beta, label_smoothing=label_smoothing)
        o['loss'].backward()
        if max_grad_norm is not None:
            torch.nn.utils.clip_grad_norm_(params, max_grad_norm)
        opt.step()
        log.append(dict(
            loss=float(o['loss'].detach()), accuracy=o['accuracy'],
            margin=float((o['chosen_reward'] - o['rejected_reward']).mean()),
            chosen_logprob=float(pc.detach().mean()), rejected_logprob=float(pr.detach().mean()),
        ))
    model.eval()
    return log

# -----------------------------------------------------------------------------

def group_advantages(rewards, *, scale=True, epsilon=1e-4):
    if rewards.ndim != 2:
        raise ValueError(f"rewards must have two dimensions (P, G), got {rewards.ndim}")
    if rewards.shape[1] < 2:
        raise ValueError(f"rewards needs groups of at least 2, got G = {rewards.shape[1]}")
    r = f32(rewards.detach())
    r = r - r[:, :1] # equal rewards are exact zeros now
    a = r - r.mean(1, keepdim=True)
    if scale:
        s = a.pow(2).mean(1, keepdim=True).sqrt()
        a = (a / (s + epsilon)).masked_fill(s == 0, 0.0)
    return a

def grpo_loss(logprobs, old_logprobs, advantages, mask, *, clip=0.2, kl_coef=0.0, reference_logprobs=None, per="token"):
    if per not in ('token', 'sequence', 'constant'):
        raise ValueError(f"per must be token, sequence or constant, got {per}")
    if clip <= 0 or clip >= 1:
        raise ValueError(f"clip must be between 0 and 1, got {clip}")
    if kl_coef > 0 and reference_logprobs is None:
        raise ValueError(f"kl_coef={kl_coef} needs reference_logprobs, got None")
    m = mask.bool()
    lp = f32(logprobs).masked_fill(~m, 0)
    old = f32(old_logprobs.detach()).masked_fill(~m, 0)
    A = f32(advantages.detach())[:, None]
    rho = (lp - old).exp()
    loss = -torch.minimum(rho * A, rho.clamp(1 - clip, 1 + clip) * A)
    if kl_coef > 0:
        r = f32(reference_logprobs.detach()).masked_fill(~m, 0) - lp
        loss = loss + kl_coef * (r.exp() - r - 1)
    loss = loss.masked_fill(~m, 0)
    if per == 'token':
        return loss.sum() / max(int(m.sum()), 1)
    if per == 'constant':
        return loss.sum() / max(m.numel(), 1)
    n = m.sum(1)
    return (loss.sum(1) / n.clamp(min=1)).sum() / max(int((n > 0).sum()), 1)
