"""The shape of the rewards is not checked.

A flat list of rewards ends in an error of PyTorch, and a third dimension in wrong groups. Refuse both by a
ValueError.
"""
# Shows in: refuses_groups_of_one


def group_advantages(rewards, *, scale=True, epsilon=1e-4):
    rewards = _float(rewards.detach())
    advantages = rewards - rewards.mean(dim=1, keepdim=True)
    if scale:
        advantages = advantages / (rewards.std(dim=1, correction=0, keepdim=True) + epsilon)
    equal = (rewards == rewards[:, :1]).all(dim=1, keepdim=True)
    return advantages.masked_fill(equal, 0.0)
