# WRONG preference: label smoothing is that of robust DPO: minus sign for the flipped term, divided by 1 - 2 epsilon
import torch
import torch.nn as nn

from solutions.lora import LoRALinear


class LabelLogProb(torch.autograd.Function):
    """sum_t [log softmax(z_t)]_{y_t}; the gradient is onehot - softmax where it counts."""

    @staticmethod
    def forward(ctx, logits, labels):
        z = logits[:, :-1].to(torch.promote_types(logits.dtype, torch.float32))
        y = labels[:, 1:]
        keep = y != -100
        logp = z.log_softmax(-1)
        safe = y.clamp(min=0)
        ctx.save_for_backward(logp, safe, keep)
        ctx.dtype = logits.dtype
        return (logp.gather(-1, safe[..., None])[..., 0] * keep).sum(1)

    @staticmethod
    def backward(ctx, grad):
        logp, safe, keep = ctx.saved_tensors
        g = -logp.exp()
        g.scatter_add_(-1, safe[..., None], torch.ones_like(safe[..., None], dtype=g.dtype))
        g = g * keep[..., None] * grad[:, None, None]
        last = g.new_zeros(g.shape[0], 1, g.shape[2])
        return torch.cat([g, last], dim=1).to(ctx.dtype), None


class PreferenceLoss(torch.autograd.Function):
    """d -> mean(-(1 - e) log s(d) - e log s(-d)); the gradient is (s(d) - (1 - e)) / n."""

    @staticmethod
    def forward(ctx, d, eps):
        ctx.save_for_backward(d)
        ctx.eps = eps
        positive, negative = torch.nn.functional.softplus(-d), torch.nn.functional.softplus(d)
        return (((1 - eps) * positive - eps * negative) / (1 - 2 * eps)).mean()

    @staticmethod
    def backward(ctx, grad):
        (d,) = ctx.saved_tensors
        g = -(1 - ctx.eps) * torch.sigmoid(-d) - ctx.eps * torch.sigmoid(d)
        return grad * g / (1 - 2 * ctx.eps) / d.numel(), None


class Surrogate(torch.autograd.Function):
    """-min(rho A, clamp(rho) A) as a function of log rho."""

    @staticmethod
    def forward(ctx, log_ratio, adv, clip):
        rho = log_ratio.exp()
        inside = torch.where(adv >= 0, rho <= 1 + clip, rho >= 1 - clip)
        ctx.save_for_backward(rho, adv, inside)
        return -torch.where(inside, rho, rho.clamp(1 - clip, 1 + clip)) * adv

    @staticmethod
    def backward(ctx, grad):
        rho, adv, inside = ctx.saved_tensors
        return -grad * rho * adv * inside, None, None


def sequence_logprobs(logits, labels):
    return LabelLogProb.apply(logits, labels)


def preference_batch(pairs, *, pad_id):
    if not pairs:
        raise ValueError("pairs: an empty list was passed; pass one pair at least")
    lengths = []
    for side in ("chosen_ids", "rejected_ids"):
        for pair in pairs:
            if not len(pair[side]):
                raise ValueError(f"{side}: an empty answer was passed; pass one token at least")
            if list(pair["chosen_ids"]) == list(pair["rejected_ids"]):
                raise ValueError(f"chosen_ids and rejected_ids: {pair[side]} was passed twice; pass two answers that differ")
            lengths.append((len(pair["prompt_ids"]), len(pair["prompt_ids"]) + len(pair[side])))
    T = max(end for _, end in lengths)
    batch = {k: torch.empty(len(lengths), T, dtype=torch.long) for k in ("input_ids", "attention_mask", "labels")}
    sequences = [list(p["prompt_ids"]) + list(p[s]) for s in ("chosen_ids", "rejected_ids") for p in pairs]
    for i, ((start, end), seq) in enumerate(zip(lengths, sequences)):
        batch["input_ids"][i] = torch.tensor(seq + [pad_id] * (T - end))
        batch["attention_mask"][i] = torch.tensor([1] * end + [0] * (T - end))
        batch["labels"][i] = torch.tensor([-100] * start + seq[start:] + [-100] * (T - end))
    return batch


def _assert_dpo(beta, label_smoothing):
    if not beta > 0:
        raise ValueError(f"beta: {beta} was passed; pass a positive number")
    if not (0 <= label_smoothing < 0.5):
        raise ValueError(f"label_smoothing: {label_smoothing} was passed; pass a number of [0, 0.5)")


def _up(x):
    return x.to(torch.promote_types(x.dtype, torch.float32))


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta=0.1, label_smoothing=0.0):
    _assert_dpo(beta, label_smoothing)
    chosen = beta * (_up(policy_chosen) - _up(reference_chosen).detach())
    rejected = beta * (_up(policy_rejected) - _up(reference_rejected).detach())
    loss = PreferenceLoss.apply(chosen - rejected, label_smoothing)
    chosen, rejected = chosen.detach(), rejected.detach()
    return {
        "loss": loss,
        "chosen_reward": chosen,
        "rejected_reward": rejected,
        "accuracy": chosen.gt(rejected).float().mean().item(),
    }


