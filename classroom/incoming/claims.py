"""What the path and the text of a handed-in file say: whose it is, which problem it solves, what else it may be.

Moodle and Canvas write the student into the name of each file, browsers and students add to it, and some hand in the whole course.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from classroom.incoming.archives import File
from grader.problems import PROBLEMS, ROOT

# --- whose a file is ----------------------------------------------------------------------------

# `Full Name_1234567_assignsubmission_file_` as a folder, or with the file's name behind it.
_MOODLE = re.compile(r"(?P<name>.+?)_(?P<id>[0-9]+)_assignsubmission_(?P<kind>[a-z]+)_(?P<rest>.*)")
# `mullerjorg_LATE_12345_67890_lora-1.ipynb`; `anon_xyz` instead of name and id; `_text.html` for a text or a link.
_CANVAS = re.compile(
    r"(?:(?P<anon_late>LATE_)?(?P<anon>anon_[A-Za-z0-9]+)|(?P<name>\w+?)_(?P<late>LATE_)?(?P<id>[0-9]+))_"
    r"(?:(?P<attachment>[0-9]+)_(?P<rest>.+)|(?P<typed>(?:text|link)\.html))"
)
_STEMS = {
    problem.id: re.compile(problem.notebook.replace("_", r"[_\s-]"), re.IGNORECASE) for problem in PROBLEMS.values()
}
_WORDS = {id: re.compile(rf"(?<![a-z]){id}(?![a-z])", re.IGNORECASE) for id in PROBLEMS}
_ANSWERS = re.compile(r"quiz[_\s-]answers", re.IGNORECASE)
_NAMES = (*_STEMS.values(), _ANSWERS)  # of files, which are not the student's
# What a browser or a platform puts behind a name. Other numbers may be the student's.
_COUNTER = r"(?:-[0-9]{1,2}(?![0-9])|\s*\([0-9]+\)|[-_ ]+copy)*"
_COPY = re.compile(r"(?:\s*\([0-9]+\)|[-_ ]+copy)+$", re.IGNORECASE)


@dataclass(frozen=True)
class Claim:
    """What the path of a file says.

    own: the path as the student named it.
    attachment: Canvas's number of the upload, else 0. A later upload has a higher one.
    typed: whether the student typed a text on the platform instead of uploading a file.
    """

    platform: str
    name: str
    id: str
    own: tuple[str, ...]
    late: bool = False
    attachment: int = 0
    typed: bool = False


def claim_of(path: tuple[str, ...], alone: str) -> Claim | None:
    """Whose file it is. `alone` is the name for files that tell none; None if that is "", too."""
    for index, part in enumerate(path):
        if found := _MOODLE.fullmatch(part):
            own = (*filter(None, [found["rest"]]), *path[index + 1 :])
            return Claim("moodle", found["name"], found["id"], own, typed=found["kind"] != "file")
    if (found := _CANVAS.fullmatch(path[0])) and not _is_chance(found):
        id, late = found["anon"] or found["id"], bool(found["late"] or found["anon_late"])
        own = (found["rest"] or found["typed"], *path[1:])
        return Claim("canvas", found["name"] or id, id, own, late, int(found["attachment"] or 0), bool(found["typed"]))
    for index, part in enumerate(path):
        if part.casefold() != "notebooks" and (name := _name_in(part, is_file=index == len(path) - 1)):
            own = path if index == len(path) - 1 else path[:index] + path[index + 1 :]
            return Claim("folder", name, "", own)
    return Claim("folder", alone, "", path) if alone else None


def _is_chance(found: re.Match) -> bool:
    """Whether a name only looks like Canvas's, since a notebook's name is where Canvas has the student or a number."""
    before_rest = found.start("attachment") if found["attachment"] else 0
    return any(stem.search(found["name"] or "") or stem.match(found.string, before_rest) for stem in _NAMES)


def _name_in(part: str, is_file: bool) -> str:
    """The student's name in the name of a file or a folder: `Bob Smith` in `Bob Smith 08_problem_lora (1).ipynb`. Or ""."""
    if is_file or part.lower().endswith(".zip"):
        part = re.sub(r"\.\w+$", "", part)
    elif part.casefold() in PROBLEMS:
        return ""
    text = part
    for stem in _NAMES:
        text = re.sub(stem.pattern + _COUNTER, " ", text, flags=re.IGNORECASE)
    if is_file and text == part:
        for word in _WORDS.values():
            text = re.sub(word.pattern + _COUNTER, " ", text, flags=re.IGNORECASE)
    return re.sub(r"[_\s]+", " ", _COPY.sub("", text) if is_file else text).strip(" -.,")


def module_name(name: str) -> str:
    """The name under which a file can be imported, without what a browser has added; empty if it is none."""
    stem = re.sub(rf"{_COUNTER}$", "", Path(name).stem)
    return f"{stem}.py" if stem.isidentifier() and stem.isascii() else ""


# --- which problem it solves --------------------------------------------------------------------

_NOTEBOOKS = {problem.notebook for problem in PROBLEMS.values()}
TOPICS = {path.stem for path in (ROOT / "notebooks").glob("*.md")} - _NOTEBOOKS


def by_name(own: tuple[str, ...]) -> tuple[str, int]:
    """The problem that the name tells, and how surely (3: the notebook's name, 2: the word); "" if none or several."""
    for names in (own[-1:], own[-2::-1]):
        for name in names:
            for sure, known in ((3, _STEMS), (2, _WORDS)):
                found = [id for id, pattern in known.items() if pattern.search(name)]
                if len(found) == 1:
                    return found[0], sure
    return "", 0


def is_answers(name: str) -> bool:
    """Whether the name is that of a file of answers to the quiz."""
    return name.lower().endswith(".json") and bool(_ANSWERS.search(name))


def by_content(text: str) -> str:
    """The problem of which the text defines the most stubs, "" if none or several. Nothing is parsed, it is a count."""
    defined = set(re.findall(r"\b(?:def|class)\s+(\w+)", text.replace("\\n", "\n")))
    counts = {id: len(defined & (problem.names | problem.parts)) for id, problem in PROBLEMS.items()}
    best = [id for id, count in counts.items() if count == max(counts.values())]
    return best[0] if len(best) == 1 else ""


def without_course(files: list[File]) -> list[File]:
    """The files without those that this course has itself, where a student hands in a copy of it.

    Else solutions/lora.py would count as the student's.
    """
    tops = {file.path[:count] for file in files for count in range(1, len(file.path))}
    roots = {
        file.path[:-2]
        for file in files
        if file.path[-2:-1] == ("notebooks",) and Path(file.path[-1]).stem in _NOTEBOOKS and (*file.path[:-2], "grader") in tops
    }

    def is_of_course(path: tuple[str, ...]) -> bool:
        at = next((count for count in range(len(path)) if path[:count] in roots), None)
        if at is None:
            return False
        return Path(path[-1]).stem in TOPICS if path[at] == "notebooks" else (ROOT / path[at]).exists()

    return [file for file in files if not is_of_course(file.path)]


def unwrapped(files: list[File], stem: str) -> list[File]:
    """The files without the one folder that has the zip's own name, as programs make it that pack a folder."""
    if all(len(file.path) > 1 and file.path[0].casefold() == stem.casefold() for file in files):
        return [File(file.path[1:], file.where, file.date, file.read) for file in files]
    return files
