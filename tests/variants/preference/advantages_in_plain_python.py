"""Advantages in plain Python floats, by the statistics module."""

import statistics


def group_advantages(rewards, *, scale=True, epsilon=1e-4):
    if rewards.ndim != 2 or rewards.size(1) < 2:
        raise ValueError("rewards: two dimensions, and two answers a prompt at least")
    rows = []
    for row in rewards.detach().double().tolist():
        mean = statistics.fmean(row)
        divisor = statistics.pstdev(row) + epsilon if scale else 1.0
        rows.append([0.0 if len(set(row)) == 1 else (reward - mean) / divisor for reward in row])
    return torch.tensor(rows)
