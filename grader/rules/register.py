"""The register of rules, which the modules of the problems fill."""

import ast
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from grader.rules.tree import Tree


@dataclass(frozen=True)
class Rule:
    """A pattern in a learner's syntax tree that cannot be right.

    Attributes:
        stubs: the stubs whose code is searched.
        checks: the checks that it can explain; none means all checks of these stubs.
        shows: gives the nodes of the code of a stub that show the pattern.
        sentence: what is wrong there.
    """

    id: str
    problem: str
    stubs: tuple[str, ...]
    checks: tuple[str, ...]
    shows: Callable[[Tree], Iterable[ast.AST]]
    sentence: str

    def explains(self, stub: str, checks: Sequence[str]) -> bool:
        return stub in self.stubs and (not self.checks or set(checks) <= set(self.checks))


RULES: dict[str, Rule] = {}


def rule(stubs: Iterable[str], checks: Iterable[str], sentence: str, problem: str = "", name: str = ""):
    """Decorator: register a pattern as a rule of its module's problem. Patterns that several rules share need a problem and a name."""

    def register(shows: Callable) -> Callable:
        own = problem or shows.__module__.rpartition(".")[2]
        key = f"{own}.{name or shows.__name__}"
        assert key not in RULES, key
        RULES[key] = Rule(key, own, tuple(stubs), tuple(checks), shows, sentence)
        return shows

    return register
