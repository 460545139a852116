"""Running checks on code that may hang, crash or eat the memory, without harm to the grader."""

import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice

import psutil

from grader import children, wire, worker
from grader.checks import checks_of
from grader.problems import Problem
from grader.program import Broken
from grader.quote import clean, code, named
from grader.submission import Submission, SubmissionError

START_LIMIT = 60.0  # seconds until a child has imported torch; only a broken machine needs so long
GRACE = 0.5  # seconds to name the line that hangs, before the child is killed
MEMORY_LIMIT = 2 * 2**30  # bytes beyond what the child needs to start
FORGED = "The code has written into the grader's own channel while it was loaded, so nothing counts."
NO_CHILD = (
    "cannot be checked now: this machine did not start the process that runs the checks, or ended it. Close what needs "
    "much memory, restart the kernel if this is a notebook, and check again."
)
GOES_ON = ("value", "error", "tampered", "flood")  # after these, the same child does the next check
MOST, LONGEST = 1000, 2000  # names, errors or notices in a list; characters in a string. No honest code comes near
POLL = 0.02  # seconds between two looks at the child's memory


@dataclass(frozen=True)
class Limits:
    """Of time, in seconds.

    first: for reading the code, for loading it, and for a check. A right one takes 0.01 s.
    next: for each check after the first that ran out of time.
    all: for everything. What is left then is not tried.
    hung: of how many checks of one stub may run out of time. The others of this stub are not tried.
    """

    first: float = 15.0
    next: float = 4.0
    all: float = float("inf")
    hung: int = 3


ALONE = Limits()  # at home, where slow code costs its author alone


@dataclass(frozen=True)
class Observation:
    """What one probe saw, or how it ended.

    kind: "value", "error" (an exception), "timeout", "untried" (others have run out of time), "memory", "crash", "tampered"
        (what observes was changed), "flood" (too much was given back), or "forged" (a message that is none of ours).
    value: the data, if kind is "value"; the name of what was changed, if it is "tampered".
    error: what `worker.describe` tells, for "error" and, where it could be had, for "timeout".
    asked: the names of the submission that the probe has used.
    """

    kind: str
    value: object = None
    error: dict | None = None
    asked: tuple[str, ...] = ()


@dataclass(frozen=True)
class Observed:
    """All observations of a submission by check id, and how loading it went.

    load_errors: for each name that could not be defined, what `worker.describe` tells.
    defined: the names that the submission defines.
    broken: its cells with a syntax error.
    notices: what the report should say about its files.
    remarks: for names whose code is not where it counts: a sentence on that. See `grader.remarks`.
    rules: patterns that the code shows and that cannot be right. See `grader.rules`.
    looked: what else was seen in the code: dicts of "kind", "name", "cell" and "line". See `classroom.grading.suspicion`.
    """

    checks: dict[str, Observation]
    load_errors: dict[str, dict]
    defined: set[str]
    broken: list[Broken]
    notices: list[str] = field(default_factory=list)
    remarks: dict[str, str] = field(default_factory=dict)
    rules: list[dict] = field(default_factory=list)
    looked: list[dict] = field(default_factory=list)


class NotStarted(Exception):
    """A child could not start. That is the machine's doing: no line of the submission was run."""


_STARTING = threading.Lock()  # a notebook starts children from two threads


def _start(serve, *arguments):
    """A child process that runs `serve(connection, *arguments)`, and our end of the connection. NotStarted if there is none."""
    context = children.context()
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=serve, args=(theirs, *arguments), daemon=True)
    try:
        with _STARTING, _no_main_module():
            children.start(process)
    except (OSError, EOFError):  # the system has no process left, or the fork server has ended while it was asked
        ours.close()
        raise NotStarted from None
    finally:
        theirs.close()
    return process, ours


def _receive(connection) -> dict:
    """The next message."""
    return wire.loads(connection.recv_bytes())


def observation(message: dict) -> Observation:
    """A message as an observation. ValueError or TypeError if it is none of ours."""
    asked = tuple(map(_words, _list(_a(dict, message).get("asked", []))))
    if "value" in message:
        return Observation("value", value=message["value"], asked=asked)
    if "changed" in message:
        return Observation("tampered", value=_name(message["changed"]))
    if "flood" in message:
        return Observation("flood")
    return Observation("error", error=_error(message.get("error")), asked=asked)


