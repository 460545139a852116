"""How each platform writes the list of its class: which columns hold grades, on which scale, and what its import wants to see.

A platform is one entry of PLATFORMS. The next one is another.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from classroom.assignment import Assignment
from classroom.incoming.collect import Student
from classroom.incoming.roster import Person, Roster, plain, plain_letters
from classroom.outgoing.overrides import TOTAL
from desk.cells import as_number, digits

QUIZ = "quiz"  # stands where other columns have their problem


class Unclear(Exception):
    """The gradebook cannot be made. The message says why and what to do."""


def _all_columns(roster: Roster, columns: Sequence[int]) -> list[int]:
    return list(range(len(roster.header)))


@dataclass(frozen=True)
class Platform:
    """What the gradebooks must know of a platform.

    title: its name; file: the gradebook's.
    columns: from the list, the assignment and the points of the quiz: what belongs into which column, by its number: a problem,
        TOTAL or QUIZ. Unclear if a column cannot be found.
    most: from the list, a row and a column of grades: the scale. None leaves the points as they are.
    blank: from students, the assignment and the points of the quiz: a list such as the platform's, where none was given.
    shown: from the list and the columns of grades: the columns that the import wants to see.
    keeps: whether a row that is no student's goes out again.
    ends: what stands at the end of the header and of each row, in a column of its own that the list may lack.
    excused: what the import takes for an excuse.
    comments: whether the import takes comments.
    advice: a sentence on a list that was made without the platform's own.
    """

    title: str
    file: str
    columns: Callable[[Roster, Assignment, float], Mapping[int, str]]
    most: Callable[[Roster, Sequence[str], int], float | None]
    blank: Callable[[Sequence[Student], Assignment, float], Roster] | None = None
    shown: Callable[[Roster, Sequence[int]], Sequence[int]] = _all_columns
    keeps: Callable[[Sequence[str]], bool] = lambda row: True
    ends: tuple[str, str] | None = None
    excused: str = ""
    comments: bool = False
    advice: str = ""


# --- the columns of an assignment ---------------------------------------------------------------


def _by_title(platform: str, titled: Callable[[Roster], Mapping[int, str]]) -> Callable[[Roster, Assignment, float], dict[int, str]]:
    """Finds the columns by their titles: the one that is stated, else the one that names the problem.

    Args:
        titled: the columns that can hold an assignment, and their titles without what the platform adds.
    """

    def columns(roster: Roster, assignment: Assignment, quiz: float) -> dict[int, str]:
        titles = titled(roster)
        one = isinstance(assignment.column, str) and bool(assignment.column)
        problems = list(assignment.titles)
        wanted = [TOTAL] if problems and (one or len(problems) == 1) else problems
        found = {of: _column(platform, roster, titles, assignment, of) for of in wanted}
        if len(set(found.values())) < len(found):
            raise Unclear(f"Several problems would go into one column of {platform}'s list. {_advice(assignment)}")
        with_quiz = [column for column, title in titles.items() if quiz and _names(title, [QUIZ])]
        return {column: of for of, column in found.items()} | ({with_quiz[0]: QUIZ} if len(with_quiz) == 1 else {})

    return columns


def _column(platform: str, roster: Roster, titles: Mapping[int, str], assignment: Assignment, of: str) -> int:
    """The one column of a problem, or of the whole."""
    problem = of or next(iter(assignment.titles))
    stated = assignment.column_of(problem)
    if stated:
        exact = [column for column in titles if roster.header[column].strip() == stated.strip()]
        found = exact or [column for column, title in titles.items() if plain(stated) in (plain(title), plain(roster.header[column]))]
        called = f"called “{stated}”"
    else:
        names = [problem, assignment.titles[problem]]
        exact = [column for column, title in titles.items() if plain_letters(title).strip() in map(plain_letters, names)]
        found = exact or [column for column, title in titles.items() if _names(title, names)]
        called = f"for {assignment.titles[problem]}"
    if len(found) == 1:
        return found[0]
    shown = found or titles
    there = "; ".join(f"“{roster.header[column]}”" for column in shown) or "none that can hold grades"
    how_many = f"{len(found)} columns" if found else "no column"
    raise Unclear(f"{platform}'s list has {how_many} {called}: {there}. {_advice(assignment)}")


def _advice(assignment: Assignment) -> str:
    if len(assignment.titles) > 1:
        return "Name the column in assignment.toml: column = {" + ", ".join(f'{id} = "…"' for id in assignment.titles) + "}."
    return 'Name it: --column "…", or column = "…" in assignment.toml.'


def _names(title: str, names: Sequence[str]) -> bool:
    """Whether a title holds one of the names, as whole words: `HW3: LoRA` holds `lora`."""
    return any(re.search(rf"(?<!\w){re.escape(plain_letters(name))}(?!\w)", plain_letters(title)) for name in names)


def _decorated(pattern: str) -> Callable[[Roster], dict[int, str]]:
    """The columns whose header is a title and what the platform adds to it."""

    def titled(roster: Roster) -> dict[int, str]:
        found = ((column, re.fullmatch(pattern, cell.strip())) for column, cell in enumerate(roster.header))
        return {column: match["title"] for column, match in found if match}

    return titled


def _most_in_header(pattern: str) -> Callable[[Roster, Sequence[str], int], float | None]:
    """The scale is told beside the title."""

    def most(roster: Roster, row: Sequence[str], column: int) -> float | None:
        match = re.fullmatch(pattern, roster.header[column].strip())
        return as_number(match["most"] or "") if match else None

    return most


# --- Moodle -------------------------------------------------------------------------------------


def _moodle_columns(roster: Roster, assignment: Assignment, quiz: float) -> dict[int, str]:
    if "grade" not in roster.columns:
        raise Unclear(
            "The worksheet has no column for grades. In Moodle, open the assignment, and download the grading worksheet from its "
            "grading actions."
        )
    return {roster.columns["grade"]: TOTAL}


def _moodle_most(roster: Roster, row: Sequence[str], column: int) -> float | None:
    return as_number(row[roster.columns["maximum"]]) if "maximum" in roster.columns else None


_MOODLE = ["Identifier", "Full name", "Grade", "Maximum Grade", "Last modified (grade)", "Feedback comments"]


def _moodle_blank(students: Sequence[Student], assignment: Assignment, quiz: float) -> Roster:
    rows = [[f"Participant {s.id}", s.name, "", digits(assignment.whole), "-", ""] for s in students]
    return _list("moodle", _MOODLE, rows, students, {"name": 1, "grade": 2, "maximum": 3, "feedback": 5})


# --- Canvas -------------------------------------------------------------------------------------

_CANVAS = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
_canvas_decorated = _decorated(r"(?P<title>.*\S) \(\d+\)")


def _canvas_titles(roster: Roster) -> dict[int, str]:
    """Canvas ends an assignment's title with its number. In a list of ours there is none yet."""
    return _canvas_decorated(roster) or {column: cell for column, cell in enumerate(roster.header) if column >= len(_CANVAS)}


