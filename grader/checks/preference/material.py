"""What the checks of the preference problem share. The models lie in `models`.

Whatever a mistake could hide behind differs: the lengths of prompts and answers, the share of tokens that are scored, the two sides
of a pair, the spread of the rewards of a group, and on which side of the clipping a ratio lies.
"""

from dataclasses import dataclass, replace

import torch

from grader.checks import rand, shuffled, whole

IGNORE = -100
KEYS = ("input_ids", "attention_mask", "labels")


def number(value: torch.Tensor) -> torch.Tensor:
    """A result without its graph. Its dtype is free, as long as it is exact enough."""
    return torch.as_tensor(value).detach().double()


def flow(tensor: torch.Tensor) -> torch.Tensor | str:
    """The gradient that has reached a tensor. Zeros are as good as none."""
    return "none" if tensor.grad is None or not tensor.grad.any() else tensor.grad


def uniform(rng, low: float, high: float, *shape: int) -> torch.Tensor:
    """Numbers from low to high, in float64."""
    return low + (high - low) * torch.rand(shape, generator=rng, dtype=torch.float64)


# --- log-probabilities of answers -----------------------------------------------------------------


def logits_and_labels(rng) -> tuple[torch.Tensor, torch.Tensor]:
    """Drawn logits, and labels with gaps, in a drawn order of rows.

    One row is scored from its start, one has a prompt, one two turns. The id 0 is a label like others.
    """
    rows, tokens, vocabulary = whole(rng, 4, 6), whole(rng, 7, 9), whole(rng, 10, 16)
    logits = 2 * rand(rng, rows, tokens, vocabulary)
    labels = torch.randint(0, vocabulary, (rows, tokens), generator=rng)
    labels[0, 1:3] = 0
    labels[1, : whole(rng, 2, 4)] = IGNORE
    labels[2, 1] = labels[2, 4:] = IGNORE
    return logits, labels[torch.randperm(rows, generator=rng)]


# --- pairs of answers -----------------------------------------------------------------------------


def tokens(rng, count: int) -> list[int]:
    """Token ids of a text."""
    return torch.randint(100, 1000, (count,), generator=rng).tolist()


def pair(rng, prompt: int, chosen: int, rejected: int, eos_id: int = 2) -> dict[str, list[int]]:
    """A prompt and two answers of so many tokens. The answers end in EOS, which counts."""
    return {
        "prompt_ids": tokens(rng, prompt),
        "chosen_ids": [*tokens(rng, chosen - 1), eos_id],
        "rejected_ids": [*tokens(rng, rejected - 1), eos_id],
    }


def pairs(rng, eos_id: int = 2) -> list[dict[str, list[int]]]:
    """Some of unequal length, in a drawn order. Once the chosen answer is the longer one, once the rejected one, once neither."""
    n = whole(rng, 4, 6)
    lengths = [(2, n + 3, n), (whole(rng, 3, 5), 1, n), (1, n, n), (4, n - 1, n - 2)]
    return shuffled(rng, [pair(rng, *some, eos_id) for some in lengths])


def pad(rng) -> int:
    """The id of a padding token that stands in no text."""
    return whole(rng, 3, 99)


# --- answers, sampled in groups -------------------------------------------------------------------


def rewards_of_groups(rng) -> torch.Tensor:
    """Rewards (P, G). Each group has a mean and a spread of its own."""
    prompts, answers = whole(rng, 3, 4), whole(rng, 5, 7)
    spread = uniform(rng, 0.02, 0.5, prompts, 1)
    return uniform(rng, -0.5, 0.5, prompts, 1) + spread * rand(rng, prompts, answers)


@dataclass(frozen=True)
class Rollouts:
    """What `grpo_loss` takes: three times log-probabilities (N, T), advantages (N,), a mask (N, T), and where it clips."""

    logprobs: torch.Tensor
    old: torch.Tensor
    reference: torch.Tensor
    advantages: torch.Tensor
    mask: torch.Tensor
    clip: float

    def loss(self, code, **options) -> torch.Tensor:
        """The loss as the learner's code computes it."""
        options = {"clip": self.clip} | options
        return code.grpo_loss(self.logprobs, self.old, self.advantages, self.mask, **options)

    def to(self, dtype: torch.dtype) -> "Rollouts":
        """The same, all but the mask in another dtype."""
        names = ("logprobs", "old", "reference", "advantages")
        return replace(self, **{name: getattr(self, name).detach().to(dtype) for name in names})

    def learning(self) -> "Rollouts":
        """The same numbers as leaves, each of which could get a gradient."""
        names = ("logprobs", "old", "reference", "advantages")
        return replace(self, **{name: getattr(self, name).detach().clone().requires_grad_() for name in names})


def rollouts(rng, clip: float | None = None, mostly_bad: bool | None = None) -> Rollouts:
    """Answers of unequal length, some good and some bad, each with ratios below, between and above where it is clipped.

    No ratio lies where rounding could decide. The loss is far from zero: below it or, if the bad answers weigh more, above it. Only
    then a penalty cannot cancel it. On padding stand finite numbers without a sense.
    """
    rows, width = whole(rng, 4, 5), whole(rng, 7, 9)
    clip = whole(rng, 10, 30) / 100 if clip is None else clip
    places = [shuffled(rng, [0, 1, 2]) + [whole(rng, 0, 2) for _ in range(width - 3)] for _ in range(rows)]
    bounds = torch.tensor([(0.4, 0.95 - clip), (1.05 - clip, 0.95 + clip), (1.05 + clip, 2.2)], dtype=torch.float64)
    low, high = bounds[torch.tensor(places)].unbind(dim=-1)
    log_ratio = (low + (high - low) * uniform(rng, 0, 1, rows, width)).log()
    r = torch.where(uniform(rng, -1, 1, rows, width) > 0, 1, -1) * uniform(rng, 0.3, 1.2, rows, width)

    lengths = torch.tensor([width - 1, 4, *(whole(rng, 3, width - 2) for _ in range(rows - 2))])
    mask = torch.arange(width) < lengths[:, None]
    mask[0, 4] = False  # not written by the policy, but by a tool
    good = torch.tensor([True, False, True, False, whole(rng, 0, 1) == 1])[:rows]
    weak, strong = uniform(rng, 0.1, 0.2, rows), uniform(rng, 1.2, 2.0, rows)
    mostly_bad = whole(rng, 0, 1) == 1 if mostly_bad is None else mostly_bad
    advantages = torch.where(good, weak, -strong) if mostly_bad else torch.where(good, strong, -weak)

    order = torch.randperm(rows, generator=rng)
    logprobs = uniform(rng, -4, -0.1, rows, width)
    found = [logprobs, logprobs - log_ratio, logprobs + r]
    found = [torch.where(mask, one, uniform(rng, -30, 0, rows, width))[order] for one in found]
    return Rollouts(*found, advantages[order], mask[order].long(), clip)
