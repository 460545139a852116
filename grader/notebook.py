"""check() and hint() inside a notebook.

    from grader.notebook import start
    check, hint = start("lora")

The code that is checked is what the kernel has run so far, so nothing need be saved first.
"""

import ast
import threading
from dataclasses import dataclass

from grader.judge import Report, grade, mistake_observations, reference_observations, PUBLIC_SEED
from grader.problems import PROBLEMS, Problem, problem_of
from grader.report import as_html, as_text
from grader.submission import Cell, Submission, SubmissionError, binds


@dataclass(frozen=True)
class Shown:
    """What a cell displays: HTML where that is shown, else text."""

    text: str
    html: str | None = None

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str | None:
        return self.html


def start(problem_id: str):
    """Prepare a notebook for a problem.

    Cells that need an unsolved stub say so in one line instead of a traceback, so "Run all" always works.

    Returns:
        check(*names) and hint(*names). A name is that of a stub; none means all of the problem.
    """
    from IPython import get_ipython

    problem, shell = PROBLEMS[problem_id], get_ipython()
    shell.set_custom_exc((NotImplementedError,), _say_what_is_to_do)
    # The bank takes some seconds. Have it ready when the first check fails.
    threading.Thread(target=_warm_up, args=(problem,), daemon=True).start()
    steps: dict[str, int] = {}  # hints given so far, by check

    def check(*names: str) -> Shown:
        """Check these stubs, or the whole problem, as the kernel has them now."""
        try:
            report = _report(shell, names or (problem_id,))
        except (ValueError, SubmissionError) as error:
            return Shown(str(error))
        return Shown(as_text(report), as_html(report))

    def hint(*names: str) -> Shown:
        """The next hint for the first check that does not pass: a nudge, then more."""
        try:
            report = _report(shell, names or (problem_id,))
        except (ValueError, SubmissionError) as error:
            return Shown(str(error))
        open_results = [result for result in report.results if result.status != "passed"]
        if not open_results:
            return Shown("All these checks pass. There is nothing to hint at.")
        first = (report.first_failure or open_results[0]).check
        step = min(steps.get(first.id, 0), 2)
        steps[first.id] = step + 1
        return Shown(f"{first.title}\nHint {step + 1} of 3: {first.hints[step]}")

    return check, hint


def _warm_up(problem: Problem) -> None:
    """Observe the reference and the known mistakes. Both are kept."""
    reference_observations(problem, PUBLIC_SEED)
    mistake_observations(problem, PUBLIC_SEED)


def _report(shell, names: tuple[str, ...]) -> Report:
    problem = problem_of(names[0])
    report = grade(submission_of(shell), problem)
    return report if problem.id in names else report.of(*names)


def submission_of(shell) -> Submission:
    """The cells that the kernel has run, in the order in which it ran them."""
    inputs = list(enumerate(shell.user_ns["In"]))
    return Submission([Cell(f"In [{number}]", source) for number, source in inputs if source.strip()])


# --- cells that wait for a stub -----------------------------------------------------------------


class Pending:
    """Stands for a variable whose cell waits for a stub. Any use of it waits for the stub, too."""

    def __init__(self, stub: str):
        object.__setattr__(self, "_stub", stub)

    def _wait(self, *_, **__):
        raise NotImplementedError(object.__getattribute__(self, "_stub"))

    __getattr__ = __setattr__ = __call__ = __getitem__ = __setitem__ = __iter__ = __len__ = __bool__ = _wait
    __repr__ = __str__ = __format__ = __float__ = __int__ = __array__ = __index__ = __enter__ = _wait
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _wait
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __neg__ = __matmul__ = _wait
    __hash__ = object.__hash__


def _say_what_is_to_do(shell, kind, error, trace, tb_offset=None):
    """Replaces the traceback of a NotImplementedError that comes from a stub."""
    stub = str(error)
    known = {part for problem in PROBLEMS.values() for part in (*problem.stubs, *problem.names)}
    if stub.partition(".")[0] not in known:
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
        return
    print(f"To do: this cell needs {stub}, which is still a stub.")
    for statement in ast.parse(shell.user_ns["In"][-1]).body:
        for name in binds(statement) - set(shell.user_ns):
            shell.user_ns[name] = Pending(stub)
