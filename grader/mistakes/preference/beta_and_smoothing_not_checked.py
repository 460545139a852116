"""beta and label_smoothing are not checked.

A negative beta teaches the rejected answers, and a smoothing above one half, too, both without a word. Raise
a ValueError.
"""
# Shows in: refuses_a_bad_beta_or_smoothing


def dpo_loss(
    policy_chosen,
    policy_rejected,
    reference_chosen,
    reference_rejected,
    *,
    beta=0.1,
    label_smoothing=0.0,
):
    chosen_reward = beta * (_float(policy_chosen) - _float(reference_chosen).detach())
    rejected_reward = beta * (_float(policy_rejected) - _float(reference_rejected).detach())
    margin = chosen_reward - rejected_reward
    losses = -(1 - label_smoothing) * F.logsigmoid(margin) - label_smoothing * F.logsigmoid(-margin)
    return {
        "loss": losses.mean(),
        "chosen_reward": chosen_reward.detach(),
        "rejected_reward": rejected_reward.detach(),
        "accuracy": (chosen_reward > rejected_reward).float().mean().item(),
    }
