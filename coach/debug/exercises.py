"""The known mistakes that make a fair exercise, each with what is seen in practice: see exercises.toml. Needs no torch."""

import ast
import textwrap
import tomllib
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

from coach.debug import files
from grader.problems import PROBLEMS, Problem

FILE = Path(__file__).parent / "exercises.toml"
LEVELS = ("easy", "medium", "hard")
WIDTH = 96  # of the header
NO_SOLUTIONS = (
    "This copy of the course has no solutions, and the files to debug are made of them. Debug your own code instead: make check."
)


@dataclass(frozen=True)
class Exercise:
    """A whole file in which one thing is wrong.

    Attributes:
        problem: the id of the coding problem.
        mistake: the id of the known mistake, which says what is wrong: not for the candidate's eyes.
        source: the file, with a header that tells the symptom.
        symptom: what is seen in practice.
        faulty_lines: the line numbers at fault, any of which is a right answer.
        level: easy, medium or hard.
    """

    problem: str
    mistake: str
    source: str
    symptom: str
    faulty_lines: tuple[int, ...]
    level: str


def exercise(problem_id: str, seed: int, level: str | None = None, leave_out: Collection[str] = ()) -> Exercise:
    """An exercise, drawn by the seed.

    Args:
        leave_out: mistakes that are not drawn, as long as there are others.

    Raises:
        ValueError: there is none, or this copy of the course has no solutions.
    """
    names = [name for name, told in told_of(problem_id).items() if level in (None, told["level"])]
    if not names:
        kind = f"{level} exercise" if level else "exercise"
        raise ValueError(f"There is no {kind} for {problem_id}. There are some for {', '.join(problems())}.")
    new = [name for name in names if name not in leave_out]
    return made(problem_id, Random(seed).choice(new or names))


def made(problem_id: str, mistake: str) -> Exercise:
    """The exercise on this mistake. ValueError if there is none, or no solution to make it of."""
    told, problem = told_of(problem_id)[mistake], PROBLEMS[problem_id]
    right = reference(problem)
    try:
        if "edits" in told:
            wrong = files.with_edits(right, told["edits"])
        else:
            wrong = files.with_definitions(right, mistake_file(problem, mistake).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"The exercise {mistake} of {problem_id} cannot be made: {error}.") from None
    source = f"{_header(problem, told['symptom'])}\n{wrong}"
    return Exercise(problem_id, mistake, source, told["symptom"], files.faulty_lines(right, source), told["level"])


def reference(problem: Problem) -> str:
    """The reference without comments, which would give a fault away. ValueError in a copy without solutions."""
    if problem.recorded.exists() or not problem.reference.exists():
        raise ValueError(NO_SOLUTIONS)
    return files.without_comments(problem.reference.read_text(encoding="utf-8"))


def explained(one: Exercise) -> tuple[str, str]:
    """What is wrong in a sentence, and why."""
    tree = ast.parse(mistake_file(PROBLEMS[one.problem], one.mistake).read_text(encoding="utf-8"))
    title, _, lesson = ast.get_docstring(tree).partition("\n\n")
    return " ".join(title.split()), " ".join(lesson.split())


def mistake_file(problem: Problem, mistake: str) -> Path:
    return problem.mistakes / f"{mistake}.py"


def problems() -> list[str]:
    """The problems for which there are exercises."""
    return [problem for problem in PROBLEMS if problem in _told()]


def told_of(problem_id: str) -> dict[str, dict]:
    """Level, symptom and perhaps edits of each exercise of a problem, by the mistake's id."""
    return _told().get(problem_id, {})


@cache
def _told() -> dict[str, dict[str, dict]]:
    told = tomllib.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}  # a copy without solutions has none
    for one in (one for found in told.values() for one in found.values()):
        one["symptom"] = " ".join(one["symptom"].split())
    return told


def _header(problem: Problem, symptom: str) -> str:
    seen = textwrap.wrap(symptom, WIDTH, initial_indent="#     ", subsequent_indent="#     ")
    lines = [f"# {problem.title}: one thing in this file is wrong. What was seen:", "#", *seen, "#"]
    return "\n".join([*lines, "# Find the fault, mend it in this file and save it. The docstrings are right.", ""])
