"""What was graded and observed once is kept, under a key of all that it depends on. This module needs no torch.

The key of a verdict covers the learner's code that counts, the problem, the seed, the grader with its references and known
mistakes, and the versions of Python and torch. So a verdict is told again only where grading anew would give the same. That
of an observation is the same without the learner's code. What has no use any more is deleted.

The store lies in `.course/grader` of the student's folder (`desk.place`). It holds verdicts for the public seed alone: an exam's
answers are not kept. Where a class shares one installation, what its owner has had observed serves all.
"""

import hashlib
import json
import sys
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import asdict, fields, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path

from filelock import FileLock, Timeout

from desk import pair, place
from desk.backups import KEPT
from desk.files import write
from grader.problems import PROBLEMS, ROOT, Problem
from grader.program import modules_beside, select
from grader.remarks import remarks
from grader.submission import Submission
from grader.verdict import PUBLIC_SEED, Check, Mistake, Report, Result

FOLDER = place.own() / KEPT / "grader"
SHARED = ROOT / KEPT / "grader"  # of the owner of the course
FLEETING = ("timeout",)  # verdicts that may be the machine's fault are not kept
CODE = ("grader/**/*.py", "grader/checks/*/problem.toml", "grader/recorded/*", "solutions/*.py", "lab/*.py", "problems/**/*.py", "problems/*/problem.toml")  # what a verdict depends on
LONGEST_WAIT = 120.0  # seconds for another process that observes
MOST = 40  # files of a kind; the oldest are deleted


# --- keys ---------------------------------------------------------------------------------------


@cache
def grader_key() -> str:
    """A hash of the grader, its references and known mistakes, and of what runs them."""
    digest = hashlib.sha256(f"{sys.version} {version('torch')}".encode())
    for pattern in CODE:
        for path in sorted(ROOT.glob(pattern)):
            digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def code_key(submission: Submission, problem: Problem, folder: Path = FOLDER) -> str:
    """A hash of what counts in a submission, and of where it stands, since messages name cells and lines."""
    counts, places = _selected(submission, problem, folder)
    beside = [
        [path.name, _hash(path.read_text(encoding="utf-8", errors="replace"))]
        for path in modules_beside([submission.cells[place] for place in places], submission.folder)
    ]
    own = _own_code_used(problem)
    return _hash([counts, own, beside, remarks(submission.cells, problem.parts), submission.notices, submission.live])


def _selected(submission: Submission, problem: Problem, folder: Path) -> tuple[str, list[int]]:
    """A hash of the code that counts, and the places of its cells.

    The answer for the latest text is kept: to find out what counts takes longer than all else if nothing has changed.
    """
    path = folder / f"code-{problem.id}.json"
    text = _hash([grader_key(), sorted(problem.parts), [asdict(cell) for cell in submission.cells]])
    with suppress(OSError, ValueError, TypeError):
        known, counts, places = json.loads(path.read_text(encoding="utf-8"))
        if known == text:
            return counts, places
    program = select(submission.cells, problem.parts)
    code = [
        [cell.label, statement.lineno, cell.source.splitlines()[_first_line(statement) - 1 : statement.end_lineno]]
        for cell, statements in program.parts
        for statement in statements
    ]
    broken = [asdict(cell) | {"defines": sorted(cell.defines)} for cell in program.broken]
    # Messages on a name that is missing speak of other names that are there.
    names = [] if problem.parts <= program.defined else sorted(program.defined)
    counts = _hash([code, broken, names])
    used = {id(cell) for cell, _ in program.parts}
    places = [place for place, cell in enumerate(submission.cells) if id(cell) in used]
    _keep(path, json.dumps([text, counts, places]).encode(), "")
    return counts, places


def _own_code_used(problem: Problem) -> list[str]:
    """In a copy without solutions: the notebooks of the problems on which the checks of this one build."""
    used = [PROBLEMS[one] for one in problem.uses if problem.recorded.exists()]
    halves = [one.notebook_path(suffix, place.notebooks()) for one in used for suffix in pair.SUFFIXES]
    return [_hash(half.read_text(encoding="utf-8", errors="replace")) for half in halves if half.exists()]


def _first_line(statement) -> int:
    return min([statement.lineno, *(decorator.lineno for decorator in getattr(statement, "decorator_list", []))])


