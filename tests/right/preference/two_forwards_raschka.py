# RIGHT preference: Raschka-like notebook code; chosen and rejected halves go through the model in two forward passes
import torch
import torch.nn.functional as F

from solutions.lora import LoRALinear


def compute_logprobs(logits, labels, selection_mask):
    """Log-probabilities of the labels, summed (not averaged) over the selected tokens."""
    labels = labels[:, 1:].clone()
    logits = logits[:, :-1, :]
    if logits.dtype != torch.float64:
        logits = logits.to(torch.float32)
    log_probs = F.log_softmax(logits, dim=-1)
    mask = selection_mask[:, 1:].clone()
    labels[~mask] = 0
    selected_log_probs = torch.gather(input=log_probs, dim=-1, index=labels.unsqueeze(-1)).squeeze(-1)
    selected_log_probs = selected_log_probs * mask
    return selected_log_probs.sum(-1)


def sequence_logprobs(logits, labels):
    return compute_logprobs(logits, labels, labels != -100)


def preference_batch(pairs, *, pad_id):
    if len(pairs) == 0:
        raise ValueError("pairs must contain at least one entry, but it is empty")

    batch_data = {"prompt": [], "chosen": [], "rejected": []}
    max_length_common = 0
    for item in pairs:
        for key in ["chosen", "rejected"]:
            if len(item[f"{key}_ids"]) == 0:
                raise ValueError(f"{key}_ids must contain at least one token, but it is empty")
            max_length_common = max(max_length_common, len(item["prompt_ids"]) + len(item[f"{key}_ids"]))
        if item["chosen_ids"] == item["rejected_ids"]:
            raise ValueError(f"chosen_ids and rejected_ids must differ, but both are {item['chosen_ids']}")

    ids, masks, labels = [], [], []
    for key in ["chosen", "rejected"]:
        for item in pairs:
            prompt = torch.tensor(item["prompt_ids"], dtype=torch.long)
            answer = torch.tensor(item[f"{key}_ids"], dtype=torch.long)
            full = torch.cat([prompt, answer])
            to_add = max_length_common - len(full)
            ids.append(F.pad(full, (0, to_add), value=pad_id))
            masks.append(F.pad(torch.ones_like(full), (0, to_add), value=0))
            labels.append(F.pad(answer, (len(prompt), to_add), value=-100))
    return {"input_ids": torch.stack(ids), "attention_mask": torch.stack(masks), "labels": torch.stack(labels)}


def check_dpo_arguments(beta, label_smoothing):
    if beta <= 0:
        raise ValueError(f"beta must be larger than 0, but it is {beta}")
    if label_smoothing < 0.0 or label_smoothing >= 0.5:
        raise ValueError(f"label_smoothing must be in [0, 0.5), but it is {label_smoothing}")


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta=0.1, label_smoothing=0.0):
    check_dpo_arguments(beta, label_smoothing)
    reference_chosen, reference_rejected = reference_chosen.detach(), reference_rejected.detach()
    # same precision everywhere, float32 at least
    policy_chosen, policy_rejected = policy_chosen.double(), policy_rejected.double()
    reference_chosen, reference_rejected = reference_chosen.double(), reference_rejected.double()

    model_logratios = policy_chosen - policy_rejected
    reference_logratios = reference_chosen - reference_rejected
    logits = model_logratios - reference_logratios
    losses = (
        -F.logsigmoid(beta * logits) * (1 - label_smoothing)
        - F.logsigmoid(-beta * logits) * label_smoothing
    )
    chosen_rewards = (beta * (policy_chosen - reference_chosen)).detach()
    rejected_rewards = (beta * (policy_rejected - reference_rejected)).detach()
    return {
        "loss": losses.mean(),
        "chosen_reward": chosen_rewards,
        "rejected_reward": rejected_rewards,
        "accuracy": (chosen_rewards > rejected_rewards).double().mean().item(),
    }


def get_lora_layers(model):
    layers = [module for module in model.modules() if isinstance(module, LoRALinear)]
    if len(layers) == 0:
        raise ValueError("model must contain LoRALinear layers, but it has none")
    return layers


def remember(model):
    return [(module, module.training) for module in model.modules()]


