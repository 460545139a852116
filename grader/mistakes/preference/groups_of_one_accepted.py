"""A group of one answer is accepted.

It is its own mean, so its advantage is always zero and nothing is learned, without a word.
"""
# Shows in: refuses_groups_of_one


def group_advantages(rewards, *, scale=True, epsilon=1e-4):
    if rewards.dim() != 2:
        raise ValueError(
            f"rewards must have shape (P, G) with at least two answers a prompt, got {tuple(rewards.shape)}"
        )
    rewards = _float(rewards.detach())
    advantages = rewards - rewards.mean(dim=1, keepdim=True)
    if scale:
        advantages = advantages / (rewards.std(dim=1, correction=0, keepdim=True) + epsilon)
    equal = (rewards == rewards[:, :1]).all(dim=1, keepdim=True)
    return advantages.masked_fill(equal, 0.0)
