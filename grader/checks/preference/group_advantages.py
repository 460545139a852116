"""The checks of `group_advantages`."""

import torch

from grader.checks import check, rand, refusal, tried, whole
from grader.checks.preference.material import number, rewards_of_groups, uniform


@check(
    "group_advantages",
    3,
    (
        "With what is the reward of an answer compared? With those of the other answers to the same prompt.",
        "(reward - mean of its row) / (std of its row + epsilon); the variance is the mean of the squared deviations.",
        "(r - r.mean(dim=1, keepdim=True)) / (r.std(dim=1, correction=0, keepdim=True) + epsilon)",
    ),
)
def centred_and_scaled_by_the_group(code, rng):
    """Each row loses its mean and is divided by its own std (with divisor G) plus epsilon, which is 1e-4 by default."""
    return {
        "advantages": number(code.group_advantages(rewards_of_groups(rng))),
        "advantages of one group": number(code.group_advantages(rewards_of_groups(rng)[:1])),
        "advantages of groups of two": number(code.group_advantages(rewards_of_groups(rng)[:, :2])),
        "advantages with another epsilon": number(
            code.group_advantages(rewards_of_groups(rng), epsilon=whole(rng, 2, 30) / 100)
        ),
    }


@check(
    "group_advantages",
    1,
    (
        "Dr. GRPO does without the std, which favours prompts that are nearly always, or nearly never, solved.",
        "With scale=False the mean of the row is subtracted, and that is all.",
        "rewards - rewards.mean(dim=1, keepdim=True)",
    ),
)
def without_scale_only_centred(code, rng):
    """With scale=False each row loses its mean and is not divided."""
    rewards = rewards_of_groups(rng)
    return {
        "advantages": number(code.group_advantages(rewards, scale=False)),
        "advantages with another epsilon": number(code.group_advantages(rewards, scale=False, epsilon=0.5)),
        "advantages of the same, scaled": number(code.group_advantages(rewards, scale=True)),
    }


@check(
    "group_advantages",
    2,
    (
        "Seven times 0.1 has a mean that is not 0.1 exactly. What does a division by 1e-4 make of the difference?",
        "Where all rewards of a row are equal, write zeros. Where they differ, by however little, the formula holds.",
        "advantages.masked_fill((rewards == rewards[:, :1]).all(dim=1, keepdim=True), 0.0)",
    ),
)
def equal_rewards_give_exact_zeros(code, rng):
    """A row of equal rewards gives exact zeros, with and without scale; rewards that differ by little give the formula's numbers."""
    answers = whole(rng, 5, 7)
    equal = uniform(rng, 0.1, 40, 60, 1).expand(60, answers)  # the means of many of these are off by rounding
    close = uniform(rng, 1e-6, 3e-5, 3, 1) * rand(rng, 3, answers)
    seen = {}
    for dtype in (torch.float32, torch.float64):
        rewards = torch.cat([equal, rand(rng, 2, answers), close]).to(dtype)
        for scale in (True, False):
            found = code.group_advantages(rewards, scale=scale)
            zeros, others, small = found[:60], found[60:62], found[62:]
            what = f"{dtype}, scale={scale}"
            seen[f"{what}: equal rewards give zeros"] = bool((zeros == 0).all())
            seen[f"{what}: advantages of the other rows"] = number(others)
            seen[f"{what}: advantages where rewards differ by little"] = number(small)
    return seen


@check(
    "group_advantages",
    1,
    (
        "A rule that counts right answers gives whole numbers. Have they a mean?",
        "Make the rewards float32 first, whatever they came in.",
        "rewards = rewards.float()",
    ),
)
def takes_rewards_of_any_dtype(code, rng):
    """Whole numbers and half precision give what the same numbers give in float32."""
    seen, answers = {}, whole(rng, 5, 7)
    for dtype in (torch.int64, torch.int32, torch.uint8):
        rewards = torch.randint(0, 9, (3, answers), generator=rng).to(dtype)
        rewards[:, 0], rewards[:, 1] = 7, 0  # so that no row is of equal rewards
        seen[f"advantages of {dtype}"] = number(code.group_advantages(rewards))
        seen[f"advantages of {dtype}, not scaled"] = number(code.group_advantages(rewards, scale=False))
    for dtype in (torch.bfloat16, torch.float16):
        seen[f"advantages of {dtype}"] = number(code.group_advantages(rewards_of_groups(rng).to(dtype)))
    return seen


@check(
    "group_advantages",
    1,
    (
        "An advantage is a weight in the loss. Should it pull at what gave the rewards?",
        "The advantages have no graph, and the rewards stay as they are.",
        "rewards = rewards.detach(), and nothing in place",
    ),
)
def advantages_have_no_graph(code, rng):
    """The advantages have no graph even if the rewards require a gradient, and the rewards are as they were."""
    learned, plain = rewards_of_groups(rng).requires_grad_(), rewards_of_groups(rng)
    seen = {}
    for scale in (True, False):
        found = code.group_advantages(learned, scale=scale)
        seen[f"scale={scale}: has a graph"] = bool(found.requires_grad)
        seen[f"scale={scale}: advantages"] = number(found)
        seen[f"scale={scale}: advantages of plain rewards"] = number(code.group_advantages(plain, scale=scale))
        seen[f"scale={scale}: rewards afterwards"] = plain.clone()
    return seen


@check(
    "group_advantages",
    1,
    (
        "What is an answer compared with that is alone in its group?",
        "rewards must have two dimensions, and rows of two answers at least.",
        "if rewards.ndim != 2 or rewards.shape[1] < 2: raise ValueError(...)",
    ),
)
def refuses_groups_of_one(code, rng):
    """Rewards with another number of dimensions than two, or with one answer a prompt, are a ValueError that names `rewards`."""
    prompts, answers = whole(rng, 2, 4), whole(rng, 2, 5)
    bad = [(), (answers,), (1, prompts, answers), (prompts, answers, 2), (prompts, 1), (1, 1)]
    calls = {
        f"rewards of shape {shape}": lambda shape=shape: refusal(
            ValueError, lambda: code.group_advantages(rand(rng, *shape)), "rewards"
        )
        for shape in bad
    } | {
        f"rewards of shape {shape}": lambda shape=shape: number(code.group_advantages(rand(rng, *shape)))
        for shape in [(1, answers), (prompts, 2)]
    }
    return tried(rng, **calls)
