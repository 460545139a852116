"""What is compared: for each stub of a problem that is solved, your code, the reference's and other right ways."""

import ast
from dataclasses import dataclass
from itertools import islice

from coach.compare.code import Row, code_of, contract_of, reasons_in, rows
from desk import place
from grader import history, store
from grader.problems import PROBLEMS, Problem, alike, problem_of
from grader.report import stub_status
from grader.submission import Submission, SubmissionError, read_pair, statements_of
from grader.verdict import Report

MOST_WAYS = 3
NO_WAYS = "Other right ways are not installed here: they lie in tests/variants of the course's own folder."


@dataclass(frozen=True)
class Way:
    """Another right way: what it does otherwise, and its code."""

    title: str
    code: str


@dataclass(frozen=True)
class Compared:
    """One stub.

    Attributes:
        contract: the reference's docstring.
        reasons: the reference's comments, each with the line that it is about.
    """

    stub: str
    rows: list[Row]
    contract: str
    reasons: list[tuple[str, str]]
    ways: list[Way]


@dataclass(frozen=True)
class Comparison:
    """A problem.

    Attributes:
        left: what is not shown, and what is to be done first: a sentence each.
        note: what else is to be said.
    """

    title: str
    stubs: list[Compared]
    left: list[str]
    note: str = ""


def compared(name: str, function: str | None = None, tell=print) -> Comparison:
    """Your code for a problem beside the reference.

    Args:
        name: of a problem, or of one of its stubs.
        function: only this stub; its last part is enough.
        tell: is called with a sentence if the code must be graded first.

    Raises:
        ValueError: what was named is not there, this copy has no solutions, or your notebook cannot be graded.
    """
    problem = problem_of(name)
    wanted = _wanted(problem, function if name in PROBLEMS else function or name)
    if problem.recorded.exists() or not problem.reference.exists():
        raise ValueError("This copy of the course has no solutions, so there is nothing to compare with. Your teacher has them.")
    try:
        submission = read_pair(problem.notebook_path(".ipynb", place.notebooks()))
        report = _report(submission, problem, tell)
    except SubmissionError as error:
        raise ValueError(str(error)) from None
    solved = [stub for stub in wanted if stub_status(report, stub) == "solved"]
    left = _what_to_do(report, [stub for stub in wanted if stub not in solved])
    yours = [cell.source for cell in submission.cells if cell.kind == "code" and statements_of(cell) is not None]
    note = "" if problem.variants.is_dir() else NO_WAYS
    return Comparison(problem.title, [_compared(stub, problem, yours) for stub in solved], left, note)


def _wanted(problem: Problem, function: str | None) -> list[str]:
    """The stubs that are meant."""
    if function is None:
        return problem.stubs
    exact = [stub for stub in problem.stubs if function in (stub, stub.rpartition(".")[2])]
    if not exact:
        near = alike(function, [*problem.stubs, *(stub.rpartition(".")[2] for stub in problem.stubs)])
        hint = f" Did you mean `{near}`?" if near else ""
        there = ", ".join(f"`{stub}`" for stub in problem.stubs)
        raise ValueError(f"{problem.title} has no `{function}`.{hint} There are {there}.")
    return exact


def _report(submission: Submission, problem: Problem, tell) -> Report:
    """The report on a notebook: the one that is kept, or a new one."""
    kept = store.remembered(submission, problem)
    if kept:
        return kept
    tell("Your code as it is now was not graded yet, so it is graded now.")
    from grader.judge import grade  # here, since it loads torch

    report = grade(submission, problem)
    store.remember(submission, report)
    history.note(report)
    return report


def _what_to_do(report: Report, stubs: list[str]) -> list[str]:
    """A sentence on each stub whose checks fail, and one on all that are not written yet."""
    place_of_it = f"in notebooks/{report.problem.notebook}.ipynb, then come back."
    status = {stub: stub_status(report, stub) for stub in stubs}
    found = [f"{stub}: {words}. Mend it {place_of_it}" for stub, words in status.items() if words != "to do"]
    new = [stub for stub, words in status.items() if words == "to do"]
    return [*found, *([f"{', '.join(new)}: to do. Write {'it' if len(new) == 1 else 'them'} {place_of_it}"] if new else [])]


def _compared(stub: str, problem: Problem, yours: list[str]) -> Compared:
    source = problem.reference.read_text(encoding="utf-8")
    reference = code_of([source], stub, problem.stubs)
    own = code_of(yours, stub, problem.stubs)
    ways = list(islice(_ways(stub, problem), MOST_WAYS))
    return Compared(stub, rows(own, reference), contract_of(source, stub), reasons_in(reference), ways)


def _ways(stub: str, problem: Problem):
    """Other right code for a stub, the files that define the least first: these are about it."""
    files = [path.read_text(encoding="utf-8") for path in sorted(problem.variants.glob("*.py"))]
    for source in sorted(files, key=len):
        if code := code_of([source], stub, problem.stubs):
            yield Way(" ".join((ast.get_docstring(ast.parse(source)) or "").split()), code)

