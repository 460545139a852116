"""The padding is found by ~mask, which is right for booleans alone.

Of whole numbers ~ turns the bits: ~1 is -2 and ~0 is -1, so both count as true. Make the mask boolean first.
"""
# Shows in: takes_masks_of_any_dtype


def grpo_loss(
    logprobs,
    old_logprobs,
    advantages,
    mask,
    *,
    clip=0.2,
    kl_coef=0.0,
    reference_logprobs=None,
    per="token",
):
    if per not in ("token", "sequence", "constant"):
        raise ValueError(f"per must be 'token', 'sequence' or 'constant', got {per!r}")
    if not 0 < clip < 1:
        raise ValueError(f"clip must lie in (0, 1), got {clip}")
    if kl_coef > 0 and reference_logprobs is None:
        raise ValueError("kl_coef is above 0, so reference_logprobs is needed")
    logprobs, old_logprobs = _float(logprobs), _float(old_logprobs).detach()
    advantages = _float(advantages).detach()[:, None]
    ratio = torch.exp(logprobs - old_logprobs)
    losses = -torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)
    if kl_coef > 0:
        r = _float(reference_logprobs).detach() - logprobs
        losses = losses + kl_coef * (torch.exp(r) - r - 1)
    losses, lengths = torch.where(~mask != 0, 0.0, losses), mask.sum(dim=1)
    if per == "token":
        return losses.sum() / lengths.sum().clamp(min=1)
    if per == "sequence":
        return (losses.sum(dim=1) / lengths.clamp(min=1)).sum() / (lengths > 0).sum().clamp(min=1)
    return losses.sum() / mask.numel()
