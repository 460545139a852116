"""What the instructor decides beside the grader: points, excuses and comments, in an overrides.csv.

    student,problem,points,status,excused,comment
    anna-berg-310001,lora,50,,,Solved by hand: the notebook was of an old format.
    ben@example.org,,,,yes,Ill.
    Chloé Dupont,lora,,in time,,Her extension.

A student is named by folder, id, address or name. Without a problem, the row is about the total. The file is the instructor's:
it is read in every run, and never written again.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from classroom.assignment import Assignment
from classroom.incoming.roster import RosterError, plain, plain_letters, read_table, spellings
from desk.files import write

FILE = "overrides.csv"
COLUMNS = ["student", "problem", "points", "status", "excused", "comment"]
TOTAL = ""  # stands where other overrides have their problem
MOST_FAULTS = 8  # in one message

_STATUS = {  # words by what they mean
    "graded": "", "by hand": "by hand", "not handed in": "not handed in", "missing": "not handed in", "in time": "in time",
    "excused": "excused",
}  # fmt: skip
_YES, _NO = ("yes", "y", "x", "true", "1", "ja", "oui", "si", "sí"), ("", "no", "n", "false", "0", "-")


class OverrideError(Exception):
    """The overrides cannot be followed. The message says which row, and what to do."""


@dataclass(frozen=True)
class Override:
    """The instructor's word on one student's problem, or on the total.

    points: on the scale of the problem, or of the whole; None leaves the grader's.
    status: "", "by hand", "not handed in" or "in time" (no late rule).
    """

    points: float | None = None
    status: str = ""
    comment: str = ""
    excused: bool = False


@dataclass(frozen=True)
class Somebody:
    """Who may be named: a student of the collection, or someone of the class's list who handed nothing in.

    key: where the student stands: the folder, or what stands for it.
    """

    key: str
    name: str
    id: str
    email: str


@dataclass(frozen=True)
class Overrides:
    """The overrides by student's key and problem, and what the instructor should know of them, in sentences."""

    of: dict[tuple[str, str], Override]
    notes: list[str]


def read_overrides(path: Path, people: Sequence[Somebody], assignment: Assignment) -> Overrides:
    """Read an overrides.csv. OverrideError names all rows that cannot be followed; then none is."""
    found, places, faults, notes = {}, {}, [], []
    for place, row in _rows(path):
        try:
            key, problem, override = _of(row, people, assignment)
            if (key, problem) in found:
                raise ValueError(f"row {places[key, problem]} is about the same student and problem; take one of them out")
        except ValueError as error:
            faults.append(f"{path}, row {place}: {error}.")
            continue
        found[key, problem], places[key, problem] = override, place
        most = assignment.most(problem) if problem else assignment.whole
        if override.points is not None and override.points > most:
            notes.append(f"{path.name}, row {place}: {override.points:g} points are more than the {most:g} there are; they count.")
    if faults:
        more = [f"And {len(faults) - MOST_FAULTS} rows more."] if len(faults) > MOST_FAULTS else []
        raise OverrideError("\n".join([*faults[:MOST_FAULTS], *more, "Nothing was graded or changed. Mend the file and try again."]))
    return Overrides(found, notes)


def write_template(path: Path, pending: Iterable[tuple[str, str]]) -> None:
    """Write an overrides.csv to be filled in, with a row for what is to be graded by hand. A file that is there stays.

    Args:
        pending: folder and problem.
    """
    if not path.exists():
        out = io.StringIO(newline="")
        writer = csv.writer(out, lineterminator="\n")
        writer.writerows([COLUMNS, *([folder, problem, "", "", "", ""] for folder, problem in pending)])
        write(path, ("\ufeff" + out.getvalue()).encode())


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """The rows that say something, by column, with the row's number in a spreadsheet."""
    try:
        header, rows, *_ = read_table(path)
    except RosterError as error:
        raise OverrideError(str(error)) from None
    columns = [plain(cell) for cell in header]
    if strange := [cell for cell in columns if cell and cell not in COLUMNS]:
        raise OverrideError(f"{path} has a column “{strange[0]}”. Its columns are {', '.join(COLUMNS)}.")
    if "student" not in columns or len(set(columns)) < len(columns):
        raise OverrideError(f"{path} does not begin with the names of its columns: {', '.join(COLUMNS)}.")
    found = [(place, dict(zip(columns, map(str.strip, row)))) for place, row in enumerate(rows, 2)]
    return [(place, row) for place, row in found if any(row.get(column) for column in COLUMNS[2:])]


def _of(row: dict[str, str], people: Sequence[Somebody], assignment: Assignment) -> tuple[str, str, Override]:
    """Whom and what a row is about, and what it says. ValueError in words that follow “row 3: ”."""
    somebody = _named(row["student"], people)
    problem = _problem(row.get("problem", ""), assignment)
    number, word = _points(row.get("points", ""))
    status = row.get("status", "") or word
    if plain(status) not in ("", *_STATUS):
        raise ValueError(f"there is no status “{status}”; there are {', '.join(_STATUS)}")
    status = _STATUS.get(plain(status), "")
    excused = plain(row.get("excused", ""))
    if excused not in _YES + _NO:
        raise ValueError(f"“{row['excused']}” in the column excused is neither yes nor no")
    is_excused = excused in _YES or status == "excused"
    if number is not None and (is_excused or status in ("by hand", "not handed in")):
        raise ValueError("it has points, and a status or an excuse that says there are none")
    status = "" if status == "excused" else status
    return somebody.key, problem, Override(number, status, row.get("comment", ""), is_excused)


def _named(text: str, people: Sequence[Somebody]) -> Somebody:
    """The one person of this folder, else id, else address, else name."""
    if not text:
        raise ValueError("it names no student")
    ways = [
        lambda one: one.key == text,
        lambda one: one.id == text,
        lambda one: one.email.casefold() == text.casefold(),
        lambda one: plain_letters(one.name) == plain_letters(text),
        lambda one: bool(spellings(one.name) & spellings(text)),
    ]
    for fits in ways:
        found = [one for one in people if fits(one)]
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(one.key if "/" not in one.key else one.id or one.email or one.name for one in found[:4])
            raise ValueError(f"“{text}” may be {len(found)} students: {names}; name one of them so")
    raise ValueError(f"there is no student “{text}” in this class; name the folder, id, address or full name")


def _problem(text: str, assignment: Assignment) -> str:
    """The problem's id. Of a single problem, the total is its points."""
    titles = assignment.titles
    names = {plain(name): id for id, title in titles.items() for name in (id, title)}
    if plain(text) in ("", "total", "all"):
        return TOTAL if len(titles) > 1 else next(iter(titles))
    if plain(text) not in names:
        raise ValueError(f"this assignment has no problem “{text}”; it has {', '.join(titles)}")
    return names[plain(text)]


def _points(text: str) -> tuple[float | None, str]:
    """The number, or the status that stands in its place."""
    if plain(text) in _STATUS:
        return None, text
    number = text.replace(",", ".")
    if not text:
        return None, ""
    if not re.fullmatch(r"\d{1,6}(\.\d+)?", number):
        raise ValueError(f"“{text}” are no points; write a number such as 12.5")
    return float(number), ""
