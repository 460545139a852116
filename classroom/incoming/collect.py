"""Many notebooks of many students, put in order: one folder a student, and in it the files by problem.

    collection = collect([Path("submissions.zip")], Path("collected"))
    print("\n".join(summary(collection)))

Beside the notebooks, the answers to the quiz count that `python -m quiz hand-in` has written.

What is read: what the platforms give (`platforms/`), zipped or unpacked, and folders that somebody has named after the
students. No code of a student is run or parsed here.
"""

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from classroom.incoming.archives import printable, shown
from classroom.incoming.collection import ANSWERS, INDEX, Collection, Student, load, write_index
from classroom.incoming.errors import CollectError
from classroom.incoming.people import grouped
from classroom.incoming.placing import Plan
from classroom.incoming.reading import QUIZ, SUFFIXES, Reading
from classroom.incoming.roster import Roster
from classroom.incoming.teams import Teams
from classroom.words import counted
from grader.problems import PROBLEMS

__all__ = ["ANSWERS", "INDEX", "QUIZ", "SUFFIXES", "CollectError", "Collection", "Student", "collect", "load", "summary"]

ATTEMPTS = ("last", "first")


def collect(
    archives: Sequence[Path],
    out: Path,
    roster: Roster | None = None,
    tell: Callable[[str], None] | None = None,
    *,
    platform: str = "",
    level: int = 0,
    groups: Path | None = None,
    attempt: str = "last",
    due: datetime | None = None,
    dry_run: bool = False,
) -> Collection:
    """Put the notebooks of all archives into `out`, which must not exist yet or be empty.

    Args:
        archives: zips, folders or single notebooks.
        roster: gives the students' names, and who is missing.
        tell: is called with a line for each archive and then, before anything is written, with those of the summary.
        platform: from which the archives come; "" finds it out.
        level: where the names stand in folders that no platform has made, counted from 1; 0 finds it out.
        groups: a CSV file with the members of each team.
        attempt: "last" or "first": which of several attempts counts.
        due: when it was to be handed in, for platforms that give the time only.
        dry_run: nothing is written; what would be is returned.

    Raises:
        CollectError: nothing was collected, and `out` is as it was.
        RosterError: the file of the teams cannot be read.
    """
    archives, out, tell = [Path(archive) for archive in archives], Path(os.path.abspath(out)), tell or (lambda line: None)
    try:
        out = out.resolve()
        _check_places(archives, out)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=None if dry_run else _nearest(out.parent)) as work:
            reading = Reading(Path(work, "parts"), roster, Teams(roster, groups), platform, level)
            labels = _labels(archives)
            reading.read(archives, labels)
            for label, count in reading.counts.items():
                tell(f"{label}: {counted(count, 'file')} for a problem")
            collection, plan = _planned(reading, out, roster, labels, level, attempt, due)
            for line in summary(collection):
                tell(line)
            if not dry_run:
                _write(collection, plan, Path(work, "out"))
                out.parent.mkdir(parents=True, exist_ok=True)
                if out.exists():
                    out.rmdir()  # it is empty
                os.replace(Path(work, "out"), out)
    except OSError as error:
        raise CollectError(f"Nothing was collected: {error.strerror}, at {error.filename or out}.") from None
    return collection


def summary(collection: Collection) -> list[str]:
    """Lines for the terminal: how many students, files by problem, who is missing, what is double or unreadable."""
    students = collection.students
    lines = [f"{counted(len(students), 'student')}, from {' and '.join(map(title, collection.platforms))}"]
    for problem in PROBLEMS.values():
        count = sum(problem.id in student.files for student in students)
        lines.append(f"  {problem.id:5} {count:4} of {len(students)}  {problem.title}")
    if count := sum(bool(student.quiz) for student in students):
        lines.append(f"  {QUIZ:5} {count:4} of {len(students)}  Answers to the quiz")
    found = {"number": "number", "login": "login", "email": "address", "name": "name"}
    by = [f"{collection.matched[way]} by {word}" for way, word in found.items() if collection.matched.get(way)]
    if collection.matched:
        nowhere = collection.matched.get("", 0)
        lines.append(f"In the roster: {', '.join(by)}" + (f"; not in it: {nowhere}." if nowhere else "."))
    lines += _of_all("Late", [f"{student.name} ({student.late})" for student in students if student.late])
    lines += _of_all("Several attempts", [student.name for student in students if student.earlier])
    lines += _of_all("Nothing that can be graded", [one.name for one in students if not one.files and not one.quiz])
    if collection.missing:
        lines.append(
            f"Nothing came from {len(collection.missing)}: {_names([person['name'] for person in collection.missing])}."
        )
    for student in students:
        lines += [f"{student.folder}: {printable(note)}" for note in student.notes]
    if collection.unreadable:
        lines.append(f"{counted(len(collection.unreadable), 'file')} left out:")
        lines += [f"  {printable(one['where'])} {printable(one['why'])}." for one in collection.unreadable]
    return lines


