"""What learning platforms speak: the list of students that they export, and the grades that they import.

Moodle's grading worksheet and Canvas's gradebook are known. Any other CSV needs a column with names.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path


class RosterError(Exception):
    """The list of students cannot be read. The message says why and what to do."""


@dataclass(frozen=True)
class Person:
    """One student of a roster. What the roster does not say is "".

    id: Moodle's participant number, Canvas's ID, or the `id` of a plain list.
    row: the index in the rows of the roster.
    """

    name: str
    id: str = ""
    email: str = ""
    row: int = field(default=-1, compare=False)


@dataclass
class Roster:
    """A list of students, and the table that it was read from.

    kind: "moodle", "canvas" or "plain".
    rows: all rows below the header, as read, each as long as the header or longer.
    """

    kind: str
    header: list[str]
    rows: list[list[str]]
    people: list[Person]

    def match(self, name: str, id: str = "") -> Person | None:
        """The person with this id, else the only one of this name, login or email. None if nobody or several fit."""
        id, name = id.strip(), name.strip()
        people = (
            self._by_id.get(id)
            or self._by_id.get(name)
            or self._named(name)
            or self._by_email.get(name.casefold())
            or []
        )
        return people[0] if len(people) == 1 else None

    def _named(self, name: str) -> list[Person]:
        """Everybody of this name. Where two differ in the order of their names, the order decides."""
        found = {person: None for spelling in spellings(name) for person in self._by_spelling.get(spelling, ())}
        exact = [person for person in found if plain_letters(person.name) == plain_letters(name)]
        return exact or list(found)

    @cached_property
    def _by_id(self) -> dict[str, list[Person]]:
        return _index((person.id, person) for person in self.people)

    @cached_property
    def _by_spelling(self) -> dict[str, list[Person]]:
        return _index((spelling, person) for person in self.people for spelling in spellings(person.name))

    @cached_property
    def _by_email(self) -> dict[str, list[Person]]:
        """By the whole address, and by the part before the @, which often is the login."""
        emails = [(person.email.strip().casefold(), person) for person in self.people]
        return _index((key, person) for email, person in emails for key in {email, email.partition("@")[0]})


def _index(pairs) -> dict[str, list[Person]]:
    found: dict[str, list[Person]] = {}
    for key, person in pairs:
        if key and person not in found.get(key, ()):
            found.setdefault(key, []).append(person)
    return found


# --- names --------------------------------------------------------------------------------------

# Letters that do not fall apart into a base letter and an accent.
_LETTERS = str.maketrans({"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "ł": "l", "þ": "th", "ı": "i"})


def plain_letters(text: str) -> str:
    """The text in lower case and without accents: `müller` becomes `muller`."""
    apart = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def spellings(name: str) -> set[str]:
    """The name without blanks, beginning with each of its words: Jörg Müller gives `jorgmuller` and `mullerjorg`.

    So the order of family and given names does not matter, and Canvas's `mullerjorg` is among them.
    """
    words = re.findall(r"[^\W_]+", plain_letters(re.sub(r"[-'’`.]", "", name)))
    return {"".join(words[start:] + words[:start]) for start in range(len(words))}


def same_name(one: str, other: str) -> bool:
    """Whether two names are equal but for case, accents, blanks and order."""
    return bool(spellings(one) & spellings(other))


# --- reading ------------------------------------------------------------------------------------

LARGEST = 20_000_000  # bytes
_NAME = ("name", "student", "full name", "student name", "display name")


def read_roster(path: Path) -> Roster:
    """Read the CSV file that a platform exports. RosterError says what is wrong with it."""
    try:
        if path.stat().st_size > LARGEST:
            raise RosterError(f"{path} is larger than {LARGEST // 1_000_000} MB, so it is no list of students.")
        data = path.read_bytes()
    except OSError as error:
        raise RosterError(f"{path} cannot be read: {error.strerror}.") from None
    if data.startswith(b"PK"):
        raise RosterError(f"{path} is no CSV file. If it is a table of Excel, save it as “CSV UTF-8”.")
    header, rows = _table(_decoded(data), path)
    columns = [_plain(cell) for cell in header]
    has_name = "full name" in columns or {"first name", "last name"} <= set(columns)
    if "identifier" in columns and has_name:
        kind, people = "moodle", _moodle_people(columns, rows)
    elif {"student", "id"} <= set(columns) and {"section", "sis user id", "sis login id"} & set(columns):
        kind, people = "canvas", _canvas_people(columns, rows)
    elif has_name or set(_NAME) & set(columns):
        kind, people = "plain", _plain_people(columns, rows)
    else:
        found = ", ".join(f"“{cell}”" for cell in header[:12]) or "none"
        raise RosterError(
            f"{path} is neither Moodle's grading worksheet nor Canvas's gradebook, and has no column “name”; its columns "
            f"are {found}. Export it with the platform set to English, or name the column with the students' names “name”."
        )
    return Roster(kind, header, rows, people)


def _decoded(data: bytes) -> str:
    """The text, in UTF-8, in UTF-16 (as Excel saves “Unicode text”), else in the Western code page of Windows."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    if b"\0" in data[:200]:
        return data.decode("utf-16-be" if data[:1] == b"\0" else "utf-16-le", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace")


def _table(text: str, path: Path) -> tuple[list[str], list[list[str]]]:
    """Header and rows. The delimiter is the one of which the header has most; empty rows are left out."""
    text = text.lstrip("\ufeff\r\n")
    first, _, rest = text.partition("\n")
    if re.fullmatch(r"sep=.", first.strip("\r")):  # a line for Excel
        text = rest
    unquoted = re.sub(r'"[^"]*"', "", text.partition("\n")[0])
    delimiter = max(",;\t", key=unquoted.count)
    try:
        lines = [row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if any(row)]
    except csv.Error as error:
        raise RosterError(f"{path} is no CSV file that can be read: {error}.") from None
    if not lines:
        raise RosterError(f"{path} is empty. Export the list of students again.")
    header = [cell.strip() for cell in lines[0]]
    return header, [row + [""] * (len(header) - len(row)) for row in lines[1:]]


def _plain(cell: str) -> str:
    """A column's name to compare: lower case, single blanks, no question mark."""
    return " ".join(cell.replace("_", " ").casefold().split()).rstrip("?")


def _cell(columns: Sequence[str], row: Sequence[str], *names: str) -> str:
    """The first of these columns that is there and filled in, else ""."""
    for name in names:
        if name in columns and row[columns.index(name)].strip():
            return row[columns.index(name)].strip()
    return ""


def _full_name(columns: Sequence[str], row: Sequence[str]) -> str:
    parts = (_cell(columns, row, "first name"), _cell(columns, row, "last name", "surname"))
    return _cell(columns, row, *_NAME) or " ".join(part for part in parts if part)


def _moodle_people(columns: list[str], rows: list[list[str]]) -> list[Person]:
    people = []
    for index, row in enumerate(rows):
        number = re.search(r"(\d+)\s*$", _cell(columns, row, "identifier"))
        if number:
            email = _cell(columns, row, "email address", "email")
            people.append(Person(_full_name(columns, row), number[1], email, index))
    return people


def _canvas_people(columns: list[str], rows: list[list[str]]) -> list[Person]:
    """Without the rows of Canvas's own: points possible, the test student, rows without an ID."""
    people = []
    for index, row in enumerate(rows):
        name, id = _cell(columns, row, "student"), _cell(columns, row, "id")
        if id and name.casefold() not in ("points possible", "test student", "student, test"):
            people.append(Person(name, id, _cell(columns, row, "sis login id"), index))
    return people


def _plain_people(columns: list[str], rows: list[list[str]]) -> list[Person]:
    people = []
    for index, row in enumerate(rows):
        name, id = _full_name(columns, row), _cell(columns, row, "id", "id number", "student id")
        if name:
            people.append(Person(name, id, _cell(columns, row, "email", "email address", "e-mail"), index))
    return people


# --- writing ------------------------------------------------------------------------------------
#
# Each gradebook takes the students of a collection, and by their folder the points per problem (None: not graded) and
# a short feedback. `maximum` holds the points that each problem can give. The result is the text of a CSV file.
#
# Strangers choose the texts in it, so all texts go through `safe`. Those of the roster do too: a student chooses a name on
# the platform as well. Moodle finds a row by its Identifier, a word and a number, and Canvas by its ID, a number, so both
# stay as they are. A login or an address that begins with a sign gets an apostrophe: no platform looks at it beside these.

Points = Mapping[str, Mapping[str, float | None]]


def plain_gradebook(
    students: Sequence,
    points: Points,
    maximum: Mapping[str, float],
    feedback: Mapping[str, str],
    roster: Roster | None = None,
    beside: Mapping[str, Mapping[str, float]] | None = None,
) -> str:
    """One row a student, sorted by folder; then those of the roster who handed nothing in.

    beside: more columns by name, with a number for some folders. They are no part of the total.
    """
    beside = beside or {}
    header = ["folder", "name", "id", "email", *maximum, "total", "maximum", *beside, "note"]
    rows = []
    for student in sorted(students, key=lambda student: student.folder):
        got = points.get(student.folder, {})
        who = [student.folder, student.name, student.id, student.email]
        each = [got.get(problem) for problem in maximum]
        more = [column.get(student.folder) for column in beside.values()]
        rows.append([*who, *each, _total(got), sum(maximum.values()), *more, feedback.get(student.folder, "")])
    handed_in = _rows_of(students, roster)
    for person in roster.people if roster else ():
        if person.row not in handed_in:
            blank = [None] * (len(maximum) + 1)
            rows.append(["", person.name, person.id, person.email, *blank, sum(maximum.values()), *[None] * len(beside), ""])
    return _csv([header, *rows])


_MOODLE = ["Identifier", "Full name", "Grade", "Maximum Grade", "Last modified (grade)", "Feedback comments"]


def moodle_gradebook(
    students: Sequence, points: Points, maximum: Mapping[str, float], feedback: Mapping[str, str], roster: Roster | None = None
) -> str:
    """A grading worksheet for Moodle: the roster's with grade and feedback filled in, or a new one.

    Moodle imports it only with the columns Identifier, Grade and Last modified (grade). The grade is on the scale of the
    row's Maximum Grade. Students who are not in the roster come last.
    """
    roster = roster if roster and roster.kind == "moodle" else None
    header = list(roster.header) if roster else list(_MOODLE)
    header += [column for column in ("Grade", "Feedback comments") if _plain(column) not in map(_plain, header)]
    columns = [_plain(cell) for cell in header]
    rows: list[list[str | float]] = [row + [""] * (len(header) - len(row)) for row in roster.rows] if roster else []
    known = _rows_of(students, roster)
    for student in sorted(students, key=lambda student: student.folder):
        if student.folder in known.values():
            continue
        number = student.id if student.platform == "moodle" else ""
        fresh = {"identifier": f"Participant {number}" if number else "", "full name": student.name}
        fresh |= {"email address": student.email, "maximum grade": _number(sum(maximum.values()))}
        fresh |= {"last modified (grade)": "-"}
        known[len(rows)] = student.folder
        rows.append([fresh.get(column, "") for column in columns])
    for index, folder in known.items():
        row, total = rows[index], _total(points.get(folder, {}))
        if total is not None:
            row[columns.index("grade")] = _scaled(total, maximum, _cell(columns, row, "maximum grade"))
        if feedback.get(folder):
            row[columns.index("feedback comments")] = feedback[folder]
    return _csv([header, *rows])


_CANVAS = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]


