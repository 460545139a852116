"""-log σ(d) is written with relu and abs, whose gradients at d = 0 are zero.

relu(-d) + log(1 + exp(-|d|)) has the right value, but at the start, where the policy is the reference, it
learns nothing. Use F.logsigmoid.
"""
# Shows in: gradient_flows_into_the_policy_alone


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
    losses = -(1 - label_smoothing) * -(F.relu(-margin) + torch.log1p(torch.exp(-margin.abs()))) - label_smoothing * -(
        F.relu(margin) + torch.log1p(torch.exp(-margin.abs()))
    )
    return {
        "loss": losses.mean(),
        "chosen_reward": chosen_reward.detach(),
        "rejected_reward": rejected_reward.detach(),
        "accuracy": (chosen_reward > rejected_reward).float().mean().item(),
    }
