"""check() and hint() inside a notebook.

    from grader.notebook import start
    check, hint = start("lora")

The code that is checked is what the kernel has run so far, so nothing need be saved first.
"""

import threading
from contextlib import suppress
from dataclasses import dataclass

from grader.effects import binds
from grader.judge import grade, prepare
from grader.problems import PROBLEMS, WAITS, Problem, problem_of
from grader.report import as_html, as_text, todo_notes
from grader.submission import Cell, Submission, SubmissionError, parse
from grader.verdict import Report


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

    def check(*names) -> Shown:
        """Check these stubs, or the whole problem, as the kernel has them now."""
        try:
            report = _report(session, problem, names)
        except (ValueError, SubmissionError) as error:
            return Shown(str(error))
        _note(report)
        return Shown(as_text(report), as_html(report))

    def hint(*names) -> Shown:
        """The next hint for the check that `check` shows first: a nudge, then more."""
        try:
            report = _report(session, problem, names)
        except (ValueError, SubmissionError) as error:
            return Shown(str(error))
        open_results = [result for result in report.results if result.status != "passed"]
        if not open_results:
            return Shown("All these checks pass. There is nothing to hint at.")
        first = report.first_failure or open_results[0]
        step = min(steps.get(first.check.id, 0), 2)
        steps[first.check.id] = step + 1
        lines = todo_notes([first.message]) if first.status == "todo" else []  # a cell is to be run before any hint helps
        return Shown("\n".join([*lines, first.check.title, f"Hint {step + 1} of 3: {first.check.hints[step]}"]))

    return check, hint


def _note(report: Report) -> None:
    """Keep what was graded. Imported here, since copies that grade nothing have no history."""
    from grader import history

    history.note(report)


def _warm_up(problem: Problem) -> None:
    """Observe the reference and the known mistakes. Both are kept.

    Trouble is not told here, in the middle of somebody's cell. The next check meets it again and tells it.
    """
    with suppress(Exception):
        prepare(problem)


def _report(session: "Session", problem: Problem, given: tuple) -> Report:
    """The report on these stubs, each given by its name or as the object itself; on all of the problem if none is given."""
    names = [_name_of(one, problem, session.shell.user_ns) for one in given] or [problem.id]
    problems = [problem_of(name, problem) for name in names]
    if len({one.id for one in problems}) > 1:
        raise ValueError(f"{' and '.join(f'`{name}`' for name in names)} belong to different problems. Check each by itself.")
    submission = Submission(list(session.cells), live=True)
    try:
        return grade(submission, problems[0], stubs=() if problems[0].id in names else names)
    except SubmissionError as error:
        elsewhere = f" It stands in the notebook {problems[0].notebook}." if problems[0] is not problem else ""
        raise SubmissionError(f"{error}{elsewhere}") from None


def _name_of(given, problem: Problem, variables: dict) -> str:
    """The name of a stub that was given as `"LoRALinear.merge"`, or as the object `LoRALinear.merge`."""
    if isinstance(given, str):
        return given
    for stub in problem.stubs:
        owner, _, method = stub.partition(".")
        value = variables.get(owner)
        if (vars(value).get(method) if method and isinstance(value, type) else value) is given:
            return stub
    name = getattr(given, "__qualname__", None)
    if not isinstance(name, str):
        raise ValueError(f"Name what you mean, for example `{problem.stubs[0]}`.")
    return name if name in problem.stubs else name.partition(".")[0]  # `LoRALinear.forward` belongs to `LoRALinear`


# --- the kernel ---------------------------------------------------------------------------------


class Session:
    """What the kernel has run, and a line instead of a traceback for cells that need an unsolved stub."""

    def __init__(self, shell):
        self.shell = shell
        self.before: dict = {}  # the variables as they were before the present cell
        history = list(enumerate(shell.user_ns["In"]))[1:]
        self.last = max(len(history) - 1, 0)  # the number of the last cell that has ended: this one has not
        if not history and hasattr(shell, "get_parent"):  # a kernel: some front ends keep no history
            history = [(1, shell.get_parent()["content"]["code"])]
        self.cells = [_cell(number, source) for number, source in history if source]
        shell.events.register("pre_run_cell", self._begin_cell)
        shell.events.register("post_run_cell", self._end_cell)
        shell.set_custom_exc((NotImplementedError,), self._show_error)

    def _begin_cell(self, info) -> None:
        # shell.execution_count counts the present cell in some versions of IPython, and does not in others
        self.cells.append(_cell(self.last + 1, info.raw_cell, getattr(info, "cell_id", None)))
        self.before = dict(self.shell.user_ns)

    def _show_error(self, shell, kind, error, trace, tb_offset=None) -> None:
        if not _comes_from_a_stub(error):
            shell.showtraceback((kind, error, trace), tb_offset=tb_offset)
            return
        print(f"{WAITS} {error}, which is still a stub.")
        names = {name for statement in parse(self.cells[-1].source).body for name in binds(statement)}
        for name in names - {"*"}:  # what the cell would have made, or has made only half
            if name not in self.before or shell.user_ns[name] is not self.before[name]:
                shell.user_ns[name] = Pending(str(error))

    def _end_cell(self, result) -> None:
        if result.info.store_history:  # only then has the cell a number of its own
            self.last = result.execution_count or self.last + 1
        if _comes_from_a_stub(result.error_in_exec):
            result.error_in_exec = None  # so that "Run all" goes on


def _cell(number: int, source: str, cell_id: str | None = None) -> Cell:
    return Cell(f"In [{number}]", source, id=cell_id or "")


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
