"""The rewards keep their graph.

Who keeps them for a plot then keeps the whole graph of the model in memory. Detach what is only looked at.
"""
# Shows in: rewards_are_scaled_log_ratios


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
    losses = -(1 - label_smoothing) * F.logsigmoid(margin) - label_smoothing * F.logsigmoid(-margin)
    return {
        "loss": losses.mean(),
        "chosen_reward": chosen_reward,
        "rejected_reward": rejected_reward,
        "accuracy": (chosen_reward > rejected_reward).float().mean().item(),
    }
