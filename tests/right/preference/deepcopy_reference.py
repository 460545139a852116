# RIGHT preference: reference is a deep copy of the model whose LoRALinear modules are replaced by their bases
import copy
from functools import partial

import torch
from torch import nn
from torch.nn.functional import log_softmax, logsigmoid
from torch.nn.utils.rnn import pad_sequence

from solutions.lora import LoRALinear

IGNORE = -100


def _wide(x):
    return x.float() if x.dtype != torch.float64 else x


def sequence_logprobs(logits, labels):
    logits, labels = logits[:, :-1], labels[:, 1:]
    keep = labels.ne(IGNORE)
    safe = torch.where(keep, labels, torch.zeros_like(labels))
    picked = log_softmax(_wide(logits), dim=-1).gather(2, safe[..., None])[..., 0]
    return torch.where(keep, picked, torch.zeros_like(picked)).sum(dim=1)


def preference_batch(pairs, *, pad_id):
    if not pairs:
        raise ValueError("got an empty list for pairs, need one pair or more")
    for number, pair in enumerate(pairs):
        if not pair["chosen_ids"]:
            raise ValueError(f"chosen_ids of pair {number} is empty; allowed: one token id or more")
        if not pair["rejected_ids"]:
            raise ValueError(f"rejected_ids of pair {number} is empty; allowed: one token id or more")
        if pair["chosen_ids"] == pair["rejected_ids"]:
            raise ValueError(f"chosen_ids equals rejected_ids in pair {number}; they have to differ")

    def row(pair, which):
        return torch.tensor([*pair["prompt_ids"], *pair[which]], dtype=torch.long)

    def label(pair, which):
        out = row(pair, which)
        out[: len(pair["prompt_ids"])] = IGNORE
        return out

    order = [(pair, which) for which in ("chosen_ids", "rejected_ids") for pair in pairs]
    padded = partial(pad_sequence, batch_first=True)
    return {
        "input_ids": padded([row(*o) for o in order], padding_value=pad_id),
        "attention_mask": padded([torch.ones_like(row(*o)) for o in order], padding_value=0),
        "labels": padded([label(*o) for o in order], padding_value=IGNORE),
    }


def _validate(beta, label_smoothing):
    if beta <= 0:
        raise ValueError(f"beta = {beta}, allowed is a number above 0")
    if not (0.0 <= label_smoothing < 0.5):
        raise ValueError(f"label_smoothing = {label_smoothing}, allowed is 0 <= label_smoothing < 0.5")


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta=0.1, label_smoothing=0.0):
    _validate(beta, label_smoothing)
    pc, pr, rc, rr = map(_wide, (policy_chosen, policy_rejected, reference_chosen, reference_rejected))
    rc, rr = rc.detach(), rr.detach()
    d = beta * ((pc - rc) - (pr - rr))
    loss = torch.mean(-(1 - label_smoothing) * logsigmoid(d) - label_smoothing * logsigmoid(-d))
    with torch.no_grad():
        cw, rw = beta * (pc - rc), beta * (pr - rr)
        acc = torch.count_nonzero(cw > rw).item() / cw.numel()
    return {"loss": loss, "chosen_reward": cw, "rejected_reward": rw, "accuracy": acc}


def make_reference(model):
    """Returns a function batch -> log-probabilities, over a private frozen copy of the model without adapters."""
    if not any(isinstance(m, LoRALinear) for m in model.modules()):
        raise ValueError("model: no LoRALinear inside; allowed are models with injected LoRA layers")
    ref = copy.deepcopy(model)


    def strip_all(module):
        # named_children hides a second name of the same child, so go over _modules
        for name, child in list(module._modules.items()):
            if isinstance(child, LoRALinear):
                child.unmerge()
                module._modules[name] = child.base
            elif child is not None:
                strip_all(child)

    strip_all(ref)
    ref.requires_grad_(False)
    ref.eval()

    def run(batch):
        with torch.no_grad():
            return sequence_logprobs(ref(batch["input_ids"], batch["attention_mask"]), batch["labels"]).detach()

    return run


