"""The coding problems: which stubs a learner fills, and where everything lies."""

import difflib
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COURSE = ROOT / "grader" / "checks"  # the course's own problems, beside their checks
OWN = ROOT / "problems"  # those of an instructor: a folder each, with everything but the notebook
WAITS = "To do: this cell needs"  # begins what a cell of a notebook says that needs a stub
STILL_A_STUB = "is still a stub."  # ends the message on a stub that nobody has touched


@dataclass(frozen=True)
class Problem:
    """One coding problem.

    Attributes:
        id: the name on the command line.
        title: what the learner reads.
        notebook: file name without its ending, in the folder `notebooks`.
        cells: the stub cells in the order of the notebook, each a tuple of the stubs that it holds.
            "Class" is a class with the methods that no other stub names; "Class.method" is one
            method, written as a function and then put on the class.
        folder: where its problem.toml lies.
        uses: the problems on whose references its checks build.
    """

    id: str
    title: str
    notebook: str
    cells: tuple[tuple[str, ...], ...]
    folder: Path
    uses: tuple[str, ...] = ()

    @property
    def stubs(self) -> list[str]:
        return [stub for cell in self.cells for stub in cell]

    @property
    def names(self) -> set[str]:
        """The top-level names that a submission must define."""
        return {stub.partition(".")[0] for stub in self.stubs}

    @property
    def parts(self) -> set[str]:
        """The names that a submission may define for its stubs: `LoRALinear`, and `merge` as well."""
        return {part for stub in self.stubs for part in stub.split(".")}

    @property
    def is_own(self) -> bool:
        """Whether an instructor has added it."""
        return self.folder.parent == OWN

    @property
    def reference(self) -> Path:
        return self.folder / "reference.py" if self.is_own else ROOT / "solutions" / f"{self.id}.py"

    @property
    def checks(self) -> Path:
        """The folder of the checks, a module for each stub."""
        return self.folder / "checks" if self.is_own else self.folder

    @property
    def mistakes(self) -> Path:
        return self.folder / "mistakes" if self.is_own else ROOT / "grader" / "mistakes" / self.id

    @property
    def variants(self) -> Path:
        """The folder of right code for some stubs, in other words than the reference."""
        return self.folder / "variants" if self.is_own else ROOT / "tests" / "variants" / self.id

    @property
    def recorded(self) -> Path:
        """What stands in for the reference in a copy without solutions. See `grader.recorded`."""
        return ROOT / "grader" / "recorded" / f"{self.id}.safetensors"

    def notebook_path(self, suffix: str, folder: Path = ROOT / "notebooks") -> Path:
        return folder / f"{self.notebook}{suffix}"


def _read(path: Path) -> Problem:
    """The problem that a problem.toml describes. Its folder bears its id.

    Raises:
        ValueError: the file says something else. The message names it.
    """
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
        title, notebook, cells, uses = told.pop("title"), told.pop("notebook"), told.pop("cells"), told.pop("uses", [])
        if told:
            raise ValueError(f"{', '.join(told)} is unknown")
        if not re.fullmatch("[a-z][a-z0-9_]*", path.parent.name):
            raise ValueError(f"the folder is called {path.parent.name!r}, and a name has small letters, digits and underscores alone")
        if not (isinstance(title, str) and re.fullmatch(r"\d\d_\w+", str(notebook))):
            raise ValueError("title is a text, and notebook a name such as 13_problem_mine")
        if not cells or not all(isinstance(cell, list) and cell and all(map(_is_stub, cell)) for cell in cells):
            raise ValueError('cells is a list of lists of names, such as [["my_function"], ["MyLayer", "MyLayer.merge"]]')
        if not isinstance(uses, list):
            raise ValueError("uses is a list of problems")
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, ValueError) as error:
        what = f"{error.args[0]} is missing" if isinstance(error, KeyError) else error
        raise ValueError(f"{path} describes no problem: {what}.") from None
    return Problem(path.parent.name, title, notebook, tuple(map(tuple, cells)), path.parent, tuple(uses))


def _is_stub(name) -> bool:
    return isinstance(name, str) and all(part.isidentifier() for part in name.split("."))


def _every() -> tuple[dict[str, Problem], dict[str, str]]:
    """The problems of the course and those of an instructor, by id, in the order of their notebooks; and what is wrong with others."""
    found, broken = {}, {}
    for path in (path for folder in (COURSE, OWN) for path in sorted(folder.glob("*/problem.toml"))):
        try:
            problem = _read(path)
            if problem.id in found:
                raise ValueError(f"{path} has the name of a problem of the course. Give its folder another one.")
            found[problem.id] = problem
        except ValueError as error:
            broken[path.parent.name] = str(error)
    return {problem.id: problem for problem in sorted(found.values(), key=lambda problem: problem.notebook)}, broken


PROBLEMS, BROKEN = _every()  # BROKEN: by the names of their folders, why these are none. `python -m grader lint` tells it.


def problem_of(name: str, first: Problem | None = None) -> Problem:
    """The problem with this id, or the one that has this stub. ValueError if there is none.

    Args:
        first: the problem whose names are meant, if nothing else is said.
    """
    for problem in PROBLEMS.values():
        if name == problem.id or name in problem.stubs:
            return problem
    near = [first] if first else []
    for problems in (near, PROBLEMS.values()):
        found = alike(name, [known for problem in problems for known in (*problem.stubs, problem.id)])
        if found:
            raise ValueError(f"There is no `{name}`. Did you mean `{found}`?")
    known = first.stubs if first else PROBLEMS
    raise ValueError(f"There is no `{name}`. There are {', '.join(f'`{one}`' for one in known)}.")


def alike(name: str, known: Iterable[str]) -> str | None:
    """The known name that differs least, if one is near. Capitals and underscores do not count: `lora_linear` is LoRALinear."""

    def plain(text: str) -> str:
        return text.lower().replace("_", "")

    by_plain = {plain(one): one for one in sorted(known, reverse=True)}
    close = difflib.get_close_matches(plain(name), by_plain, n=1, cutoff=0.7)
    return by_plain[close[0]] if close else None
