# RIGHT preference: forward hooks on every LoRALinear return the base's answer; closures and ExitStack everywhere
import contextlib

import torch
from torch import nn, Tensor
import torch.nn.functional as F

import solutions.lora as lora


def sequence_logprobs(logits: Tensor, labels: Tensor) -> Tensor:
    B, T = labels.shape
    high = logits.double() if logits.dtype == torch.float64 else logits.float()
    rolled = torch.full_like(labels, -100)
    rolled[:, :-1] = labels[:, 1:]          # rolled[t] = label t + 1, nothing for the last position
    flat = F.nll_loss(
        F.log_softmax(high.reshape(B * T, -1), dim=1), rolled.reshape(B * T), ignore_index=-100, reduction="none"
    )
    return flat.reshape(B, T).sum(dim=1).neg()


def preference_batch(pairs, *, pad_id):
    rows = []
    for key in ["chosen_ids", "rejected_ids"]:
        for pair in pairs:
            answer = pair[key]
            if len(answer) == 0:
                raise ValueError(f"{key} must not be empty (got an answer of length 0 in pairs)")
            if pair["chosen_ids"] == pair["rejected_ids"]:
                raise ValueError(f"chosen_ids and rejected_ids must not be equal (got {answer} for both)")
            rows.append((list(pair["prompt_ids"]), list(answer)))
    if not rows:
        raise ValueError("pairs must hold a pair at least (got none)")
    width = max(len(p) + len(a) for p, a in rows)
    batch = {
        "input_ids": torch.full((len(rows), width), int(pad_id)),
        "attention_mask": torch.zeros(len(rows), width).long(),
        "labels": torch.full((len(rows), width), -100),
    }
    for i, (p, a) in enumerate(rows):
        end = len(p) + len(a)
        batch["input_ids"][i, :end] = torch.tensor(p + a)
        batch["attention_mask"][i, :end] = 1
        batch["labels"][i, len(p):end] = torch.tensor(a)
    return batch


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta=0.1, label_smoothing=0.0):
    if not beta > 0:
        raise ValueError(f"beta must be > 0 (got {beta})")
    if not (label_smoothing >= 0 and label_smoothing < 0.5):
        raise ValueError(f"label_smoothing must lie in [0, 0.5) (got {label_smoothing})")
    policy = torch.stack([policy_chosen, policy_rejected]).to(torch.float64)
    reference = torch.stack([reference_chosen, reference_rejected]).to(torch.float64).detach()
    rewards = beta * (policy - reference)
    d = rewards[0] - rewards[1]
    target = torch.full_like(d, 1.0 - label_smoothing)
    loss = F.binary_cross_entropy_with_logits(d, target)
    rewards = rewards.detach()
    return {
        "loss": loss.float(),
        "chosen_reward": rewards[0].float(),
        "rejected_reward": rewards[1].float(),
        "accuracy": (rewards[0] > rewards[1]).double().mean().item(),
    }


def _layers(model):
    return [m for m in model.modules() if isinstance(m, lora.LoRALinear)]


def _without_lora(model, stack: contextlib.ExitStack):
    """Switch LoRA off now; the stack undoes everything in reverse order."""
    layers = _layers(model)
    if len(layers) == 0:
        raise ValueError("model must contain at least one LoRALinear (got 0)")
    for module in model.modules():
        stack.callback(setattr, module, "training", module.training)
    for layer in layers:
        if layer.merged:
            stack.callback(layer.merge)
            layer.unmerge()

        def answer_of_base(module, args, kwargs, output):
            return module.base(*args, **kwargs)

        handle = layer.register_forward_hook(answer_of_base, with_kwargs=True)
        stack.callback(handle.remove)
    for module in model.modules():
        module.training = False


def reference_logprobs(model: nn.Module, batch) -> Tensor:
    with contextlib.ExitStack() as stack:
        stack.enter_context(torch.no_grad())
        _without_lora(model, stack)
        result = sequence_logprobs(model(batch["input_ids"], batch["attention_mask"]), batch["labels"])
    return result


