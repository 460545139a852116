"""The warm-up has one update more than its share.

ceil already rounds up. + 1 delays the full learning rate by one update, and a ratio of 0 then still warms up.
"""
# Shows in: warms_up_then_decays


def _warmup_then_decay(steps, warmup_ratio):
    warmup = math.ceil(warmup_ratio * steps) + 1

    def factor(k):
        return k / warmup if k < warmup else (steps - k) / max(1, steps - warmup)

    return factor
