"""`make check`: pytest grades the learner's notebooks and reports to the learner."""

import gc
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress

from desk import place
from grader import store
from grader.course import grade_course, print_reports
from grader.submission import SubmissionError

gc.disable()  # a short run: looking for garbage would take longer than what it frees
REPORTS, QUIZ = pytest.StashKey[dict](), pytest.StashKey[str]()


def pytest_addoption(parser):
    parser.addoption("--notebooks", type=Path, default=place.notebooks(), help="folder of the notebooks to grade")
    parser.addoption("--store", type=Path, default=store.FOLDER, help="folder of what was graded before")


def reports(config) -> dict:
    """The report on each problem by id, or the error that says why there is none. Graded once, at the first call."""
    if REPORTS not in config.stash:
        capture = config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture else nullcontext(), ThreadPoolExecutor(1) as pool:
            quiz = pool.submit(_quiz_line)  # while the checks' processes start
            config.stash[REPORTS] = _grade(config.getoption("notebooks"), config.getoption("store"))
            config.stash[QUIZ] = quiz.result()
    return config.stash[REPORTS]


def _grade(notebooks: Path, kept: Path) -> dict:
    tasks = {}
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:

        def tell(problem, done, total):
            if problem.id not in tasks:
                tasks[problem.id] = progress.add_task(f"Checking {problem.title}")
            progress.update(tasks[problem.id], completed=done, total=total)

        return grade_course(notebooks, kept, tell)


def pytest_generate_tests(metafunc):
    """One test for each check; one for a problem that cannot be graded."""
    cases = []
    for problem, report in reports(metafunc.config).items():
        results = [None] if isinstance(report, SubmissionError) else report.results
        cases += [pytest.param(report, one, id=f"{problem}-{one.check.id if one else 'unreadable'}") for one in results]
    metafunc.parametrize("report, result", cases)


def pytest_report_teststatus(report):
    """No letters: the report at the end says it all."""
    if report.when == "call" or report.outcome != "passed":
        return report.outcome, "", ""


def pytest_terminal_summary(config):
    console = Console(highlight=False)
    if QUIZ in config.stash:
        print_reports(reports(config), console, config.getoption("store"))
        console.print(f"\n{config.stash[QUIZ]}", markup=False)


def _quiz_line() -> str:
    """How the quiz stands. Trouble with its files never spoils the check of the notebooks."""
    from quiz import store, terminal
    from quiz.register import Broken

    try:
        kept = store.existing()
        return " ".join([terminal.line(kept.attempts() if kept else [], store.now()), kept.note if kept else ""]).strip()
    except (Broken, OSError, ValueError) as error:
        return f"Quiz: {error}"
