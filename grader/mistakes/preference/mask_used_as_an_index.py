"""The mask is used as an index without making it boolean.

losses[mask] with a mask of whole numbers takes the rows 0 and 1 again and again. Write mask = mask.bool()
first.
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
    lengths = mask.sum(dim=1)
    if per == "token":
        return losses[mask].sum() / lengths.sum().clamp(min=1)
    if per == "sequence":
        return ((losses * mask).sum(dim=1) / lengths.clamp(min=1)).sum() / (lengths > 0).sum().clamp(min=1)
    return losses[mask].sum() / mask.numel()
