"""Code as fingerprints of what it computes, in which a disguise leaves little trace. It is never run.

Each expression and each statement is a tree, and its fingerprint is a hash of the tree's upper levels, if these are large
enough to mean something. A variable stands for the expression that it was given (see `expressions`), and a statement knows the
test or loop around it. So these change nothing or little: other names, another order of functions, statements in between
that do nothing, an expression in two steps or in one, a sum in another order, a branch that is turned round.

It is our own, for `copydetect` 0.5.0 sees docstrings, annotations and some names (a disguised reference kept 67 % of itself,
while an honest solution had 31 % of it), and it took a minute for 500 submissions. `pycode-similar` 1.4 needs `ast.Str`, which
Python 3.14 no longer has, and the others need a server, Java or JavaScript. All of them, and winnowing (Schleimer, Wilkerson
and Aiken, 2003) with them, compare runs of tokens, and a statement that does nothing breaks each run in which it stands.
"""

import ast
import warnings
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from classroom.likeness.expressions import VARIABLE, Expressions, Names, Node, bind, leaf, node, parameters
from grader.submission import parse

SMALLEST = 8  # nodes of a tree that has a fingerprint. Smaller ones are shared by chance

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_ENDS = (ast.Return, ast.Raise, ast.Break, ast.Continue)


class Function(NamedTuple):
    """A function, or a method such as `LoRALinear.merge`.

    source: its lines, as they were handed in.
    lines: by fingerprint, the lines of `source` in which it was found, from 0.
    """

    name: str
    source: str
    lines: dict[int, frozenset[int]]


def functions(cells: Iterable[str], beside: Iterable[str] = ()) -> list[Function]:
    """The functions and methods in some code; those inside of others are parts of these.

    A cell that cannot be parsed has none. It cannot earn a point either.

    Args:
        beside: more cells. What they name counts as named here.
    """
    cells = [cell for cell in cells if _tree(cell)]
    names = Names.of([_names(cell) for cell in [*cells, *beside]])
    return [_function(name, one, cell.split("\n"), names) for cell in cells for name, one in _definitions(_tree(cell))]


def prints(found: Iterable[Function]) -> frozenset[int]:
    """All fingerprints of some functions."""
    return frozenset().union(*(function.lines for function in found))


@lru_cache(maxsize=256)  # every student hands the cells of the course in again
def _names(cell: str) -> Names:
    return Names.in_tree(_tree(cell) or ast.Module([], []))


