"""warmup_ratio 0 or 1 divides by zero.

Without a warm-up there is no k / warmup to compute, and with nothing else no decay. Look at the edges: k <
warmup, and max(1, steps - warmup).
"""
# Shows in: warm_up_may_be_nothing_or_all


def _warmup_then_decay(steps, warmup_ratio):
    warmup = math.ceil(warmup_ratio * steps)

    def factor(k: int) -> float:
        return min(k / warmup, (steps - k) / (steps - warmup))

    return factor
