"""Which column of a list of the class plays which part, and of which platform the list is.

Names tell it where they are known, in English or in another language. Moodle translates all names of its worksheet; there
the places tell it, since they are the same in every language, and what stands in the cells.
"""

import re
from collections.abc import Sequence

# The names of columns by their part, in small letters, the best first.
_NAMES = {
    "name": "name|full name|student|student name|display name|vollständiger name|nom complet|nombre completo|nome completo|naam"
    "|volledige naam",
    "first": "first name|given name|firstname|vorname|prénom|nombre|nome|voornaam|имя",
    "last": "last name|surname|family name|lastname|nachname|familienname|nom|nom de famille|apellidos|apellido|apellido(s)"
    "|cognome|sobrenome|achternaam|фамилия",
    "id": "id|identifier|id number|student id|sid|student number|orgdefinedid|matrikelnummer|matriculation number"
    "|numéro|número|studentnummer",
    "login": "login|username|user name|login id|sis login id|github_username|user|benutzername|anmeldename"
    "|identifiant|usuario|utente",
    "email": "email|email address|e-mail|e-mail address|mail|e-mail-adresse|adresse de courriel"
    "|dirección de correo|indirizzo email|e-mailadres",
    "group": "group|group name|groups|team|gruppe|groupe|grupo|gruppo|groep",
    "status": "status|estado|stato|statut",
    "grade": "grade|bewertung|note|calificación|valutazione|nota|cijfer",
    "maximum": "maximum grade|max points|bestwertung|note maximale|calificación máxima|valutazione massima",
    "feedback": "feedback comments|feedback als kommentar|feedback par commentaires|comentarios de retroalimentación",
    "late": "lateness (h:m:s)|lateness",
    "other id": "sis user id|student id|username|identifier",
}  # fmt: skip
_PARTS = {part: names.split("|") for part, names in _NAMES.items()}


def plain(cell: str) -> str:
    """A column's name to compare: lower case, single blanks, no question mark."""
    return " ".join(cell.replace("_", " ").casefold().split()).rstrip("?")


def kind_of(header: Sequence[str], columns: dict[str, int]) -> str:
    """The platform whose list has these columns, such as "moodle"; "plain" if it is none's."""
    names = {plain(cell) for cell in header}
    if {"identifier", "github username"} <= names:
        return "github"
    if "orgdefinedid" in names or "end-of-line indicator" in names:
        return "brightspace"
    if {"student", "id"} <= names and {"section", "sis user id", "sis login id"} & names:
        return "canvas"
    if "identifier" in names and ("name" in columns or "first" in columns or {"grade", "status"} <= names):
        return "moodle"
    if {"username", "last name", "first name"} <= names and (
        {"availability", "last access", "student id"} & names or "[total pts:" in " ".join(names)
    ):
        return "blackboard"
    if "sid" in names and ("email" in names or "total score" in names):
        return "gradescope"
    if {"last name", "first name", "email address"} <= names and len(header) >= 4 and "id" not in columns:
        return "google"
    return "plain"


def by_names(header: Sequence[str]) -> dict[str, int]:
    """The columns by their part, as far as their names are known."""
    names = [plain(cell) for cell in header]
    found = {}
    for part, known in _PARTS.items():
        places = [names.index(plain(name)) for name in known if plain(name) in names]
        if places:
            found[part] = places[0]
    return found


def of_moodle(header: Sequence[str], rows: Sequence[Sequence[str]]) -> dict[str, int] | None:
    """The columns of Moodle's worksheet in any language, by their places and cells. None if it is no such worksheet.

    The order is always: identifier, name (unless it is hidden), more about the person, status, team, grade, the most that the
    grade can be, whether it can be changed, dates, comments.
    """
    words = {re.sub(r"\d+\s*$", "", row[0]).strip() for row in rows}
    if len(header) < 6 or len(words) != 1 or len(*words) < 2 or not all(re.search(r"\d\s*$", row[0]) for row in rows):
        return None
    if {"name", "student"} & set(map(plain, header)):
        return None
    cells = [[row[place].strip() for row in rows] for place in range(len(header))]
    maximum = next(
        (place for place in range(3, len(header)) if _is_one_number(cells[place]) and _are_grades(cells[place - 1])), None
    )
    if maximum is None:
        return None
    grade, columns = maximum - 1, {"id": 0, "grade": maximum - 1, "maximum": maximum}
    between = list(range(1, grade))
    if emails := [place for place in between if any("@" in cell for cell in cells[place])]:
        columns["email"] = emails[0]
    if not _are_states(cells[1], rows) and len(between) > 1:
        columns["name"] = 1
    others = [place for place in between if place not in columns.values()]
    states = [place for place in others if _are_states(cells[place], rows)] or others
    if states:
        columns["status"] = states[0]
        if states[0] + 1 < grade:
            columns["group"] = states[0] + 1
    if len(header) > maximum + 3 and not all(cell == "-" or re.search(r"\b20\d\d\b", cell) for cell in cells[-1]):
        columns["feedback"] = len(header) - 1
    return columns


def _is_one_number(cells: Sequence[str]) -> bool:
    return len(set(cells)) == 1 and bool(re.fullmatch(r"\d+([.,]\d+)?", cells[0]))


def _are_grades(cells: Sequence[str]) -> bool:
    return all(re.fullmatch(r"-|\d+([.,]\d+)?|", cell) for cell in cells)


def _are_states(cells: Sequence[str], rows: Sequence) -> bool:
    """Whether few words recur, as `Submitted for grading` does, or more follows them, as in `Submitted - 2 days late`."""
    first = [re.split(r"\s+-(?:\s|$)", cell)[0] for cell in cells]
    if any("@" in cell for cell in cells) or any(re.fullmatch(r"[\d\s]+", cell) for cell in cells if cell):
        return False
    return len(set(first)) <= len(rows) // 3 or any(re.search(r"\s-(\s|$)", cell) for cell in cells)
