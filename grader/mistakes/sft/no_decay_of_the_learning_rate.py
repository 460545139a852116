"""After the warm-up the learning rate stays where it is.

The decay to zero lets the weights settle. Use lr · (steps - k) / (steps - warmup).
"""
# Shows in: warms_up_then_decays


def _warmup_then_decay(steps, warmup_ratio):
    warmup = math.ceil(warmup_ratio * steps)

    def factor(k: int) -> float:
        return k / warmup if k < warmup else 1.0

    return factor
