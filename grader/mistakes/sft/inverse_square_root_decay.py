"""After the warm-up the learning rate falls with the square root of the update's number.

That is the schedule of the first transformer. It never reaches zero. The contract's decay is a straight line
to 0 after the last update.
"""
# Shows in: warms_up_then_decays


def _warmup_then_decay(steps, warmup_ratio):
    warmup = math.ceil(warmup_ratio * steps)

    def factor(k):
        return k / warmup if k < warmup else (max(1, warmup) / max(1, k)) ** 0.5

    return factor
