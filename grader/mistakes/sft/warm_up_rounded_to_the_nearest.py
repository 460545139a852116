"""The number of warm-up updates is rounded to the nearest.

The contract rounds up: ceil(warmup_ratio · steps). A small ratio of a short run otherwise gives no warm-up at
all.
"""
# Shows in: warms_up_then_decays


def _warmup_then_decay(steps, warmup_ratio):
    warmup = round(warmup_ratio * steps)

    def factor(k):
        return k / warmup if k < warmup else (steps - k) / max(1, steps - warmup)

    return factor
