"""The file of an exercise: the reference with a known mistake in it, and the lines at which the two differ."""

import ast
import io
import tokenize
from collections.abc import Sequence
from difflib import SequenceMatcher, unified_diff

DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
BLOCKS = (*DEFINITIONS, ast.ClassDef, ast.If, ast.For, ast.While, ast.With, ast.Try)  # statements that hold others


def without_comments(source: str) -> str:
    """The source without its comments. Docstrings stay: they are the contract."""
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column].rstrip() or None
    return "\n".join(line for line in lines if line is not None) + "\n"


def with_edits(source: str, edits: Sequence[Sequence[str]]) -> str:
    """The source with each of these texts replaced. ValueError if one does not stand in it exactly once."""
    for old, new in edits:
        if source.count(old) != 1:
            raise ValueError(f"{old!r} stands {source.count(old)} times in the reference; once is needed")
        source = source.replace(old, new)
    return source


def with_definitions(source: str, wrong: str) -> str:
    """The source with the functions and methods of `wrong` in the place of its own. Signatures and docstrings stay.

    Raises:
        ValueError: `wrong` holds something else than functions and methods that the source has, with the same arguments, or one
            that calls the method that it replaces.
    """
    wrong = without_comments(wrong)
    own, theirs = _definitions(ast.parse(source)), _definitions(ast.parse(wrong))
    if not theirs.keys() <= own.keys():
        raise ValueError(f"{', '.join(theirs.keys() - own.keys())} is new, and no definition of the reference")
    lines = source.splitlines()
    for name in sorted(theirs, key=lambda name: own[name].lineno, reverse=True):
        start = min(node.lineno for node in (own[name], *own[name].decorator_list))
        lines[start - 1 : own[name].end_lineno] = _merged(lines, own[name], wrong.splitlines(), theirs[name])
    return "\n".join(lines) + "\n"


def _definitions(tree: ast.Module) -> dict[str, ast.FunctionDef]:
    """Functions by name, and methods as Class.method. ValueError in a mistake that holds more than these."""
    found = {}
    for statement in tree.body:
        if isinstance(statement, DEFINITIONS):
            found[statement.name] = statement
        elif isinstance(statement, ast.ClassDef):
            methods = [one for one in statement.body if isinstance(one, DEFINITIONS)]
            found |= {f"{statement.name}.{method.name}": method for method in methods}
    return found


def _merged(own_lines: list[str], own: ast.FunctionDef, lines: list[str], theirs: ast.FunctionDef) -> list[str]:
    """The lines of one definition: the decorators and the body of theirs, the signature and the docstring of the own one."""
    if _arguments(theirs) != _arguments(own):
        raise ValueError(f"{own.name} has other arguments than in the reference")
    if _calls_what_it_replaces(theirs):
        raise ValueError(f"{own.name} calls the one that it replaces")
    head = [line for node in theirs.decorator_list for line in lines[node.lineno - 1 : node.end_lineno]]
    body = own.body[1:] if ast.get_docstring(own) else own.body
    head += own_lines[own.lineno - 1 : (body[0].lineno - 1 if body else own.end_lineno)]
    rest = theirs.body[1:] if ast.get_docstring(theirs) else theirs.body
    return head + lines[rest[0].lineno - 1 : theirs.end_lineno]


def _arguments(node: ast.FunctionDef) -> list[str]:
    return [argument.arg for argument in ast.walk(node.args) if isinstance(argument, ast.arg)]


def _calls_what_it_replaces(node: ast.FunctionDef) -> bool:
    """Whether a method wraps that of the reference by super(). `super().__init__()` alone is what every module says."""
    calls = [one for one in ast.walk(node) if isinstance(one, ast.Call) and ast.unparse(one.func) == f"super().{node.name}"]
    return any(node.name != "__init__" or call.args or call.keywords for call in calls)


# --- differences --------------------------------------------------------------------------------


def difference(right: str, wrong: str) -> list[str]:
    """The lines of a unified diff from wrong to right, without file names."""
    return list(unified_diff(wrong.splitlines(), right.splitlines(), lineterm="", n=2))[2:]


def changed_lines(right: str, wrong: str) -> int:
    """How many lines stand in one of two files alone, however they are set out."""
    texts = [ast.unparse(ast.parse(text)).splitlines() for text in (right, wrong)]
    return sum(line[0] in "+-" for line in list(unified_diff(*texts, lineterm="", n=0))[2:] if not line.startswith("@@"))


def faulty_lines(right: str, wrong: str) -> tuple[int, ...]:
    """The lines of `wrong` at which its syntax tree differs from that of `right`; those around what is missing."""
    return tuple(sorted(_differing(ast.parse(right), ast.parse(wrong), {1})))


def _differing(right: ast.AST, wrong: ast.AST, place: set[int]) -> set[int]:
    """place: the lines that stand for a difference which has no lines of its own, such as an operator."""
    place = _head(wrong) or place
    if type(right) is not type(wrong):
        return _lines(wrong) or place
    found: set[int] = set()
    for name, there in ast.iter_fields(wrong):
        here = getattr(right, name)
        if isinstance(there, list):
            found |= _in_lists(here, there, place)
        elif isinstance(there, ast.AST) and isinstance(here, ast.AST):
            found |= _differing(here, there, place)
        elif here != there:
            found |= (_lines(there) if isinstance(there, ast.AST) else set()) or place
    return found


def _in_lists(right: list, wrong: list, place: set[int]) -> set[int]:
    texts = [[ast.dump(one) if isinstance(one, ast.AST) else repr(one) for one in side] for side in (right, wrong)]
    found: set[int] = set()
    for kind, i, i_end, j, j_end in SequenceMatcher(None, *texts, autojunk=False).get_opcodes():
        if kind == "delete":
            found |= _around(wrong, j) or place
        elif kind == "replace" and i_end - i == j_end - j:
            found |= set().union(*(_differing(a, b, place) for a, b in zip(right[i:i_end], wrong[j:j_end])))
        elif kind != "equal":
            found |= set().union(*(_lines(one) for one in wrong[j:j_end])) or place
    return found


def _around(statements: list, index: int) -> set[int]:
    """The last line before a gap among statements, and the first one behind it. Other lists have no lines of their own."""
    before = [one.end_lineno for one in statements[max(index - 1, 0) : index] if isinstance(one, ast.stmt)]
    behind = [one.lineno for one in statements[index : index + 1] if isinstance(one, ast.stmt)]
    return {*before, *behind}


def _head(node: ast.AST) -> set[int]:
    """The lines of a node; of a statement that holds others, its first line."""
    return {node.lineno} if isinstance(node, BLOCKS) else _lines(node)


def _lines(node: ast.AST) -> set[int]:
    return set(range(node.lineno, node.end_lineno + 1)) if hasattr(node, "lineno") else set()
