"""The list of students that a learning platform exports.

The lists of Moodle, Canvas, Blackboard, Brightspace, Gradescope, Google Classroom and GitHub Classroom are known. Any
other CSV needs a column with names.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from classroom.incoming.columns import by_names, kind_of, of_moodle, plain
from classroom.incoming.times import seconds_in

__all__ = ["Person", "Roster", "RosterError", "cell_of", "plain", "plain_letters", "read_roster", "same_name", "spellings"]


class RosterError(Exception):
    """The list of students cannot be read. The message says why and what to do."""


@dataclass(frozen=True)
class Person:
    """One student of a roster. What the roster does not say is "".

    id: what the platform knows the student by: Moodle's participant number, Canvas's ID, Blackboard's username; else the
        list's `id`.
    row: the index in the rows of the roster.
    others: more by which the student may be named: logins, other numbers.
    group: the team.
    late: in the platform's words, with `late_seconds` (None: it does not say by how much).
    status: what else the platform says of the hand-in, as that it is a draft.
    """

    name: str
    id: str = ""
    email: str = ""
    row: int = field(default=-1, compare=False)
    others: tuple[str, ...] = field(default=(), compare=False)
    group: str = field(default="", compare=False)
    late: str = field(default="", compare=False)
    late_seconds: int | None = field(default=0, compare=False)
    status: str = field(default="", compare=False)


@dataclass
class Roster:
    """A list of students, and the table that it was read from.

    kind: "moodle", "canvas", "blackboard", "brightspace", "gradescope", "google", "github" or "plain".
    rows: all rows below the header, as read, each as long as the header or longer.
    columns: which column plays which part: "name" ("first" and "last"), "id", "email", "login", "group", "status",
        "grade", "maximum", "feedback". A part that no column plays is left out.
    decimal_comma: whether the grades in it have one.
    delimiter, encoding: how the file was written.
    """

    kind: str
    header: list[str]
    rows: list[list[str]]
    people: list[Person]
    columns: dict[str, int] = field(default_factory=dict)
    decimal_comma: bool = False
    delimiter: str = ","
    encoding: str = "utf-8"

    def match(self, name: str, id: str = "", platform: str = "") -> Person | None:
        """The person with this id, else the only one of this name, login or email. None if nobody or several fit.

        Args:
            platform: that gave the id. One platform's numbers are not another's.
        """
        return self.find(name, id, platform=platform)[0]

    def find(self, name: str, id: str = "", login: str = "", email: str = "", platform: str = "") -> tuple[Person | None, str]:
        """The same, and by what the person was found: "number", "login", "email", "name" or ""."""
        id, name = id.strip(), name.strip()
        numbered = self._by_id.get(id.casefold(), [])
        if self.kind == "plain" or platform not in ("", self.kind):
            numbered = [person for person in numbered if not name or same_name(person.name, name)]
        ways = (
            ("login", self._by_id.get(login.strip().casefold()) or self._by_email.get(login.strip().casefold())),
            ("number", numbered),
            ("email", self._by_email.get(email.strip().casefold())),
            ("number", self._by_id.get(name.casefold())),
            ("name", self._named(name)),
            ("login", self._by_email.get(name.casefold())),
        )
        how, people = next(((how, people) for how, people in ways if people), ("", []))
        return (people[0], how) if len(people) == 1 else (None, "")

    def namesakes(self, name: str) -> list[Person]:
        """Everybody who may be meant by a name."""
        return self._named(name)

    def has(self, login: str) -> bool:
        """Whether someone has this login, number or address."""
        return login.casefold() in self._by_id or login.casefold() in self._by_email

    @property
    def logins(self) -> list[str]:
        """The logins, the longest first."""
        return sorted((other for person in self.people for other in person.others), key=len, reverse=True)

    def _named(self, name: str) -> list[Person]:
        """Everybody of this name. Where two differ in the order of their names, the order decides."""
        found = {person.row: person for spelling in spellings(name) for person in self._by_spelling.get(spelling, ())}
        exact = [person for person in found.values() if plain_letters(person.name) == plain_letters(name)]
        return exact or list(found.values())

    @cached_property
    def _by_id(self) -> dict[str, list[Person]]:
        return _index((id.casefold(), person) for person in self.people for id in {person.id, *person.others})

    @cached_property
    def _by_spelling(self) -> dict[str, list[Person]]:
        return _index((spelling, person) for person in self.people for spelling in spellings(person.name))

    @cached_property
    def _by_email(self) -> dict[str, list[Person]]:
        """By the whole address, and by the part before the @, which often is the login."""
        emails = [(person.email.strip().casefold(), person) for person in self.people]
        return _index((key, person) for email, person in emails for key in {email, email.partition("@")[0]})


def _index(pairs) -> dict[str, list[Person]]:
    """The people by key. Two rows are two people, even if all that is compared of them is equal."""
    found: dict[str, list[Person]] = {}
    for key, person in pairs:
        if key and all(other is not person for other in found.get(key, ())):
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


def read_roster(path: Path) -> Roster:
    """Read the CSV file that a platform exports. RosterError says what is wrong with it."""
    header, rows, delimiter, encoding = read_table(path)
    columns = by_names(header)
    kind = kind_of(header, columns)
    if kind in ("plain", "moodle") and rows and (placed := of_moodle(header, rows)) and kind_of(header, {}) != "google":
        kind, columns = (
            "moodle",
            placed | {part: place for part, place in columns.items() if kind == "moodle"} | {"id": placed["id"]},
        )
    if kind == "plain" and not {"name", "first", "last"} & set(columns):
        found = ", ".join(f"“{cell}”" for cell in header[:12]) or "none"
        raise RosterError(
            f"{path} is a list of no platform that is known here, and has no column “name”; its columns are {found}. Export "
            "the list again as a CSV file, as the platform makes it, or name the column with the students' names “name”."
        )
    people = [person for index, row in enumerate(rows) if (person := _person(kind, columns, row, index))]
    numbers = [row[columns[part]].strip() for part in ("grade", "maximum") if part in columns for row in rows]
    comma = any(re.fullmatch(r"\d+,\d+", number) for number in numbers)
    return Roster(kind, header, rows, people, columns, comma, delimiter, encoding)


def read_table(path: Path) -> tuple[list[str], list[list[str]], str, str]:
    """Header, rows, delimiter and encoding of a CSV file. RosterError says what is wrong with it."""
    try:
        if path.stat().st_size > LARGEST:
            raise RosterError(f"{path} is larger than {LARGEST // 1_000_000} MB, so it is no list of students.")
        data = path.read_bytes()
    except OSError as error:
        raise RosterError(f"{path} cannot be read: {error.strerror}.") from None
    if data.startswith(b"PK"):
        raise RosterError(f"{path} is no CSV file. If it is a table of Excel, save it as “CSV UTF-8”.")
    text, encoding = _decoded(data)
    return *_table(text, path), encoding


def _decoded(data: bytes) -> tuple[str, str]:
    """The text and its encoding: UTF-8, UTF-16 (as Excel saves “Unicode text”), else the Western code page of Windows."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace"), "utf-16"
    if b"\0" in data[:200]:
        encoding = "utf-16-be" if data[:1] == b"\0" else "utf-16-le"
        return data.decode(encoding, errors="replace"), encoding
    try:
        return data.decode("utf-8-sig"), "utf-8-sig" if data.startswith(b"\xef\xbb\xbf") else "utf-8"
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace"), "cp1252"


