"""The learning rate never falls below a tenth of its maximum.

Some recipes do so. The contract's line goes down to zero, as in get_linear_schedule_with_warmup.
"""
# Shows in: warms_up_then_decays


def _warmup_then_decay(steps, warmup_ratio):
    warmup = math.ceil(warmup_ratio * steps)

    def factor(k: int) -> float:
        return k / warmup if k < warmup else max(0.1, (steps - k) / max(1, steps - warmup))

    return factor
