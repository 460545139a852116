"""A submission: the learner's code, out of a notebook or a Python file, with its line numbers kept."""

import ast
import codecs
import io
import json
import re
import tokenize
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from desk import pair


class SubmissionError(Exception):
    """The file cannot be graded. The message says why and what to do."""


@dataclass(frozen=True)
class Cell:
    """The source of one cell and the label under which reports cite it.

    Attributes:
        kind: "code"; or "Markdown" or "raw", for a cell that holds the code of a stub and is not run.
        stubs: the stubs that its tags name.
        place: its number in a file; 0 in a kernel, where one cell may run many times.
        id: how the front end of a kernel calls it; empty if that is not known.
    """

    label: str
    source: str
    kind: str = "code"
    stubs: tuple[str, ...] = field(default=(), compare=False)
    place: int = field(default=0, compare=False)
    id: str = field(default="", compare=False)


@dataclass
class Submission:
    """Cells in the order in which they run, and what the report should say about the file.

    Attributes:
        live: the cells are those that a kernel has run so far. What is missing may stand in the notebook all the same.
    """

    cells: list[Cell]
    path: str = ""
    notices: list[str] = field(default_factory=list)
    live: bool = False

    @property
    def folder(self) -> Path:
        """Where modules beside it lie: the file's folder, or the one in which the kernel runs."""
        return Path(self.path).absolute().parent if self.path else Path.cwd()


# --- reading files ------------------------------------------------------------------------------


def read(path: Path) -> Submission:
    """Read a .py, .ipynb or .md file. SubmissionError if that cannot be done."""
    readers = {".py": _python_cells, ".ipynb": _notebook_cells, ".md": _markdown_cells}
    if path.is_dir():
        raise SubmissionError(f"{path} is a folder. Name the notebook (.ipynb or .md) or the .py file in it.")
    if not path.exists():
        raise SubmissionError(f"{path} does not exist. Check the spelling and the folder you are in.")
    suffix = path.suffix.lower()
    if suffix not in readers:
        raise SubmissionError(f"{path} is no .py, .ipynb or .md file, and only these can be graded.")
    text = _text(path, suffix)
    if not text.strip():
        raise SubmissionError(
            f"{path} is empty. If it was saved so by accident, take the file of the course again and "
            "put your code back into it."
        )
    return Submission(readers[suffix](text, path), str(path))


def read_pair(notebook: Path) -> Submission:
    """Read a notebook that exists as .ipynb, as .md or as both. `desk.pair` tells which half counts."""
    halves = [notebook.with_suffix(suffix) for suffix in pair.SUFFIXES]
    if all(path.exists() for path in halves) and (same := _read_equal_halves(*halves)):
        return same
    try:
        choice = pair.choose(notebook)
    except FileNotFoundError:
        raise SubmissionError(
            f"{halves[0]} is missing, and so is its .md. Take the file of the course again, or move yours there."
        ) from None
    except pair.Unreadable:
        return read(halves[0])  # which says in its own words what is wrong
    submission = read(choice.counts)
    submission.notices += [choice.why] if choice.why else []
    return submission


def read_path(path: Path) -> Submission:
    """Read the file that the user named, and say so if its other half has been changed since."""
    submission = read(path)
    other = {".ipynb": path.with_suffix(".md"), ".md": path.with_suffix(".ipynb")}.get(path.suffix.lower())
    if other and other.exists() and other.stat().st_mtime > path.stat().st_mtime:
        notice = _disagreement(submission, other)
        if notice:
            submission.notices.append(f"{notice} {other.name} is newer, but you asked for {path.name}.")
    return submission


def _disagreement(submission: Submission, other: Path) -> str | None:
    """A sentence if the other file holds other code. Outputs and metadata do not count."""
    try:
        cells = read(other).cells
    except SubmissionError as error:
        return f"The other half of the notebook was left out: {error}"
    if [cell.source.strip() for cell in cells] == [cell.source.strip() for cell in submission.cells]:
        return None
    return f"{Path(submission.path).name} and {other.name} hold different code."


def _read_equal_halves(notebook: Path, markdown: Path) -> Submission | None:
    """The submission, if both halves surely hold the same code. Without jupytext, whose import takes a second."""
    try:
        submission, text = read(notebook), markdown.read_text(encoding="utf-8")
    except (SubmissionError, OSError, UnicodeDecodeError):
        return None
    place = 0
    for cell in submission.cells:
        place = text.find(f"\n{cell.source.strip()}\n```\n", place)
        if place < 0:
            return None
    return submission if text.count("\n```python") == len(submission.cells) else None


def _text(path: Path, suffix: str) -> str:
    """The text of a file. A .py file may name its encoding, as Python allows; else it is UTF-8, or shows that it is UTF-16."""
    try:
        data = path.read_bytes()
        encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
        if suffix == ".ipynb" and encoding != "utf-16":
            encoding = json.detect_encoding(data)  # JSON in UTF-16 shows in its first bytes, even without a mark
        if suffix == ".py" and encoding != "utf-16":
            encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = io.TextIOWrapper(io.BytesIO(data), encoding).read()
    except OSError as error:
        raise SubmissionError(f"{path} cannot be read: {error.strerror}.") from None
    except (UnicodeError, SyntaxError) as error:  # SyntaxError: what Python says of an encoding that it does not know
        raise SubmissionError(f"{path} cannot be read as text: {error}. Save it as UTF-8 in your editor.") from None
    if "\0" in text:
        raise SubmissionError(f"{path} cannot be read as text: it holds null bytes. Save it as UTF-8 in your editor.")
    return text


