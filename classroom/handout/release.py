"""What students get: the course as a folder and as a zip, without the solutions.

    release(Path("course"))                            course/ and course.zip
    release(Path("course"), without=["topics"])        without notebooks 01 to 05
    release(Path("course"), with_quiz_keys=True)       the quiz tells at once what was right
    release(Path("course"), with_solutions=True)       for self-study: with solutions, known mistakes and open questions

The stubs are blank, whatever the notebooks here hold. The grader of the copy compares with what the checks have seen in
the references for the public seed (`grader.recorded`), so a student who looks for them finds the right numbers, but no
code. Grade with another seed. The quiz asks and has no keys: students hand their answers in. A copy in which the code of
a reference still stands somewhere is refused, and so is one without keys in which a question is explained.
"""

import ast
import html
import json
import os
import re
import shutil
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jinja2

from desk import elsewhere, pair
from grader import stubs, wire
from grader.bank import reference_observations
from grader.problems import PROBLEMS, ROOT, Problem
from grader.submission import SubmissionError, read_pair
from grader.verdict import PUBLIC_SEED
from quiz import bank, keyless, packed
from quiz.register import Broken

TEMPLATES = Path(__file__).parent / "templates"
PARTS = ("grader", "quiz", "topics")  # what a copy can do without
TARGETS = ("help", "check", "watch", "quiz", "lab", "real", "slides", "reset", "update")  # of the Makefile, for students
COACH = ("plan", "interview", "cheatsheet", "progress")  # the same, where there are solutions and keys: what they do holds both
INSTRUCTORS = ("pyseccomp", "pyyaml")  # of the requirements, what only the classroom needs
GRADERLESS = (
    "__init__", "effects", "notebook", "problems", "program", "quote", "recorded", "report", "reset", "stubs", "submission",
    "verdict", "wire",
)  # fmt: skip
DRILL = re.compile(r", and `python -m coach drill[^`]*` asks again what you missed, on the same evening")  # where there is no coach
OPEN = ("errata.toml", "sources.toml")  # of the bank: the notebooks show them
FORMULAS = "formulas.py"  # of the quiz: they compute the keys that are numbers
DATE = (2000, 1, 1, 0, 0, 0)  # of every file in the zip
SHORTEST = 50  # characters; see `bodies`


class ReleaseError(Exception):
    """The copy cannot be made. The message says why and what to do."""


@dataclass(frozen=True)
class Copy:
    """What is in a copy."""

    grader: bool
    quiz: bool
    topics: bool
    solutions: bool
    keys: bool


def release(out: Path, without: Collection[str] = (), with_solutions: bool = False, with_quiz_keys: bool = False) -> Path:
    """Make the folder `out`, and beside it a zip of the same name that unpacks to this one folder.

    Args:
        without: some of "grader", "quiz" and "topics".
        with_solutions: a copy for self-study, with solutions, known mistakes and questions that can be read.
        with_quiz_keys: the quiz tells at once what was right; its keys are in the copy, packed.

    Returns the zip.

    Raises:
        ReleaseError: `out` or the zip is in the way, a part is unknown, the course is not whole, or the code of a
            reference or a key that is not handed out stands in the copy. Nothing is left behind.
    """
    out = Path(out).resolve()
    archive = out.with_name(f"{out.name}.zip")
    copy = _copy(without, with_solutions, with_quiz_keys)
    _check_places(out, archive)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as work:
            made = Path(work, out.name)
            made.mkdir()
            _build(made, copy)
            if not copy.solutions:
                search(made)
            if not copy.keys:
                search_keys(made)
            _zip(made, Path(work, archive.name))
            if out.exists():
                out.rmdir()  # it is empty
            os.replace(made, out)
            os.replace(Path(work, archive.name), archive)
    except OSError as error:
        raise ReleaseError(f"Nothing was made: {error.strerror}, at {error.filename or out}.") from None
    return archive


