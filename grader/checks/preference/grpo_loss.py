"""The checks of `grpo_loss`."""

from dataclasses import replace

import torch

from grader.checks import check, grad_of, refusal, shuffled, tried, whole
from grader.checks.preference.material import Rollouts, flow, number, rollouts, uniform

WAYS = ("token", "sequence", "constant")


def with_an_empty_row(rng) -> Rollouts:
    """Rollouts in which one answer has no token, at a drawn place."""
    found = rollouts(rng, mostly_bad=True)
    rows = torch.arange(len(found.mask)) != whole(rng, 0, len(found.mask) - 1)
    return replace(found, mask=found.mask * rows[:, None])


def the_first(given: Rollouts) -> Rollouts:
    """Its first answer alone."""
    parts = ("logprobs", "old", "reference", "advantages", "mask")
    return replace(given, **{name: getattr(given, name)[:1] for name in parts})


def kl_coefficient(rng) -> float:
    return whole(rng, 20, 80) / 100


@check(
    "grpo_loss",
    3,
    (
        "Walk through one token: how much more probable is it now, and is its answer good or bad?",
        "-min(ρ A, clamp(ρ, 1 - clip, 1 + clip) A) with ρ = exp(logprobs - old_logprobs), then the mean over the mask.",
        "-torch.minimum(ratio * A, ratio.clamp(1 - clip, 1 + clip) * A) with A = advantages[:, None]",
    ),
)
def the_ratio_of_each_token_is_clipped(code, rng):
    """Each token gives -min(ρ A, clamp(ρ, 1 - clip, 1 + clip) A), and the loss is the mean over the tokens of the mask."""
    default = [rollouts(rng, clip=0.2) for _ in range(2)]
    losses = [code.grpo_loss(one.logprobs, one.old, one.advantages, one.mask) for one in default]
    return {
        "losses of three batches": torch.stack([number(rollouts(rng).loss(code)) for _ in range(3)]),
        "losses with the default clip": torch.stack([number(loss) for loss in losses]),
        "loss of one answer": number(the_first(rollouts(rng)).loss(code)),
    }


@check(
    "grpo_loss",
    2,
    (
        "Where the clipped ratio is the smaller one, which slope has the loss? And what is sampled, and so a constant?",
        "The gradient of a token is -ρ A / count where nothing is clipped, else 0. old_logprobs and advantages are detached.",
        "ratio = torch.exp(logprobs - old_logprobs.detach()), nothing else detached",
    ),
)
def gradient_flows_into_logprobs_alone(code, rng):
    """logprobs get the gradient of the formula, zero on padding; old_logprobs and advantages get none."""
    given, own = rollouts(rng).learning(), rollouts(rng)
    given.loss(code).backward()
    first = own.logprobs.clone().requires_grad_()
    replace(own, logprobs=first, old=first).loss(code).backward()
    return {
        "gradient of logprobs": grad_of(given.logprobs),
        "gradient of old_logprobs": flow(given.old),
        "gradient of advantages": flow(given.advantages),
        "gradient of logprobs at the first update, where they are the old ones": grad_of(first),
    }


@check(
    "grpo_loss",
    2,
    (
        "The penalty is an estimate of the distance to the reference. It is never negative, and it is added to the loss.",
        "kl_coef · (exp(r) - r - 1) for each token, with r = reference_logprobs - logprobs.",
        "losses + kl_coef * (torch.exp(r) - r - 1)",
    ),
)
def the_penalty_is_the_estimator_k3(code, rng):
    """With kl_coef each token adds kl_coef · (exp(r) - r - 1), r = reference - logprobs; with kl_coef = 0 a reference is ignored."""
    given = shuffled(rng, [rollouts(rng, mostly_bad=bad) for bad in (True, True, None)])
    broken = [replace(one, reference=torch.full_like(one.reference, torch.nan)) for one in given]

    def losses(given, **options):
        return torch.stack([number(one.loss(code, reference_logprobs=one.reference, **options)) for one in given])

    return {
        "losses with kl_coef": losses(given, kl_coef=kl_coefficient(rng)),
        "losses with another kl_coef": losses(given, kl_coef=1 + kl_coefficient(rng)),
        "losses with kl_coef = 0 and a reference": losses(given, kl_coef=0.0),
        "losses with a reference alone": losses(given),
        "losses with kl_coef = 0 and a reference of NaN": losses(broken, kl_coef=0.0),
    }


