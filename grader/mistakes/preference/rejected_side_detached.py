"""No gradient flows into the log-probabilities of the rejected answers.

The policy would only learn to say the chosen answers, not to leave the others. Only the reference is
detached.
"""


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
    margin = chosen_reward - rejected_reward.detach()
    losses = -(1 - label_smoothing) * F.logsigmoid(margin) - label_smoothing * F.logsigmoid(-margin)
    return {
        "loss": losses.mean(),
        "chosen_reward": chosen_reward.detach(),
        "rejected_reward": rejected_reward.detach(),
        "accuracy": (chosen_reward > rejected_reward).float().mean().item(),
    }
