"""Equal rewards give small numbers instead of zeros.

The mean of seven times 0.1 is off by rounding, and the division by a std of almost zero plus epsilon makes it
10,000 times larger. Write zeros where all are equal.
"""
# Shows in: equal_rewards_give_exact_zeros


def group_advantages(rewards, *, scale=True, epsilon=1e-4):
    if rewards.dim() != 2 or rewards.shape[1] < 2:
        raise ValueError(
            f"rewards must have shape (P, G) with at least two answers a prompt, got {tuple(rewards.shape)}"
        )
    rewards = _float(rewards.detach())
    advantages = rewards - rewards.mean(dim=1, keepdim=True)
    if scale:
        advantages = advantages / (rewards.std(dim=1, correction=0, keepdim=True) + epsilon)
    return advantages
