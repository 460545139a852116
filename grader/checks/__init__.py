"""The checks: what is looked at in a learner's code, and what it is worth.

A check is a function `probe(code, rng)` with a docstring for the learner. It calls the learner's code on
inputs drawn from `rng` and returns what it saw: a dict from readable names to tensors, numbers, strings
or lists of them. It holds no expected value: the judge compares with what the reference shows.

Whatever can be drawn is drawn: sizes, names, depths, ranks, which arguments are good, and in which order they come. So what
is right on one seed is wrong on another one, and nothing that was recorded or guessed earns a point.

The checks of a problem are a package: a module for each stub, beside the material that they share.
"""

import importlib
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from types import ModuleType

import torch
from torch import nn

from grader.problems import PROBLEMS, Problem
from grader.submission import SubmissionError
from grader.verdict import Check


@dataclass(frozen=True)
class Probe(Check):
    """A check with the function that looks."""

    probe: Callable


_REGISTER: dict[str, dict[str, Probe]] = {}


def check(stub: str, points: int, hints: tuple[str, str, str]):
    """Decorator: register a function as a check of its module's problem. Its title is the first sentence of the docstring."""

    def register(probe: Callable) -> Callable:
        problem, name = probe.__module__.split(".")[2], probe.__name__
        title = " ".join(probe.__doc__.split("\n\n")[0].split())
        _REGISTER.setdefault(problem, {})[name] = Probe(name, stub, points, hints, title, probe)
        return probe

    return register


@cache
def checks_of(problem_id: str) -> dict[str, Probe]:
    """The checks of a problem by id, in the order in which a learner meets them.

    Raises:
        SubmissionError: the problem is not finished: a stub has no checks.
    """
    problem = PROBLEMS[problem_id]
    if problem.is_own:
        _make_package(problem)
    for stub in problem.stubs:
        path = problem.checks / f"{module_of(stub)}.py"
        if not path.exists():
            raise SubmissionError(f"cannot be graded: {path} is missing, with the checks of {stub}. See `python -m grader lint {problem_id}`.")
        importlib.import_module(f"{__name__}.{problem_id}.{path.stem}")
    return _REGISTER.get(problem_id, {})


def _make_package(problem: Problem) -> None:
    """Let the folder of an instructor's checks be a package of ours, as those of the course are."""
    name = f"{__name__}.{problem.id}"
    package = sys.modules.setdefault(name, ModuleType(name))
    package.__path__ = [str(problem.checks)]


def forget_hints() -> None:
    """For a process that runs strangers' code: the third hint of a check is nearly its solution."""
    for problem_id in PROBLEMS:
        found = checks_of(problem_id)
        found.update({name: replace(probe, hints=("", "", "")) for name, probe in found.items()})


def module_of(stub: str) -> str:
    """`lora_linear` for the stub `LoRALinear`, `merge` for `LoRALinear.merge`."""
    return re.sub(r"(?<!^)(?=[A-Z][a-z])", "_", stub.rpartition(".")[2]).lower()


# --- tools for probes ---------------------------------------------------------------------------


class Missing(Exception):
    """The submission does not define a name that a check needs."""


class Unusable(Exception):
    """The learner's object lacks what the probe needs. The message is for the learner."""


class Waiting(Exception):
    """The check builds on the learner's own code for another problem, which is still to be written. The message says which."""


def whole(rng: torch.Generator, low: int, high: int) -> int:
    """A whole number from low to high, both included."""
    return int(torch.randint(low, high + 1, (1,), generator=rng))


def shuffled(rng: torch.Generator, things: Sequence) -> list:
    """The same things in a drawn order."""
    return [things[index] for index in torch.randperm(len(things), generator=rng).tolist()]


def some(rng: torch.Generator, count: int, things: Sequence) -> list:
    """So many of these things, no one twice, in a drawn order."""
    return shuffled(rng, things)[:count]


def rand(rng: torch.Generator, *shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Standard normal numbers."""
    return torch.randn(*shape, generator=rng, dtype=torch.float64).to(dtype)


def set_parameter(module: nn.Module, name: str, value: torch.Tensor) -> None:
    """Copy numbers into a parameter. Unusable if it has another shape or is none."""
    tensor = getattr(module, name, None)
    if not isinstance(tensor, torch.Tensor):
        raise Unusable(f"{name} is no tensor of the {type(module).__name__}, so this check cannot go on")
    if tensor.shape != value.shape:
        raise Unusable(f"{name} has shape {tuple(tensor.shape)}, but the contract says {tuple(value.shape)}")
    with torch.no_grad():
        tensor.copy_(value)


def grad_of(tensor: torch.Tensor) -> torch.Tensor | str:
    """The gradient that backward() has left in a tensor, or "none"."""
    return "none" if tensor.grad is None else tensor.grad


def a_float(value) -> float | str:
    """A float as it is; of anything else, its kind in words."""
    return value if isinstance(value, float) else f"no float, but {type(value).__name__}"


def refusal(kind: type[Exception], action: Callable, *words: str) -> dict:
    """How an action ends: whether in an error of this kind, and which of these words its message does not name."""
    try:
        action()
    except (NotImplementedError, Missing):
        raise
    except Exception as error:
        if not isinstance(error, kind):
            return {"raises": type(error).__name__}
        told = str.lower(str(error))  # a plain string, whatever the learner's own kind of error gives
        return {
            "raises": kind.__name__,
            "not named in the message": [word for word in words if word.lower() not in told],
        }
    return {"raises": "nothing"}


def tried(rng: torch.Generator, **calls: Callable) -> dict:
    """What calls give, by their names, tried in a drawn order. So it must be decided of each whether it is good or bad."""
    seen = {name: calls[name]() for name in shuffled(rng, list(calls))}
    return {name: seen[name] for name in calls}