def canvas_gradebook(
    students: Sequence,
    points: Points,
    maximum: Mapping[str, float],
    feedback: Mapping[str, str],
    roster: Roster | None = None,
    titles: Mapping[str, str] | None = None,
) -> str:
    """A gradebook for Canvas: who, and one column a problem.

    If the roster has an assignment with the name of a problem (its id, or its title in `titles`), that column is filled,
    on the scale of its points possible. Otherwise Canvas makes a new assignment of the column. Canvas imports no comments,
    so `feedback` is not used. Students who are not in the roster come last.
    """
    roster = roster if roster and roster.kind == "canvas" else None
    old = [_plain(cell) for cell in roster.header] if roster else []
    headings = {problem: _assignment(problem, (titles or {}).get(problem, problem), roster) for problem in maximum}
    limits = {problem: _possible(heading, maximum[problem], roster) for problem, heading in headings.items()}
    lines: list[tuple[list[str], str]] = []
    known = _rows_of(students, roster)
    for person in roster.people if roster else ():
        lines.append(([_exact(old, roster.rows[person.row], column) for column in _CANVAS], known.get(person.row, "")))
    for student in sorted(students, key=lambda student: student.folder):
        if student.folder not in known.values():
            number = student.id if student.platform == "canvas" else ""
            lines.append(([student.name, number, "", student.email, ""], student.folder))
    rows = []
    for who, folder in lines:
        got = {problem: value for problem, value in points.get(folder, {}).items() if value is not None}
        each = [got[problem] * limits[problem] / maximum[problem] if problem in got else None for problem in maximum]
        rows.append([*who, *each])
    possible = ["    Points Possible", "", "", "", "", *limits.values()]
    return _csv([[*_CANVAS, *headings.values()], possible, *rows])


