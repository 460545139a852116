"""The loss as log(1 + exp(-d)) by logaddexp, with the smoothed term as ε d, in float32."""


def dpo_loss(policy_chosen, policy_rejected, reference_chosen, reference_rejected, *, beta=0.1, label_smoothing=0.0):
    if beta <= 0:
        raise ValueError(f"beta={beta}, allowed: above 0")
    if not 0 <= label_smoothing < 0.5:
        raise ValueError(f"label_smoothing={label_smoothing}, allowed: [0, 0.5)")
    chosen = beta * (policy_chosen.float() - reference_chosen.detach().float())
    rejected = beta * (policy_rejected.float() - reference_rejected.detach().float())
    d = chosen - rejected
    loss = (torch.logaddexp(torch.zeros_like(d), -d) + label_smoothing * d).mean()
    won = (chosen.detach() > rejected.detach()).tolist()
    return {
        "loss": loss,
        "chosen_reward": chosen.detach(),
        "rejected_reward": rejected.detach(),
        "accuracy": sum(won) / len(won),
    }
