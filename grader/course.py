"""All problems of a folder of notebooks, graded and told: what `make check` and `make watch` share. Needs no torch if
nothing has changed."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console

from desk import pair
from grader import children, history, store
from grader.problems import PROBLEMS
from grader.report import current, print_course
from grader.submission import Submission, SubmissionError, read, read_pair
from grader.verdict import Report


def grade_course(notebooks: Path, kept: Path = store.FOLDER, tell: Callable | None = None) -> dict[str, Report | SubmissionError]:
    """The report on each problem by id, or the error that says why there is none.

    Args:
        kept: the folder of the store.
        tell: called as tell(problem, done, total) while a problem is graded.
    """
    found, changed = {}, {}
    for problem in PROBLEMS.values():
        try:
            submission = _submission(problem.notebook_path(".ipynb", notebooks))
            found[problem.id] = store.remembered(submission, problem, kept)
        except SubmissionError as error:
            found[problem.id] = error
        if found[problem.id] is None:
            changed[problem.id] = submission
    return found | (_graded(changed, kept, tell) if changed else {})


def _graded(changed: dict[str, Submission], kept: Path, tell: Callable | None) -> dict[str, Report | SubmissionError]:
    """Grade submissions by problem id, two at a time: most of the work is done by child processes."""
    children.warm_up()  # before torch is imported here, so that both go on at once
    from grader.judge import grade

    def graded(problem_id: str) -> Report | SubmissionError:
        problem = PROBLEMS[problem_id]
        progress = (lambda done, total: tell(problem, done, total)) if tell else None
        try:
            report = grade(changed[problem_id], problem, tell=progress)
        except SubmissionError as error:
            return error
        store.remember(changed[problem_id], report, kept)
        history.note(report, folder=kept)
        return report

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(changed, pool.map(graded, changed)))


def _submission(notebook: Path) -> Submission:
    """The half of a notebook that counts, both halves being in step afterwards."""
    try:
        said = pair.bring_in_step(notebook)
    except (FileNotFoundError, pair.Unreadable, OSError):
        return read_pair(notebook)  # which says in its own words what is wrong
    submission = read(notebook) if notebook.exists() else read_pair(notebook)
    submission.notices += [said] if said else []
    return submission


def print_reports(found: dict[str, Report | SubmissionError], console: Console, kept: Path = store.FOLDER) -> None:
    """The course in one picture, the first failure with the next hint, and the one next step."""
    reports = [report for report in found.values() if isinstance(report, Report)]
    for error in found.values():
        if isinstance(error, SubmissionError):
            console.print(f"\n{error}", style="red", markup=False)
    if reports:
        console.print()
        print_course(reports, console, hint=store.next_hint(current(reports), kept))
