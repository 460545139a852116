"""The std is not allowed below epsilon, instead of adding it.

The formula adds epsilon to each std. A clamp changes only those that are below it.
"""


def group_advantages(rewards, *, scale=True, epsilon=1e-4):
    if rewards.dim() != 2 or rewards.shape[1] < 2:
        raise ValueError(
            f"rewards must have shape (P, G) with at least two answers a prompt, got {tuple(rewards.shape)}"
        )
    rewards = _float(rewards.detach())
    advantages = rewards - rewards.mean(dim=1, keepdim=True)
    if scale:
        advantages = advantages / rewards.std(dim=1, correction=0, keepdim=True).clamp(min=epsilon)
    equal = (rewards == rewards[:, :1]).all(dim=1, keepdim=True)
    return advantages.masked_fill(equal, 0.0)