@check(
    "grpo_loss",
    2,
    (
        "The penalty pulls the policy back. Does it move the reference?",
        "Its gradient is kl_coef · (1 - exp(r)) / count for each token of logprobs; the reference is detached.",
        "r = reference_logprobs.detach() - logprobs",
    ),
)
def the_penalty_moves_the_policy_alone(code, rng):
    """The gradient of the penalty flows into logprobs, as the formula says, and not into the reference."""
    given = rollouts(rng).learning()
    given.loss(code, reference_logprobs=given.reference, kl_coef=kl_coefficient(rng)).backward()
    return {"gradient of logprobs": grad_of(given.logprobs), "gradient of reference_logprobs": flow(given.reference)}


@check(
    "grpo_loss",
    2,
    (
        "In a mean over all tokens a long answer counts more than a short one. Here each answer counts the same.",
        "The mean over the tokens of each row, then the mean of these over the rows that have any token.",
        "(losses.sum(dim=1) / lengths.clamp(min=1)).sum() / (lengths > 0).sum()",
    ),
)
def per_sequence_is_a_mean_of_means(code, rng):
    """per="sequence" is the mean over each row's tokens, then over the rows that have any."""

    def loss(given):
        return number(given.loss(code, per="sequence", kl_coef=0.5, reference_logprobs=given.reference))

    given = rollouts(rng).learning()
    given.loss(code, per="sequence").backward()
    return {
        "losses of two batches": torch.stack([loss(rollouts(rng, mostly_bad=True)) for _ in range(2)]),
        "losses of two batches with an empty row": torch.stack([loss(with_an_empty_row(rng)) for _ in range(2)]),
        "gradient of logprobs": grad_of(given.logprobs),
    }


@check(
    "grpo_loss",
    2,
    (
        "If a wrong answer is divided by its length, a long wrong answer costs less for each token.",
        "Dr. GRPO divides the sum over all tokens by a constant: N · T, padding included.",
        "losses.sum() / mask.numel()",
    ),
)
def per_constant_counts_padding(code, rng):
    """per="constant" is the sum over the tokens divided by N · T, padding included; per="token" is the default."""
    given = [with_an_empty_row(rng), rollouts(rng, mostly_bad=True)]

    def losses(**options):
        found = [number(one.loss(code, kl_coef=0.5, reference_logprobs=one.reference, **options)) for one in given]
        return torch.stack(found)

    one = rollouts(rng).learning()
    one.loss(code, per="constant").backward()
    return {
        "losses per constant": losses(per="constant"),
        "losses per token": losses(per="token"),
        "losses by default": losses(),
        "gradient of logprobs": grad_of(one.logprobs),
    }


@check(
    "grpo_loss",
    1,
    (
        "What does a mean over no tokens give? And what would NaN do to the weights?",
        "Divide the sum by max(count, 1): the result is a zero that still hangs on logprobs.",
        "losses.sum() / mask.sum().clamp(min=1)",
    ),
)
def an_empty_mask_gives_zero_with_a_graph(code, rng):
    """A mask without a token gives 0, and backward() gives zeros; a mask with a single token gives its loss."""

    def loss_and_gradient(given, per, **options):
        given = given.learning()
        loss = given.loss(code, per=per, **options)
        loss.backward()
        return {"loss": number(loss), "gradient": grad_of(given.logprobs)}

    full = rollouts(rng)
    empty = replace(full, mask=torch.zeros_like(full.mask))
    row, column = torch.nonzero(full.mask)[whole(rng, 0, int(full.mask.sum()) - 1)].tolist()
    single = replace(full, mask=empty.mask.clone())
    single.mask[row, column] = 1
    penalty = {"kl_coef": kl_coefficient(rng), "reference_logprobs": full.reference}
    calls = {
        f"{what}, per={per}": lambda one=one, per=per, options=options: loss_and_gradient(one, per, **options)
        for what, one, options in (("no token", empty, penalty), ("one token", single, {}))
        for per in WAYS
    }
    return tried(rng, **calls)


