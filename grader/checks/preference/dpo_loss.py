"""The checks of `dpo_loss`."""

import torch

from grader.checks import a_float, check, grad_of, rand, refusal, tried, whole
from grader.checks.preference.material import flow, number, uniform

SIDES = ("policy_chosen", "policy_rejected", "reference_chosen", "reference_rejected")


def logprobs(rng, rows: int | None = None) -> list[torch.Tensor]:
    """Log-probabilities (B,) in the order of SIDES.

    Some pairs are learned and some are not yet, and in some of both the policy finds the wrong answer the more probable one. No two
    rewards of a row are near each other.
    """
    count = rows or 2 * whole(rng, 3, 5) + 1
    row = torch.arange(count)
    learned, prefers = torch.where(row % 3 == 0, -1, 1), torch.where(row % 2 == 0, 1, -1)
    policy_chosen, chosen_ratio = uniform(rng, -40, -20, count), uniform(rng, -3, 3, count)
    policy_rejected = policy_chosen - learned * prefers * uniform(rng, 1, 9, count)
    rejected_ratio = chosen_ratio - learned * uniform(rng, 0.5, 4, count)
    order = torch.randperm(count, generator=rng)
    found = (policy_chosen, policy_rejected, policy_chosen - chosen_ratio, policy_rejected - rejected_ratio)
    return [one[order] for one in found]


def strength(rng) -> float:
    """A beta that is not the default one."""
    return whole(rng, 20, 60) / 100


@check(
    "dpo_loss",
    2,
    (
        "What is compared with what? The policy with the reference on each answer, then the two answers.",
        "d = beta · ((policy_chosen - reference_chosen) - (policy_rejected - reference_rejected)); the loss is -log σ(d).",
        "-F.logsigmoid(beta * ((policy_chosen - reference_chosen) - (policy_rejected - reference_rejected))).mean()",
    ),
)
def loss_is_the_mean_of_minus_log_sigmoid(code, rng):
    """The loss is the mean of -log σ(d), where d is beta times the difference of the two log-ratios; beta is 0.1 by default."""
    given = logprobs(rng)
    return {
        "loss with the default beta": number(code.dpo_loss(*given)["loss"]),
        "loss with another beta": number(code.dpo_loss(*given, beta=strength(rng))["loss"]),
        "loss of one pair": number(code.dpo_loss(*logprobs(rng, 1), beta=strength(rng))["loss"]),
    }


@check(
    "dpo_loss",
    2,
    (
        "Which model learns, and which stays as it is?",
        "The gradient of the policy's log-probabilities is ∓ beta · σ(-d) / B. The reference is a constant: detach it.",
        "reference_chosen.detach(), reference_rejected.detach()",
    ),
)
def gradient_flows_into_the_policy_alone(code, rng):
    """The policy's log-probabilities get the gradient of the formula, also while they equal the reference's, which get none."""
    given = [one.requires_grad_() for one in logprobs(rng)]
    code.dpo_loss(*given, beta=strength(rng))["loss"].backward()
    start = [one.detach().clone().requires_grad_() for one in logprobs(rng)[:2]]
    code.dpo_loss(*start, *[one.detach() for one in start], beta=strength(rng))["loss"].backward()
    return {f"gradient of {name}": flow(one) for name, one in zip(SIDES, given)} | {
        f"gradient of {name}, policy and reference equal": flow(one) for name, one in zip(SIDES, start)
    }


@check(
    "dpo_loss",
    2,
    (
        "DPO trains a reward model in disguise. What is its reward of an answer?",
        "reward = beta · (log π(answer) - log π_ref(answer)), one for each answer, taken out of the graph.",
        '"chosen_reward": (beta * (policy_chosen - reference_chosen)).detach()',
    ),
)
def rewards_are_scaled_log_ratios(code, rng):
    """chosen_reward and rejected_reward are beta times the log-ratios to the reference, (B,), without a graph."""
    given = [one.requires_grad_() for one in logprobs(rng)]
    seen = {}
    for what, options in {"the default beta": {}, "another beta": {"beta": strength(rng)}}.items():
        found = code.dpo_loss(*given, **options)
        for name in ("chosen_reward", "rejected_reward"):
            seen[f"{name} with {what}"] = number(found[name])
            seen[f"{name} with {what} has a graph"] = bool(found[name].requires_grad)
    return seen


@check(
    "dpo_loss",
    1,
    (
        "When is a pair right? Not when the chosen answer is the more probable one.",
        "accuracy = the share of rows with chosen_reward > rejected_reward, as a Python float.",
        "(chosen_reward > rejected_reward).float().mean().item()",
    ),
)
def accuracy_compares_rewards(code, rng):
    """accuracy is the share of pairs whose chosen answer has the higher reward, a float."""
    seen = {}
    for n in (1, 2, 3):
        found = code.dpo_loss(*logprobs(rng), beta=strength(rng))
        seen[f"accuracy of batch {n}"] = a_float(found["accuracy"])
        seen[f"rewards of batch {n}"] = torch.stack([number(found["chosen_reward"]), number(found["rejected_reward"])])
    return seen


