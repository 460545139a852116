"""Grading a room: from a collection to gradebooks and pages."""

import json
import os
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from classroom.grading import answers, runner, sandbox
from classroom.grading.runner import GradeError
from classroom.incoming.collect import Collection
from classroom.incoming.roster import Roster
from classroom.likeness import texts
from classroom.likeness.similar import compare
from classroom.outgoing import pages
from classroom.outgoing.gradebooks import canvas_gradebook, moodle_gradebook, plain_gradebook
from grader.checks import checks_of
from grader.problems import PROBLEMS

FORMAT = 1
ANSWER_LIMIT = 10.0  # seconds for a Dask scheduler
MOST_LINES, MOST_NAMES = 10, 8  # on the terminal: what looks like a known text, and who in a line


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
        seed: None takes that of the run in `out`, or a new one that nobody has seen. With another one than that of the run,
            all is graded anew.
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
    work = runner.jobs_of(collection, seed)
    with _progress(len(work)) as tell, _executor(jobs, scheduler) as (executor, workers):
        results = runner.run(work, out, executor, workers, unsafe, tell)
    return _write(collection, results, out, seed, roster)


def _begin(out: Path, seed: int | None) -> int:
    """Make the folder, or go on in it. The seed of the run is kept there."""
    path = out / runner.RUN
    try:
        if path.exists():
            kept = json.loads(path.read_text(encoding="utf-8"))["seed"]
            seed = kept if seed is None else seed
        elif out.exists() and (not out.is_dir() or any(out.iterdir())):
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
        runner.close()


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
    likenesses, pairs = _alike(collection, titles)
    people = [asdict(student) for student in collection.students]
    note = "Graded on inputs that no one has seen; they differ from those of `make check`."
    quiz = answers.mark_all(collection)
    pages.write_pages(out, people, results, titles, collection.missing, collection.unreadable, pairs, note, quiz, likenesses)
    of_quiz = {folder: marked for folder, marked in quiz.items() if not marked.refused}
    books = {"gradebook.csv": partial(plain_gradebook, beside=_beside(of_quiz))}
    platforms = {student.platform for student in collection.students} | ({roster.kind} if roster else set())
    books |= {"gradebook-moodle.csv": moodle_gradebook} if "moodle" in platforms else {}
    books |= {"gradebook-canvas.csv": _canvas_book(of_quiz)} if "canvas" in platforms else {}
    points = {student.folder: {} for student in collection.students}
    for (folder, problem), result in results.items():
        points[folder][problem] = float(result["score"])
    most = {problem: float(sum(check.points for check in checks_of(problem).values())) for problem in titles}
    feedback = {folder: _feedback({p: results[folder, p] for p in titles if (folder, p) in results}) for folder in points}
    feedback |= {folder: f"{feedback[folder]} {marked.summary}".strip() for folder, marked in quiz.items()}
    for name, book in books.items():
        (out / name).write_text(book(collection.students, points, most, feedback, roster), encoding="utf-8", newline="")
    refused = sum(bool(result["refused"]) for result in results.values())
    incidents = sum(bool(result["incidents"] or result["suspicions"]) for result in results.values())
    return [
        f"{len(results)} submissions of {len(people)} students are graded, with the seed {seed}.",
        *([f"{refused} could not be graded; their pages say why."] if refused else []),
        *([f"{len(of_quiz)} of {len(quiz)} files of answers to the quiz are graded."] if quiz else []),
        *([f"In {incidents} something unusual happened; see index.html."] if incidents else []),
        *_told(likenesses),
        *([f"{len(pairs)} pairs are suspiciously equal; see index.html."] if pairs else []),
        f"The class: {out / 'index.html'}. Grades: {', '.join(str(out / name) for name in books)}.",
    ]


def _beside(quiz: dict[str, answers.Marked]) -> dict[str, dict[str, float]]:
    """The columns of the quiz in the plain gradebook: the points, and how many questions were answered."""
    if not quiz:
        return {}
    return {
        "quiz": {folder: marked.score for folder, marked in quiz.items()},
        "quiz answered": {folder: len(marked.graded) for folder, marked in quiz.items()},
    }


def _canvas_book(quiz: dict[str, answers.Marked]) -> Callable[..., str]:
    """Canvas's gradebook with a column for the quiz. Each column there is an assignment of its own, and there is no total."""

    def book(students, points, most, *more) -> str:
        points = {folder: got | ({"quiz": quiz[folder].score} if folder in quiz else {}) for folder, got in points.items()}
        return canvas_gradebook(students, points, most | {"quiz": float(answers.most_points())}, *more)

    return book if quiz else canvas_gradebook


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


def _alike(collection: Collection, titles: dict[str, str]) -> tuple[list[tuple], list[tuple]]:
    """What looks copied, from the known texts and from each other, with the problem's title in front."""
    likenesses, pairs = [], []
    for problem, title in ((PROBLEMS[id], title) for id, title in titles.items()):
        found = compare(texts.handed_in(collection, problem), texts.handed_out(problem), texts.known(problem))
        likenesses += [(title, *likeness) for likeness in found[0]]
        pairs += [(title, *pair) for pair in found[1]]
    return likenesses, pairs


def _told(likenesses: list[tuple[str, str, list[str]]]) -> list[str]:
    """Lines for the terminal on what looks like a known text."""
    lines = []
    for title, words, folders in likenesses[:MOST_LINES]:
        more = f" and {len(folders) - MOST_NAMES} more" if len(folders) > MOST_NAMES else ""
        lines.append(f"{title}, {words}: {', '.join(folders[:MOST_NAMES])}{more}.")
    return [*lines, *(["More submissions are like a known text; see index.html."] if len(likenesses) > MOST_LINES else [])]