def _assignment(problem: str, title: str, roster: Roster | None) -> str:
    """The roster's column for a problem, such as `LoRA (12345)`, else the title."""
    wanted = {plain_letters(problem), plain_letters(title)}
    found = [
        cell
        for cell in (roster.header if roster else ())
        if re.search(r" \(\d+\)$", cell) and plain_letters(re.sub(r" \(\d+\)$", "", cell)).strip() in wanted
    ]
    return found[0] if len(found) == 1 else title


def _possible(heading: str, maximum: float, roster: Roster | None) -> float:
    """The points possible of the roster's column, else the maximum."""
    if roster and heading in roster.header:
        for row in roster.rows:
            if row[0].strip().casefold() == "points possible":
                return _as_number(row[roster.header.index(heading)]) or maximum
    return maximum


def _exact(columns: list[str], row: list[str], column: str) -> str:
    """A cell as the platform wrote it, with its blanks."""
    return row[columns.index(_plain(column))] if _plain(column) in columns else ""


def _rows_of(students: Sequence, roster: Roster | None) -> dict[int, str]:
    """For each row of the roster whose person handed something in, the folder."""
    found: dict[int, str] = {}
    for student in sorted(students, key=lambda student: student.folder) if roster else ():
        person = roster.match(student.name, student.id)
        if person:
            found.setdefault(person.row, student.folder)
    return found


