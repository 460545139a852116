"""The decay is lr · (steps - k) / steps, as if there were no warm-up.

Then the learning rate drops at the end of the warm-up instead of reaching lr. Divide by steps - warmup.
"""
# Shows in: warms_up_then_decays


def _warmup_then_decay(steps, warmup_ratio):
    warmup = math.ceil(warmup_ratio * steps)

    def factor(k: int) -> float:
        return k / warmup if k < warmup else (steps - k) / steps

    return factor
