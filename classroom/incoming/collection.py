"""A collection: what `collect` has made, and what grading reads again."""

import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path

from classroom.incoming.errors import CollectError
from quiz.hand_in import FILE as ANSWERS

FORMAT = 1
INDEX = "collected.json"


@dataclass
class Student:
    """One student of a collection.

    folder: the name of the folder, of letters, digits, ".", "-" and "_".
    id: the platform's, else the roster's, else "".
    platform: "moodle", "canvas", "blackboard", "brightspace", "gradescope", "google", "github" or "folder".
    late: that it is late, in the platform's words or by the due date, as "2 days 3 hours late"; "" if it is in time.
    files: for each problem that was handed in, the names in the folder.
    modules: the names in the folder of modules that the answers may import.
    quiz: the name in the folder of the answers to the quiz, "" if there are none.
    notes: what the instructor should know, in sentences.
    late_seconds: 0: in time; None: late, but nobody says by how much.
    submitted: when, as the platform says it, in ISO's form; "" if it does not.
    attempt: which attempt counts, "" if there is one only.
    earlier: the attempts that do not count.
    group: the team for whose hand-in this is, with the names of its members; "" and none if it is the student's own.
    sources: for each problem, the place in the archive of the file that counts.
    """

    folder: str
    name: str
    id: str
    email: str
    platform: str
    late: str
    files: dict[str, list[str]]
    modules: list[str] = field(default_factory=list)
    quiz: str = ""
    notes: list[str] = field(default_factory=list)
    late_seconds: int | None = 0
    submitted: str = ""
    attempt: str = ""
    earlier: list[str] = field(default_factory=list)
    group: str = ""
    members: list[str] = field(default_factory=list)
    sources: dict[str, str] = field(default_factory=dict)


@dataclass
class Collection:
    """What was collected into a folder.

    missing: those of the roster who handed nothing in: {"name", "id", "email"}.
    unreadable: what was refused: {"where", "why"}.
    doubles: files that claim one place: {"folder", "problem", "taken", "left"}.
    platforms: from where the archives come.
    matched: how many students were found in the roster by "number", "login", "email" and "name", and how many not ("");
        empty without a roster.
    """

    folder: Path
    students: list[Student]
    missing: list[dict] = field(default_factory=list)
    unreadable: list[dict] = field(default_factory=list)
    doubles: list[dict] = field(default_factory=list)
    platforms: list[str] = field(default_factory=list)
    matched: dict[str, int] = field(default_factory=dict)


def load(out: Path) -> Collection:
    """Read what `collect` has written. CollectError if it is missing or broken."""
    path = Path(out) / INDEX
    again = "Collect the submissions again into a new folder."
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CollectError(f"{out} is no collection, since it has no {INDEX}. Collect the submissions first.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise CollectError(f"{path} cannot be read: {error}. {again}") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise CollectError(f"{path} is not of format {FORMAT}, which this version reads. {again}")
    try:
        students = [Student(**student) for student in data["students"]]
        more = data.get("platforms", []), data.get("matched", {})
        collection = Collection(Path(out), students, data["missing"], data["unreadable"], data["doubles"], *more)
        for student in students:
            if isinstance(student.late, bool):  # as before there were words for it
                student.late, student.late_seconds = ("late", None) if student.late else ("", 0)
            names = [student.folder, student.quiz or ANSWERS, *student.modules]
            names += [name for files in student.files.values() for name in files]
            if not all(re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", name) for name in names):
                raise ValueError
    except (KeyError, TypeError, ValueError, AttributeError):
        raise CollectError(f"{path} is broken. {again}") from None
    return collection


def write_index(collection: Collection, folder: Path) -> None:
    """Write the list of what a collection holds, for `load`."""
    content = {"format": FORMAT} | {key: value for key, value in asdict(collection).items() if key != "folder"}
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    (folder / INDEX).write_text(text, encoding="utf-8", newline="\n")
