"""Groups are taken to be equal where their std is below epsilon.

Rewards that differ by little still say which answer is better. Only where all are equal are the advantages
set to zero.
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
    equal = rewards.std(dim=1, correction=0, keepdim=True) < epsilon
    return advantages.masked_fill(equal, 0.0)
