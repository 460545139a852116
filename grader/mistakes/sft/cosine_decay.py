"""The decay is a cosine, not a line.

Both are common. The contract says linear, the schedule of get_linear_schedule_with_warmup.
"""
# Shows in: warms_up_then_decays


def _warmup_then_decay(steps, warmup_ratio):
    warmup = math.ceil(warmup_ratio * steps)

    def factor(k: int) -> float:
        return k / warmup if k < warmup else 0.5 * (1 + math.cos(math.pi * (k - warmup) / max(1, steps - warmup)))

    return factor