def long_rollouts(rng) -> Rollouts:
    """Four answers with an odd number of tokens above 256, which bfloat16 cannot count. None of them is bad."""
    shape = 4, whole(rng, 101, 110)
    mask = torch.ones(shape, dtype=torch.bool)
    mask[0, whole(rng, 3, 90) :] = False
    mask[1, -1] = mask.sum() % 2 == 1
    logprobs = uniform(rng, -4, -0.1, *shape)
    old, reference = (logprobs - uniform(rng, -1, 1, *shape) for _ in range(2))
    return Rollouts(logprobs, old, reference, uniform(rng, 0.5, 2, 4), mask, 0.3)


@check(
    "grpo_loss",
    1,
    (
        "Is a mask of True and False the same as one of 1 and 0? For ~ and for - it is not.",
        "Make the mask one kind first. Count its tokens in whole numbers or float32: bfloat16 cannot count beyond 256.",
        "mask = mask.bool(); count = mask.sum()",
    ),
)
def takes_masks_of_any_dtype(code, rng):
    """Masks of booleans, whole numbers and floats, in half precision too, give the same loss."""
    given = long_rollouts(rng)

    def losses(kind):
        one = replace(given, mask=given.mask.to(kind))
        return torch.stack(
            [number(one.loss(code, per=per, kl_coef=0.1, reference_logprobs=one.reference)) for per in WAYS]
        )

    wholes, floats = (torch.bool, torch.int64, torch.int32, torch.uint8), (torch.float32, torch.bfloat16, torch.float16)
    return {f"losses with a mask of {kind}": losses(kind) for kind in wholes + floats}


@check(
    "grpo_loss",
    1,
    (
        "A ratio of two probabilities needs a difference of logarithms. How exact is that in bfloat16?",
        "Make all log-probabilities float32 before anything is subtracted.",
        "ratio = torch.exp(logprobs.float() - old_logprobs.float())",
    ),
)
def takes_rollouts_in_half_precision(code, rng):
    """Log-probabilities and advantages in bfloat16 or float16 give what the same numbers give in float32."""
    seen = {}
    for dtype in (torch.bfloat16, torch.float16):
        given = [rollouts(rng, mostly_bad=True), rollouts(rng, mostly_bad=True), long_rollouts(rng)]
        given = [one.to(dtype) for one in given]
        for kl_coef in (0.0, kl_coefficient(rng) / 4):
            losses = [number(one.loss(code, kl_coef=kl_coef, reference_logprobs=one.reference)) for one in given]
            seen[f"losses, {dtype}, {'with' if kl_coef else 'without'} a penalty"] = torch.stack(losses)
    return seen


@check(
    "grpo_loss",
    1,
    (
        "Which three words may `per` be? Between which bounds is a clip a clip? And what is a penalty without a reference?",
        "Three ValueErrors: another per; clip outside (0, 1); kl_coef above 0 while reference_logprobs is None.",
        'if not 0 < clip < 1: raise ValueError(f"clip must lie in (0, 1), got {clip}")',
    ),
)
def refuses_bad_arguments(code, rng):
    """Another `per`, a clip outside (0, 1), or kl_coef > 0 without a reference is a ValueError that names the argument."""
    given, small = rollouts(rng), whole(rng, 1, 9) / 1000
    word = shuffled(rng, ["tokens", "sequences", "Token", "batch", "mean", "sum", "seq", "constants", ""])[0]

    def refused(about, **options):
        return lambda: refusal(ValueError, lambda: given.loss(code, **options), about)

    def good(**options):
        return lambda: number(given.loss(code, **options))

    return tried(
        rng,
        **{
            f"per={word!r}": refused("per", per=word),
            "clip=0": refused("clip", clip=0.0),
            f"clip={-small}": refused("clip", clip=-small),
            "clip=1": refused("clip", clip=1.0),
            f"clip={1 + small}": refused("clip", clip=1 + small),
            "kl_coef without a reference": refused("reference", kl_coef=small),
            f"clip={small}": good(clip=small),
            f"clip={1 - small}": good(clip=1 - small),
            "kl_coef=0 without a reference": good(kl_coef=0.0),
            "kl_coef with a reference": good(kl_coef=small, reference_logprobs=given.reference),
        },
    )
