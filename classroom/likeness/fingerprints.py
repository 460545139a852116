"""Code as fingerprints, in which names, texts, annotations and the order of functions leave no trace. It is never run.

The method is winnowing: Schleimer, Wilkerson and Aiken (2003), "Winnowing: Local Algorithms for Document
Fingerprinting", SIGMOD. A function is a sequence of tokens, the kinds of the nodes of its syntax tree. Every run of K tokens
has a hash, and of each window of hashes the smallest is kept. So two functions that share a run of K + WINDOW - 1 tokens
share a fingerprint, wherever the run stands.

It is our own, for `copydetect` 0.5.0 sees docstrings, annotations and some names (a disguised reference kept 67 % of itself,
while an honest solution had 31 % of it), and it took a minute for 500 submissions. `pycode-similar` 1.4 needs `ast.Str`, which
Python 3.14 no longer has, and the others need a server, Java or JavaScript.
"""

import ast
import warnings
import zlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from grader.submission import parse

K = 16  # tokens in a hash: about two lines. Shorter runs are shared by chance
WINDOW = 4  # hashes of which one is kept

_TEXTS = (ast.Constant, ast.JoinedStr, getattr(ast, "TemplateStr", ast.JoinedStr))  # the last: since Python 3.14
_SILENT = (ast.Import, ast.ImportFrom, ast.Global, ast.Nonlocal, ast.Pass, ast.arguments, ast.expr_context)
_IGNORED = {"annotation", "returns", "type_params", "decorator_list", "exc", "cause", "msg"}  # the last three: what errors say
_SYNONYMS = {"JoinedStr": "Constant", "TemplateStr": "Constant", "AnnAssign": "Assign", "AsyncFunctionDef": "FunctionDef"}


class Function(NamedTuple):
    """A function by its name, such as `LoRALinear.merge`, and what it does."""

    name: str
    tokens: tuple[str, ...]


def functions(cells: Iterable[str]) -> list[Function]:
    """The functions and methods in some code; those inside of others are parts of these.

    A cell that cannot be parsed has none. It cannot earn a point either.
    """
    return [function for cell in cells for function in _in_cell(cell)]


@lru_cache(maxsize=256)  # every student hands the cells of the course in again
def _in_cell(cell: str) -> list[Function]:
    return [Function(name, tuple(_tokens(node))) for name, node in _definitions(cell)]


def _definitions(cell: str) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's, on a stranger's backslashes
            waiting = [("", node) for node in reversed(parse(cell).body)]
    except (SyntaxError, RecursionError, MemoryError):
        return
    while waiting:
        owner, node = waiting.pop()
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield owner + node.name, node
            continue
        owner = f"{owner}{node.name}." if isinstance(node, ast.ClassDef) else owner
        inner = [part for part in ast.iter_child_nodes(node) if isinstance(part, (ast.stmt, ast.ExceptHandler, ast.match_case))]
        waiting += [(owner, part) for part in reversed(inner)]


def _tokens(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    """The kinds of the nodes in a function's body. Not by recursion, for strangers nest as deeply as Python lets them."""
    waiting = function.body[::-1]
    while waiting:
        node = waiting.pop()
        if isinstance(node, _SILENT) or _says_nothing(node):
            continue
        kind = type(node).__name__
        yield _SYNONYMS.get(kind, kind)
        if not isinstance(node, _TEXTS):
            waiting += reversed(list(_parts(node)))


def _says_nothing(node: ast.AST) -> bool:
    """A docstring, `...`, or the declaration of a type."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    return isinstance(node, ast.AnnAssign) and node.value is None


def _parts(node: ast.AST) -> Iterator[ast.AST]:
    for name, value in ast.iter_fields(node):
        if name not in _IGNORED:
            yield from (part for part in (value if isinstance(value, list) else [value]) if isinstance(part, ast.AST))


def hashes(tokens: tuple[str, ...]) -> list[int]:
    """One hash for each run of K tokens. They are the same on every machine, unlike Python's own."""
    return [zlib.crc32(" ".join(tokens[i : i + K]).encode()) for i in range(len(tokens) - K + 1)]


def winnowed(hashes: list[int]) -> frozenset[int]:
    """The smallest hash of each window."""
    return frozenset(min(hashes[i : i + WINDOW]) for i in range(max(len(hashes) - WINDOW + 1, min(len(hashes), 1))))