def _python_cells(text: str, path: Path) -> list[Cell]:
    return [Cell(path.name, text, place=1)]


def _notebook_cells(text: str, path: Path) -> list[Cell]:
    try:
        book = json.loads(text)
        book = _of_format_4(text) if isinstance(book, dict) and "worksheets" in book else book
        found = [(str(c["cell_type"]), "".join(c["source"]), c.get("metadata", {})) for c in book["cells"]]
    except json.JSONDecodeError as error:
        raise SubmissionError(
            f"{path} is not valid JSON (line {error.lineno}: {error.msg}), so it is no notebook. A merge "
            "conflict or a broken download does that; the .md beside it may still be whole."
        ) from None
    except (KeyError, TypeError, AttributeError):
        raise SubmissionError(
            f"{path} is JSON, but not a notebook of format 4: it has no list of cells. Open it in "
            "JupyterLab and save it again."
        ) from None
    return _labelled(found)


def _of_format_4(text: str) -> dict:
    """A notebook of an older format, as programs before 2015 and some converters write it. KeyError if it is none."""
    import nbformat  # here, since only few notebooks need it

    try:
        return nbformat.reads(text, as_version=4)
    except Exception as error:  # nbformat raises many kinds
        raise KeyError("cells") from error


def _markdown_cells(text: str, path: Path) -> list[Cell]:
    import jupytext  # here, since it takes 0.2 s and .ipynb files do without it

    try:
        notebook = jupytext.reads(text, fmt="md")
    except Exception as error:  # jupytext and YAML raise many kinds
        raise SubmissionError(f"{path} cannot be read as a notebook in Markdown: {error}") from None
    return _labelled([(cell.cell_type, cell.source, cell.metadata) for cell in notebook.cells])


_FENCED = re.compile(r"^ *(```|~~~).*?^ *\1", re.DOTALL | re.MULTILINE)  # code that a Markdown cell shows
_KINDS = {"markdown": "Markdown", "raw": "raw"}


def _labelled(found: list[tuple[str, str, dict]]) -> list[Cell]:
    """Number the code cells and add the heading above them, so that a learner finds the place.

    Args:
        found: type, source and metadata of each cell. Of those that are no code, the ones that hold code are kept.
    """
    cells, heading, count = [], "", 0
    for place, (kind, source, metadata) in enumerate(found, 1):
        stubs = _stubs_named(metadata)
        under = f" (under “{heading}”)" if heading else ""
        if kind == "code":
            count += 1
            cells.append(Cell(f"code cell {count}{under}", source, stubs=stubs, place=place))
        elif kind in _KINDS and (stubs or _defines_something(source)):
            cells.append(Cell(f"{_KINDS[kind]} cell{under}", source, _KINDS[kind], stubs, place))
        elif kind == "markdown":
            headings = re.findall(r"^#+ +(.+)", _FENCED.sub("", source), flags=re.MULTILINE)
            heading = headings[-1].strip() if headings else heading
    return cells


def _stubs_named(metadata: dict) -> tuple[str, ...]:
    """The stubs that the tags of a cell name."""
    tags = metadata.get("tags", []) if isinstance(metadata, dict) else []
    tags = [tag for tag in tags if isinstance(tag, str)] if isinstance(tags, list) else []
    return tuple(tag.removeprefix("stub:") for tag in tags if tag.startswith("stub:"))


def _defines_something(source: str) -> bool:
    """Whether a cell that is no code reads like code: Python accepts all of it, and it defines a function or a class."""
    if not re.search(r"^(?:def|class) ", source, flags=re.MULTILINE):
        return False
    try:
        return bool(ast.parse(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False


# --- parsing -------------------------------------------------------------------------------------


@lru_cache(maxsize=64)  # a cell is looked at from many sides
def parse(source: str) -> ast.Module:
    """Parse a cell. Magics and shell lines are left out if it does not parse with them. SyntaxError if that fails, too.

    The tree is shared: nobody changes it.
    """
    try:
        return _parse(source)
    except SyntaxError:
        cleaned = _without_magics(source)
        if cleaned == source:
            raise
        return _parse(cleaned)


def statements_of(cell: Cell) -> list[ast.stmt] | None:
    """The statements of a cell. None if it cannot be parsed."""
    try:
        return parse(cell.source).body
    except (SyntaxError, RecursionError, MemoryError):
        return None


def _parse(source: str) -> ast.Module:
    try:
        return ast.parse(source)
    except ValueError as error:  # a null byte, in older versions of Python
        raise SyntaxError(str(error)) from None


_PYTHON_CELL_MAGICS = ("%%time", "%%timeit", "%%capture", "%%prun")
_MAGIC_LINE = re.compile(r"^(\s*)(?:[%!?]|[\w.]+\?|[\w, ]+=\s*[%!]).*$")


def _without_magics(source: str) -> str:
    """The cell with `pass` in the place of magics, shell lines and help requests."""
    lines = source.split("\n")
    first = next((line for line in lines if line.strip()), "")
    if first.startswith("%%"):
        if not first.startswith(_PYTHON_CELL_MAGICS):
            return ""  # %%bash, %%html: not Python
        lines[lines.index(first)] = ""
    return "\n".join(_MAGIC_LINE.sub(r"\1pass", line) for line in lines)
