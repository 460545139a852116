"""Rewards are first measured from the first one of their row, so equal ones are exact zeros; the std is a norm."""


def group_advantages(rewards, *, scale=True, epsilon=1e-4):
    if rewards.dim() != 2 or rewards.shape[1] < 2:
        raise ValueError(f"rewards of shape {tuple(rewards.shape)}")
    with torch.no_grad():
        shifted = rewards.to(torch.float64)
        shifted = shifted - shifted[:, :1]
        centred = shifted - shifted.mean(dim=-1, keepdim=True)
        if scale:
            centred = centred / (centred.norm(dim=-1, keepdim=True) / rewards.shape[1] ** 0.5 + epsilon)
    return centred