def _error(told) -> dict:
    """What `worker.describe` has told, each field of the type that it must have."""
    told = _a(dict, told)
    lines = [
        {"line": _a(int, line["line"])} | {name: _words(line[name]) for name in ("cell", "text", "function")}
        for line in (_a(dict, line) for line in _list(told["lines"])[-8:])
    ]
    return {
        "kind": _words(told["kind"]),
        "type": named(_words(told["type"])),
        "message": _words(told["message"]),
        "lines": lines,
        "raised_by_learner": _a(bool, told["raised_by_learner"]) and bool(lines),
    }


def _a(kind: type, told):
    """What was told, if it is of this kind. TypeError if it is not."""
    if not isinstance(told, kind):
        raise TypeError(f"no {kind.__name__}")
    return told


def _words(text: str) -> str:
    """A string, but not an endless one. TypeError if it is none."""
    return _a(str, text)[:LONGEST]


def _name(text: str) -> str:
    """A dotted name. ValueError if it is none."""
    if not all(part.isidentifier() for part in _words(text).split(".")):
        raise ValueError("no name")
    return text


def _list(told: list) -> list:
    """A list, but not an endless one. TypeError if it is none."""
    return _a(list, told)[:MOST]


class Process:
    """A child process that runs `serve(connection, *arguments)` and works through a list of checks."""

    def __init__(self, serve: Callable, *arguments):
        self.process, self.connection = _start(serve, *arguments)
        self.floor = None  # resident memory at the first look

    def next(self, limit: float) -> Observation:
        """Wait for the next message. Anything but a value or an error means that the child is gone."""
        deadline = time.monotonic() + limit
        while True:
            try:
                if self.connection.poll(POLL):
                    return observation(_receive(self.connection))
            except Exception:  # the pipe has closed, or holds what no child of ours has written
                return Observation("crash")
            if self._memory() > MEMORY_LIMIT:
                self.stop()
                return Observation("memory")
            if time.monotonic() > deadline:
                return self._interrupt()

    def _memory(self) -> int:
        try:
            resident = psutil.Process(self.process.pid).memory_info().rss
        except psutil.Error:
            return 0
        self.floor = self.floor or resident
        return resident - self.floor

    def _interrupt(self) -> Observation:
        """Ask for an end, so that the learner's line can be named; then kill."""
        error = None
        if sys.platform != "win32":
            try:
                os.kill(self.process.pid, signal.SIGINT)
                if self.connection.poll(GRACE):
                    error = observation(_receive(self.connection)).error
            except Exception:
                pass  # it has ended by itself, or the message is none of ours
        self.stop()
        return Observation("timeout", error=error)

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()


@contextmanager
def _no_main_module():
    """Hide the parent's main script, or each child would run it again (pytest, say, or a notebook)."""
    main = sys.modules["__main__"].__dict__
    saved = {name: main.pop(name) for name in ("__file__", "__spec__") if name in main}
    main["__spec__"] = None
    try:
        yield
    finally:
        main.update(saved)


def observe(submission: Submission, problem: Problem, check_ids: list[str], seed: int, tell=None) -> Observed:
    """Run these checks on the submission in children of this process. See `follow`.

    Raises:
        SubmissionError: the code cannot even be loaded, or there is no child to be had.
    """
    try:
        folder = str(submission.folder)
        return follow(lambda rest: Process(worker.serve, submission.cells, problem.id, rest, folder), problem, check_ids, seed, tell)
    except NotStarted:
        raise SubmissionError(f"The code {NO_CHILD}") from None


def follow(start: Callable, problem: Problem, check_ids: list[str], seed: int, tell=None, limits: Limits | None = None) -> Observed:
    """Let children run these checks, each within its limits.

    A check that hangs, crashes or eats the memory costs the others nothing: a new child goes on behind it.

    Args:
        start: start(seeds) gives a child that works through these checks; `seeds` has a seed for each. The child has
            `next(limit)`, which waits for an observation, and `stop()`.
        tell: is called as tell(done, total) after each check.
        limits: None are those at home.

    Raises:
        SubmissionError: the code cannot even be loaded.
        NotStarted: there is no child to be had.
    """
    limits = limits or ALONE
    stubs = {check_id: checks_of(problem.id)[check_id].stub for check_id in check_ids}
    results: dict[str, Observation] = {}
    read = loaded = None
    end, hung = float("inf"), Counter()

    def note(check_id: str, seen: Observation) -> None:
        results[check_id] = seen
        if tell:
            tell(len(results), len(check_ids))

    while left := [check_id for check_id in check_ids if check_id not in results]:
        if time.monotonic() > end or hung[stubs[left[0]]] >= limits.hung:
            note(left[0], Observation("untried"))
            continue
        child = start({check_id: worker.seed_of(seed, check_id) for check_id in left})
        try:
            if child.next(START_LIMIT).kind != "value":
                raise NotStarted
            end = min(end, time.monotonic() + limits.all)
            read = _told(child, limits.first, is_ours=True)
            loaded = _told(child, limits.first)
            for check_id in left:
                limit = limits.next if hung.total() else limits.first
                seen = child.next(max(min(limit, end - time.monotonic()), 0.0))
                note(check_id, seen)
                hung[stubs[check_id]] += seen.kind == "timeout"
                if seen.kind not in GOES_ON or time.monotonic() > end:
                    break
        except SubmissionError:
            if not results:
                raise
            end = 0.0  # it was loaded before, and is not now
        finally:
            child.stop()
    return _observed(results, read, loaded)


