"""Grading a room: from a collection to gradebooks and pages."""

import json
import os
import re
import secrets
from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from classroom import grading, pages, sandbox
from classroom.collect import Collection
from classroom.grading import GradeError
from classroom.roster import Roster, canvas_gradebook, moodle_gradebook, plain_gradebook
from classroom.similar import similar
from grader import stubs
from grader.checks import checks_of
from grader.problems import PROBLEMS

FORMAT = 1
ANSWER_LIMIT = 10.0  # seconds for a Dask scheduler


def grade(
    collection: Collection,
    out: Path,
    seed: int | None = None,
    jobs: int | None = None,
    roster: Roster | None = None,
    scheduler: str | None = None,
    unsafe: bool = False,
) -> list[str]:
    """Grade a collection into `out`: gradebooks, a page for each student, a page about the class.

    Args:
        seed: None takes that of the run in `out`, or a new one that nobody has seen.
        jobs: submissions at a time; None is one for each core.
        scheduler: address of a Dask cluster.
        unsafe: without a sandbox.

    Returns:
        Lines for the terminal.

    Raises:
        GradeError, NoSandbox: nothing was graded, or the run has stopped. What was graded is kept.
    """
    if not collection.students:
        raise GradeError(f"{collection.folder} holds no submission. Is it what collect has made?")
    if not unsafe and not scheduler:
        sandbox.check()
    seed = _begin(out, seed)
    work = grading.jobs_of(collection, seed)
    with _progress(len(work)) as tell, _executor(jobs, scheduler) as (executor, workers):
        results = grading.run(work, out, executor, workers, unsafe, tell)
    return _write(collection, results, out, seed, roster)


def _begin(out: Path, seed: int | None) -> int:
    """Make the folder, or go on in it. The seed of the run is kept there."""
    path = out / grading.RUN
    try:
        if path.exists():
            kept = json.loads(path.read_text(encoding="utf-8"))["seed"]
            if seed not in (None, kept):
                raise GradeError(f"{out} holds a run with the seed {kept}. For another seed name another folder.")
            return kept
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise GradeError(f"{out} exists and is no folder of a run. Name a new folder.")
        out.mkdir(parents=True, exist_ok=True)
        seed = secrets.randbelow(2**31) if seed is None else seed
        path.write_text(json.dumps({"format": FORMAT, "seed": seed}) + "\n", encoding="utf-8")
        return seed
    except OSError as error:
        raise GradeError(f"{error.filename or out} cannot be used: {error.strerror}. Name another folder.") from None
    except (ValueError, KeyError, TypeError):
        raise GradeError(f"{path} is broken. Name a new folder.") from None


@contextmanager
def _progress(total: int) -> Iterator:
    """A bar with the time that is left, on the error stream. Gives the function that moves it."""
    columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("Observing the references and the known mistakes", total=total)
        yield lambda count: progress.update(task, completed=count, description="Grading" if count else None)


@contextmanager
def _executor(jobs: int | None, scheduler: str | None) -> Iterator[tuple[Executor, int]]:
    """Who does the work, and how many jobs at once. The work itself is done in sandboxed processes, so threads suffice here."""
    if scheduler:
        with _cluster(scheduler) as found:
            yield found
        return
    workers = jobs or os.cpu_count() or 1
    executor = ThreadPoolExecutor(workers)
    try:
        yield executor, workers
    finally:
        executor.shutdown(cancel_futures=True)  # what is at work ends first, in a second or so
        grading.close()


@contextmanager
def _cluster(address: str) -> Iterator[tuple[Executor, int]]:
    """A Dask cluster. A job whose machine is lost is done by another."""
    try:
        from distributed import Client
    except ImportError:
        raise GradeError("Dask is not installed: pip install -r requirements-cluster.txt -c constraints.txt") from None
    try:
        client = Client(address, timeout=ANSWER_LIMIT)
    except (OSError, ValueError) as error:
        raise GradeError(f"No Dask scheduler answers at {address}: {error}") from None
    with client:
        threads = sum(client.nthreads().values())
        if not threads:
            raise GradeError(f"The Dask scheduler at {address} has no workers. Start some: dask worker {address}")
        yield client.get_executor(retries=3, pure=False), threads