@check(
    "dpo_loss",
    2,
    (
        "If a share ε of the labels is swapped, which loss has a pair on average?",
        "Conservative DPO: (1 - ε) times the loss of the pair as it is, plus ε times that of the swapped pair, where d is -d.",
        "-(1 - label_smoothing) * F.logsigmoid(d) - label_smoothing * F.logsigmoid(-d)",
    ),
)
def smoothing_is_that_of_conservative_dpo(code, rng):
    """With label_smoothing ε the loss is the mean of -(1 - ε) log σ(d) - ε log σ(-d), and so is its gradient."""
    given = [one.requires_grad_() for one in logprobs(rng)]
    loss = code.dpo_loss(*given, beta=strength(rng), label_smoothing=whole(rng, 10, 40) / 100)["loss"]
    loss.backward()
    other = code.dpo_loss(*logprobs(rng), label_smoothing=whole(rng, 10, 40) / 100)["loss"]
    return {
        "loss": number(loss),
        "loss with the default beta": number(other),
        "gradient of policy_chosen": grad_of(given[0]),
        "gradient of policy_rejected": grad_of(given[1]),
    }


@check(
    "dpo_loss",
    2,
    (
        "In float32 σ(-200) is 0. What is its logarithm?",
        "log σ is one function, which never sees the zero. The same holds for log σ(-d).",
        "F.logsigmoid(d), never torch.log(torch.sigmoid(d)); or -F.softplus(-d)",
    ),
)
def large_differences_stay_finite(code, rng):
    """Log-probabilities of up to a million give the right loss and gradient, with and without smoothing."""
    beta, epsilon = whole(rng, 10, 50) / 100, whole(rng, 10, 40) / 100
    sizes = torch.tensor([1e6, -1e6, 4e4, -4e4, 3000, -3000])[torch.randperm(6, generator=rng)]
    one, other = [(sizes * uniform(rng, 0.7, 1, 6)).round().float() for _ in range(2)]  # float32 holds their sums, too
    numbers = [one, -other, torch.zeros(6), rand(rng, 6).round().float()]

    def loss_and_gradient(smoothing, dtype):
        given = [each.to(dtype, copy=True).requires_grad_() for each in numbers]
        loss = code.dpo_loss(*given, beta=beta, label_smoothing=smoothing)["loss"]
        loss.backward()
        return {"loss": number(loss)} | {f"gradient of {name}": grad_of(given[n]) for n, name in enumerate(SIDES[:2])}

    return {
        f"{word} smoothing, {dtype}": loss_and_gradient(smoothing, dtype)
        for word, smoothing in (("with", epsilon), ("without", 0.0))
        for dtype in (torch.float32, torch.float64)
    }


@check(
    "dpo_loss",
    1,
    (
        "Between 128 and 256 a bfloat16 knows whole numbers alone. How exact is a difference of two?",
        "Make all four float32 before anything is subtracted.",
        "policy_chosen.float() - reference_chosen.float()",
    ),
)
def takes_log_probabilities_in_half_precision(code, rng):
    """Log-probabilities in bfloat16 or float16 give what the same numbers give in float32, also beside a reference in float32."""
    seen = {}
    for dtype in (torch.bfloat16, torch.float16):
        half = [one.to(dtype) for one in logprobs(rng)]
        for what, given in {
            "": half,
            ", reference in float32": [*half[:2], *(one.float() for one in half[2:])],
        }.items():
            found = code.dpo_loss(*given, beta=strength(rng), label_smoothing=whole(rng, 10, 40) / 100)
            seen |= {
                f"{name}, {dtype}{what}": number(found[name]) for name in ("loss", "chosen_reward", "rejected_reward")
            }
    return seen


@check(
    "dpo_loss",
    1,
    (
        "What does a negative beta teach? And which labels are right if half of them or more are swapped?",
        "beta must be above 0, label_smoothing at least 0 and below 0.5. Name the argument in the message.",
        'if not 0 <= label_smoothing < 0.5: raise ValueError(f"label_smoothing must lie in [0, 0.5), got {label_smoothing}")',
    ),
)
def refuses_a_bad_beta_or_smoothing(code, rng):
    """A beta that is not above 0, or a label_smoothing outside [0, 0.5), is a ValueError that names it."""
    given, small, above = logprobs(rng), whole(rng, 1, 9) / 1000, 0.5 + whole(rng, 1, 60) / 100
    calls = {
        f"{name}={value}": lambda name=name, value=value: refusal(
            ValueError, lambda: code.dpo_loss(*given, **{name: value}), name
        )
        for name, value in [
            ("beta", 0.0),
            ("beta", -small),
            ("label_smoothing", -small),
            ("label_smoothing", 0.5),
            ("label_smoothing", above),
        ]
    } | {
        f"{name}={value}": lambda name=name, value=value: number(code.dpo_loss(*given, **{name: value})["loss"])
        for name, value in [
            ("beta", small),
            ("beta", 2 + above),
            ("label_smoothing", 0.0),
            ("label_smoothing", 0.5 - small),
        ]
    }
    return tried(rng, **calls)