def _of_all(what: str, names: list[str]) -> list[str]:
    return [f"{what}, {len(names)}: {_names(names)}."] if names else []


def _names(names: list[str]) -> str:
    """Names one after another. A name may have a comma in it, so that a semicolon parts them."""
    return "; ".join(map(shown, names))


def title(platform: str) -> str:
    """A platform as people write it."""
    return {"github": "GitHub Classroom", "google": "Google Classroom", "folder": "folders"}.get(platform, platform.title())


# --- where it may go ----------------------------------------------------------------------------


def _check_places(archives: list[Path], out: Path) -> None:
    for archive in archives:
        if not archive.exists():
            raise CollectError(f"{archive} does not exist. Check the spelling and the folder you are in.")
        if archive.is_dir() and out.is_relative_to(archive.resolve()):
            raise CollectError(f"{out} lies in {archive}, from which it would be filled. Choose a place outside of it.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CollectError(f"{out} exists and is not empty. Name a new folder, or take that one away first.")


def _nearest(folder: Path) -> Path:
    """The folder, or the one above it that exists."""
    return next(place for place in (folder, *folder.parents) if place.exists())


def _labels(archives: list[Path]) -> list[str]:
    """What messages call the archives: their names, with the folder where two have the same name."""
    full = [archive.resolve() for archive in archives]
    counts = Counter(path.name for path in full)
    return [shown(path.name if counts[path.name] == 1 else f"{path.parent.name}/{path.name}") for path in full]


# --- what is collected --------------------------------------------------------------------------


def _planned(
    reading: Reading, out: Path, roster: Roster | None, labels: list[str], level: int, attempt: str, due: datetime | None
) -> tuple[Collection, Plan]:
    """The collection as it will be, and which file goes where. Nothing is written."""
    owners = list(reading.owners.values())
    if not any(owner.candidates for owner in owners):
        raise CollectError(_nothing(reading, labels))
    groups = [group for group in grouped(owners, roster, ", ".join(labels), level)]
    collection = Collection(out, [], unreadable=reading.unreadable, platforms=sorted(set(reading.platforms)))
    plan = Plan(collection, attempt, due)
    for group in sorted(groups, key=lambda group: (plan.slug(group.name), group.id, group.name)):
        if group.is_somebody:
            plan.add(group)
        else:
            collection.unreadable += [{"where": where, "why": why} for owner in group.owners for where, why in owner.others]
    handed_in = {group.person.row for group in groups if group.person and group.is_somebody}
    for person in roster.people if roster else ():
        if person.row not in handed_in:
            collection.missing.append({"name": person.name, "id": person.id, "email": person.email})
    if roster:
        collection.matched = dict(Counter(group.how for group in groups if group.is_somebody))
    collection.students.sort(key=lambda student: student.folder)
    collection.unreadable.sort(key=lambda one: (one["where"], one["why"]))
    collection.doubles.sort(key=lambda one: (one["folder"], one["taken"]))
    return collection, plan


def _nothing(reading: Reading, labels: list[str]) -> str:
    """Why there is nothing to grade, with what stands there instead."""
    others = [(where, why) for owner in reading.owners.values() for where, why in owner.others]
    told = sorted({(one["where"], one["why"]) for one in reading.unreadable} | set(others))
    first = " ".join(f"{printable(where)} {printable(why)}." for where, why in told[:5])
    more = f" {counted(len(told) - 5, 'more file')} were left out." if told[5:] else ""
    return " ".join(filter(None, [f"There is nothing to grade in {', '.join(labels)}.", first])) + more


def _write(collection: Collection, plan: Plan, folder: Path) -> None:
    """Make the folder of the collection."""
    folder.mkdir()
    for student in collection.students:
        (folder / student.folder).mkdir()
    for source, name, date in plan.moves:
        shutil.copyfile(source, folder / name)
        os.utime(folder / name, ns=(date, date))
    write_index(collection, folder)