def _total(got: Mapping[str, float | None]) -> float | None:
    """The sum of what was graded. None if nothing was."""
    graded = [value for value in got.values() if value is not None]
    return sum(graded) if graded else None


def _scaled(total: float, maximum: Mapping[str, float], scale: str) -> float:
    """The total on the scale of Moodle's Maximum Grade. The total itself if there is none."""
    full, top = sum(maximum.values()), _as_number(scale)
    return total * top / full if top and full else total


def _as_number(cell: str) -> float | None:
    """100.00 and 100,00 are numbers, a scale's name is None."""
    cell = cell.strip().replace(",", ".")
    return float(cell) if re.fullmatch(r"\d+(\.\d+)?", cell) else None


def _number(value: float | None) -> str:
    """At most two places, no zeros at the end: 8.5. None is an empty cell."""
    return "" if value is None else f"{value:.2f}".rstrip("0").rstrip(".")


# Wide signs too: East Asian editions of a spreadsheet read them as the narrow ones.
_SIGNS = "=+-@＝＋－＠"
_SEPARATORS = ",;|:\t\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_QUOTES = "\"'"
# Not the straight one: readers can take that for a quote, and then '=1+1' is a formula.
_APOSTROPHE = "’"
# Where a blank ends cells, this is a whole cell that computes nothing: the sign in `a - b`, the number in `a -1.5 b`.
_HARMLESS = re.compile("(?:[-+=@]|[-+][0-9.,]+) ")


def safe(text: str) -> str:
    """The text with an apostrophe before each sign that a spreadsheet could take for the start of a formula.

    The reader chooses the separator, and with another one than ours our quotes mean nothing. So a cell can begin at the
    start of the text and after each separator, blanks and quotes passed over. It can begin after a blank too, but there a
    sign or a number that stands alone is left as it is.
    """
    written, begins, blank = [], True, False  # whether a cell begins here, whether it does where blanks separate
    for place, letter in enumerate(text):
        if letter in _SIGNS and (begins or (blank and not _HARMLESS.match(text, place))):
            written.append(_APOSTROPHE)
        written.append(letter)
        if letter in _SEPARATORS:
            begins = True
        elif letter in _QUOTES:
            begins = begins or blank
        elif letter == " " or not letter.isprintable():  # all blanks of Unicode, and what has no width
            blank = True
        else:
            begins = blank = False
    return "".join(written)


def _csv(rows: Sequence[Sequence[str | float | None]]) -> str:
    """The rows as text: texts are made safe, numbers are written as numbers, None is an empty cell."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    for row in rows:
        writer.writerow([_written(cell, begins_line=not column) for column, cell in enumerate(row)])
    return out.getvalue()


def _written(cell: str | float | None, begins_line: bool) -> str:
    """A cell's text. A bare carriage return would end a row for some readers, so it becomes a line break.

    Moodle's "-", for a grade that is not there, stays as Moodle wrote it: alone it computes nothing. At the start of a line
    it would not be alone for who reads with another separator than ours.
    """
    if not isinstance(cell, str):
        return _number(cell)
    return cell if cell == "-" and not begins_line else safe(cell.replace("\r\n", "\n").replace("\r", "\n"))
