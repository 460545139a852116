"""The decay is at zero already in the last update.

Update k uses (steps - k) / (steps - warmup), so the last one, k = steps - 1, still has a small learning rate.
"""
# Shows in: warms_up_then_decays


def _warmup_then_decay(steps, warmup_ratio):
    warmup = math.ceil(warmup_ratio * steps)

    def factor(k: int) -> float:
        return k / warmup if k < warmup else (steps - k - 1) / max(1, steps - warmup)

    return factor