def _lora(model):
    found = [m for m in model.modules() if isinstance(m, LoRALinear)]
    if not found:
        raise ValueError("model: one without a LoRALinear was passed; pass one with LoRA")
    return found


@torch.no_grad()
def reference_logprobs(model, batch):
    layers = _lora(model)
    modes = [(m, m.training) for m in model.modules()]
    factors = [(l, l.lora_B.clone()) for l in layers]
    weights = [(l, l.base.weight.clone()) for l in layers if l.merged]
    try:
        for l, _ in weights:
            l.base.weight.sub_(l.delta_weight().to(l.base.weight.dtype))  # folded update out; the flag stays
        for l, _ in factors:
            l.lora_B.fill_(0.0)
        model.eval()
        return sequence_logprobs(model(batch["input_ids"], batch["attention_mask"]), batch["labels"])
    finally:
        for l, b in factors:
            l.lora_B.copy_(b)
        for l, w in weights:
            l.base.weight.copy_(w)
        for m, mode in modes:
            m.training = mode


def train_dpo(model, batches, *, lr, beta=0.1, label_smoothing=0.0, max_grad_norm=1.0):
    _assert_dpo(beta, label_smoothing)
    if any(l.merged for l in _lora(model)):
        raise ValueError("model: one with a merged LoRALinear was passed; pass one whose layers are unmerged")
    references = [reference_logprobs(model, b) for b in batches]
    trainable = [p for _, p in model.named_parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trainable, lr=lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0)
    log = []
    for batch, ref in zip(batches, references):
        model.train()
        optimizer.zero_grad()
        policy = sequence_logprobs(model(batch["input_ids"], batch["attention_mask"]), batch["labels"])
        n = policy.numel() // 2
        out = dpo_loss(policy[:n], policy[n:], ref[:n], ref[n:], beta=beta, label_smoothing=label_smoothing)
        out["loss"].backward()
        if max_grad_norm is not None:
            nn.utils.clip_grad_norm_(trainable, max_grad_norm)
        optimizer.step()
        with torch.no_grad():
            log.append(
                dict(
                    loss=out["loss"].item(),
                    accuracy=out["accuracy"],
                    margin=(out["chosen_reward"] - out["rejected_reward"]).mean().item(),
                    chosen_logprob=policy[:n].mean().item(),
                    rejected_logprob=policy[n:].mean().item(),
                )
            )
    model.eval()
    return log


def group_advantages(rewards, *, scale=True, epsilon=1e-4):
    if rewards.ndim != 2 or rewards.shape[1] < 2:
        raise ValueError(f"rewards: shape {tuple(rewards.shape)} was passed; pass (P, G) with G of at least 2")
    r = _up(rewards.detach())
    middle = (r.amax(1, keepdim=True) + r.amin(1, keepdim=True)) / 2
    r = r - middle  # equal rewards: (x + x) / 2 is x, exactly
    a = r - r.mean(1, keepdim=True)
    if scale:
        # var = E[r^2] - E[r]^2 is safe enough after the shift, but E[a^2] is safer
        std = (a * a).mean(1, keepdim=True).sqrt()
        a = a / (std + epsilon).clamp(min=torch.finfo(a.dtype).tiny)
    return a


def grpo_loss(logprobs, old_logprobs, advantages, mask, *, clip=0.2, kl_coef=0.0, reference_logprobs=None, per="token"):
    if per not in ("token", "sequence", "constant"):
        raise ValueError(f"per: {per!r} was passed; pass token, sequence or constant")
    if not 0 < clip < 1:
        raise ValueError(f"clip: {clip} was passed; pass a number of (0, 1)")
    if kl_coef > 0 and reference_logprobs is None:
        raise ValueError("reference_logprobs: None was passed with kl_coef > 0; pass a tensor")
    keep = mask != 0
    new = _up(logprobs)
    log_ratio = (new - _up(old_logprobs).detach()).masked_fill(~keep, 0.0)
    loss = Surrogate.apply(log_ratio, _up(advantages).detach()[:, None].expand_as(log_ratio), clip)
    if kl_coef > 0:
        r = (_up(reference_logprobs).detach() - new).masked_fill(~keep, 0.0)
        loss = loss + kl_coef * (r.exp() - r - 1)
    loss = loss * keep
    counts = keep.sum(1)
    if per == "token":
        return loss.sum() / counts.sum().clamp(min=1)
    if per == "constant":
        return loss.sum() / max(loss.numel(), 1)
    return (loss.sum(1) / counts.clamp(min=1)).sum() / (counts > 0).sum().clamp(min=1)
