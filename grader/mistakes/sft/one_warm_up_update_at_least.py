"""There is one warm-up update at least, even with a ratio of 0.

max(1, …) avoids a division by zero, but it also makes the first update of a run without warm-up one of rate
0. Divide only while k < warmup.
"""
# Shows in: warm_up_may_be_nothing_or_all


def _warmup_then_decay(steps, warmup_ratio):
    warmup = max(1, math.ceil(warmup_ratio * steps))

    def factor(k):
        return k / warmup if k < warmup else (steps - k) / max(1, steps - warmup)

    return factor
