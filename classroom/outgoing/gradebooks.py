"""The grades, in the form that a learning platform imports.

Each gradebook takes the students of a collection, and by their folder the points per problem (None: not graded) and
a short feedback. `maximum` holds the points that each problem can give. The result is the text of a CSV file.

Strangers choose the texts in it, so all texts go through `cells.safe`. Those of the roster do too: a student chooses a name on
the platform as well. Moodle finds a row by its Identifier, a word and a number, and Canvas by its ID, a number, so both
stay as they are. A login or an address that begins with a sign gets an apostrophe: no platform looks at it beside these.
"""

import re
from collections.abc import Mapping, Sequence

from classroom.incoming.roster import Roster, cell_of, plain, plain_letters
from classroom.outgoing.cells import as_csv, digits

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
    return as_csv([header, *rows])


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
    header += [column for column in ("Grade", "Feedback comments") if plain(column) not in map(plain, header)]
    columns = [plain(cell) for cell in header]
    rows: list[list[str | float]] = [row + [""] * (len(header) - len(row)) for row in roster.rows] if roster else []
    known = _rows_of(students, roster)
    for student in sorted(students, key=lambda student: student.folder):
        if student.folder in known.values():
            continue
        number = student.id if student.platform == "moodle" else ""
        fresh = {"identifier": f"Participant {number}" if number else "", "full name": student.name}
        fresh |= {"email address": student.email, "maximum grade": digits(sum(maximum.values()))}
        fresh |= {"last modified (grade)": "-"}
        known[len(rows)] = student.folder
        rows.append([fresh.get(column, "") for column in columns])
    for index, folder in known.items():
        row, total = rows[index], _total(points.get(folder, {}))
        if total is not None:
            row[columns.index("grade")] = _scaled(total, maximum, cell_of(columns, row, "maximum grade"))
        if feedback.get(folder):
            row[columns.index("feedback comments")] = feedback[folder]
    return as_csv([header, *rows])


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
    old = [plain(cell) for cell in roster.header] if roster else []
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
    return as_csv([[*_CANVAS, *headings.values()], possible, *rows])


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
    return row[columns.index(plain(column))] if plain(column) in columns else ""


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
