"""DPO is binary cross-entropy with the margin as logit and 1 - ε as label; all in float64, with subclasses of ValueError."""


class OutOfRange(ValueError):
    pass


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta=0.1, label_smoothing=0.0):
    if not beta > 0:
        raise OutOfRange("Beta must be positive")
    if label_smoothing < 0 or label_smoothing >= 0.5:
        raise OutOfRange("label_smoothing: at least 0, below 0.5")
    with torch.no_grad():
        rewards = [
            beta * (policy.double() - reference.double())
            for policy, reference in ((policy_chosen, reference_chosen), (policy_rejected, reference_rejected))
        ]
        baseline = reference_chosen.double() - reference_rejected.double()
    margin = beta * (policy_chosen.double() - policy_rejected.double() - baseline)
    label = torch.full_like(margin, 1 - label_smoothing)
    return {
        "loss": F.binary_cross_entropy_with_logits(margin, label),
        "chosen_reward": rewards[0],
        "rejected_reward": rewards[1],
        "accuracy": int((rewards[0] > rewards[1]).sum()) / len(margin),
    }
