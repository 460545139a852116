"""There is no warm-up.

Adam's first steps are about lr in every coordinate, however small the gradients. A warm-up keeps them from
throwing the pretrained weights about.
"""
# Shows in: warms_up_then_decays


def _warmup_then_decay(steps, warmup_ratio):
    warmup = math.ceil(warmup_ratio * steps)

    def factor(k: int) -> float:
        return 1.0 if k < warmup else (steps - k) / max(1, steps - warmup)

    return factor
