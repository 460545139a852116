"""Taking one function or class out of source code, with the helpers that it uses; and two of them line by line."""

import ast
import io
import textwrap
import tokenize
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest

from grader.effects import FUNCTIONS
from grader.program import reads
from grader.submission import parse

DEFINITIONS = (*FUNCTIONS, ast.ClassDef)


@dataclass(frozen=True)
class Row:
    """A line of yours and one of the reference.

    Attributes:
        sign: " " they are the same, "|" they differ, "<" yours alone, ">" the reference's alone.
    """

    sign: str
    yours: str | None
    reference: str | None


def code_of(sources: Sequence[str], stub: str, stubs: Sequence[str]) -> str:
    """The code of a stub in these sources, the last one that there is, and behind it its helpers. Without docstrings.

    Args:
        stub: "function", "Class" or "Class.method". A class comes without the methods that are stubs of their own.
        stubs: those of the whole problem; they are no helpers.

    Returns:
        Empty if the sources do not define it.
    """
    known = [(statement, source) for source in sources for statement in parse(source).body]
    found = next(filter(None, (_found(statement, stub) for statement, _ in reversed(known))), None)
    if found is None:
        return ""
    own = {one.partition(".")[2] for one in stubs if one.startswith(f"{stub}.")}
    parts, taken = [_text(found, known, own)], {part for one in stubs for part in one.split(".")}
    queue = list(_used(found))
    while queue:
        name = queue.pop(0)
        helper = next((one for one, _ in reversed(known) if isinstance(one, DEFINITIONS) and one.name == name), None)
        if helper is not None and name not in taken:
            taken.add(name)
            parts.append(_text(helper, known, set()))
            queue += _used(helper)
    return "\n\n\n".join(part for part in parts if part)


def contract_of(source: str, stub: str) -> str:
    """The docstring of a stub."""
    node = next(filter(None, (_found(statement, stub) for statement in parse(source).body)), None)
    return ast.get_docstring(node) or "" if isinstance(node, DEFINITIONS) else ""


def reasons_in(code: str) -> list[tuple[str, str]]:
    """The comments in code, each with the line of code that it is about."""
    lines, found = code.splitlines(), []
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            behind = (line.strip() for line in lines[row:] if line.strip())
            found.append((lines[row - 1][:column].strip() or next(behind, ""), token.string.lstrip("# ")))
    return found


def rows(yours: str, reference: str) -> list[Row]:
    """Two texts line by line. Comments and blanks at the end of a line make no difference."""
    left, right = _bare(yours), _bare(reference)
    ours, theirs = yours.splitlines(), reference.splitlines()
    found = []
    # Lines that differ by their indentation alone stand beside each other, and count as different.
    matcher = SequenceMatcher(None, [line.strip() for line in left], [line.strip() for line in right], autojunk=False)
    for _, i, i_end, j, j_end in matcher.get_opcodes():
        for one, other in zip_longest(range(i, i_end), range(j, j_end)):
            if one is None or other is None:
                found.append(Row(">", None, theirs[other]) if one is None else Row("<", ours[one], None))
            else:
                found.append(Row(" " if left[one] == right[other] else "|", ours[one], theirs[other]))
    return found


def _found(statement: ast.stmt, stub: str) -> ast.stmt | None:
    """The definition of a stub in a statement of the top level. A method may also stand there as a function, or be assigned."""
    owner, _, method = stub.rpartition(".")
    if isinstance(statement, ast.ClassDef) and statement.name == owner:
        return next((one for one in statement.body if isinstance(one, FUNCTIONS) and one.name == method), None)
    if isinstance(statement, DEFINITIONS):
        return statement if statement.name == method else None
    if not isinstance(statement, ast.Assign) or getattr(statement.value, "id", None) == method:
        return None  # `LoRALinear.merge = merge` only says where the function belongs
    targets = statement.targets
    named = {target.attr if isinstance(target, ast.Attribute) and owner else getattr(target, "id", None) for target in targets}
    return statement if method in named else None


def _used(node: ast.stmt) -> Iterator[str]:
    """The names that a definition uses, in the order in which they stand."""
    names = reads(node)
    places = {one.id: (one.lineno, one.col_offset) for one in ast.walk(node) if isinstance(one, ast.Name)}
    return iter(sorted(names & places.keys(), key=places.__getitem__))


def _text(node: ast.stmt, known: list[tuple[ast.stmt, str]], left_out: set[str]) -> str:
    """The source of a node without its docstrings and without these methods. Empty if a class has nothing else."""
    source = next(source for statement, source in known if node is statement or node in getattr(statement, "body", ()))
    gone = set()
    for one in ast.walk(node):
        if isinstance(one, DEFINITIONS) and ast.get_docstring(one) is not None:
            gone |= set(range(one.body[0].lineno, one.body[0].end_lineno + 1))
    if isinstance(node, ast.ClassDef):
        methods = [one for one in node.body if isinstance(one, FUNCTIONS) and one.name in left_out]
        if node.bases and all(one in methods or isinstance(one, (ast.Expr, ast.Pass)) for one in node.body):
            return ""
        gone |= {line for one in methods for line in range(_start(one), one.end_lineno + 1)}
    lines = source.splitlines()
    kept = [lines[number - 1] for number in range(_start(node), node.end_lineno + 1) if number not in gone]
    return textwrap.dedent("\n".join(_tidy(kept))).strip("\n")


def _start(node: ast.stmt) -> int:
    return min(one.lineno for one in (node, *getattr(node, "decorator_list", ())))


def _tidy(lines: list[str]) -> list[str]:
    """The lines without blank ones behind another one, or behind a heading whose docstring was left out."""
    pairs = zip(["", *lines], lines)
    return [line for before, line in pairs if line.strip() or (before.strip() and not before.rstrip().endswith(":"))]


def _bare(code: str) -> list[str]:
    """The lines without comments and without blanks at their ends."""
    lines = code.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    return [line.rstrip() for line in lines]
