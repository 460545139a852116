"""The references that a solution may import: those of other problems, `from solutions.lora import LoRALinear`.

A reference that needs the solution itself in turn would answer in its place, so it is left out.
"""

from collections.abc import Sequence
from functools import cache
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_loader
from types import ModuleType

from grader.problems import PROBLEMS, Problem
from grader.program import imports
from grader.submission import Cell

PACKAGE = "solutions"


@cache
def references_for(problem: Problem) -> dict[str, str]:
    """The modules that code for a problem may import, with their sources: `solutions.lora` and the like."""
    sources = {module_of(one): one.reference.read_text(encoding="utf-8") for one in PROBLEMS.values() if one.reference.exists()}
    return {name: source for name, source in sources.items() if module_of(problem) not in _needed(name, sources)}


def module_of(problem: Problem) -> str:
    return f"{PACKAGE}.{problem.id}"


def asked(name: str, taken: Sequence[str] = ()) -> set[str]:
    """The modules of references that `import name`, or `from name import taken`, would load."""
    return {name} if name != PACKAGE else {f"{PACKAGE}.{one}" for one in taken}


def _needed(name: str, sources: dict[str, str]) -> set[str]:
    """A module of a reference, and those that it imports in turn."""
    found, queue = set(), [name]
    while queue:
        name = queue.pop()
        if name in sources and name not in found:
            found.add(name)
            queue += [one for module, taken in imports([Cell(name, sources[name])]) for one in asked(module, [taken])]
    return found


class Finder(MetaPathFinder, InspectLoader):
    """Gives references from their sources, where there are no files of them: in a sandbox."""

    def __init__(self, sources: dict[str, str]):
        self.sources = {PACKAGE: "", **sources}

    def find_spec(self, fullname: str, path=None, target: ModuleType | None = None) -> ModuleSpec | None:
        return spec_from_loader(fullname, self) if fullname in self.sources else None

    def is_package(self, fullname: str) -> bool:
        return fullname == PACKAGE

    def get_source(self, fullname: str) -> str:
        return self.sources[fullname]
