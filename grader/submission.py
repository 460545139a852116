"""A submission: the learner's code, out of a notebook or a Python file, with its line numbers kept."""

import ast
import json
import re
import symtable
from dataclasses import dataclass, field
from pathlib import Path


class SubmissionError(Exception):
    """The file cannot be graded. The message says why and what to do."""


@dataclass(frozen=True)
class Cell:
    """The source of one code cell and the label under which reports cite it."""

    label: str
    source: str


@dataclass
class Submission:
    """Code cells in the order in which they run, and what the report should say about the file."""

    cells: list[Cell]
    path: str = ""
    notices: list[str] = field(default_factory=list)


# --- reading files ------------------------------------------------------------------------------


def read(path: Path) -> Submission:
    """Read a .py, .ipynb or .md file. SubmissionError if that cannot be done."""
    readers = {".py": _python_cells, ".ipynb": _notebook_cells, ".md": _markdown_cells}
    if path.is_dir():
        raise SubmissionError(f"{path} is a folder. Name the notebook (.ipynb or .md) or the .py file in it.")
    if not path.exists():
        raise SubmissionError(f"{path} does not exist. Check the spelling and the folder you are in.")
    if path.suffix not in readers:
        raise SubmissionError(f"{path} is no .py, .ipynb or .md file, and only these can be graded.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SubmissionError(f"{path} cannot be read as text: {error}.") from None
    if not text.strip():
        raise SubmissionError(
            f"{path} is empty. If it was saved so by accident, take the file of the course again and "
            "put your code back into it."
        )
    return Submission(readers[path.suffix](text, path), str(path))


def read_pair(notebook: Path) -> Submission:
    """Read a notebook that exists as .ipynb, as .md or as both. If both disagree, the newer counts."""
    pair = [notebook.with_suffix(suffix) for suffix in (".ipynb", ".md")]
    present = [path for path in pair if path.exists()]
    if not present:
        raise SubmissionError(
            f"{pair[0]} is missing, and so is its .md. Take the file of the course again, or move yours there."
        )
    if len(present) == 2 and (same := _read_equal_halves(*pair)):
        return same
    newest = max(present, key=lambda path: path.stat().st_mtime)
    submission = read(newest)
    if len(present) == 2:
        other = next(path for path in pair if path != newest)
        notice = _disagreement(submission, other)
        if notice:
            submission.notices.append(f"{notice} {newest.name} is newer, so it was graded.")
    return submission


def read_path(path: Path) -> Submission:
    """Read the file that the user named, and say so if its other half has been changed since."""
    submission = read(path)
    other = {".ipynb": path.with_suffix(".md"), ".md": path.with_suffix(".ipynb")}.get(path.suffix)
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


def _python_cells(text: str, path: Path) -> list[Cell]:
    return [Cell(path.name, text)]


def _notebook_cells(text: str, path: Path) -> list[Cell]:
    try:
        cells = json.loads(text)["cells"]
        pairs = [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    except json.JSONDecodeError as error:
        raise SubmissionError(
            f"{path} is not valid JSON (line {error.lineno}: {error.msg}), so it is no notebook. A merge "
            "conflict or a broken download does that; the .md beside it may still be whole."
        ) from None
    except (KeyError, TypeError):
        raise SubmissionError(
            f"{path} is JSON, but not a notebook of format 4: it has no list of cells. Open it in "
            "JupyterLab and save it again."
        ) from None
    return _labelled(pairs)


def _markdown_cells(text: str, path: Path) -> list[Cell]:
    import jupytext  # here, since it takes 0.2 s and .ipynb files do without it

    try:
        notebook = jupytext.reads(text, fmt="md")
    except Exception as error:  # jupytext and YAML raise many kinds
        raise SubmissionError(f"{path} cannot be read as a notebook in Markdown: {error}") from None
    return _labelled([(cell.cell_type, cell.source) for cell in notebook.cells])


def _labelled(pairs: list[tuple[str, str]]) -> list[Cell]:
    """Number the code cells and add the heading above them, so that a learner finds the place."""
    cells, heading = [], None
    for kind, source in pairs:
        if kind == "markdown":
            found = re.findall(r"^#+ +(.+)", source, flags=re.MULTILINE)
            heading = found[-1].strip() if found else heading
        elif kind == "code":
            place = f" (under “{heading}”)" if heading else ""
            cells.append(Cell(f"code cell {len(cells) + 1}{place}", source))
    return cells


# --- choosing what to run -----------------------------------------------------------------------


@dataclass(frozen=True)
class Broken:
    """A cell with a syntax error."""

    label: str
    line: int
    text: str
    message: str
    defines: frozenset[str]  # the names that it would define


@dataclass
class Program:
    """The statements of a submission that define what the checks need, cell by cell."""

    parts: list[tuple[Cell, list[ast.stmt]]]
    broken: list[Broken]
    defined: set[str]


def select(cells: list[Cell], names: set[str]) -> Program:
    """The statements that define `names`, and what those need in turn. All others stay unrun.

    So a notebook is graded without its training, its figures and its checks. Line numbers are kept.
    """
    statements, facts, broken = [], [], []
    for cell in cells:
        try:
            body = parse(cell.source).body
            found = [(binds(statement), reads(statement)) for statement in body]
        except SyntaxError as error:
            lines = cell.source.splitlines()
            line = min(error.lineno or 1, len(lines)) if lines else 0
            defines = re.findall(r"^\s*(?:def|class)\s+(\w+)", cell.source, flags=re.MULTILINE)
            text = lines[line - 1].strip() if line else ""
            broken.append(Broken(cell.label, line, text, error.msg, frozenset(defines)))
        else:
            facts += found
            statements += [(cell, statement) for statement in body]
    needed, kept = set(names), set()
    growing = True
    while growing:  # until no kept statement needs another one
        growing = False
        for index, (bound, used) in enumerate(facts):
            if index not in kept and (bound & needed or "*" in bound):
                kept.add(index)
                needed |= used
                growing = True
    parts: list[tuple[Cell, list[ast.stmt]]] = []
    for index in sorted(kept):
        cell, statement = statements[index]
        if not parts or parts[-1][0] is not cell:
            parts.append((cell, []))
        parts[-1][1].append(statement)
    defined = {name for bound, _ in facts for name in bound}
    return Program(parts, broken, defined)


def parse(source: str) -> ast.Module:
    """Parse a cell. Magics and shell lines are left out if it does not parse with them."""
    try:
        return ast.parse(source)
    except SyntaxError:
        cleaned = _without_magics(source)
        if cleaned == source:
            raise
        return ast.parse(cleaned)


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


def _root(node: ast.expr) -> str | None:
    """`LoRALinear` of the target `LoRALinear.merge` or `table[0]`."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def binds(statement: ast.stmt) -> set[str]:
    """The module-level names that a statement defines or changes. "*" for a star import."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {statement.name}
    bound = set()
    for node in ast.walk(statement):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            bound.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            bound |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        elif isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)):
            if isinstance(node.ctx, ast.Store):
                bound.add(_root(node))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setattr":
            bound.add(_root(node.args[0]) if node.args else None)
    return bound - {None}


def reads(statement: ast.stmt) -> set[str]:
    """The module-level names that a statement uses, also later, when its functions run."""
    table = symtable.symtable(ast.unparse(statement), "statement", "exec")
    names = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced()}
    nested = list(table.get_children())
    while nested:
        scope = nested.pop()
        names |= {symbol.get_name() for symbol in scope.get_symbols() if symbol.is_global()}
        nested += scope.get_children()
    return names
