"""Mean and std are taken over all rewards of the batch.

An easy prompt then gives good marks to all its answers. Each answer is compared with the other answers to the
same prompt: dim=1.
"""


def group_advantages(rewards, *, scale=True, epsilon=1e-4):
    if rewards.dim() != 2 or rewards.shape[1] < 2:
        raise ValueError(
            f"rewards must have shape (P, G) with at least two answers a prompt, got {tuple(rewards.shape)}"
        )
    rewards = _float(rewards.detach())
    advantages = rewards - rewards.mean()
    if scale:
        advantages = advantages / (rewards.std(correction=0) + epsilon)
    equal = (rewards == rewards[:, :1]).all(dim=1, keepdim=True)
    return advantages.masked_fill(equal, 0.0)
