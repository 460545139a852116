"""Stubs, derived from the reference: signature, docstring, and a body to fill."""

import ast
import json
import re
import textwrap

from grader import recorded
from grader.problems import Problem
from grader.program import reads


def tags(cell: tuple[str, ...]) -> list[str]:
    """The tags that mark a stub cell in the notebook."""
    return [f"stub:{stub}" for stub in cell]


def blank(problem: Problem, cell: tuple[str, ...]) -> str:
    """The source of a stub cell as a learner gets it."""
    kept = recorded.read(problem)
    return kept["blank"][cell[0]] if kept else _source(problem, cell, solved=False)


def solved(problem: Problem, cell: tuple[str, ...]) -> str:
    """The same cell with the code of the reference, and the private helpers that it is the first to use."""
    return _source(problem, cell, solved=True)


def put(notebook, problem: Problem, source_of) -> list[str]:
    """Set the source of each stub cell of a notebook to `source_of(problem, cell)`, outputs removed.

    Cells are found, and mended, as `place` does. Returns what `place` has mended, in sentences.
    """
    said = []
    for cell in problem.cells:
        node, mended = place(notebook, problem, cell)
        node.source = source_of(problem, cell)
        node.outputs, node.execution_count = [], None
        said += mended
    return said


# --- stub cells in a notebook that people have edited -------------------------------------------


def place(notebook, problem: Problem, cell: tuple[str, ...]) -> tuple[object, list[str]]:
    """The node of a stub cell in a notebook: a code cell with its tags, of which there is one.

    A cell that became Markdown is a code cell again, lost tags are given back, copies are removed, and a cell that is gone
    is made anew, blank, where it belongs. Returns the node, and what was mended in sentences.
    """
    import nbformat  # here, since grading does without it

    names, said = " and ".join(f"`{stub}`" for stub in cell), []
    tagged = [node for node in notebook.cells if set(tags(cell)) & set(node.metadata.get("tags", []))]
    found = tagged or [node for node in notebook.cells if _defines(node.source, cell)]
    if not found:
        node = nbformat.v4.new_code_cell(blank(problem, cell))
        notebook.cells.insert(_where(notebook, cell), node)
        said.append(f"The cell of {names} was gone and is back.")
    else:
        node = found[0]
        if not tagged:
            said.append(f"The cell of {names} had lost its tag.")
        if node.cell_type != "code":
            said.append(f"The cell of {names} was no code cell ({node.cell_type}), and is one again.")
            node = _as_code(notebook, node)
    for copy in tagged[1:]:
        notebook.cells.remove(copy)
        said.append(f"A copy of the cell of {names} was removed.")
    for other in notebook.cells:
        if other is not node and other.cell_type == "code" and _defines(other.source, cell):
            said.append(f"Another cell defines {names} as well: “{other.source.strip().splitlines()[0]}”. It is yours and was left.")
    node.metadata["tags"] = [tag for tag in node.metadata.get("tags", []) if not tag.startswith("stub:")] + tags(cell)
    return node, said


def _as_code(notebook, node):
    """Put a code cell with the same text in the place of a cell of another kind."""
    import nbformat

    code = nbformat.v4.new_code_cell(node.source, metadata=node.metadata)
    code.pop("attachments", None)
    notebook.cells[_index(notebook, node)] = code
    return code


def _index(notebook, node) -> int:
    return next(index for index, other in enumerate(notebook.cells) if other is node)


def _where(notebook, cell: tuple[str, ...]) -> int:
    """Where a lost stub cell belongs: before the cell that checks it, else at the end."""
    call = f"check({', '.join(map(json.dumps, cell))})"
    return next((i for i, node in enumerate(notebook.cells) if node.source.strip() == call), len(notebook.cells))


def _defines(source: str, cell: tuple[str, ...]) -> bool:
    """Whether a text defines one of the stubs. It need not be whole: a learner may be in the middle of a line."""
    for stub in cell:
        owner, _, method = stub.partition(".")
        pattern = rf"^{owner}\.{method}\s*=" if method else rf"^(?:class|def|async def)\s+{owner}\b"
        if re.search(pattern, source, flags=re.MULTILINE):
            return True
    return False


def blanked(source: str, problem: Problem, cell: tuple[str, ...], stub: str) -> str:
    """The source of a stub cell with one of its stubs blank, and the others as they are.

    Where that stub cannot be told from the rest (the cell does not parse, or defines it otherwise), all of the cell is blank.
    """
    fresh = blank(problem, cell)
    name = stub.rpartition(".")[2]
    try:
        old, new = ([node for node in ast.parse(text).body if getattr(node, "name", None) == name] for text in (source, fresh))
    except SyntaxError:
        return fresh
    if len(cell) == 1 or len(old) != 1 or len(new) != 1:
        return fresh
    lines = source.splitlines()
    first = min([old[0].lineno, *(decorator.lineno for decorator in old[0].decorator_list)])
    lines[first - 1 : old[0].end_lineno] = _lines(fresh, new[0].lineno, new[0].end_lineno).splitlines()
    return "\n".join(lines)


# --- taking the reference apart -----------------------------------------------------------------


def _source(problem: Problem, cell: tuple[str, ...], *, solved: bool) -> str:
    text = problem.reference.read_text(encoding="utf-8")
    definitions = {node.name: node for node in ast.parse(text).body if hasattr(node, "name")}
    parts = [_part(text, definitions, stub, problem, solved) for stub in cell]
    if solved:
        parts = _helpers(text, definitions, cell, problem) + parts
    return "\n\n\n".join(parts)


def _part(text: str, definitions: dict, stub: str, problem: Problem, solved: bool) -> str:
    owner, _, method = stub.partition(".")
    node = definitions[owner]
    if isinstance(node, ast.FunctionDef):
        return _function(text, node, stub, solved)
    own = {child.name: child for child in node.body if isinstance(child, ast.FunctionDef)}
    if method:
        function = textwrap.dedent(_function(text, own[method], stub, solved))
        return f"{function}\n\n\n{owner}.{method} = {method}"
    elsewhere = {other.partition(".")[2] for other in problem.stubs}
    head = _lines(text, node.lineno, node.body[0].end_lineno)  # up to the docstring
    methods = [
        _function(text, child, owner if name == "__init__" else f"{owner}.{name}", solved)
        for name, child in own.items()
        if name not in elsewhere
    ]
    return "\n\n".join([head, *methods])


def _function(text: str, node: ast.FunctionDef, stub: str, solved: bool) -> str:
    """A function as it stands in the reference, or its head and docstring with an empty body."""
    if solved:
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        return _lines(text, first, node.end_lineno)
    head = _lines(text, node.lineno, node.body[0].end_lineno)
    indent = " " * (node.col_offset + 4)
    return f'{head}\n{indent}raise NotImplementedError("{stub}")'


def _helpers(text: str, definitions: dict, cell: tuple[str, ...], problem: Problem) -> list[str]:
    """The private functions that this cell needs and no earlier one does."""

    def needed(cells) -> set[str]:
        found, queue = set(), [stub.partition(".")[0] for one in cells for stub in one]
        while queue:
            for name in reads(definitions[queue.pop()]):
                if name.startswith("_") and name in definitions and name not in found:
                    found.add(name)
                    queue.append(name)
        return found

    earlier = needed(problem.cells[: problem.cells.index(cell)])
    return [
        _function(text, node, name, solved=True)
        for name, node in definitions.items()
        if name in needed([cell]) - earlier
    ]


def _lines(text: str, first: int, last: int) -> str:
    return "\n".join(text.splitlines()[first - 1 : last])
