"""The bound that can bind is chosen by the sign of the advantage; only tokens of the mask are looked at, by weights of their own."""


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
    if per not in {"token", "sequence", "constant"}:
        raise ValueError("unknown value of per")
    if clip <= 0 or clip >= 1:
        raise ValueError("clip is out of range")
    if reference_logprobs is None and kl_coef > 0:
        raise ValueError("kl_coef needs reference_logprobs")
    real = mask.double() > 0.5
    row, column = real.nonzero(as_tuple=True)
    lengths = torch.bincount(row, minlength=len(mask))
    weights = {
        "token": lambda: torch.full((len(row),), 1 / max(len(row), 1), dtype=torch.float64),
        "sequence": lambda: 1 / (lengths[row] * max(int(lengths.count_nonzero()), 1)).double(),
        "constant": lambda: torch.full((len(row),), 1 / (mask.shape[0] * mask.shape[1]), dtype=torch.float64),
    }[per]()
    new, old = logprobs[row, column].double(), old_logprobs[row, column].detach().double()
    a = advantages.detach().double()[row]
    ratio = (new - old).exp()
    gain = torch.where(a > 0, ratio.clamp(max=1 + clip), ratio.clamp(min=1 - clip)) * a
    if kl_coef > 0:
        r = reference_logprobs[row, column].detach().double() - new
        gain = gain - kl_coef * (r.exp() - 1 - r)
    return -(gain * weights).sum()
