"""What the tests share."""

from pathlib import Path

import pytest

from grader.judge import Report, grade
from grader.problems import PROBLEMS
from grader.submission import Cell, Submission
from lab import checkpoint


@pytest.fixture(scope="session")
def lora():
    return PROBLEMS["lora"]


@pytest.fixture(scope="session")
def tiny():
    """The tiny model and its tokenizer. Not to be changed."""
    return checkpoint.load()


def after_reference(problem, code: str) -> Submission:
    """A learner's notebook: the reference, and more code in a later cell."""
    return Submission([Cell("reference", problem.reference.read_text()), Cell("code cell 2", code)])


def graded(problem, code: str) -> Report:
    return grade(after_reference(problem, code), problem)


def not_passed(report: Report) -> list[str]:
    return [result.check.id for result in report.results if result.status != "passed"]


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path