def reference_logprobs(model, batch):
    layers = get_lora_layers(model)
    modes = remember(model)
    merged_before = [layer.merged for layer in layers]
    scalings = [layer.scaling for layer in layers]
    model.eval()
    try:
        for layer in layers:
            layer.unmerge()
            layer.scaling = 0.0
        with torch.no_grad():
            B = batch["input_ids"].shape[0] // 2
            logps = []
            for part in (slice(0, B), slice(B, None)):
                logits = model(batch["input_ids"][part], batch["attention_mask"][part])
                logps.append(sequence_logprobs(logits, batch["labels"][part]))
            return torch.cat(logps)
    finally:
        for layer, scaling, merged in zip(layers, scalings, merged_before):
            layer.scaling = scaling
            if merged:
                layer.merge()
        for module, mode in modes:
            module.training = mode


def compute_dpo_loss_batch(model, batch, reference, beta, label_smoothing):
    B = batch["input_ids"].shape[0] // 2
    chosen_logps = sequence_logprobs(
        model(batch["input_ids"][:B], batch["attention_mask"][:B]), batch["labels"][:B]
    )
    rejected_logps = sequence_logprobs(
        model(batch["input_ids"][B:], batch["attention_mask"][B:]), batch["labels"][B:]
    )
    out = dpo_loss(
        chosen_logps, rejected_logps, reference[:B], reference[B:], beta=beta, label_smoothing=label_smoothing
    )
    return out, chosen_logps, rejected_logps


def train_dpo(model, batches, *, lr, beta=0.1, label_smoothing=0.0, max_grad_norm=1.0):
    check_dpo_arguments(beta, label_smoothing)
    for layer in get_lora_layers(model):
        if layer.merged:
            raise ValueError("model must not contain merged LoRALinear layers, but one is merged")

    references = []
    for batch in batches:
        references.append(reference_logprobs(model, batch))

    tracking = []
    params = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(params, lr=lr, weight_decay=0.0)
    for batch, reference in zip(batches, references):
        model.train()
        optimizer.zero_grad()
        out, chosen_logps, rejected_logps = compute_dpo_loss_batch(model, batch, reference, beta, label_smoothing)
        out["loss"].backward()
        if max_grad_norm is not None:
            torch.nn.utils.clip_grad_norm_(params, max_grad_norm)
        optimizer.step()
        tracking.append({
            "loss": out["loss"].item(),
            "accuracy": out["accuracy"],
            "margin": (out["chosen_reward"] - out["rejected_reward"]).mean().item(),
            "chosen_logprob": chosen_logps.mean().item(),
            "rejected_logprob": rejected_logps.mean().item(),
        })
    model.eval()
    return tracking


def group_advantages(rewards, *, scale=True, epsilon=1e-4):
    if rewards.dim() != 2 or rewards.shape[1] < 2:
        raise ValueError(f"rewards must have shape (P, G) with at least two answers, but it has {tuple(rewards.shape)}")
    rewards = rewards.detach().double()
    advantages = torch.zeros_like(rewards)
    for i, group in enumerate(rewards):
        if group.min() == group.max():
            continue
        advantages[i] = group - group.mean()
        if scale:
            advantages[i] /= group.std(unbiased=False) + epsilon
    return advantages.float()


def grpo_loss(logprobs, old_logprobs, advantages, mask, *, clip=0.2, kl_coef=0.0, reference_logprobs=None, per="token"):
    if per not in ["token", "sequence", "constant"]:
        raise ValueError(f"per must be 'token', 'sequence' or 'constant', but it is {per!r}")
    if not 0 < clip < 1:
        raise ValueError(f"clip must be in (0, 1), but it is {clip}")
    if kl_coef > 0 and reference_logprobs is None:
        raise ValueError("reference_logprobs must be a tensor if kl_coef > 0, but it is None")

    logprobs = logprobs.double()
    mask = mask.double()
    log_ratio = (logprobs - old_logprobs.detach().double()) * mask
    ratio = torch.exp(log_ratio)
    adv = advantages.detach().double().unsqueeze(-1)
    unclipped = ratio * adv
    clipped = torch.clamp(ratio, 1 - clip, 1 + clip) * adv
    pg_loss = -torch.min(unclipped, clipped)
    if kl_coef > 0:
        r = (reference_logprobs.detach().double() - logprobs) * mask
        pg_loss = pg_loss + kl_coef * (torch.exp(r) - r - 1)

    pg_loss = pg_loss * mask
    num_tokens = mask.sum(dim=1)
    if per == "token":
        loss = pg_loss.sum() / torch.clamp(num_tokens.sum(), min=1)
    elif per == "sequence":
        per_row = pg_loss.sum(dim=1) / torch.clamp(num_tokens, min=1)
        loss = per_row.sum() / torch.clamp((num_tokens > 0).sum(), min=1)
    else:
        loss = pg_loss.sum() / max(pg_loss.shape[0] * pg_loss.shape[1], 1)
    return loss.float()
