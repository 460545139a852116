"""The references, piece by piece: each function and class under a heading of its own, with the reasons that stand in it."""

import ast
import inspect

from grader.problems import Problem


def document(problem: Problem) -> str:
    """The reference of a problem as a MyST page in the folder references."""
    source = problem.reference.read_text(encoding="utf-8")
    pieces = _pieces(source)
    text = [
        f"# The reference: {problem.title}",
        f"To be read *after* you have solved [the problem](../notebooks/{problem.notebook}.ipynb). "
        "The docstrings and the comments say why it is written so, and not how else.",
        _code(inspect.cleandoc(ast.get_docstring(ast.parse(source)) or ""), "text"),
    ]
    for name, code in pieces:
        text += [f"## {name}" if name.startswith("What") else f"## `{name}`", _code(code, "python")]
    return "\n\n".join(text) + "\n"


def _code(text: str, language: str) -> str:
    return f"```````{language}\n{text.strip(chr(10))}\n```````"


def _pieces(source: str) -> list[tuple[str, str]]:
    """What stands before the first definition, and then each definition with the comments above it."""
    lines = source.splitlines()
    body = ast.parse(source).body
    start = body[0].end_lineno if ast.get_docstring(ast.parse(source)) else 0
    found, title = [], "What it imports"
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            first = min([node.lineno, *(one.lineno for one in node.decorator_list)]) - 1
            while first > start and lines[first - 1].startswith("#"):
                first -= 1
            found.append((title, "\n".join(lines[start:first])))
            start, title = first, node.name
    found.append((title, "\n".join(lines[start:])))
    return [(name, code) for name, code in found if code.strip()]
