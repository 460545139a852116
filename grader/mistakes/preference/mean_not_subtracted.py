"""The mean of the group is not subtracted.

Then all answers with a positive reward are pushed up, the worst one too. What counts is how much better than
the others an answer is.
"""
# Leaves out: the mean


def group_advantages(rewards, *, scale=True, epsilon=1e-4):
    if rewards.dim() != 2 or rewards.shape[1] < 2:
        raise ValueError(
            f"rewards must have shape (P, G) with at least two answers a prompt, got {tuple(rewards.shape)}"
        )
    rewards = _float(rewards.detach())
    advantages = rewards
    if scale:
        advantages = advantages / (rewards.std(dim=1, correction=0, keepdim=True) + epsilon)
    equal = (rewards == rewards[:, :1]).all(dim=1, keepdim=True)
    return advantages.masked_fill(equal, 0.0)
