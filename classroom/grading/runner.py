"""Grading a collection: each submission against the reference, on a seed that the students have not seen.

A `Job` is one student's code for one problem. `grade_job` makes a result of it, in whatever process it is called, so any
executor of `concurrent.futures` can spread the jobs. What is graded is written at once, and never graded again.
"""

import hashlib
import json
import os
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, wait
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from classroom.grading import inside, sandbox, suspicion
from classroom.incoming.collect import Collection
from grader import bank, judge, observe
from grader.checks import checks_of
from grader.observe import Limits, NotStarted, Observed
from grader.problems import PROBLEMS, ROOT, Problem
from grader.quote import quoted
from grader.submission import SubmissionError
from grader.verdict import Result

LIMITS = Limits(first=4.0, next=1.0, all=9.5)  # for one problem of one student; a right solution takes a tenth of a second to one
TRIES = 3  # at a child that does not start
MOST_NOTICES = 20  # in one result
WINDOW = 4  # jobs handed out for each that is at work, so that thousands need no more memory than dozens
RESULTS, RUN = "results.jsonl", "run.json"


class GradeError(Exception):
    """The collection cannot be graded. The message says why and what to do."""


@dataclass(frozen=True)
class Job:
    """A student's files for one problem, and the modules that these may import.

    files: name, time of change in seconds, content.
    key: what the result depends on, in short. A result of the same key is not made again.
    """

    student: str
    problem: str
    files: tuple[tuple[str, int, bytes], ...]
    seed: int
    key: str


def jobs_of(collection: Collection, seed: int) -> list[Job]:
    """The jobs of a collection, sorted by student and problem."""
    jobs = []
    for student in collection.students:
        for problem, names in student.files.items():
            paths = [collection.folder / student.folder / name for name in [*sorted(names), *sorted(student.modules)]]
            try:
                files = tuple((path.name, int(path.stat().st_mtime), path.read_bytes()) for path in paths)
            except OSError as error:
                raise GradeError(f"{error.filename} cannot be read: {error.strerror}. Collect the submissions again.") from None
            text = [version(), str(seed), problem, *(f"{name} {when} {_digest(content)}" for name, when, content in files)]
            jobs.append(Job(student.folder, problem, files, seed, _digest("\n".join(text).encode())))
    return sorted(jobs, key=lambda job: (job.student, job.problem))


@cache
def version() -> str:
    """A digest of everything that can change a grade: the grader, the references and the known mistakes."""
    files = [path for name in ("grader", "solutions", "problems", "classroom") for path in (ROOT / name).rglob("*.py")]
    return _digest(b"".join(path.read_bytes() for path in sorted(files)))


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:32]


# --- one job ------------------------------------------------------------------------------------


_PREPARING = threading.Lock()
_MAKING = threading.Lock()  # a sandbox. Not the lock above: who waits for a new child has no time to lose
_SANDBOXES: list[sandbox.Sandbox] = []


def grade_job(job: Job, unsafe: bool = False) -> dict:
    """The result of one job, as data for JSON.

    Args:
        unsafe: without a sandbox: the code may do whatever the caller's user may do.

    Raises:
        NoSandbox: there is none on this machine.
        GradeError: children do not start.
    """
    problem = PROBLEMS[job.problem]
    prepare(problem, job.seed)
    base = {"student": job.student, "problem": job.problem, "key": job.key, "notices": [], "checks": [], "suspicions": []}
    base |= {"refused": "", "score": 0, "max_score": sum(check.points for check in checks_of(problem.id).values())}
    try:
        return base | _graded(job, problem, unsafe)
    except SubmissionError as error:
        words = str(error)  # of `judge`, they lack the name of the file in front
        refused = f"It {words}" if words.startswith("defines none") else words
        return base | {"refused": refused, "incidents": [refused] if refused == observe.FORGED else []}
    except (GradeError, sandbox.NoSandbox):
        raise
    except Exception as error:  # one submission must not end the grading of all
        where = traceback.extract_tb(error.__traceback__)[-1]
        refused = f"The grader itself failed ({type(error).__name__} in {where.name}). Please grade this one by hand."
        return base | {"refused": refused, "incidents": [refused]}


def _graded(job: Job, problem: Problem, unsafe: bool) -> dict:
    """The part of a result that depends on the code. SubmissionError if it cannot be graded."""
    seen = _observe(job, list(checks_of(problem.id)), unsafe)
    report = judge.judge(seen, problem, seed=job.seed)
    checks = list(map(_as_data, report.results))
    return {
        "score": sum(check["points"] for check in checks),
        "notices": report.notices[:MOST_NOTICES],
        "incidents": incidents(seen),
        "suspicions": suspicion.sentences(seen.looked, checks),
        "checks": checks,
    }


def prepare(problem: Problem, seed: int) -> None:
    """Observe the reference and the known mistakes, once a process. Threads wait for the one that does it."""
    with _PREPARING:
        _prepared(problem, seed)


