"""What is to be said of code that stands in the submission, but not so that it counts.

A stub may stand in a cell that is not run, or twice, or come from another module. Then "it is not defined" would send
its author the wrong way.
"""

import ast
from dataclasses import dataclass

from grader.libraries import is_installed
from grader.submission import Cell, statements_of

LAST_COUNTS = "The last one counts."  # ends a remark that matters only as long as something fails


@dataclass(frozen=True)
class Definition:
    """One place where a name is defined.

    Attributes:
        blank: it is a stub as it was handed out.
        module: where it is imported from; empty if it is written here.
        extends: it builds on what had the name before, as `class A(A)` does.
    """

    cell: Cell
    line: int
    blank: bool = False
    module: str = ""
    extends: bool = False


def remarks(cells: list[Cell], names: set[str]) -> dict[str, str]:
    """For the names of a problem whose code is not where it counts: what is wrong, and what to do.

    Args:
        names: the functions, classes and methods that the stubs ask for.
    """
    code = [cell for cell in cells if cell.kind == "code"]
    unrun = [cell for cell in cells if cell.kind != "code"]
    made, asleep = definitions(code, names), definitions(unrun, names)
    found = {}
    for name in sorted(names):
        here = made.get(name, [])
        if all(definition.blank for definition in here):
            sleeping = [definition.cell for definition in asleep.get(name, []) if not definition.blank]
            text = _not_run(name, [*_tagged(name, unrun), *sleeping])
            text = text or ("" if here else _without_definition(name, _tagged(name, code)))
        else:
            text = _imported(name, here[-1]) or _twice(name, here)
        if text:
            found[name] = text
    return found


def _not_run(name: str, cells: list[Cell]) -> str:
    if not cells:
        return ""
    return (
        f"The cell of `{_title(name, cells[0])}` is a {cells[0].label}, so its code is not run. "
        "Make it a code cell again: press Esc, then Y."
    )


def _without_definition(name: str, cells: list[Cell]) -> str:
    """The cell of a stub that holds something else, or nothing."""
    for cell in cells:
        statements = statements_of(cell)
        if statements is None or any(isinstance(node, (ast.FunctionDef, ast.ClassDef)) for node in statements):
            return ""  # a syntax error, or perhaps a definition under another name: others tell that
        what = "does not define it" if cell.source.strip() else "is empty"
        return f"The cell of `{_title(name, cell)}`, {cell.label}, {what}. Write `{name}` there."
    return ""


def _imported(name: str, last: Definition) -> str:
    if not last.module or not (is_installed(last.module) or last.module.startswith("solutions")):
        return ""  # a module beside the notebook is its author's own
    return (
        f"`{name}` is imported from `{last.module}` ({last.cell.label}). What counts is your own code, so write `{name}` "
        "in the notebook or file itself."
    )


def _twice(name: str, here: list[Definition]) -> str:
    """Two definitions of which the last one may not be the one that its author means."""
    last = here[-1]
    title = _title(name, last.cell)
    written = [one for one in here[:-1] if not one.blank]
    if last.blank:
        for other in reversed(written):
            if other.cell is last.cell or _apart(other.cell, last.cell):
                first, second = _places(other, last)
                then = "" if last.cell.place else ", and run the other cell again"
                return (
                    f"`{title}` is defined twice: in {first}, and then as a blank stub in {second}. "
                    f"The last one counts, so your code is not used. Delete the blank one{then}."
                )
    elif written and last.cell.place and not last.extends and _apart(written[-1].cell, last.cell):
        first, second = _places(written[-1], last)
        return f"`{title}` is defined twice: in {first}, and in {second}. {LAST_COUNTS}"
    return ""


def _apart(one: Cell, other: Cell) -> bool:
    """Whether these are surely two cells, and not one that was run twice."""
    return one.place != other.place or bool(one.id and other.id and one.id != other.id)


def _places(one: Definition, other: Definition) -> tuple[str, str]:
    if one.cell is other.cell:
        return f"{one.cell.label}, line {one.line}", f"line {other.line}"
    return one.cell.label, other.cell.label


def _tagged(name: str, cells: list[Cell]) -> list[Cell]:
    """The cells that the tag of this stub marks."""
    return [cell for cell in cells if any(stub.rpartition(".")[2] == name for stub in cell.stubs)]


def _title(name: str, cell: Cell) -> str:
    """`LoRALinear.merge` for `merge`, if the cell has such a tag."""
    return next((stub for stub in cell.stubs if stub.rpartition(".")[2] == name), name)


# --- where names are defined --------------------------------------------------------------------


def definitions(cells: list[Cell], names: set[str]) -> dict[str, list[Definition]]:
    """The definitions of these names, in the order of the cells. A method counts under its own name."""
    found: dict[str, list[Definition]] = {}
    for cell in cells:
        if any(name in cell.source for name in names):
            for statement in statements_of(cell) or ():
                for name, definition in _defined_by(statement, cell, names):
                    if name in names:
                        found.setdefault(name, []).append(definition)
    return found


def _defined_by(statement: ast.stmt, cell: Cell, names: set[str]):
    """Pairs of a name and its definition."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
        yield statement.name, Definition(cell, statement.lineno, blank=is_blank(statement))
    elif isinstance(statement, ast.ClassDef):
        methods = [node for node in statement.body if isinstance(node, ast.FunctionDef)]
        blank = bool(methods) and all(map(is_blank, methods))
        extends = any(isinstance(base, ast.Name) and base.id == statement.name for base in statement.bases)
        yield statement.name, Definition(cell, statement.lineno, blank=blank, extends=extends)
        for method in methods if statement.name in names else ():
            yield method.name, Definition(cell, method.lineno, blank=is_blank(method))
    else:
        read = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
        for node in ast.walk(statement):
            yield from _bound_by(node, cell, read)


def _bound_by(node: ast.AST, cell: Cell, read: set[str]):
    """What one node of an import, an assignment, or an `if` or `try` defines."""
    if isinstance(node, ast.ImportFrom):
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            yield alias.asname or alias.name, Definition(cell, node.lineno, module=module)
    elif isinstance(node, ast.Import):
        for alias in node.names:
            yield alias.asname or alias.name, Definition(cell, node.lineno, module=alias.name)
    elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        yield node.name, Definition(cell, node.lineno)
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id, Definition(cell, node.lineno, extends=node.id in read)
    elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and node.attr not in read:
        yield node.attr, Definition(cell, node.lineno)  # but `A.merge = merge` defines nothing new


def is_blank(function: ast.FunctionDef) -> bool:
    """Whether the body is that of a stub: a docstring, and `raise NotImplementedError(…)`."""
    body = function.body[1:] if ast.get_docstring(function, clean=False) is not None else function.body
    if len(body) != 1 or not isinstance(body[0], ast.Raise):
        return False
    raised = body[0].exc.func if isinstance(body[0].exc, ast.Call) else body[0].exc
    return isinstance(raised, ast.Name) and raised.id == "NotImplementedError"
