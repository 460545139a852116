"""The grades, in the form that a learning platform imports.

`books` gives the files of a class: our own gradebook.csv, and for each platform the list that it exports, with grades filled in.
How a platform writes its list is told in `platforms`; here is what all have in common.

Strangers choose the texts in it, so all texts go through `cells.safe`. Those of the roster do too: a student chooses a name on
the platform as well. Moodle finds a row by its Identifier, a word and a number, and Canvas by its ID, a number, so both
stay as they are. A login or an address that begins with a sign gets an apostrophe: no platform looks at it beside these.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property

from classroom.assignment import Assignment
from classroom.incoming.collect import Student
from classroom.incoming.roster import Person, Roster
from classroom.outgoing.platforms import PLATFORMS, QUIZ, Platform, Unclear
from classroom.outgoing.standing import EXCUSED, TOTAL, Standing, key_of
from desk.cells import as_csv, as_number, digits

MOST_NAMES = 6  # in one sentence
NO_GRADE = ("", "-")  # what stands in a platform's list where no grade is
WITH_A_MARK = "utf-8-sig"  # by which Excel knows the encoding


@dataclass(frozen=True)
class Grades:
    """All that a gradebook takes its cells from.

    own, total: what everybody gets for each problem and in all, by folder.
    feedback: in a few sentences, by folder.
    quiz: by folder the points, and how many questions were answered. They are no part of the total.
    quiz_most: the points of all questions; 0 if there are no answers.
    overwrite: grades that the platform's list already holds are replaced.
    """

    students: Sequence[Student]
    missing: Sequence[Mapping[str, str]]
    own: Mapping[str, Mapping[str, Standing]]
    total: Mapping[str, Standing]
    assignment: Assignment
    feedback: Mapping[str, str]
    roster: Roster | None = None
    quiz: Mapping[str, tuple[float, int]] = field(default_factory=dict)
    quiz_most: float = 0
    overwrite: bool = False

    @cached_property
    def rows(self) -> dict[int, str]:
        """For each person's row of the roster, the folder, or what stands for it where nothing was handed in."""
        found = rows_of(self.students, self.roster)
        return {person.row: found.get(person.row, _key(person)) for person in (self.roster.people if self.roster else ())}

    @property
    def strangers(self) -> list[Student]:
        """Those who are not in the roster."""
        return [student for student in self.students if student.folder not in self.rows.values()] if self.roster else []

    def standing(self, key: str, of: str) -> Standing | None:
        """What someone gets for a problem, in all, or for the quiz."""
        if of == QUIZ:
            points = self.quiz.get(key, (None, 0))[0]
            return Standing(points, self.quiz_most, "", points)
        return self.total.get(key) if of == TOTAL else self.own.get(key, {}).get(of)


@dataclass(frozen=True)
class Book:
    """A file to be written, and what the instructor should know of it, in sentences."""

    name: str
    content: bytes
    notes: Sequence[str] = ()


def books(grades: Grades) -> tuple[list[Book], list[str]]:
    """The gradebooks of a class. And why a platform's could not be made, in sentences."""
    kinds = {student.platform for student in grades.students} | ({grades.roster.kind} if grades.roster else set())
    made, refused = [plain(grades)], []
    for kind, platform in PLATFORMS.items():
        if kind not in kinds:
            continue
        try:
            has_list = grades.roster and grades.roster.kind == kind
            made.append(filled(grades, platform) if has_list else fresh(grades, kind, platform))
        except Unclear as error:
            refused.append(f"{platform.file} is not written. {error}")
    return made, refused


def rows_of(students: Sequence[Student], roster: Roster | None) -> dict[int, str]:
    """For each row of the roster whose person handed something in, the folder."""
    found: dict[int, str] = {}
    for student in sorted(students, key=lambda student: student.folder) if roster else ():
        person = roster.match(student.name, student.id, student.platform)
        if person:
            found.setdefault(person.row, student.folder)
    return found


def _key(person: Person) -> str:
    return key_of(asdict(person))


# --- our own ------------------------------------------------------------------------------------


def plain(grades: Grades) -> Book:
    """One row a student, sorted by folder; then those of the list who handed nothing in."""
    assignment, quiz = grades.assignment, ["quiz", "quiz answered"] if grades.quiz else []
    header = ["folder", "name", "id", "email", *assignment.titles, "total", "maximum", "status", "late", *quiz, "note"]
    people = [(s.folder, s.folder, s.name, s.id, s.email, s.late) for s in sorted(grades.students, key=lambda s: s.folder)]
    people += [(key_of(person), "", person["name"], person["id"], person["email"], "") for person in grades.missing]
    rows = []
    for key, *who, late in people:
        total = grades.total.get(key)
        points = [grades.own.get(key, {}).get(problem) for problem in assignment.titles]
        cells = [one.points if one else None for one in [*points, total]]
        late = "late" if late is True else late or ""
        rows.append([*who, *cells, assignment.whole, total.status if total else "", late])
        rows[-1] += [*(grades.quiz.get(key, (None, None)) if quiz else ()), grades.feedback.get(key, "")]
    return Book("gradebook.csv", as_csv([header, *rows]).encode(WITH_A_MARK))