@cache
def _prepared(problem: Problem, seed: int) -> None:
    bank.mistake_observations(problem, seed)


def _observe(job: Job, ids: list[str], unsafe: bool) -> Observed:
    for _ in range(TRIES):
        try:
            return observe.follow(lambda seeds: _start(job, seeds, unsafe), PROBLEMS[job.problem], ids, job.seed, limits=LIMITS)
        except NotStarted:
            _new_sandbox()
    raise GradeError("Children do not start, although it was tried again. Is there memory left on this machine?")


def _start(job: Job, seeds: dict[str, int], unsafe: bool):
    if unsafe:
        return observe.Process(inside.work, sandbox.job(job.files, job.problem, seeds, b""))
    with _MAKING:
        if not _SANDBOXES:
            _SANDBOXES.append(sandbox.Sandbox())
        prepared = _SANDBOXES[0]
    return prepared.start(job.files, job.problem, seeds)


def _new_sandbox() -> None:
    """End the sandbox of this process. The next job makes a new one."""
    with _MAKING:
        while _SANDBOXES:
            _SANDBOXES.pop().close()


def close() -> None:
    """End what this process keeps for grading."""
    _new_sandbox()


def _as_data(result: Result) -> dict:
    known = result.diagnosis
    return {
        "id": result.check.id,
        "stub": result.check.stub,
        "title": result.check.title,
        "points": result.points,
        "max_points": result.check.points,
        "status": result.status,
        "message": result.words[:2000],
        "diagnosis": {"id": known.id, "title": known.title, "lesson": known.lesson} if known else None,
        "hints": list(result.check.hints),
    }


UNUSUAL = ("PermissionError", "FileNotFoundError", "OSError", "BlockingIOError", "MemoryError", "ModuleNotFoundError")


def incidents(seen: Observed) -> list[str]:
    """What happened that an instructor should know, a sentence each."""
    found, observations = [], list(seen.checks.values())
    errors = [one.error for one in observations if one.kind == "error"] + list(seen.load_errors.values())
    for error in errors:
        if error["type"] in UNUSUAL:
            where = f", in {observe.place(error['lines'][-1])}" if error["lines"] else ""
            found.append(f"The code has met a {error['type']}: {quoted(error['message'])}{where}.")
    found += [f"The code has replaced `{one.value}`, on which the checks rest." for one in observations if one.kind == "tampered"]
    kinds = {"crash": "ended its process", "memory": "took too much memory", "timeout": "ran out of time",
             "untried": "left no time", "forged": "wrote into the grader's channel"}  # fmt: skip
    for kind, words in kinds.items():
        count = sum(one.kind == kind for one in observations)
        if count:
            found.append(f"The code {words} in {count} check{'s' * (count > 1)}.")
    return list(dict.fromkeys(found))[:20]


# --- many jobs ----------------------------------------------------------------------------------


def run(
    jobs: list[Job], out: Path, executor: Executor, workers: int, unsafe: bool = False, tell: Callable[[int], None] | None = None
) -> dict[tuple[str, str], dict]:
    """Grade what is not graded yet, and give all results by student and problem.

    Each result is appended to a file in `out` as soon as it is there. A run that was killed goes on behind it.

    Args:
        workers: how many jobs are at work at once.
        tell: is called with the number of results, at the start and after each.
    """
    wanted = {job.key: job for job in jobs}
    known = {result["key"]: result for result in read_results(out / RESULTS) if result["key"] in wanted}
    results = {(job.student, job.problem): known[job.key] | {"student": job.student} for job in jobs if job.key in known}
    tell = tell or (lambda count: None)
    tell(len(results))
    left = [job for job in jobs if job.key not in known]
    with open(out / RESULTS, "ab") as file:
        if file.tell() and not _ends_a_line(out / RESULTS):
            file.write(b"\n")  # the last line of a run that was killed
        for job, result in _spread(left, executor, workers, unsafe):
            file.write(json.dumps(result, ensure_ascii=True).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
            results[job.student, job.problem] = result
            tell(len(results))
    return dict(sorted(results.items()))


def _spread(jobs: Iterable[Job], executor: Executor, workers: int, unsafe: bool) -> Iterator[tuple[Job, dict]]:
    """Hand out jobs, a few ahead of those at work, and give each result as it comes."""
    waiting, running = deque(jobs), {}
    try:
        while waiting or running:
            while waiting and len(running) < WINDOW * workers:
                job = waiting.popleft()
                running[executor.submit(grade_job, job, unsafe)] = job
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield running.pop(future), future.result()
    finally:
        for future in running:
            future.cancel()


def read_results(path: Path) -> list[dict]:
    """The results that were written. A line that was cut off by a kill is left out."""
    results = []
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    for line in lines:
        try:
            result = json.loads(line)
            if {"key", "student", "problem", "score", "checks"} <= set(result):
                results.append(result)
        except (ValueError, TypeError):
            pass
    return results


def _ends_a_line(path: Path) -> bool:
    with open(path, "rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"
