"""What the name and the text of a handed-in file say: which problem it solves, what else it may be, whose name is in it.

Browsers and students add to the names of files, and some hand in the whole course.
"""

import re
from pathlib import Path

from classroom.incoming.archives import File
from grader.problems import PROBLEMS, ROOT

# --- whose name is in it -------------------------------------------------------------------------

_STEMS = {problem.id: re.compile(problem.notebook.replace("_", r"[_\s-]"), re.IGNORECASE) for problem in PROBLEMS.values()}
_WORDS = {id: re.compile(rf"(?<![a-z]){id}(?![a-z])", re.IGNORECASE) for id in PROBLEMS}
_ANSWERS = re.compile(r"quiz[_\s-]answers", re.IGNORECASE)
NAMES = (*_STEMS.values(), _ANSWERS)  # of files, which are not the student's
# What a browser or a platform puts behind a name. Other numbers may be the student's.
_COUNTER = r"(?:-[0-9]{1,2}(?![0-9])|\s*\([0-9]+\)|[-_ ]+copy)*"
_COPY = re.compile(r"(?:\s*\([0-9]+\)|[-_ ]+copy)+$", re.IGNORECASE)


# What is no name: a copy, or a notebook that nobody has named.
_NOBODY = re.compile(
    r"(?:^|(?<=[\s_-]))(?:copy of|kopie von|copie de|copia de|cópia de|kopia)(?=[\s_-]|$)"
    r"|^(?:untitled|unbenannt|sans titre|sin título)\s*\d*$",
    re.IGNORECASE,
)

# The name of a team, by its first word.
TEAM = re.compile(
    r"(?:project|projekt|lab|tutorial|default)?[\s_-]*"
    r"(?:group|groupe|gruppe|grupo|gruppo|groep|team|équipe|equipo)[\s_-]*\w{0,3}",
    re.IGNORECASE,
)


def name_in(part: str, is_file: bool) -> str:
    """The student's name in the name of a file or a folder: `Bob Smith` in `Bob Smith 08_problem_lora (1).ipynb`. Or ""."""
    if is_file or part.lower().endswith(".zip"):
        part = re.sub(r"\.\w+$", "", part)
    elif part.casefold() in (*PROBLEMS, "notebooks"):
        return ""
    text = part
    for stem in NAMES:
        text = re.sub(stem.pattern + _COUNTER, " ", text, flags=re.IGNORECASE)
    if is_file and text == part:
        for word in _WORDS.values():
            text = re.sub(word.pattern + _COUNTER, " ", text, flags=re.IGNORECASE)
    text = re.sub(r"[_\s]+", " ", _COPY.sub("", text) if is_file else text).strip(" -.,")
    return _NOBODY.sub("", text).strip(" -.,")


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
