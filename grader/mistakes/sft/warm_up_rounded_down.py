"""The number of warm-up updates is rounded down.

The contract says ceil, as transformers computes it: 2.5 updates of warm-up are 3.
"""
# Shows in: warms_up_then_decays


def _warmup_then_decay(steps, warmup_ratio):
    warmup = math.floor(warmup_ratio * steps)

    def factor(k: int) -> float:
        return k / warmup if k < warmup else (steps - k) / max(1, steps - warmup)

    return factor
