"""Stubs, derived from the reference: signature, docstring, and a body to fill."""

import ast
import textwrap

from grader import recorded
from grader.problems import Problem
from grader.submission import reads


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

    A cell that is not found by its tags is put at the end. Returns the names of the stubs in such cells.
    """
    import nbformat  # here, since grading does without it

    lost = []
    for cell in problem.cells:
        source = source_of(problem, cell)
        place = next((c for c in notebook.cells if tags(cell)[0] in c.metadata.get("tags", [])), None)
        if place is None:
            place = nbformat.v4.new_code_cell(metadata={"tags": tags(cell)})
            notebook.cells.append(place)
            lost += cell
        place.source = source
        place.outputs, place.execution_count = [], None
    return lost


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
