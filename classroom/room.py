"""Grading a room: from a collection to gradebooks and pages."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from secrets import randbelow

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from classroom import assignment as assignments
from classroom import run
from classroom.assignment import Assignment
from classroom.grading import answers, runner, sandbox
from classroom.grading.runner import GradeError
from classroom.incoming.archives import printable
from classroom.incoming.collect import Collection, Student
from classroom.incoming.roster import Roster, read_roster
from classroom.likeness.report import Alike, look
from classroom.outgoing import overrides as said
from classroom.outgoing import pages
from classroom.outgoing.gradebooks import Grades, books, rows_of
from classroom.outgoing.overrides import Overrides, Somebody
from classroom.outgoing.shown import Shown
from classroom.outgoing.standing import BY_HAND, GRADED, MISSING, Standing, by_the_due_date, key_of, standings, totals
from classroom.outgoing.uploads import uploads
from classroom.words import counted
from desk.cells import digits
from desk.files import write
from grader.problems import PROBLEMS
from grader.verdict import PUBLIC_SEED

ANSWER_LIMIT = 10.0  # seconds for a Dask scheduler
MOST_LINES, MOST_NAMES = 10, 8  # on the terminal: what looks like a known text, and who in a line


@dataclass(frozen=True)
class Stated:
    """What the instructor says of a run. What is left out is as in the last run in the same folder.

    problems: by id.
    assignment: an assignment.toml; without it, the one in the collected folder, if there is one.
    column: the platform's name for the assignment.
    roster: the platform's list of the class.
    overrides: an overrides.csv; without it, the one in the run's folder.
    seed: of the inputs. Without it that of the assignment, else a new one that nobody has seen. With another one than that
        of the last run, all is graded anew.
    yes: where no problem is named, those that at least half of the class handed in.
    overwrite: grades and comments that the platform's list holds are replaced.
    """

    problems: Sequence[str] = ()
    assignment: Path | None = None
    column: str = ""
    roster: Path | None = None
    overrides: Path | None = None
    seed: int | None = None
    yes: bool = False
    overwrite: bool = False


def grade(
    collection: Collection,
    out: Path,
    stated: Stated,
    jobs: int | None = None,
    scheduler: str | None = None,
    unsafe: bool = False,
) -> list[str]:
    """Grade a collection into `out`: gradebooks, a page for each student, a page about the class.

    Args:
        jobs: submissions at a time; None is one for each core.
        scheduler: address of a Dask cluster.
        unsafe: without a sandbox.

    Returns:
        Lines for the terminal.

    Raises:
        AssignmentError, RosterError, OverrideError, NoSandbox: nothing was graded.
        GradeError: nothing was graded, or the run has stopped. What was graded is kept.
    """
    if not collection.students:
        raise GradeError(f"{collection.folder} holds no submission. Is it what collect has made?")
    if not unsafe and not scheduler:
        sandbox.check()
    kept = _remembered(run.read(out), stated)
    assignment = _assignment(collection, kept, stated)
    roster = read_roster(Path(kept.roster)) if kept.roster else None
    collection = by_the_due_date(_with_the_missing_of(roster, collection), assignment)
    kept.seed = _seed(stated, assignment, kept.seed)
    decided = _overrides(kept, out, collection, assignment)
    with run.alone(out, kept):
        try:
            work = [job for job in runner.jobs_of(collection, kept.seed) if job.problem in assignment.titles]
            with _progress(len(work)) as tell, _executor(jobs, scheduler) as (executor, workers):
                results = runner.run(work, out, executor, workers, unsafe, tell)
            lines = _write(collection, results, out, kept, assignment, decided, roster, stated.overwrite)
            return [printable(line) for line in lines]
        except OSError as error:
            where = error.filename or out
            raise GradeError(f"{where}: {error.strerror}. What was graded is kept, and the same command goes on from there.") from None


# --- what was stated ----------------------------------------------------------------------------


def _remembered(kept: run.Kept, stated: Stated) -> run.Kept:
    """What this run states, and for the rest what an earlier one has."""
    if stated.problems or stated.assignment:
        kept.problems, kept.assignment = list(stated.problems), _whole(stated.assignment)
    kept.column = stated.column or kept.column
    kept.roster = _whole(stated.roster) or kept.roster
    kept.overrides = _whole(stated.overrides) or kept.overrides
    for path in filter(None, (kept.assignment, kept.roster, kept.overrides)):
        if not os.path.isfile(path):
            raise GradeError(f"{path} does not exist, or cannot be read. This or an earlier run in the folder has named it.")
    return kept


def _whole(path: Path | None) -> str | None:
    return str(path.absolute()) if path else None


def _assignment(collection: Collection, kept: run.Kept, stated: Stated) -> Assignment:
    """What counts, as it is stated. NotStated proposes what to state."""
    beside = collection.folder / assignments.FILE
    path = Path(kept.assignment) if kept.assignment else beside if os.path.exists(beside) else None

    def read(problems: Sequence[str]) -> Assignment | None:
        if path:
            return assignments.read_assignment(path, problems)
        return assignments.of_problems(problems) if problems else None

    found = read(stated.problems) or read(kept.problems)
    if not found:
        with_files = [student for student in collection.students if student.files]
        if not with_files and any(student.quiz for student in collection.students):
            return assignments.of_problems([])
        handed_in = {id: sum(id in student.files for student in with_files) for id in PROBLEMS}
        question = assignments.proposed(handed_in, len(with_files))
        if not stated.yes or not question.proposed:
            raise question
        kept.problems = question.proposed
        found = read(kept.problems)
    return found.model_copy(update={"column": kept.column}) if kept.column else found


def _seed(stated: Stated, assignment: Assignment, kept: int | None) -> int:
    by_policy = PUBLIC_SEED if assignment.seed == "public" else assignment.seed
    if stated.seed is not None:
        return stated.seed
    if isinstance(by_policy, int):
        return by_policy
    return randbelow(2**31) if kept is None else kept


def _with_the_missing_of(roster: Roster | None, collection: Collection) -> Collection:
    """With those of this list who handed nothing in, whatever list it was collected with."""
    if not roster:
        return collection
    there = rows_of(collection.students, roster)
    missing = [{"name": one.name, "id": one.id, "email": one.email} for one in roster.people if one.row not in there]
    return replace(collection, missing=missing)


def _overrides(kept: run.Kept, out: Path, collection: Collection, assignment: Assignment) -> Overrides:
    path = Path(kept.overrides) if kept.overrides else out / said.FILE
    if not kept.overrides and not os.path.exists(path):
        return Overrides({}, [])
    people = [Somebody(student.folder, student.name, student.id, student.email) for student in collection.students]
    people += [Somebody(key_of(one), one["name"], one["id"], one["email"]) for one in collection.missing]
    return said.read_overrides(path, people, assignment)


# --- who does the work --------------------------------------------------------------------------


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


def _write(
    collection: Collection,
    results: dict,
    out: Path,
    kept: run.Kept,
    assignment: Assignment,
    decided: Overrides,
    roster: Roster | None,
    overwrite: bool,
) -> list[str]:
    titles, students = assignment.titles, collection.students
    own = standings(collection, results, assignment, decided.of)
    total = totals(own, assignment, decided.of)
    quiz = answers.mark_all(collection)
    alike = look(collection, titles)
    people = [asdict(student) for student in students]
    pages.write_pages(
        out,
        Shown(
            people, results, assignment, own, total, decided.of, collection.missing, collection.unreadable, alike, quiz, _note(kept.seed)
        ),  # fmt: skip
    )
    feedback = {key: _feedback(key, own[key], total[key], results, assignment) for key in own}
    feedback |= {folder: f"{feedback[folder]} {marked.summary}".strip() for folder, marked in quiz.items()}
    of_quiz = {folder: (marked.score, len(marked.graded)) for folder, marked in quiz.items() if not marked.refused}
    grades = Grades(
        students, collection.missing, own, total, assignment, feedback, roster, of_quiz,
        float(answers.most_points()) if of_quiz else 0, overwrite,
    )  # fmt: skip
    made, notes = books(grades)
    written = {student.folder: (out / "students" / f"{student.folder}.html").read_bytes() for student in students}
    made += uploads(grades, written, results)
    for book in made:
        write(out / book.name, book.content)
    pending = [(key, problem) for key in sorted(own) for problem, one in own[key].items() if one.status == BY_HAND]
    if not kept.overrides:
        said.write_template(out / said.FILE, pending)
    names = {student.folder: student.name or student.folder for student in students}
    incidents = sum(bool(result["incidents"] or result["suspicions"]) for result in results.values())
    return [
        f"{counted(len(results), 'submission')} of {counted(len(people), 'student')} {'is' if len(results) == 1 else 'are'} graded, "
        f"with the seed {kept.seed}.",
        *_by_hand(pending, own, names, titles),
        *([f"{len(of_quiz)} of {len(quiz)} files of answers to the quiz are graded."] if quiz else []),
        *_late(students, assignment),
        *([f"{counted(len(decided.of), 'override')} taken from {kept.overrides or out / said.FILE}."] if decided.of else []),
        *decided.notes,
        *([f"In {incidents} something unusual happened; see index.html."] if incidents else []),
        *_told(alike, titles),
        *([f"{len(alike.pairs)} pairs are suspiciously alike; see index.html."] if alike.pairs else []),
        *[note for book in made for note in book.notes],
        *notes,
        f"The class: {out / 'index.html'}. Grades: {', '.join(str(out / book.name) for book in made)}.",
    ]


def _note(seed: int) -> str:
    if seed == PUBLIC_SEED:
        return "Graded on the inputs of `make check`."
    return "Graded with another seed than that of `make check`: where a check draws its inputs, they differ."


def _by_hand(pending: list[tuple[str, str]], own: dict, names: dict[str, str], titles: dict[str, str]) -> list[str]:
    """A line for each that a person must grade."""
    lines = [f"  {names.get(key, key)} ({key}), {titles[problem]}: {own[key][problem].why}" for key, problem in pending]
    more = [f"And {len(lines) - MOST_LINES} more; see index.html."] if len(lines) > MOST_LINES else []
    return [*([f"{counted(len(lines), 'submission')} without a grade, to be graded by hand in {said.FILE}:"] if lines else []), *lines[:MOST_LINES], *more]


def _late(students: Sequence[Student], assignment: Assignment) -> list[str]:
    """Whom the late rule should meet, but the platform does not say how much."""
    unknown = [student.name or student.folder for student in students if student.late and student.late_seconds is None]
    if not unknown or not assignment.late.per_day:
        return []
    return [f"Late, but the platform does not say by how much, so nothing was taken off: {'; '.join(unknown)}."]


def _feedback(key: str, own: dict[str, Standing], total: Standing, results: dict, assignment: Assignment) -> str:
    """What someone gets, in a few sentences, for a cell of the gradebook."""
    said = []
    for problem, standing in own.items():
        title, result = assignment.titles[problem], results.get((key, problem))
        if standing.points is not None:
            said += [f"{title}: {digits(standing.points)} of {digits(standing.most)} points.", standing.why]
        elif standing.status != MISSING:
            said.append(f"{title}: {standing.why}")
        if standing.status == GRADED and standing.earned is not None and result:
            said += _first_to_mend(problem, result, assignment)
        said.append(standing.comment)
    if len(own) > 1:
        points = f"In all: {digits(total.points)} of {digits(total.most)} points." if total.points is not None else ""
        said += [points, total.why if total.status != MISSING else "", total.comment]
    return " ".join(filter(None, said))


def _first_to_mend(problem: str, result: dict, assignment: Assignment) -> list[str]:
    failing = [check for check in result["checks"] if check["status"] not in ("passed", "todo")]
    for check in failing:
        if assignment.counts(problem, check["id"], check["stub"]):
            known = f" Known mistake: {check['diagnosis']['title']}" if check["diagnosis"] else ""
            return [f"First to mend: {check['stub']}.{known}"]
    return []


def _told(alike: Alike, titles: dict[str, str]) -> list[str]:
    """Lines for the terminal on what looks like a known text."""
    lines = []
    for problem, (words, folders, _) in alike.likenesses[:MOST_LINES]:
        more = f" and {len(folders) - MOST_NAMES} more" if len(folders) > MOST_NAMES else ""
        lines.append(f"{titles[problem]}, {words}: {', '.join(folders[:MOST_NAMES])}{more}.")
    return [*lines, *(["More submissions are like a known text; see index.html."] if len(alike.likenesses) > MOST_LINES else [])]