@lru_cache(maxsize=256)
def _tree(cell: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python's, on a stranger's backslashes
            return parse(cell)
    except (SyntaxError, RecursionError, MemoryError):
        return None


def _definitions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    waiting = [("", one) for one in reversed(tree.body)]
    while waiting:
        owner, one = waiting.pop()
        if isinstance(one, _FUNCTIONS):
            yield owner + one.name, one
            continue
        owner = f"{owner}{one.name}." if isinstance(one, ast.ClassDef) else owner
        inner = [part for part in ast.iter_child_nodes(one) if isinstance(part, (ast.stmt, ast.ExceptHandler, ast.match_case))]
        waiting += [(owner, part) for part in reversed(inner)]


def _function(name: str, one: ast.FunctionDef | ast.AsyncFunctionDef, lines: list[str], names: Names) -> Function:
    first = min(part.lineno for part in (one, *one.decorator_list))
    source = "\n".join(lines[first - 1 : one.end_lineno])
    statements = _Statements(names, first)
    try:
        statements.block(one.body, parameters(one.args))
    except RecursionError:  # a stranger's; what was found up to there counts
        pass
    return Function(name, source, statements.found)


class _Statements:
    """Walks through a function's body and keeps the fingerprints that it finds.

    found: by fingerprint, the lines from the function's first one.
    """

    def __init__(self, names: Names, first: int):
        self.found: dict[int, frozenset[int]] = {}
        self._first = first
        self._around = leaf("nothing")  # the test or the loop in which a statement stands
        self._expressions = Expressions(names, self._keep)
        self._read = self._expressions.read

    def _keep(self, found: Node, where: ast.AST) -> None:
        if found.size >= SMALLEST:
            lines = range(where.lineno - self._first, (where.end_lineno or where.lineno) - self._first + 1)
            self.found[found.fingerprint] = self.found.get(found.fingerprint, frozenset()).union(lines)

    def block(self, body: list[ast.stmt], known: dict[str, Node]) -> None:
        """Read statements up to the one that ends them: what follows is never reached.

        Args:
            known: what the variables stand for. It is brought up to date.
        """
        for statement in body:
            self._statement(statement, known)
            if isinstance(statement, _ENDS):
                return

    def _statement(self, one: ast.stmt, known: dict[str, Node]) -> None:
        match one:
            case ast.Assign():
                for target in one.targets:
                    self._assign(target, one.value, known)
            case ast.AnnAssign(value=ast.expr()):
                self._assign(one.target, one.value, known)
            case ast.AugAssign():
                self._assign(one.target, ast.copy_location(ast.BinOp(one.target, one.op, one.value), one), known)
            case ast.Return():
                self._say("Return", one, self._read(one.value, known))
            case ast.Expr(value=value) if not isinstance(value, (ast.Constant, ast.Name)):
                self._say("Do", one, self._read(value, known))
            case ast.Assert():
                self._read(one.test, known)
            case ast.If():
                self._branches(one, known)
            case ast.For() | ast.AsyncFor() | ast.While():
                self._loop(one, known)
            case ast.With() | ast.AsyncWith():
                self._with(one, known)
            case ast.Match():
                subject = node("If", self._read(one.subject, known))
                self._either(subject, [case.body for case in one.cases], known)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._inside(leaf("Function"), one.body, known | parameters(one.args))
                known[one.name] = VARIABLE
            case ast.ClassDef():
                self.block(one.body, dict(known))
                known[one.name] = VARIABLE
            case ast.Try() | ast.TryStar():
                self.block(one.body, known)
                for handler in one.handlers:
                    self._inside(leaf("except"), handler.body, known)
                self.block(one.orelse, known)
                self.block(one.finalbody, known)

    def _say(self, kind: str, where: ast.AST, *parts: Node) -> None:
        """Keep a statement, alone and with what stands around it."""
        said = node(kind, *parts)
        self._keep(said, where)
        self._keep(node("in", self._around, said), where)

    def _inside(self, around: Node, body: list[ast.stmt], known: dict[str, Node]) -> None:
        before, self._around = self._around, around
        self.block(body, known)
        self._around = before

    def _assign(self, target: ast.expr, value: ast.expr, known: dict[str, Node]) -> None:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            before = dict(known)
            for one, given in zip(target.elts, value.elts):
                bind(one, self._read(given, before), known) if isinstance(one, ast.Name) else self._assign(one, given, known)
        elif isinstance(target, (ast.Attribute, ast.Subscript)):
            self._say("Store", target, self._read(target, known), self._read(value, known))
        else:
            bind(target, self._read(value, known), known)

    def _branches(self, one: ast.If, known: dict[str, Node]) -> None:
        """`if`, all its `elif`, and `else`. What is never true is not read, and what always is, is no test."""
        if isinstance(one.test, ast.Constant):
            self.block(one.body if one.test.value else one.orelse, known)
            return
        while True:
            around = node("If", self._read(one.test, known))
            self._keep(around, one.test)
            others = one.orelse
            more = others[0] if len(others) == 1 and isinstance(others[0], ast.If) else None
            self._either(around, [one.body] if more else [one.body, others], known)
            if more is None:
                return
            one = more

    def _either(self, around: Node, bodies: list[list[ast.stmt]], known: dict[str, Node]) -> None:
        """Read blocks of which one is run. What a variable stands for then is open."""
        before = dict(known)
        for body in bodies:
            after = dict(before)
            self._inside(around, body, after)
            known |= {name: VARIABLE for name, value in after.items() if value is not before.get(name)}

    def _loop(self, one: ast.For | ast.AsyncFor | ast.While, known: dict[str, Node]) -> None:
        if isinstance(one, ast.While) and isinstance(one.test, ast.Constant) and not one.test.value:
            return
        changed = {
            part.id: VARIABLE for part in ast.walk(one) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
        }
        source = None if isinstance(one, ast.While) else self._read(one.iter, known)
        known |= changed
        head = one.test if source is None else one.iter
        around = node("Loop", self._read(head, known) if source is None else source)
        self._keep(around, head)
        if source is not None:
            bind(one.target, node("item", source), known)
        self._inside(around, one.body, known)
        self.block(one.orelse, known)
        known |= changed

    def _with(self, one: ast.With | ast.AsyncWith, known: dict[str, Node]) -> None:
        for item in one.items:
            context = self._read(item.context_expr, known)
            if item.optional_vars is not None:
                bind(item.optional_vars, context, known)
        self._inside(node("With", context), one.body, known)
