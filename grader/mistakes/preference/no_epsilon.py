"""Nothing is added to the std, and equal rewards give NaN.

0 / 0 is NaN, and one NaN in a batch destroys all weights. Add epsilon to the std, and write zeros where all
rewards are equal.
"""


def group_advantages(rewards, *, scale=True, epsilon=1e-4):
    if rewards.dim() != 2 or rewards.shape[1] < 2:
        raise ValueError(
            f"rewards must have shape (P, G) with at least two answers a prompt, got {tuple(rewards.shape)}"
        )
    rewards = _float(rewards.detach())
    advantages = rewards - rewards.mean(dim=1, keepdim=True)
    if scale:
        advantages = advantages / rewards.std(dim=1, correction=0, keepdim=True)
    return advantages