def _copy(without: Collection[str], with_solutions: bool, with_quiz_keys: bool) -> Copy:
    for part in without:
        if part not in PARTS:
            raise ReleaseError(f"There is no part {part!r} to leave out; there are {', '.join(PARTS)}.")
    if with_solutions and set(without) - {"topics"}:
        raise ReleaseError("A copy with solutions has the grader and the quiz as well; only the topics can be left out.")
    if with_quiz_keys and "quiz" in without:
        raise ReleaseError("A copy without the quiz has no keys of it. Leave out one of the two options.")
    return Copy(
        **{part: part not in without for part in PARTS}, solutions=with_solutions, keys=with_solutions or with_quiz_keys
    )


def _check_places(out: Path, archive: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ReleaseError(f"{out} exists and is not empty. Name a new folder, or remove this one.")
    if archive.exists():
        raise ReleaseError(f"{archive} exists. Name another folder, or remove this file.")


# --- the folder ---------------------------------------------------------------------------------


def _build(out: Path, copy: Copy) -> None:
    shutil.copyfile(ROOT / "LICENSE", out / "LICENSE")
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines(keepends=True)
    _write(out / "requirements.txt", "".join(line for line in lines if not line.startswith(INSTRUCTORS)))
    for name in ("constraints.txt", "requirements-real.txt"):
        shutil.copyfile(ROOT / name, out / name)
    _take(out, "lab")
    _take(out, "desk")
    _notebooks(out, copy)
    _grader(out, copy)
    _solutions(out, copy)
    _quiz(out, copy)
    if copy.solutions:
        _take(out, "coach")
        _take(out, "tests/variants")  # other right ways, to compare with
    _write(out / "Makefile", _makefile((ROOT / "Makefile").read_text(encoding="utf-8"), copy))
    for name in ("pyproject.toml", "setup.py"):
        shutil.copyfile(ROOT / name, out / name)
    _write(out / "README.md", _readme(copy))


def _take(out: Path, folder: str, wanted: Callable[[Path], bool] = lambda path: True) -> None:
    """Copy the files of a folder of the course, without hidden ones and what Python leaves behind."""
    for path in sorted((ROOT / folder).rglob("*")):
        place = path.relative_to(ROOT)
        hidden = any(part.startswith((".", "__pycache__")) for part in place.parts)
        if path.is_file() and not hidden and wanted(path.relative_to(ROOT / folder)):
            (out / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, out / place)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def _notebooks(out: Path, copy: Copy) -> None:
    """The topics as they are, and the problems with blank stubs.

    Each is an .ipynb alone: students work in many editors, and one file cannot contradict itself. The cells that lead to the
    published course, which holds the solutions, are left out.
    """
    problems = {problem.notebook for problem in PROBLEMS.values()}

    def is_topic(path: Path) -> bool:
        return bool(re.fullmatch(r"\d\d_\w+\.ipynb", path.name)) and path.stem not in problems

    (out / "notebooks").mkdir()
    if copy.topics:
        _take(out, "notebooks", is_topic)
        for path in sorted((out / "notebooks").glob("*.ipynb")):
            _topic_notebook(path, copy)
    for problem in PROBLEMS.values():
        _problem_notebook(problem, out / "notebooks")


def _topic_notebook(path: Path, copy: Copy) -> None:
    """Make a topic an .ipynb alone; and, without solutions, take the output of the quiz out of it, which holds the keys."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    notebook["metadata"].pop("jupytext", None)
    notebook["cells"] = [cell for cell in notebook["cells"] if not elsewhere.is_one(cell)]
    for cell in () if copy.solutions else notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = DRILL.sub("", "".join(cell["source"])).splitlines(keepends=True)
        if cell["cell_type"] == "code" and "quiz.show(" in "".join(cell["source"]):
            cell["outputs"], cell["execution_count"] = [], None
    _write(path, json.dumps(notebook, indent=1, ensure_ascii=False) + "\n")


def _problem_notebook(problem: Problem, folder: Path) -> None:
    try:
        notebook = pair.read(Path(read_pair(problem.notebook_path(".ipynb", ROOT / "notebooks")).path))
    except (SubmissionError, pair.Unreadable) as error:
        raise ReleaseError(f"Nothing was made: {error}") from None
    stubs.put(notebook, problem, stubs.blank)
    notebook.metadata.pop("jupytext", None)
    notebook.cells = [cell for cell in notebook.cells if not elsewhere.is_one(cell)]
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"  # else each run draws new ones
        if cell.cell_type == "code":  # outputs show what the instructor's own code has given
            cell.outputs, cell.execution_count = [], None
    pair.save_half(notebook, problem.notebook_path(".ipynb", folder))


def _grader(out: Path, copy: Copy) -> None:
    """The grader; or what a notebook imports of it, and a judge who says that the instructor grades."""
    if copy.grader:
        _take(out, "grader", lambda path: copy.solutions or path.parts[0] not in ("mistakes", "recorded"))
        _take(out, "tests/problems")
    else:
        _take(out, "grader", lambda path: path.suffix == ".py" and len(path.parts) == 1 and path.stem in GRADERLESS)
        shutil.copyfile(TEMPLATES / "judge.py", out / "grader" / "judge.py")
        shutil.copyfile(TEMPLATES / "main.py", out / "grader" / "__main__.py")
    _take(out, "grader/checks", lambda path: path.name == "problem.toml")
    _take(out, "problems", lambda path: copy.solutions or path.name == "problem.toml" or copy.grader and path.parts[1] == "checks")
    if not copy.solutions:
        (out / "grader" / "recorded").mkdir()
        for problem in PROBLEMS.values():
            (out / "grader" / "recorded" / problem.recorded.name).write_bytes(_recorded(problem, copy.grader))


@cache
def _recorded(problem: Problem, observations: bool) -> bytes:
    """The file that `grader.recorded` reads, with or without what the checks see."""
    seen = reference_observations(problem, PUBLIC_SEED) if observations else {}
    return wire.dumps(
        {
            "seed": PUBLIC_SEED,
            "observations": {id: {"value": one.value, "asked": list(one.asked)} for id, one in seen.items()},
            "blank": {cell[0]: stubs.blank(problem, cell) for cell in problem.cells},
        }
    )


SOLUTION = '''"""{title}: what you have written in notebooks/{notebook}. The package says more."""

from solutions import fill

fill(globals(), "{id}", {others})
'''


def _solutions(out: Path, copy: Copy) -> None:
    """The references; or modules of the same names that give the student's own code."""
    if copy.solutions:
        return _take(out, "solutions")
    (out / "solutions").mkdir()
    shutil.copyfile(TEMPLATES / "solutions.py", out / "solutions" / "__init__.py")
    for problem in PROBLEMS.values():
        others = json.dumps(_beside_the_stubs(problem))
        text = SOLUTION.format(title=problem.title, notebook=problem.notebook, id=problem.id, others=others)
        _write(out / "solutions" / f"{problem.id}.py", text)


def _beside_the_stubs(problem: Problem) -> list[str]:
    """The public names that a reference defines and no stub does, such as IGNORE_INDEX."""
    found = []
    for node in ast.parse(problem.reference.read_text(encoding="utf-8")).body:
        targets = [target.id for target in getattr(node, "targets", [])]
        found += targets if isinstance(node, ast.Assign) else [getattr(node, "name", "_")]
    return sorted(name for name in found if not name.startswith("_") and name not in problem.names)


def _quiz(out: Path, copy: Copy) -> None:
    """The quiz. Its questions have no keys, or are packed, or left out, or, beside the solutions, as they are here."""

    def wanted(path: Path) -> bool:
        if path.parts[0] == "bank":
            return copy.solutions or path.name in OPEN
        return copy.keys or path.name != FORMULAS

    _take(out, "quiz", wanted)
    if copy.quiz and not copy.solutions:
        files = _whole_questions() if copy.keys else _bare_questions()
        _write(out / "quiz" / "bank" / packed.NAME, packed.written(files, pack=copy.keys))


def _whole_questions() -> dict[str, dict]:
    paths = sorted(path for path in (ROOT / "quiz" / "bank").glob("*.toml") if path.name not in OPEN)
    return {path.name: tomllib.loads(path.read_text(encoding="utf-8")) for path in paths}


def _bare_questions() -> dict[str, dict]:
    return {
        f"{topic}.toml": {keyless.alias(item.id): keyless.stripped(item) for item in items}
        for topic, items in _questions().items()
    }


def _questions() -> dict[str, list]:
    """The items of each topic."""
    try:
        return {topic: list(bank.read_topic(topic, ROOT / "quiz" / "bank").values()) for topic in bank.TOPICS}
    except Broken as error:
        raise ReleaseError(f"Nothing was made: {error}") from None


# --- the files around it ------------------------------------------------------------------------


def _makefile(text: str, copy: Copy) -> str:
    """The Makefile without the targets that need what is not there."""
    left_out = (set() if copy.topics else {"slides"}) | (set() if copy.grader else {"watch"})
    kept = [target for target in (*TARGETS, *(COACH if copy.solutions else ())) if target not in left_out]
    listed = [target for target in kept if getattr(copy, {"check": "grader"}.get(target, target), True)]
    blocks = []
    for block in text.strip().split("\n\n"):
        targets = re.search(r"^([\w-]+(?: [\w-]+)*):(?!=)", block, re.MULTILINE)
        if not targets or set(targets[1].split()) <= set(kept):
            blocks.append(_help(block, listed) if block.startswith("help:") else block)
    text = "\n\n".join(blocks) + "\n"
    text = re.sub(r"^\.PHONY:.*$", f".PHONY: {' '.join(kept)}", text, flags=re.MULTILINE)
    return text if copy.grader else re.sub(r"^\t.*pytest tests/problems.*$", "\t@$(RUN) -m grader", text, flags=re.MULTILINE)


def _help(block: str, listed: list[str]) -> str:
    """`make help` with the lines on these targets."""
    head, *lines = block.splitlines()
    told = [re.match(r'\t@echo "make ([\w-]+)', line) for line in lines]
    return "\n".join([head, *(line for line, target in zip(lines, told) if target and target[1] in listed)])


def _readme(copy: Copy) -> str:
    """The README for students. How to get PyTorch, and what the article is, is told by the README of the course."""
    sections = {}
    for name, title in {"build": "### The PyTorch build", "article": "## The article"}.items():
        found = re.search(rf"^{title}\n.*?(?=^#)", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S)
        if not found:
            raise ReleaseError(f"README.md has no section “{title.strip('# ')}” any more, and students need it.")
        sections[name] = found[0].strip()
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    template = environment.from_string((TEMPLATES / "README.md").read_text(encoding="utf-8"))
    return template.render(**vars(copy), **sections, problems=PROBLEMS.values())


# --- no solution stands in it -------------------------------------------------------------------


def search(folder: Path) -> None:
    """Look for the code of the references in every file. Comments, docstrings and white space make no difference.

    Raises:
        ReleaseError: there is some. The message names the file and the function.
    """
    wanted = {f"{problem.id}: {name}": body for problem in PROBLEMS.values() for name, body in bodies(problem).items()}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        texts = [text for raw in _texts(path) for text in (_bare(raw), _bare(_DOCSTRING.sub("", raw)))]
        for name, body in wanted.items():
            if any(body in text for text in texts):
                problem, _, function = name.partition(": ")
                raise ReleaseError(
                    f"{path.relative_to(folder).as_posix()} holds the body of `{function}` as it stands in "
                    f"solutions/{problem}.py. Take it out of the file here, then make the copy again."
                )


def bodies(problem: Problem) -> dict[str, str]:
    """The body of each function of a reference, bare, by its name or “Class.method”. What is given to the learner is left out.

    Those of fewer than SHORTEST characters are left out. They are one short line, such as `return model`, which hints
    and checks hold too, and which everyone writes alike. The longest that occurs in them has 44 characters; the shortest
    body that is more than a line has 68.
    """
    text = problem.reference.read_text(encoding="utf-8")
    found = {}
    for name, node in _functions(ast.parse(text)):
        given = name.partition(".")[0]
        if given not in problem.names and not given.startswith("_"):
            continue
        statements = node.body[1:] if ast.get_docstring(node) else node.body
        if statements:
            lines = text.splitlines()[statements[0].lineno - 1 : statements[-1].end_lineno]
            found[name] = _bare(_DOCSTRING.sub("", "\n".join(lines)))
    return {name: body for name, body in found.items() if len(body) >= SHORTEST}


def _functions(tree: ast.AST, above: str = "") -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in ast.iter_child_nodes(tree):
        name = above + getattr(node, "name", "")
        if isinstance(node, ast.FunctionDef):
            yield name, node
        yield from _functions(node, f"{name}." if isinstance(node, (ast.FunctionDef, ast.ClassDef)) else above)


_DOCSTRING = re.compile(r'"""(?:.|\n)*?"""')


def _bare(text: str) -> str:
    """Without comments and white space, and with line ends and quotes that are written as in JSON set free."""
    text = re.sub(r"\\+n", "\n", text)
    text = re.sub(r"\\+([\"'])", r"\1", text)
    return re.sub(r"\s+", "", re.sub(r"#.*", "", text))


def _texts(path: Path) -> list[str]:
    """What can be read in a file: the strings of JSON, the questions unpacked, else the text as it is."""
    text = path.read_bytes().decode("utf-8", errors="replace")
    if path.name == packed.NAME:
        return list(_strings(packed.unpack(text)))
    if path.suffix in (".ipynb", ".json"):
        return list(_strings(json.loads(text)))
    return [text]


def search_keys(folder: Path) -> None:
    """Look for what the quiz tells of its keys in every file: explanations, replies and key points.

    What the register of errata says as well is a lesson that everyone reads.

    Raises:
        ReleaseError: there is some. The message names the file and the question.
    """
    lessons = "".join(_bare((ROOT / "quiz" / "bank" / name).read_text(encoding="utf-8")) for name in OPEN)
    telling = [(item.id, _bare(text)) for items in _questions().values() for item in items for text in _telling(item)]
    wanted = [(name, words) for name, words in telling if words not in lessons]
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        text = "\n".join(_bare(html.unescape(raw)) for raw in _texts(path))
        for name, words in wanted:
            if words in text:
                raise ReleaseError(
                    f"{path.relative_to(folder).as_posix()} tells the answer to the question {name} of the quiz. Take it "
                    "out of the file here, or hand the keys out (--with-quiz-keys), then make the copy again."
                )


def _telling(item) -> list[str]:
    """The sentences of an item that only whoever has its key may read."""
    wrong = (*getattr(item, "options", ()), *getattr(item, "slips", ()))
    return [item.explanation, *(one.reply for one in wrong if one.reply), *getattr(item, "rubric", ())]


def _strings(data) -> Iterator[str]:
    """Every string of JSON data. A list of strings is a text in lines, as in notebooks."""
    if isinstance(data, str):
        yield data
    elif isinstance(data, list) and all(isinstance(item, str) for item in data):
        yield "".join(data)
    elif isinstance(data, (list, dict)):
        for item in data.values() if isinstance(data, dict) else data:
            yield from _strings(item)


# --- the zip ------------------------------------------------------------------------------------


def _zip(folder: Path, archive: Path) -> None:
    """The same folder gives the same bytes: sorted, with one date and one mode."""
    with zipfile.ZipFile(archive, "w") as file:
        places = {path.relative_to(folder.parent).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        for name, path in sorted(places.items()):
            info = zipfile.ZipInfo(name, DATE)
            info.create_system, info.external_attr = 3, 0o100644 << 16  # Unix; a file that its owner may change
            file.writestr(info, path.read_bytes(), zipfile.ZIP_DEFLATED, 9)
