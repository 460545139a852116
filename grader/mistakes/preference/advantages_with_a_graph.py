"""The advantages keep the graph of the rewards.

They are weights in the loss, and no gradient may flow through them into a reward model. Detach the rewards.
"""
# Shows in: advantages_have_no_graph


def group_advantages(rewards, *, scale=True, epsilon=1e-4):
    if rewards.dim() != 2 or rewards.shape[1] < 2:
        raise ValueError(
            f"rewards must have shape (P, G) with at least two answers a prompt, got {tuple(rewards.shape)}"
        )
    rewards = _float(rewards)
    advantages = rewards - rewards.mean(dim=1, keepdim=True)
    if scale:
        advantages = advantages / (rewards.std(dim=1, correction=0, keepdim=True) + epsilon)
    equal = (rewards == rewards[:, :1]).all(dim=1, keepdim=True)
    return advantages.masked_fill(equal, 0.0)
