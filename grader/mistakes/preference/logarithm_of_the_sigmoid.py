"""The logarithm is taken of the sigmoid.

σ(-200) is zero in float32, and its logarithm minus infinity. F.logsigmoid is one function, which never sees
the zero.
"""
# Shows in: large_differences_stay_finite


def dpo_loss(
    policy_chosen,
    policy_rejected,
    reference_chosen,
    reference_rejected,
    *,
    beta=0.1,
    label_smoothing=0.0,
):
    _check_strength(beta, label_smoothing)
    chosen_reward = beta * (_float(policy_chosen) - _float(reference_chosen).detach())
    rejected_reward = beta * (_float(policy_rejected) - _float(reference_rejected).detach())
    margin = chosen_reward - rejected_reward
    losses = -(1 - label_smoothing) * torch.sigmoid(margin).log() - label_smoothing * torch.sigmoid(-margin).log()
    return {
        "loss": losses.mean(),
        "chosen_reward": chosen_reward.detach(),
        "rejected_reward": rejected_reward.detach(),
        "accuracy": (chosen_reward > rejected_reward).float().mean().item(),
    }
