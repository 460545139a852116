"""check() and hint() inside a notebook.

    from grader.notebook import start
    check, hint = start("lora")

The code that is checked is what the kernel has run so far, so nothing need be saved first.
"""

import threading
from dataclasses import dataclass

from grader.judge import PUBLIC_SEED, Report, grade, mistake_observations, reference_observations
from grader.problems import PROBLEMS, Problem, problem_of
from grader.report import as_html, as_text
from grader.submission import Cell, Submission, SubmissionError, binds, parse


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

    problem, session = PROBLEMS[problem_id], _session(get_ipython())
    # The bank takes some seconds. Have it ready when the first check fails.
    threading.Thread(target=_warm_up, args=(problem,), daemon=True).start()
    steps: dict[str, int] = {}  # hints given so far, by check

    def check(*names: str) -> Shown:
        """Check these stubs, or the whole problem, as the kernel has them now."""
        try:
            report = _report(session.cells, names or (problem_id,))
        except (ValueError, SubmissionError) as error:
            return Shown(str(error))
        return Shown(as_text(report), as_html(report))

    def hint(*names: str) -> Shown:
        """The next hint for the first check that does not pass: a nudge, then more."""
        try:
            report = _report(session.cells, names or (problem_id,))
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


def _report(cells: list[Cell], names: tuple[str, ...]) -> Report:
    problem = problem_of(names[0])
    return grade(Submission(list(cells)), problem, stubs=() if problem.id in names else names)


# --- the kernel ---------------------------------------------------------------------------------


class Session:
    """What the kernel has run, and a line instead of a traceback for cells that need an unsolved stub."""

    def __init__(self, shell):
        self.shell = shell
        self.before: dict = {}  # the variables as they were before the present cell
        history = [source for source in shell.user_ns["In"] if source]
        if hasattr(shell, "get_parent"):  # a kernel: some front ends keep no history
            history = history or [shell.get_parent()["content"]["code"]]
        self.cells = [Cell(f"In [{number}]", source) for number, source in enumerate(history, 1)]
        shell.events.register("pre_run_cell", self._begin_cell)
        shell.events.register("post_run_cell", self._end_cell)
        shell.set_custom_exc((NotImplementedError,), self._show_error)

    def _begin_cell(self, info) -> None:
        self.cells.append(Cell(f"In [{self.shell.execution_count}]", info.raw_cell))
        self.before = dict(self.shell.user_ns)

    def _show_error(self, shell, kind, error, trace, tb_offset=None) -> None:
        if not _comes_from_a_stub(error):
            shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
            return
        print(f"To do: this cell needs {error}, which is still a stub.")
        names = {name for statement in parse(self.cells[-1].source).body for name in binds(statement)}
        for name in names - {"*"}:  # what the cell would have made, or has made only half
            if name not in self.before or shell.user_ns[name] is not self.before[name]:
                shell.user_ns[name] = Pending(str(error))

    def _end_cell(self, result) -> None:
        if _comes_from_a_stub(result.error_in_exec):
            result.error_in_exec = None  # so that "Run all" goes on


_SESSIONS: list[Session] = []


def _session(shell) -> Session:
    """The session of this kernel, made on the first call."""
    if not _SESSIONS:
        _SESSIONS.append(Session(shell))
    return _SESSIONS[0]


def _comes_from_a_stub(error) -> bool:
    """Whether an error is what a stub raises: NotImplementedError("inject_lora")."""
    owners = {name for problem in PROBLEMS.values() for name in problem.names}
    return isinstance(error, NotImplementedError) and str(error).partition(".")[0] in owners


class Pending:
    """Stands for a variable whose cell waits for a stub. Any use of it waits for the stub, too."""

    def __init__(self, stub: str):
        object.__setattr__(self, "_stub", stub)

    def _wait(self, *_, **__):
        raise NotImplementedError(object.__getattribute__(self, "_stub"))

    @classmethod
    def __torch_function__(cls, function, types, arguments=(), options=None):
        """torch calls this where it is given a Pending for a tensor, alone or in a list."""
        given = [*arguments, *(options or {}).values()]
        inside = [item for value in given if isinstance(value, (list, tuple)) for item in value]
        next(value for value in [*given, *inside] if isinstance(value, cls))._wait()

    __getattr__ = __setattr__ = __call__ = __getitem__ = __setitem__ = __iter__ = __len__ = __bool__ = _wait
    __repr__ = __str__ = __format__ = __float__ = __int__ = __array__ = __index__ = __enter__ = _wait
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _wait
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = __neg__ = __matmul__ = _wait
    __hash__ = object.__hash__