def train_dpo(model, batches, *, lr, beta=0.1, label_smoothing=0.0, max_grad_norm=1.0):
    zero = torch.zeros(1)
    dpo_loss(zero, zero, zero, zero, beta=beta, label_smoothing=label_smoothing)  # raises on bad numbers
    layers = _layers(model)
    if not layers:
        raise ValueError("model must contain at least one LoRALinear (got 0)")
    if sum(bool(layer.merged) for layer in layers) > 0:
        raise ValueError("model must not contain merged LoRALinear layers (got at least one): unmerge first")
    todo = [(batch, reference_logprobs(model, batch)) for batch in batches]
    trainable = [p for p in model.parameters() if p.requires_grad]

    def clip():
        if max_grad_norm is not None:
            nn.utils.clip_grad_norm_(trainable, max_grad_norm)

    def update(optimizer, batch, reference):
        for p in trainable:
            p.grad = None
        policy = sequence_logprobs(model(batch["input_ids"], batch["attention_mask"]), batch["labels"])
        chosen, rejected = policy.tensor_split(2)
        out = dpo_loss(chosen, rejected, *reference.tensor_split(2), beta=beta, label_smoothing=label_smoothing)
        out["loss"].backward()
        clip()
        optimizer.step()
        return {
            "loss": out["loss"].item(),
            "accuracy": out["accuracy"],
            "margin": torch.mean(out["chosen_reward"] - out["rejected_reward"]).item(),
            "chosen_logprob": chosen.mean().item(),
            "rejected_logprob": rejected.mean().item(),
        }

    if todo:
        model.train()
        optimizer = torch.optim.AdamW(trainable, lr, (0.9, 0.999), 1e-8, 0.0)
        log = [update(optimizer, batch, reference) for batch, reference in todo]
    else:
        log = []
    model.eval()
    return log


def group_advantages(rewards, *, scale=True, epsilon=1e-4):
    if rewards.ndim != 2 or rewards.shape[1] < 2:
        raise ValueError(f"rewards must be of shape (P, G >= 2) (got {tuple(rewards.shape)})")
    r = rewards.detach().double()
    pairwise = r.unsqueeze(2) - r.unsqueeze(1)     # (P, G, G), exact zeros for equal rewards
    centred = pairwise.mean(dim=2)
    if not scale:
        return centred.float()
    std = (pairwise.square().mean(dim=(1, 2), keepdim=False) / 2).sqrt()[:, None]
    divisor = std + epsilon
    return torch.where(std > 0, centred / divisor, torch.zeros_like(centred)).float()


def grpo_loss(logprobs, old_logprobs, advantages, mask, *, clip=0.2, kl_coef=0.0, reference_logprobs=None, per="token"):
    if per not in {"token", "sequence", "constant"}:
        raise ValueError(f"per must be 'token', 'sequence' or 'constant' (got {per!r})")
    if not 0.0 < clip < 1.0:
        raise ValueError(f"clip must lie in (0, 1) (got {clip})")
    if kl_coef > 0 and reference_logprobs is None:
        raise ValueError(f"reference_logprobs must be given with kl_coef > 0 (got None, kl_coef = {kl_coef})")
    rows, cols = torch.nonzero(mask, as_tuple=True)      # only real tokens are ever looked at
    lp = logprobs[rows, cols].double()
    old = old_logprobs.detach()[rows, cols].double()
    adv = advantages.detach().double()[rows]
    ratio = (lp - old).exp()
    surrogate = torch.minimum(ratio * adv, ratio.clamp(1 - clip, 1 + clip) * adv)
    loss = -surrogate
    if kl_coef > 0:
        r = reference_logprobs.detach()[rows, cols].double() - lp
        loss = loss + kl_coef * (r.exp() - r - 1)
    N, T = mask.shape
    if per == "token":
        weight = torch.full_like(lp, 1.0 / max(len(rows), 1))
    elif per == "constant":
        weight = torch.full_like(lp, 1.0 / max(N * T, 1))
    else:
        counts = torch.bincount(rows, minlength=N)
        alive = max(int((counts > 0).sum()), 1)
        weight = 1.0 / (counts[rows].double() * alive)
    return (loss * weight.detach()).sum().float()
