"""per="sequence" is the default.

That is the first version of GRPO. By the contract the default is per="token".
"""
# Shows in: per_constant_counts_padding


def grpo_loss(
    logprobs,
    old_logprobs,
    advantages,
    mask,
    *,
    clip=0.2,
    kl_coef=0.0,
    reference_logprobs=None,
    per="sequence",
):
    if per not in ("token", "sequence", "constant"):
        raise ValueError(f"per must be 'token', 'sequence' or 'constant', got {per!r}")
    if not 0 < clip < 1:
        raise ValueError(f"clip must lie in (0, 1), got {clip}")
    if kl_coef > 0 and reference_logprobs is None:
        raise ValueError("kl_coef is above 0, so reference_logprobs is needed")
    mask = mask.bool()
    logprobs, old_logprobs = _float(logprobs), _float(old_logprobs).detach()
    advantages = _float(advantages).detach()[:, None]
    ratio = torch.exp(logprobs - old_logprobs)
    losses = -torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)
    if kl_coef > 0:
        r = _float(reference_logprobs).detach() - logprobs
        losses = losses + kl_coef * (torch.exp(r) - r - 1)
    losses, lengths = losses * mask, mask.sum(dim=1)
    if per == "token":
        return losses.sum() / lengths.sum().clamp(min=1)
    if per == "sequence":
        return (losses.sum(dim=1) / lengths.clamp(min=1)).sum() / (lengths > 0).sum().clamp(min=1)
    return losses.sum() / mask.numel()