def _canvas_most(roster: Roster, row: Sequence[str], column: int) -> float | None:
    """It stands in the rows above the students, which have no ID."""
    people = {person.row for person in roster.people}
    for index, above in enumerate(roster.rows):
        if index not in people and _is_canvas_own(above) and (most := as_number(above[column])):
            return most
    return None


def _is_canvas_own(row: Sequence[str]) -> bool:
    """Points possible, and how grades are posted: rows without an ID. The test student has one."""
    return not row[1].strip()


def _before_the_grades(roster: Roster, columns: Sequence[int]) -> list[int]:
    """Who, and the columns of the assignment. Those of other assignments stay as they are on the platform."""
    return [*range(min(_canvas_titles(roster))), *sorted(columns)]


def _canvas_blank(students: Sequence[Student], assignment: Assignment, quiz: float) -> Roster:
    stated = assignment.column if isinstance(assignment.column, str) else ""
    most = {stated: assignment.whole} if stated else {}
    if not stated:
        most = {assignment.column_of(id) or title: assignment.most(id) for id, title in assignment.titles.items()}
    most |= {QUIZ: quiz} if quiz else {}
    possible = ["    Points Possible", "", "", "", "", *map(digits, most.values())]
    rows = [[s.name, s.id, "", s.email, "", *[""] * len(most)] for s in students]
    return _list("canvas", [*_CANVAS, *most], [possible, *rows], students, {"name": 0, "id": 1}, above=1)