# --- what comes out -----------------------------------------------------------------------------


def _write(collection: Collection, results: dict, out: Path, seed: int, roster: Roster | None) -> list[str]:
    titles = {problem.id: problem.title for problem in PROBLEMS.values() if any(key[1] == problem.id for key in results)}
    pairs = [
        (titles[problem], one, other, share)
        for problem in titles
        for one, other, share in similar(_codes(collection, problem), _given(problem))
    ]
    people = [asdict(student) for student in collection.students]
    note = "Graded on inputs that no one has seen; they differ from those of `make check`."
    pages.write_pages(out, people, results, titles, collection.missing, collection.unreadable, pairs, note)
    books = {"gradebook.csv": plain_gradebook}
    platforms = {student.platform for student in collection.students} | ({roster.kind} if roster else set())
    books |= {"gradebook-moodle.csv": moodle_gradebook} if "moodle" in platforms else {}
    books |= {"gradebook-canvas.csv": canvas_gradebook} if "canvas" in platforms else {}
    points = {student.folder: {} for student in collection.students}
    for (folder, problem), result in results.items():
        points[folder][problem] = float(result["score"])
    most = {problem: float(sum(check.points for check in checks_of(problem).values())) for problem in titles}
    feedback = {folder: _feedback({p: results[folder, p] for p in titles if (folder, p) in results}) for folder in points}
    for name, book in books.items():
        (out / name).write_text(book(collection.students, points, most, feedback, roster), encoding="utf-8", newline="")
    refused = sum(bool(result["refused"]) for result in results.values())
    incidents = sum(bool(result["incidents"] or result["suspicions"]) for result in results.values())
    return [
        f"{len(results)} submissions of {len(people)} students are graded, with the seed {seed}.",
        *([f"{refused} could not be graded; their pages say why."] if refused else []),
        *([f"In {incidents} something unusual happened; see index.html."] if incidents else []),
        *([f"{len(pairs)} pairs are suspiciously equal; see index.html."] if pairs else []),
        f"The class: {out / 'index.html'}. Grades: {', '.join(str(out / name) for name in books)}.",
    ]


def _feedback(results: dict[str, dict]) -> str:
    """A student's results in a few sentences, for a cell of the gradebook."""
    said = []
    for problem, result in results.items():
        title = PROBLEMS[problem].title
        if result["refused"]:
            said.append(f"{title}: {result['refused']}")
            continue
        said.append(f"{title}: {result['score']} of {result['max_score']} points.")
        first = next((check for check in result["checks"] if check["status"] not in ("passed", "todo")), None)
        if first:
            known = f" Known mistake: {first['diagnosis']['title']}" if first["diagnosis"] else ""
            said.append(f"First to mend: {first['stub']}.{known}")
    return " ".join(said)


def _codes(collection: Collection, problem: str) -> dict[str, str]:
    """The code of each student, as text."""
    codes = {}
    for student in collection.students:
        names = sorted(student.files.get(problem, []))  # .ipynb before .md: one half is enough
        if names:
            codes[student.folder] = _code(collection.folder / student.folder / names[0])
    return codes


def _code(path: Path) -> str:
    """The code cells of a file. Nothing of it is run, and what cannot be read is empty."""
    text = path.read_text(encoding="utf-8", errors="replace")
    if path.suffix == ".ipynb":
        try:
            cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "code"]
            return "\n".join("".join(cell["source"]) for cell in cells)
        except (ValueError, TypeError, KeyError, RecursionError):
            return ""
    if path.suffix == ".md":
        return "\n".join(re.findall(r"^```python[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    return text


def _given(problem_id: str) -> str:
    """What the hand-out itself says: its cells, with the stubs blank."""
    problem = PROBLEMS[problem_id]
    blank = "\n".join(stubs.blank(problem, cell) for cell in problem.cells)
    return _code(problem.notebook_path(".ipynb")) + "\n" + blank
