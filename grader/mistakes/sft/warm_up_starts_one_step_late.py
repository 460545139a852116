"""Update k of the warm-up uses lr · (k + 1) / warmup.

The first update of the contract's schedule uses a learning rate of 0, as in transformers: k / warmup with k =
0.
"""
# Shows in: warms_up_then_decays


def _warmup_then_decay(steps, warmup_ratio):
    warmup = math.ceil(warmup_ratio * steps)

    def factor(k: int) -> float:
        return (k + 1) / warmup if k < warmup else (steps - k) / max(1, steps - warmup)

    return factor
