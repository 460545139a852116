"""What the tests share. `make check` reads this file too, so what takes long to import is imported where it is used."""

from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from grader.problems import PROBLEMS

if TYPE_CHECKING:
    from grader.judge import Report
    from grader.submission import Submission

# The files that take longest, the longest first. They are begun first, so that no worker is left alone with one at the end.
LONGEST = [
    "test_notebooks.py", "test_strangers.py", "test_release.py", "test_classroom.py", "test_lint.py", "02_peft.ipynb", "test_cli.py",
    "test_grader.py", "04_data_preparation.ipynb", "01_supervised_finetuning.ipynb", "test_hostile.py", "test_site.py",
    "05_hyperparameters.ipynb", "test_wrappings.py", "03_lora.ipynb", "test_cluster.py", "10_preference_tuning.ipynb",
    "08_problem_lora.ipynb", "06_problem_sft.ipynb", "test_site_practice.py", "test_classify.py", "11_problem_preference.ipynb",
    "test_shared.py", "test_coach_interview.py", "test_pair.py", "test_accidents.py", "test_explain.py", "test_spreadsheet.py",
]  # fmt: skip

needs_sandbox = pytest.mark.usefixtures("sandboxed")
needs_dask = pytest.mark.skipif(
    not find_spec("distributed"), reason="Dask is not installed: pip install -r requirements-cluster.txt -c constraints.txt."
)


@pytest.fixture(scope="session")
def sandboxed():
    """For tests that run strangers' code. They are left out on a machine that cannot shut it in."""
    from classroom.grading import sandbox

    try:
        sandbox.check()
    except sandbox.NoSandbox as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def lora():
    return PROBLEMS["lora"]


@pytest.fixture(scope="session")
def tiny():
    """The tiny model and its tokenizer. Not to be changed."""
    from lab import checkpoint

    return checkpoint.load()


@pytest.fixture
def place(tmp_path):
    """A folder to work in. Whatever a test does, nothing may appear beside `in` and `out`."""
    (tmp_path / "in").mkdir()
    yield tmp_path
    assert {path.name for path in tmp_path.iterdir()} <= {"in", "out"}


@pytest.fixture(scope="session")
def data(tmp_path_factory) -> Path:
    """A folder with the labelled texts on which the tests of `classify` train. Not to be changed."""
    from tests.small_encoders import tables

    return tables(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="session")
def bases(tmp_path_factory) -> dict[str, Path]:
    """Small encoders with random weights that know these texts. Not to be changed."""
    from tests.small_encoders import encoder

    return {kind: encoder(kind, tmp_path_factory.mktemp(kind)) for kind in ("roberta", "bert")}


def most_points() -> int:
    """The points of all problems together."""
    from grader.checks import checks_of

    return sum(check.points for problem in PROBLEMS for check in checks_of(problem).values())


def after_reference(problem, code: str) -> "Submission":
    """A learner's notebook: the reference, and more code in a later cell."""
    from grader.submission import Cell, Submission

    return Submission([Cell("reference", problem.reference.read_text()), Cell("code cell 2", code)])


def graded(problem, code: str) -> "Report":
    from grader.judge import grade

    return grade(after_reference(problem, code), problem)


def not_passed(report: "Report") -> list[str]:
    return [result.check.id for result in report.results if result.status != "passed"]


def write(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def pytest_collection_modifyitems(items):
    """The longest files first; within a file the order stays."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))


def pytest_terminal_summary(terminalreporter):
    """What was left out on this machine, why, and what to install."""
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if "tests/problems/" not in report.nodeid]
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    if reasons:
        terminalreporter.section("left out on this machine")
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"{count} {'test' if count == 1 else 'tests'}: {reason}")
