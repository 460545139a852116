"""The texts that `classroom.likeness.similar` compares: what the students hand in, and what the course knows."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from classroom.incoming.collect import Collection
from classroom.likeness.fingerprints import Function, functions
from grader import stubs
from grader.bank import known_mistakes
from grader.problems import ROOT, Problem
from grader.submission import SubmissionError, read

TESTS = ROOT / "tests"  # an installation may lack it


def handed_in(collection: Collection, problem: Problem) -> dict[str, list[str]]:
    """The cells of code of each student who handed the problem in, by folder.

    They are those of both halves of a notebook, since either may count, and those of the modules that it may import.
    """
    cells = {}
    for student in collection.students:
        names = sorted(student.files.get(problem.id, []))
        if names:
            paths = [collection.folder / student.folder / name for name in [*names, *sorted(student.modules)]]
            cells[student.folder] = list(dict.fromkeys(cell.strip() for path in paths for cell in _cells(path)))
    return cells


def handed_out(problem: Problem) -> list[str]:
    """The cells of the hand-out: those of the notebook, with the stubs blank."""
    cells = [cell.source for cell in read(problem.notebook_path(".ipynb")).cells if not cell.stubs]
    return cells + [stubs.blank(problem, cell) for cell in problem.cells]


def known(problem: Problem) -> dict[str, list[Function]]:
    """The functions of what the course knows, by name: the reference, right solutions, and it with a variant or a mistake.

    A variant or a mistake is code that runs after the reference. So its functions take the place of those of the reference.
    """
    if not problem.reference.exists():
        return {}
    text, given = problem.reference.read_text(encoding="utf-8"), handed_out(problem)
    reference = functions([text], given)
    texts = {"the reference": reference}
    texts |= {f"the right solution {name}": own for name, own in _of_tests("right", problem, given).items()}
    changes = {f"the variant {name}": own for name, own in _of_tests("variants", problem, [text, *given]).items()}
    changes |= {
        f"the known mistake {one.id}": functions([one.source], [text, *given]) for one in known_mistakes(problem).values()
    }
    return texts | {f"the reference with {name}": _over(reference, own) for name, own in changes.items()}


def _of_tests(folder: str, problem: Problem, beside: list[str]) -> dict[str, list[Function]]:
    paths = sorted((TESTS / folder / problem.id).glob("*.py"))
    return {path.stem: functions([path.read_text(encoding="utf-8")], beside) for path in paths}


def _over(reference: list[Function], own: list[Function]) -> list[Function]:
    names = {function.name for function in own}
    return [function for function in reference if function.name not in names] + own


def _cells(path: Path) -> list[str]:
    """The cells of code in a file. What cannot be read has none.

    A notebook is only taken apart: what `grader.submission` does with one is for the sandbox, where a stranger's YAML or a
    cell of many megabytes harms nobody.
    """
    try:
        if path.suffix == ".py":
            return [cell.source for cell in read(path).cells]
        data = path.read_bytes()
        if path.suffix == ".md":
            return list(_fenced(data.decode(json.detect_encoding(data), errors="replace")))
        return ["".join(cell["source"]) for cell in json.loads(data)["cells"] if cell["cell_type"] == "code"]
    except (SubmissionError, OSError, ValueError, TypeError, KeyError, RecursionError):
        return []


def _fenced(text: str) -> Iterator[str]:
    """The blocks of code in Markdown."""
    fence, lines = "", []
    for line in text.split("\n"):
        if fence and line.startswith(fence) and not line.strip(f"{fence} \t\r"):
            yield "\n".join(lines)
            fence, lines = "", []
        elif fence:
            lines.append(line)
        elif opening := re.match("```+|~~~+", line):
            fence = opening[0]
    if fence:  # nobody has closed it
        yield "\n".join(lines)