def _told(child, limit: float, is_ours: bool = False):
    """What a child tells on reading or loading the code. SubmissionError if it could not do that.

    Args:
        is_ours: no line of the submission has run yet, so whatever the child says, our own code says it.
    """
    seen = child.next(limit)
    if seen.kind == "value":
        return seen.value
    if seen.kind == "error" and is_ours:  # the files could not be read
        raise SubmissionError(seen.error["message"] or seen.error["type"])
    what = {
        "timeout": f"runs for more than {limit:.0f} seconds",
        "memory": f"takes more than {MEMORY_LIMIT / 2**30:.0f} GB of memory",
        "crash": "ends the Python process",
    }
    if seen.kind not in what:
        raise SubmissionError(FORGED)
    lines = seen.error["lines"] if seen.error else []
    where = f" ({place(lines[-1])})" if lines else ""
    raise SubmissionError(
        f"The code outside of functions and classes {what[seen.kind]}{where} while it is loaded, so nothing could be "
        "checked. Look at the top-level lines that your stubs depend on."
    )


def _observed(results: dict[str, Observation], read: dict, failures: dict) -> Observed:
    """Everything seen, with what the last child told on reading and loading. SubmissionError if it is none of ours."""
    try:
        errors = {_words(name): _error(error) for name, error in islice(_a(dict, failures).items(), MOST)}
        broken = [_broken(cell) for cell in _list(read["broken"])]
        remarks = {_words(name): _words(text) for name, text in islice(read["remarks"].items(), MOST)}
        notices = list(map(_words, _list(read["notices"])))
        rules = [_placed(one, "rule", "stub") for one in _list(read["rules"])]
        looked = [_placed(one, "kind", "name") for one in _list(read["looked"])]
        return Observed(results, errors, _names(read["defined"]), broken, notices, remarks, rules, looked)
    except Exception:  # whatever is wrong with it
        raise SubmissionError(FORGED) from None


def _broken(told: dict) -> Broken:
    words = {name: _words(_a(dict, told)[name]) for name in ("label", "text", "message")}
    return Broken(**words, line=_a(int, told["line"]), defines=frozenset(_names(told["defines"])))


def _placed(told: dict, *names: str) -> dict:
    """What was seen at a place in the code, each field of the type that it must have."""
    return {name: _words(_a(dict, told)[name]) for name in (*names, "cell")} | {"line": _a(int, told["line"])}


def _names(told: list) -> set[str]:
    return set(map(_words, _list(told)))


def observe_trusted(
    jobs: list[tuple[Submission, list[str]]], problem: Problem, seed: int
) -> list[dict[str, Observation]]:
    """Run checks on our own code, many submissions in few children.

    Args:
        jobs: submissions, each with the ids of the checks to run on it.

    Returns:
        One dict by check id for each job.

    Raises:
        SubmissionError: there is no child to be had.
    """
    count = min(len(jobs), psutil.cpu_count() or 1, 4)
    data = [(submission.cells, check_ids) for submission, check_ids in jobs]
    started = []
    try:
        for first in range(count):
            started.append(_start(worker.serve_trusted, data[first::count], problem.id, seed))
        messages = [_receive(started[index % count][1]) for index in range(len(jobs))]
    except (NotStarted, OSError, EOFError):  # a child has not begun, or has ended before its time
        raise SubmissionError(NO_CHILD) from None
    finally:
        for process, connection in started:
            process.kill()
            process.join()
            connection.close()
    return [{check_id: observation(m) for check_id, m in message.items()} for message in messages]


def place(line: dict) -> str:
    """Where a line of the learner's stands: cell, number and text."""
    return f"{clean(line['cell'])}, line {line['line']}: {code(line['text'])}"