def reference_logprobs(model, batch):
    return make_reference(model)(batch)


def train_dpo(model, batches, *, lr, beta=0.1, label_smoothing=0.0, max_grad_norm=1.0):
    _validate(beta, label_smoothing)
    if any(getattr(m, "merged", False) for m in model.modules() if isinstance(m, LoRALinear)):
        raise ValueError("model: a LoRALinear is merged; allowed are unmerged layers only")
    reference = make_reference(model)  # a copy, it does not move with the policy
    targets = list(map(reference, batches))
    weights = [w for w in model.parameters() if w.requires_grad]
    if not targets:
        model.eval()
        return []
    optimizer = torch.optim.AdamW([{"params": weights}], lr=lr, weight_decay=0.0)
    history = []
    for batch, target in zip(batches, targets, strict=True):
        model.train()
        optimizer.zero_grad(set_to_none=True)
        logprobs = sequence_logprobs(model(batch["input_ids"], batch["attention_mask"]), batch["labels"])
        n = logprobs.numel() // 2
        result = dpo_loss(*logprobs.split(n), *target.split(n), beta=beta, label_smoothing=label_smoothing)
        result["loss"].backward()
        if max_grad_norm is not None:
            nn.utils.clip_grad_norm_(weights, max_norm=max_grad_norm)
        optimizer.step()
        means = logprobs.detach().view(2, n).mean(1).tolist()
        history.append(
            {
                "loss": result["loss"].item(),
                "accuracy": result["accuracy"],
                "margin": (result["chosen_reward"].mean() - result["rejected_reward"].mean()).item(),
                "chosen_logprob": means[0],
                "rejected_logprob": means[1],
            }
        )
    model.eval()
    return history


@torch.no_grad()
def group_advantages(rewards, *, scale=True, epsilon=1e-4):
    if rewards.dim() != 2 or rewards.shape[-1] < 2:
        raise ValueError(f"rewards has shape {list(rewards.shape)}; allowed is (P, G) with G at least 2")
    r = _wide(rewards)
    std, mean = torch.std_mean(r, dim=1, correction=0, keepdim=True)
    out = r - mean
    if scale:
        out = out / (std + epsilon)
    out = out.clone()
    out[r.amin(1) == r.amax(1)] = 0.0
    return out


def _per_token(logp, old, adv, mask, clip):
    ratio = torch.exp(torch.where(mask, logp - old, torch.zeros_like(logp)))
    one_sided = torch.where(adv >= 0, ratio.clamp(max=1 + clip), ratio.clamp(min=1 - clip))
    return -one_sided * adv


def grpo_loss(logprobs, old_logprobs, advantages, mask, *, clip=0.2, kl_coef=0.0, reference_logprobs=None, per="token"):
    reducers = {
        "token": lambda x, m: x.sum() / m.sum().clamp(min=1),
        "sequence": lambda x, m: (x.sum(1) / m.sum(1).clamp(min=1)).sum() / m.any(1).sum().clamp(min=1),
        "constant": lambda x, m: x.sum() / max(1, m.shape[0] * m.shape[1]),
    }
    if per not in reducers:
        raise ValueError(f"per = {per!r}; allowed are {sorted(reducers)}")
    if not (0 < clip < 1):
        raise ValueError(f"clip = {clip}; allowed are numbers strictly between 0 and 1")
    if kl_coef > 0 and reference_logprobs is None:
        raise ValueError(f"reference_logprobs is None; kl_coef = {kl_coef} needs a tensor there")
    mask = mask != 0
    logp = _wide(logprobs)
    loss = _per_token(logp, _wide(old_logprobs).detach(), _wide(advantages).detach().view(-1, 1), mask, clip)
    if kl_coef > 0:
        r = torch.where(mask, _wide(reference_logprobs).detach() - logp, torch.zeros_like(logp))
        loss = loss + kl_coef * (torch.expm1(r) - r)
    return reducers[per](torch.where(mask, loss, torch.zeros_like(loss)), mask)
