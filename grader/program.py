"""Choosing what to run of a submission: what defines the stubs, and what that needs in turn."""

import __future__

import ast
import linecache
import re
import symtable
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

from grader.effects import ANYTHING, Effects, binds, is_of_a_namespace
from grader.submission import Cell, parse, statements_of


@dataclass(frozen=True)
class Broken:
    """A cell with a syntax error."""

    label: str
    line: int
    text: str
    message: str
    defines: frozenset[str]  # the names that it would define
    mended: bool = False  # the cell was run again, or later cells define these names


@dataclass
class Program:
    """The statements of a submission that define what the checks need, cell by cell."""

    parts: list[tuple[Cell, list[ast.stmt]]]
    broken: list[Broken]
    defined: set[str]


def select(cells: list[Cell], names: set[str]) -> Program:
    """The statements that define `names` or change what these are, and what those need in turn. All others stay unrun.

    So a notebook is graded without its training, its figures and its checks. Line numbers are kept.
    """
    statements, broken = [], []
    for number, cell in enumerate(cells):
        if cell.kind == "code":
            try:
                tree = parse(cell.source)
                compile(
                    tree, cell.label, "exec", dont_inherit=True
                )  # what Python refuses as a whole, as `nonlocal` at the top
                statements += [(cell, statement) for statement in tree.body]
            except SyntaxError as error:
                broken.append((_broken(cell, error), number, len(statements)))
    bound = [binds(statement) for _, statement in statements]
    kept = _needed([statement for _, statement in statements], bound, names)
    parts: list[tuple[Cell, list[ast.stmt]]] = []
    for index in sorted(kept):
        cell, statement = statements[index]
        if not parts or parts[-1][0] is not cell:
            parts.append((cell, []))
        parts[-1][1].append(statement)
    told = [replace(b, mended=_is_mended(b, cells[n], cells[n + 1 :], bound[begin:])) for b, n, begin in broken]
    return Program(parts, told, {name for found in bound for name in found})


def _needed(statements: list[ast.stmt], bound: list[set[str]], names: set[str]) -> set[int]:
    """The places of the statements to be run."""
    effects = Effects(statements)
    concerns: dict[str, list[int]] = {}  # the statements that bind or change a name
    for index, statement in enumerate(statements):
        for name in bound[index] | effects.touches(statement):
            concerns.setdefault(name, []).append(index)
    always = [index for index, statement in enumerate(statements) if _is_for_all(statement)]
    kept, queue, asked = set(), [ANYTHING, *names], set()

    def keep(index: int) -> None:
        if index not in kept:
            kept.add(index)
            queue.extend(reads(statements[index]) | _named_in_strings(statements[index], concerns))

    while queue:
        name = queue.pop()
        if name not in asked:
            asked.add(name)
            for index in concerns.get(name, ()):
                keep(index)
        if not queue and kept and always:
            for index in always:
                keep(index)
            always = []
    return kept


def _is_for_all(statement: ast.stmt) -> bool:
    """What all later statements may depend on: `from __future__ import …`, and `sys.path.insert(…)`."""
    if isinstance(statement, ast.ImportFrom):
        return statement.module == "__future__"
    return isinstance(statement, ast.Expr) and ast.unparse(statement).startswith("sys.path.")


def _named_in_strings(statement: ast.stmt, known: dict[str, list[int]]) -> set[str]:
    """The names that a statement may look up by a string, as `globals()["helper"]` and `eval("helper(3)")` do."""
    if not any(_looks_up(node) for node in ast.walk(statement)):
        return set()
    prose = [node.value for node in ast.walk(statement) if isinstance(node, ast.Expr)]  # docstrings
    constants = [n.value for n in ast.walk(statement) if isinstance(n, ast.Constant) and n not in prose]
    return {word for text in constants if isinstance(text, str) for word in re.findall(r"\w+", text) if word in known}


def _looks_up(node: ast.AST) -> bool:
    """Whether this is `eval`, `exec`, or the module itself. `getattr(layer, "weight")` looks into another thing."""
    return isinstance(node, ast.Name) and node.id in ("eval", "exec") or is_of_a_namespace(node)


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


