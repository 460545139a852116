"""A loop over the answers, in float32, with the means taken by hand."""


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
    if not (isinstance(per, str) and per in ("token", "sequence", "constant")):
        raise ValueError(f"per={per}")
    if not 0.0 < clip < 1.0:
        raise ValueError(f"clip={clip}")
    if kl_coef > 0.0 and reference_logprobs is None:
        raise ValueError("reference_logprobs is missing")
    sums, counts = [], []
    for n in range(len(mask)):
        keep = mask[n] == 1
        new = logprobs[n][keep].float()
        ratio = new.sub(old_logprobs[n][keep].detach().float()).exp()
        a = float(advantages[n])
        token = torch.max(-a * ratio, -a * ratio.clip(1 - clip, 1 + clip))
        if kl_coef > 0.0:
            r = reference_logprobs[n][keep].detach().float() - new
            token = token + kl_coef * (r.expm1() - r)
        sums.append(token.sum())
        counts.append(int(keep.sum()))
    if per == "token":
        return torch.stack(sums).sum() / max(sum(counts), 1)
    if per == "constant":
        return torch.stack(sums).sum() / (mask.size(0) * mask.size(1))
    means = [total / count for total, count in zip(sums, counts) if count]
    return torch.stack(means).mean() if means else torch.stack(sums).sum()
