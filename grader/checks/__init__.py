"""The checks: what is looked at in a learner's code, and what it is worth.

A check is a function `probe(code, rng)` with a docstring for the learner. It calls the learner's code on
inputs drawn from `rng` and returns what it saw: a dict from readable names to tensors, numbers, strings
or lists of them. It holds no expected value: the judge compares with what the reference shows.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import nn

from grader.verdict import Check


@dataclass(frozen=True)
class Probe(Check):
    """A check with the function that looks."""

    probe: Callable


_REGISTER: dict[str, dict[str, Probe]] = {}


def check(stub: str, points: int, hints: tuple[str, str, str]):
    """Decorator: register a function as a check of its module's problem. Its title is the first sentence of the docstring."""

    def register(probe: Callable) -> Callable:
        problem, name = probe.__module__.rpartition(".")[2], probe.__name__
        title = " ".join(probe.__doc__.split("\n\n")[0].split())
        _REGISTER.setdefault(problem, {})[name] = Probe(name, stub, points, hints, title, probe)
        return probe

    return register


@cache
def checks_of(problem_id: str) -> dict[str, Probe]:
    """The checks of a problem by id, in the order in which a learner meets them."""
    importlib.import_module(f"grader.checks.{problem_id}")
    return _REGISTER[problem_id]


# --- tools for probes ---------------------------------------------------------------------------


class Missing(Exception):
    """The submission does not define a name that a check needs."""


class Unusable(Exception):
    """The learner's object lacks what the probe needs. The message is for the learner."""


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


def refusal(action: Callable, *words: str) -> dict:
    """How an action fails: the kind of error, and which of these words its message does not name."""
    try:
        action()
    except (NotImplementedError, Missing):
        raise
    except Exception as error:
        kinds = [kind.__name__ for kind in (ValueError, TypeError) if isinstance(error, kind)]
        if not kinds:
            return {"raises": type(error).__name__}
        return {"raises": kinds[0], "not named in the message": [word for word in words if word not in str(error)]}
    return {"raises": "nothing"}
