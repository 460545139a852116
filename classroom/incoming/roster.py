"""The list of students that a learning platform exports.

Moodle's grading worksheet and Canvas's gradebook are known. Any other CSV needs a column with names.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Sequence
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
    columns = [plain(cell) for cell in header]
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


def plain(cell: str) -> str:
    """A column's name to compare: lower case, single blanks, no question mark."""
    return " ".join(cell.replace("_", " ").casefold().split()).rstrip("?")


def cell_of(columns: Sequence[str], row: Sequence[str], *names: str) -> str:
    """The first of these columns that is there and filled in, else ""."""
    for name in names:
        if name in columns and row[columns.index(name)].strip():
            return row[columns.index(name)].strip()
    return ""


def _full_name(columns: Sequence[str], row: Sequence[str]) -> str:
    parts = (cell_of(columns, row, "first name"), cell_of(columns, row, "last name", "surname"))
    return cell_of(columns, row, *_NAME) or " ".join(part for part in parts if part)


def _moodle_people(columns: list[str], rows: list[list[str]]) -> list[Person]:
    people = []
    for index, row in enumerate(rows):
        number = re.search(r"(\d+)\s*$", cell_of(columns, row, "identifier"))
        if number:
            email = cell_of(columns, row, "email address", "email")
            people.append(Person(_full_name(columns, row), number[1], email, index))
    return people


def _canvas_people(columns: list[str], rows: list[list[str]]) -> list[Person]:
    """Without the rows of Canvas's own: points possible, the test student, rows without an ID."""
    people = []
    for index, row in enumerate(rows):
        name, id = cell_of(columns, row, "student"), cell_of(columns, row, "id")
        if id and name.casefold() not in ("points possible", "test student", "student, test"):
            people.append(Person(name, id, cell_of(columns, row, "sis login id"), index))
    return people


def _plain_people(columns: list[str], rows: list[list[str]]) -> list[Person]:
    people = []
    for index, row in enumerate(rows):
        name, id = _full_name(columns, row), cell_of(columns, row, "id", "id number", "student id")
        if name:
            people.append(Person(name, id, cell_of(columns, row, "email", "email address", "e-mail"), index))
    return people
