"""The loss compares the policy's log-probabilities alone.

Without the reference nothing keeps the policy near to the model that it was, and long answers always lose.
Subtract the reference's log-probabilities.
"""
# Leaves out: the reference


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
    chosen_reward = beta * _float(policy_chosen)
    rejected_reward = beta * _float(policy_rejected)
    margin = chosen_reward - rejected_reward
    losses = -(1 - label_smoothing) * F.logsigmoid(margin) - label_smoothing * F.logsigmoid(-margin)
    return {
        "loss": losses.mean(),
        "chosen_reward": chosen_reward.detach(),
        "rejected_reward": rejected_reward.detach(),
        "accuracy": (chosen_reward > rejected_reward).float().mean().item(),
    }
