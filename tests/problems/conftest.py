"""`make check`: pytest grades the learner's notebooks and reports to the learner."""

from grader.children import warm_up

warm_up()  # before torch is imported, so that both go on at once

from pathlib import Path  # noqa: E402

import pytest  # noqa: E402
from rich.console import Console  # noqa: E402

from grader.judge import grade  # noqa: E402
from grader.problems import PROBLEMS, ROOT  # noqa: E402
from grader.report import current, print_course  # noqa: E402
from grader.submission import SubmissionError, read_pair  # noqa: E402
from quiz import store, terminal  # noqa: E402
from quiz.register import Broken  # noqa: E402

REPORTS = pytest.StashKey[dict]()


def pytest_addoption(parser):
    parser.addoption("--notebooks", type=Path, default=ROOT / "notebooks", help="folder of the notebooks to grade")


@pytest.fixture(scope="session")
def reports(pytestconfig) -> dict:
    """The report on each problem by id, or the error that says why there is none."""
    found = pytestconfig.stash.setdefault(REPORTS, {})
    for problem in PROBLEMS.values():
        try:
            submission = read_pair(problem.notebook_path(".ipynb", pytestconfig.getoption("notebooks")))
            found[problem.id] = grade(submission, problem)
        except SubmissionError as error:
            found[problem.id] = error
    return found


def pytest_report_teststatus(report):
    """No letters: the report at the end says it all."""
    if report.when == "call" or report.outcome != "passed":
        return report.outcome, "", ""


def pytest_terminal_summary(config):
    console = Console(highlight=False)
    found = config.stash.get(REPORTS, {}).values()
    reports = [report for report in found if not isinstance(report, SubmissionError)]
    for error in found:
        if isinstance(error, SubmissionError):
            console.print(f"\n{error}", style="red", markup=False)
    if reports:
        console.print()
        print_course(reports, console, hint=_next_hint(config, current(reports)))
    console.print(f"\n{_quiz_line()}", markup=False)


def _quiz_line() -> str:
    """How the quiz stands. Trouble with its files never spoils the check of the notebooks."""
    try:
        kept = store.existing()
        return " ".join([terminal.line(kept.attempts() if kept else [], store.now()), kept.note if kept else ""]).strip()
    except (Broken, OSError, ValueError) as error:
        return f"Quiz: {error}"


def _next_hint(config, report) -> tuple[int, str] | None:
    """One rung further each time the same check is the first to fail. pytest's cache remembers."""
    failure = report.first_failure
    if failure is None:
        return None
    key = f"grader/{report.problem.id}"
    last, step = config.cache.get(key, [None, 0])
    step = min(step + 1, 3) if last == failure.check.id else 1
    config.cache.set(key, [failure.check.id, step])
    return step, failure.check.hints[step - 1]
