"""The mask is a factor and the penalty an expm1; what stands on padding is computed, too, and multiplied by zero."""


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
    if per not in ["token", "sequence", "constant"]:
        raise ValueError("per: token, sequence or constant")
    if not 0 < clip < 1:
        raise ValueError("clip: between 0 and 1")
    if kl_coef > 0 and reference_logprobs is None:
        raise ValueError("reference_logprobs: needed for the penalty")
    mask = mask.float()
    ratio = (logprobs.float() - old_logprobs.float().detach()).exp()
    weight = advantages.float().detach().unsqueeze(-1)
    losses = -torch.min(ratio * weight, ratio.clamp(1 - clip, 1 + clip) * weight)
    if kl_coef:
        r = reference_logprobs.float().detach() - logprobs.float()
        losses = losses + kl_coef * (r.expm1() - r)
    if per == "token":
        shares = mask / mask.sum().clamp(min=1)
    elif per == "sequence":
        counts = mask.sum(dim=1, keepdim=True)
        shares = mask / counts.clamp(min=1) / counts.bool().sum().clamp(min=1)
    else:
        shares = mask / mask.numel()
    return torch.einsum("nt,nt->", losses, shares)