def _hash(value) -> str:
    return hashlib.sha256(json.dumps(value, ensure_ascii=False, sort_keys=True).encode("utf-8", "surrogatepass")).hexdigest()[:24]


# --- verdicts -----------------------------------------------------------------------------------


def remembered(submission: Submission, problem: Problem, folder: Path = FOLDER) -> Report | None:
    """The report on a submission for the public seed, if it was graded before and nothing has changed since."""
    try:
        path = _verdict_file(submission, problem, folder)
        return replace(_report(json.loads(path.read_text(encoding="utf-8")), problem), path=submission.path)
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None


def remember(submission: Submission, report: Report, folder: Path = FOLDER) -> None:
    """Keep a report for the public seed, unless the machine may have had a part in it."""
    if any(result.status in FLEETING for result in report.results):
        return
    results = [
        {
            "check": {name.name: getattr(result.check, name.name) for name in fields(Check)},
            "status": result.status,
            "message": result.message,
            "diagnosis": asdict(result.diagnosis) | {"source": ""} if result.diagnosis else None,
            "fact": result.fact,
        }
        for result in report.results
    ]
    text = json.dumps({"results": results, "notices": report.notices, "live": report.live}, ensure_ascii=False)
    _keep(_verdict_file(submission, report.problem, folder), text.encode("utf-8", "replace"), "verdict-*")


def _verdict_file(submission: Submission, problem: Problem, folder: Path) -> Path:
    return folder / f"verdict-{problem.id}-{grader_key()}-{code_key(submission, problem, folder)}.json"


def _report(told: dict, problem: Problem) -> Report:
    results = [
        Result(
            Check(**{**one["check"], "hints": tuple(one["check"]["hints"])}),
            one["status"],
            one["message"],
            Mistake(**one["diagnosis"]) if one["diagnosis"] else None,
            one["fact"],
        )
        for one in told["results"]
    ]
    return Report(problem, results, told["notices"], live=told["live"])


# --- observations -------------------------------------------------------------------------------


@contextmanager
def alone(name: str, seed: int, folder: Path = FOLDER):
    """Meanwhile no other process observes the same: it waits, and finds what was kept."""
    lock = FileLock(folder / f"{name}.lock", timeout=LONGEST_WAIT)
    if seed == PUBLIC_SEED:
        with suppress(OSError, Timeout):  # a folder that cannot be written to, or a process that hangs: then both observe
            folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
    try:
        yield
    finally:
        lock.release()  # does nothing if it was not taken


def observed(name: str, seed: int, load: Callable[[bytes], object], folder: Path = FOLDER):
    """What was kept under a name by `keep_observed`, or None."""
    for kept in (folder, SHARED) if folder == FOLDER else (folder,):
        with suppress(OSError, ValueError):
            return load(_observed_file(name, kept).read_bytes()) if seed == PUBLIC_SEED else None
    return None


def keep_observed(name: str, seed: int, data: bytes, folder: Path = FOLDER) -> None:
    """Keep what the checks saw in our own code for the public seed."""
    if seed == PUBLIC_SEED:
        _keep(_observed_file(name, folder), data, "seen-*")


def _observed_file(name: str, folder: Path) -> Path:
    return folder / f"seen-{name}-{grader_key()}.safetensors"


# --- hints --------------------------------------------------------------------------------------


def next_hint(report: Report, folder: Path = FOLDER) -> tuple[int, str] | None:
    """Number and text of the next hint for the check that is shown: one rung further each time it is the same."""
    failure = report.first_failure
    if failure is None:
        return None
    path = folder / "hints.json"
    try:
        given = dict(json.loads(path.read_text(encoding="utf-8")))
        last, step = given.get(report.problem.id, ["", 0])
    except (OSError, ValueError, TypeError):
        given, last, step = {}, "", 0
    step = min(step + 1, 3) if last == failure.check.id else 1
    _keep(path, json.dumps({**given, report.problem.id: [failure.check.id, step]}).encode(), "")
    return step, failure.check.hints[step - 1]


def _keep(path: Path, data: bytes, kind: str) -> None:
    """Write a file of the store. A store that cannot be written to only makes grading slower."""
    try:
        write(path, data)
        ages = sorted(path.parent.glob(kind), key=lambda other: other.stat().st_mtime) if kind else []
        for old in ages[:-MOST]:
            old.unlink()
    except OSError:
        pass