# --- others -------------------------------------------------------------------------------------

_BLACKBOARD = r"(?P<title>.*\S) \[(?:[^\]\d]*(?P<most>\d[\d.,]*))?[^\]]*\] ?\|\d+"
_BRIGHTSPACE = r"(?P<title>.*?\S)(?: Points Grade)? <[^>]*?MaxPoints:(?P<most>[\d.,]*\d)[^>]*>|(?P<bare>.*\S) Points Grade"


def _brightspace_titles(roster: Roster) -> dict[int, str]:
    found = ((column, re.fullmatch(_BRIGHTSPACE, cell.strip())) for column, cell in enumerate(roster.header))
    return {column: match["title"] or match["bare"] for column, match in found if match}


def _brightspace_shown(roster: Roster, columns: Sequence[int]) -> list[int]:
    """The import wants the keys, the grades, and nothing else."""
    keys = [column for column, cell in enumerate(roster.header) if plain(cell) in ("orgdefinedid", "org defined id", "username")]
    return [*keys, *sorted(columns)]


_GOOGLE = ("last name", "first name", "name", "full name", "student", "email address", "email", "overall grade", "average")


def _google_titles(roster: Roster) -> dict[int, str]:
    return {column: cell for column, cell in enumerate(roster.header) if cell and plain(cell) not in _GOOGLE}


def _google_most(roster: Roster, row: Sequence[str], column: int) -> float | None:
    """It stands in a row of no student, beside the word points."""
    people = {person.row for person in roster.people}
    above = [row for index, row in enumerate(roster.rows) if index not in people and any("point" in plain(cell) for cell in row)]
    return next((number for row in above if (number := as_number(row[column]))), None)


_GITHUB = ("points_awarded", "points_available")


def _github_columns(roster: Roster, assignment: Assignment, quiz: float) -> dict[int, str]:
    """The list of the class has no grades. They come into columns that are called as in GitHub's own report."""
    if _GITHUB[0] not in roster.header:
        roster.header += _GITHUB
        for row in roster.rows:
            row += ["", digits(assignment.whole)]
    return {roster.header.index(_GITHUB[0]): TOTAL}


def _no_scale(roster: Roster, row: Sequence[str], column: int) -> None:
    return None


def _list(
    kind: str, header: list[str], rows: list[list[str]], students: Sequence[Student], columns: dict[str, int], above: int = 0
) -> Roster:
    """A list of these students, as if the platform had exported it."""
    people = [Person(student.name, student.id, student.email, row) for row, student in enumerate(students, above)]
    return Roster(kind, list(header), rows, people, columns=columns)


PLATFORMS = {
    "moodle": Platform(
        "Moodle", "gradebook-moodle.csv", _moodle_columns, _moodle_most, _moodle_blank, comments=True,
        advice="Moodle imports it, if the assignment is worth as many points.",
    ),
    "canvas": Platform(
        "Canvas", "gradebook-canvas.csv", _by_title("Canvas", _canvas_titles), _canvas_most, _canvas_blank,
        shown=_before_the_grades, keeps=_is_canvas_own, excused="EX",
        advice="Canvas would make new assignments of its columns: to fill one that is there, export the gradebook and name it by --roster.",
    ),
    "blackboard": Platform(
        "Blackboard", "gradebook-blackboard.csv", _by_title("Blackboard", _decorated(_BLACKBOARD)), _most_in_header(_BLACKBOARD),
    ),
    "brightspace": Platform(
        "Brightspace", "gradebook-brightspace.csv", _by_title("Brightspace", _brightspace_titles), _most_in_header(_BRIGHTSPACE),
        shown=_brightspace_shown, keeps=lambda row: False, ends=("End-of-Line Indicator", "#"),
    ),
    "google": Platform("Google Classroom", "gradebook-google.csv", _by_title("Google Classroom", _google_titles), _google_most),
    "github": Platform("GitHub Classroom", "gradebook-github.csv", _github_columns, _no_scale),
}  # fmt: skip
