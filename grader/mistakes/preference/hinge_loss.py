"""The loss is the hinge max(0, 1 - d).

That is SLiC's loss, which is flat beyond a margin of 1. DPO's is -log σ(d), which never quite ends.
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
    margin = chosen_reward - rejected_reward
    losses = (1 - label_smoothing) * F.relu(1 - margin) + label_smoothing * F.relu(1 + margin)
    return {
        "loss": losses.mean(),
        "chosen_reward": chosen_reward.detach(),
        "rejected_reward": rejected_reward.detach(),
        "accuracy": (chosen_reward > rejected_reward).float().mean().item(),
    }