# --- a platform's own list, filled in -----------------------------------------------------------


def filled(grades: Grades, platform: Platform, made: bool = False) -> Book:
    """The platform's list as it came, with the grades in their columns. Unclear if a column is not to be found.

    A grade that is there stays, and so does the comment beside it, unless `overwrite` is asked for.

    Args:
        made: the list is ours.
    """
    roster = replace(grades.roster, header=list(grades.roster.header), rows=[list(row) for row in grades.roster.rows])
    columns = platform.columns(roster, grades.assignment, grades.quiz_most)
    kept = [told for index, key in grades.rows.items() for told in _fill(roster, index, key, columns, grades, platform)]
    shown = platform.shown(roster, list(columns))
    table = [row for index, row in enumerate(roster.rows) if index in grades.rows or platform.keeps(row)]
    rows = [[row[column] for column in shown] for row in [roster.header, *table]]
    if platform.ends:
        rows = [[*row, platform.ends[bool(number)]] for number, row in enumerate(rows)]
    content = _encoded(as_csv(rows, roster.delimiter, roster.decimal_comma), roster.encoding)
    told = [] if made else _told(grades, platform, {of: roster.header[column] for column, of in columns.items()}, kept)
    return Book(platform.file, content, told)


def _fill(
    roster: Roster, index: int, key: str, columns: Mapping[int, str], grades: Grades, platform: Platform
) -> Iterator[str]:
    """Fill a student's row. Gives what was not overwritten though it differs."""
    row, free = roster.rows[index], True
    for column, of in columns.items():
        cell, before = _cell(grades.standing(key, of), platform, platform.most(roster, row, column)), row[column].strip()
        is_free = before in NO_GRADE or grades.overwrite
        free = free and is_free
        if cell is None:
            continue
        if is_free:
            row[column] = cell
        elif not _equal(before, cell):
            yield f"{_name(roster, index)} ({before}; here {_shown(cell)})"
    column = roster.columns.get("feedback") if platform.comments else None
    if column is not None and free and grades.feedback.get(key) and (grades.overwrite or not row[column].strip()):
        row[column] = grades.feedback[key]


def _told(grades: Grades, platform: Platform, filled: Mapping[str, str], kept: Sequence[str]) -> list[str]:
    """What the instructor should know of a list that was filled in."""
    told = [f"{platform.file} fills {', '.join(f'“{title}”' for title in filled.values())}."]
    if grades.quiz and QUIZ not in filled:
        told.append(f"{platform.file}: {platform.title}'s list has no column for the quiz, so its points are in gradebook.csv alone.")
    if kept:
        told.append(
            f"{platform.file}: where {platform.title}'s list holds another grade, that was kept: {_few(kept)}. "
            "With --overwrite-grades it is replaced."
        )
    if grades.strangers:
        names = _few([student.name or student.folder for student in grades.strangers])
        told.append(f"{platform.file}: not in {platform.title}'s list, so without a row there: {names}.")
    return told


def fresh(grades: Grades, kind: str, platform: Platform) -> Book:
    """A list in the platform's form, where none was given. Unclear if there is no such form."""
    if not platform.blank:
        raise Unclear(f"It needs {platform.title}'s own list of the class: export it there, and name it by --roster.")
    students = sorted((one for one in grades.students if one.platform == kind and one.id), key=lambda one: one.folder)
    roster = platform.blank(students, grades.assignment, grades.quiz_most)
    book = filled(replace(grades, roster=roster), platform, made=True)
    note = f"{platform.file} was made without {platform.title}'s own list of the class. {platform.advice}"
    return replace(book, notes=[note])


def _cell(standing: Standing | None, platform: Platform, most: float | None) -> str | float | None:
    """The points on the scale of the platform's column."""
    if standing is None:
        return None
    if standing.status == EXCUSED:
        return platform.excused or None
    if standing.points is None:
        return None
    return standing.points * most / standing.most if most else standing.points


def _equal(before: str, cell: str | float) -> bool:
    number = as_number(before)
    return before.strip() == cell if isinstance(cell, str) or number is None else abs(number - cell) < 0.01


def _shown(cell: str | float) -> str:
    return cell if isinstance(cell, str) else digits(cell)


def _name(roster: Roster, row: int) -> str:
    return next(person.name or person.id for person in roster.people if person.row == row)


def _few(names: Sequence[str]) -> str:
    """How many, and the first of them."""
    more = f"; and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"{len(names)}, {'; '.join(names[:MOST_NAMES])}{more}"


def _encoded(text: str, encoding: str) -> bytes:
    """As the list came. What its encoding cannot say is said in UTF-8, with the mark by which Excel knows it."""
    try:
        return text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return text.encode(WITH_A_MARK)