def _broken(cell: Cell, error: SyntaxError) -> Broken:
    lines = cell.source.splitlines()
    line = min(error.lineno or 1, len(lines)) if lines else 0
    found = re.findall(r"^([ \t]*)(?:async\s+)?(?:def|class)\s+(\w+)", cell.source, flags=re.MULTILINE)
    outermost = min((len(indent) for indent, _ in found), default=0)  # an indented cell may be what is broken
    defines = frozenset(name for indent, name in found if len(indent) == outermost)
    return Broken(cell.label, line, lines[line - 1].strip() if line else "", error.msg, defines)


def _is_mended(broken: Broken, cell: Cell, later: list[Cell], bound: list[set[str]]) -> bool:
    """Whether nothing need be said of a broken cell any more.

    Args:
        bound: what each later statement binds.
    """
    run_again = bool(cell.id) and any(other.id == cell.id for other in later)
    return run_again or bool(broken.defines) and broken.defines <= {name for names in bound for name in names}


# --- running ------------------------------------------------------------------------------------


def imports(cells: list[Cell]) -> set[tuple[str, str]]:
    """The modules that code imports at any depth, and the names that it takes from them ("" for none)."""
    found = set()
    for cell in cells:
        told = statements_of(cell) if cell.kind == "code" and "import" in cell.source else None
        for node in (node for statement in told or () for node in ast.walk(statement)):
            if isinstance(node, ast.Import):
                found |= {(alias.name, "") for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found |= {(node.module, alias.name) for alias in node.names}
    return found


def modules_beside(cells: list[Cell], folder: Path) -> list[Path]:
    """The files of the modules in a folder that code imports, and of those that these import in turn."""
    found, queue = set(), list(cells)
    while queue:
        for module in {name.partition(".")[0] for name, _ in imports([queue.pop()])}:
            for path in [folder / f"{module}.py", *(folder / module).glob("**/*.py")]:
                if path not in found and path.is_file():
                    found.add(path)
                    queue.append(Cell(path.name, path.read_text(encoding="utf-8", errors="replace")))
    return sorted(found)


def run(
    program: Program, module: ModuleType, file_name: Callable[[Cell], str]
) -> Iterator[tuple[Cell, ast.stmt, BaseException | None]]:
    """Run the statements one after another in a module, and give each with its cell and the exception that it raised, if any.

    Args:
        file_name: the name under which tracebacks and `inspect` know a cell.
    """
    flags = 0
    for cell, statements in program.parts:
        name = file_name(cell)
        _keep_source(name, cell.source)
        for statement in statements:
            flags |= _future(statement)
            try:
                exec(compile(ast.Module([statement], []), name, "exec", flags, dont_inherit=True), vars(module))
                yield cell, statement, None
            except BaseException as error:
                yield cell, statement, error


def module_of(program: Program, file_name: Callable[[Cell], str]) -> ModuleType:
    """A module for the code of a submission. `inspect`, `dataclasses` and `torch.jit` find it as they find any other."""
    module = ModuleType("submission")
    cells = [cell for cell, _ in program.parts]
    if len(cells) == 1:
        module.__file__ = file_name(cells[0])
    else:
        module.__file__ = "<submission>"
        _keep_source(module.__file__, "\n\n".join(cell.source for cell in cells))
    sys.modules["submission"] = module
    return module


def _keep_source(name: str, source: str) -> None:
    """Let `inspect.getsource` and `torch.jit.script` find the source of code that lies in no file."""
    linecache.cache[name] = (len(source), None, [f"{line}\n" for line in source.split("\n")], name)


def _future(statement: ast.stmt) -> int:
    """The flag of a `from __future__ import …`, which counts for all later code."""
    if not isinstance(statement, ast.ImportFrom) or statement.module != "__future__":
        return 0
    features = [getattr(__future__, alias.name, None) for alias in statement.names]
    return sum(feature.compiler_flag for feature in features if feature)