def _table(text: str, path: Path) -> tuple[list[str], list[list[str]], str]:
    """Header, rows and delimiter, which is the one of which the header has most. Empty rows are left out."""
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
    return header, [row + [""] * (len(header) - len(row)) for row in lines[1:]], delimiter


def cell_of(columns: Sequence[str], row: Sequence[str], *names: str) -> str:
    """The first of these columns that is there and filled in, else ""."""
    for name in names:
        if name in columns and row[columns.index(name)].strip():
            return row[columns.index(name)].strip()
    return ""


# --- people -------------------------------------------------------------------------------------

_OF_CANVAS = ("points possible", "test student", "student, test")


def _person(kind: str, columns: dict[str, int], row: Sequence[str], index: int) -> Person | None:
    """The student in a row. None if it is a row of the platform's own."""

    def cell(part: str) -> str:
        text = row[columns[part]].strip() if part in columns else ""
        return text.removeprefix("#") if kind == "brightspace" else text

    name = cell("name") or " ".join(filter(None, (cell("first"), cell("last"))))
    id, login, email, others = cell("id"), cell("login"), cell("email"), {cell("login"), cell("other id")}
    if kind == "moodle":
        number = re.search(r"(\d+)\s*$", id)
        name, id = name or id, number[1] if number else ""
    elif kind == "canvas":
        email = email or login
        id = "" if name.casefold() in _OF_CANVAS else id
    elif kind == "blackboard":
        others, id = {id, login}, login
    elif kind == "brightspace":
        id = id or login
    elif kind == "github":
        given = id if re.search(r"[^\W\d_]", id) and "@" not in id else ""  # what the instructor has called the student
        name, email = given or name or id or login, email or (id if "@" in id else "")
    elif kind == "google":
        name, id = (name, email) if "@" in email else ("", "")  # without the rows of the dates and the points
    if not name or kind in ("moodle", "canvas") and not id:
        return None
    late, seconds, status = _lateness(cell("status")) if kind == "moodle" else ("", 0, "")
    if hours := re.fullmatch(r"(\d+):(\d\d):(\d\d)", cell("late")):
        hour, minute, second = map(int, hours.groups())
        seconds = 3600 * hour + 60 * minute + second
        late = f"{hours[0]} late" if seconds else ""
    others = tuple(sorted(others - {"", id}))
    return Person(name, id, email, index, others, cell("group"), late, seconds, status)


def _lateness(status: str) -> tuple[str, int | None, str]:
    """Late in words and seconds, and the first words, of `Submitted for grading - 2 days 3 hours late`, in any language.

    Dates, as of an extension, have a year in them. What is overdue was not handed in, and nobody asks how late that is.
    """
    first, *more = (part.strip() for part in re.split(r"\s+-(?:\s+|$)", status))
    for part in more:
        if re.search(r"\d", part) and not re.search(r"\b\d{4}\b|\d[:.]\d", part):
            return part, seconds_in(part), first
    return "", 0, first
