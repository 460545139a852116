"""The mean is subtracted from the rewards in place.

The tensor of the caller changes, who may want to log the rewards or use them again. Write advantages =
rewards - mean.
"""
# Shows in: advantages_have_no_graph


def group_advantages(rewards, *, scale=True, epsilon=1e-4):
    if rewards.dim() != 2 or rewards.shape[1] < 2:
        raise ValueError(
            f"rewards must have shape (P, G) with at least two answers a prompt, got {tuple(rewards.shape)}"
        )
    rewards = _float(rewards.detach())
    equal = (rewards == rewards[:, :1]).all(dim=1, keepdim=True)
    advantages = rewards.sub_(rewards.mean(dim=1, keepdim=True))
    if scale:
        advantages = advantages / (rewards.std(dim=1, correction=0, keepdim=True) + epsilon)
    return advantages.masked_fill(equal, 0.0)
