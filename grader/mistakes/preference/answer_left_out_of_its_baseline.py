"""Each answer is compared with the mean of the others, without itself.

That is RLOO's baseline, which makes all advantages larger by G / (G - 1). GRPO takes the mean of the whole
group.
"""


def group_advantages(rewards, *, scale=True, epsilon=1e-4):
    if rewards.dim() != 2 or rewards.shape[1] < 2:
        raise ValueError(
            f"rewards must have shape (P, G) with at least two answers a prompt, got {tuple(rewards.shape)}"
        )
    rewards = _float(rewards.detach())
    advantages = rewards - (rewards.sum(dim=1, keepdim=True) - rewards) / (rewards.shape[1] - 1)
    if scale:
        advantages = advantages / (rewards.std(dim=1, correction=0, keepdim=True) + epsilon)
    equal = (rewards == rewards[:, :1]).all(dim=1, keepdim=True)
    return advantages.masked_fill(equal, 0.0)
