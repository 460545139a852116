"""Expressions as what they compute: names, order and intermediate variables leave no trace.

`a + b` and `b + a`, `x > 0` and `not x <= 0`, `y = f(x); return g(y)` and `return g(f(x))` give the same node. What a learner
has named is a variable, and what a library has named keeps its name: nobody can rename `kaiming_uniform_`.
"""

import ast
import builtins
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

DEPTH = 4  # levels of a tree that its fingerprint tells apart. Below, whatever stands there is the same
MOST_TERMS = 30  # of a sum that are kept for a larger one, for `x += x` in each line doubles them
DEEPEST = 50  # levels of an expression that are read at all: strangers nest as deeply as Python lets them

_Visit = Callable[["Node", ast.AST], None]
_Environment = dict[str, "Node"]


class Node(NamedTuple):
    """A tree, as one hash for each number of levels that are looked at, and how many nodes these hold.

    terms: of a sum or a product, "+" or "*" and what it consists of, each with whether it is taken away or divided by.
    """

    hashes: tuple[int, ...]
    sizes: tuple[int, ...]
    terms: tuple[str, tuple[tuple["Node", bool], ...]] = ("", ())

    @property
    def fingerprint(self) -> int:
        return self.hashes[-1]

    @property
    def size(self) -> int:
        return self.sizes[-1]


def node(kind: str, *children: Node) -> Node:
    """A node of this kind above these."""
    own = zlib.crc32(
        kind.encode(errors="replace")
    )  # Python's hash of a text is another one in each run, that of numbers is not
    hashes, sizes = [own], [1]
    for level in range(DEPTH):
        hashes.append(hash((own, *[child.hashes[level] for child in children])))
        sizes.append(1 + sum([child.sizes[level] for child in children]))
    return Node(tuple(hashes), tuple(sizes))


def _sorted(nodes: Iterable[Node]) -> list[Node]:
    return sorted(nodes, key=lambda one: one.hashes)  # alone, for the terms of a stranger's sum may be endless to compare


def unordered(kind: str, children: Iterable[Node]) -> Node:
    """A node whose children may stand in any order."""
    return node(kind, *_sorted(children))


leaf = lru_cache(maxsize=4096)(node)
VARIABLE = leaf("variable")
_NOTHING, _NUMBER, _TEXT = leaf("nothing"), leaf("number"), leaf("text")
_OPPOSITES = {"NotEq": "Eq", "IsNot": "Is", "NotIn": "In", "Gt": "Lt", "GtE": "Lt", "LtE": "Lt"}
_SYNONYMS = {"List": "Tuple", "SetComp": "ListComp", "GeneratorExp": "ListComp"}
_TEXTS = (ast.JoinedStr, getattr(ast, "TemplateStr", ast.JoinedStr))  # the last: since Python 3.14


# --- names --------------------------------------------------------------------------------------


@dataclass
class Names:
    """What a submission itself names, so that it may be called otherwise.

    modules: what is imported, by the name that it has here: `nn` of torch is `nn`, whatever it is called.
    """

    modules: dict[str, str] = field(default_factory=dict)
    variables: set[str] = field(default_factory=set)
    attributes: set[str] = field(default_factory=set)

    @classmethod
    def in_tree(cls, tree: ast.Module) -> "Names":
        names = cls()
        for found in ast.walk(tree):
            names._note(found)
        return names

    @classmethod
    def of(cls, parts: Iterable["Names"]) -> "Names":
        """The names of several cells."""
        names = cls()
        for part in parts:
            names.modules |= part.modules
            names.variables |= part.variables
            names.attributes |= part.attributes
        return names

    def _note(self, found: ast.AST) -> None:
        match found:
            case ast.Import(names=imported) | ast.ImportFrom(names=imported):
                self.modules |= {(one.asname or one.name.partition(".")[0]): one.name.rpartition(".")[2] for one in imported}
            case ast.Name(ctx=ast.Store()):
                self.variables.add(found.id)
            case ast.Attribute(ctx=ast.Store()):
                self.attributes.add(found.attr)
            case ast.arg():
                self.variables.add(found.arg)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self.variables.add(found.name)
            case ast.ClassDef():
                self.variables.add(found.name)
                self.attributes |= set(_members(found))


def _members(owner: ast.ClassDef) -> Iterator[str]:
    for statement in owner.body:
        match statement:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.AnnAssign(target=ast.Name(id=name)):
                yield name
            case ast.Assign(targets=targets):
                yield from (target.id for target in targets if isinstance(target, ast.Name))


def parameters(arguments: ast.arguments) -> _Environment:
    """The parameters of a function, of which nothing is known."""
    found = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]
    return {one.arg: VARIABLE for one in found if one}


def bind(target: ast.expr, value: Node, known: _Environment) -> None:
    """Note what the names in a target stand for."""
    match target:
        case ast.Name():
            known[target.id] = value
        case ast.Tuple() | ast.List():
            for one in target.elts:
                bind(one, node("part", value), known)
        case ast.Starred():
            bind(target.value, value, known)


# --- reading ------------------------------------------------------------------------------------


class Expressions:
    """Makes nodes of expressions. `visit` is called with each node and the expression of which it was made."""

    def __init__(self, names: Names, visit: _Visit):
        self._names, self._visit = names, visit

    def read(self, expression: ast.expr | None, known: _Environment, depth: int = 0) -> Node:
        """The node of an expression.

        Args:
            known: what variables stand for. A walrus adds to it.
        """
        if expression is None:
            return _NOTHING
        if depth > DEEPEST:
            return leaf("deep")
        found = self._made(expression, known, depth + 1)
        self._visit(found, expression)
        return found

    def _made(self, one: ast.expr, known: _Environment, depth: int) -> Node:
        def read(part: ast.expr | None) -> Node:
            return self.read(part, known, depth)

        match one:
            case ast.Name():
                return self._name(one.id, known)
            case ast.Constant():
                return _constant(one.value)
            case ast.Attribute():
                return self._attribute(one, known, depth)
            case ast.BinOp(op=ast.Add() | ast.Sub()):
                return _joined("+", self._terms(one, (ast.Add, ast.Sub), known, depth))
            case ast.BinOp(op=ast.Mult() | ast.Div()):
                return _joined("*", self._terms(one, (ast.Mult, ast.Div), known, depth))
            case ast.BinOp(op=ast.BitAnd() | ast.BitOr() | ast.BitXor()):
                return unordered(type(one.op).__name__, [read(one.left), read(one.right)])
            case ast.BinOp():
                return node(type(one.op).__name__, read(one.left), read(one.right))
            case ast.UnaryOp(op=ast.Not()):
                return read(one.operand)  # the opposite: `if not x: … else: …` is `if x: … else: …`
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant()):
                return _NUMBER
            case ast.BoolOp():
                return unordered("and", map(read, one.values))
            case ast.Compare():
                return self._comparison(one, known, depth)
            case ast.IfExp():
                return node("If", read(one.test), unordered("either", [read(one.body), read(one.orelse)]))
            case ast.NamedExpr():
                known[one.target.id] = value = read(one.value)
                return value
            case ast.Lambda():
                return node("Lambda", self.read(one.body, known | parameters(one.args), depth))
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                return self._comprehension(one, known, depth)
            case ast.Call():
                named = [node(self._keyword(each.arg), read(each.value)) for each in one.keywords]
                return node("Call", read(one.func), *map(read, one.args), *_sorted(named))
            case _ if isinstance(one, _TEXTS):
                return _TEXT
        kind = type(one).__name__
        return node(_SYNONYMS.get(kind, kind), *map(read, _parts(one)))

    def _name(self, name: str, known: Mapping[str, Node]) -> Node:
        foreign = name in self._names.modules or hasattr(builtins, name)
        if foreign and self._is_foreign(name, known):
            return leaf(self._names.modules.get(name, name))
        return known.get(name, VARIABLE)

    def _is_foreign(self, name: str, known: Mapping[str, Node]) -> bool:
        """Whether a name may be of a library or of Python."""
        return name not in known and (name in self._names.modules or name not in self._names.variables)

    def _keyword(self, name: str | None) -> str:
        return "=" if name is None or name in self._names.variables else f"{name}="

    def _attribute(self, one: ast.Attribute, known: _Environment, depth: int) -> Node:
        """`nn.Linear` is `Linear`, by whatever way it was imported."""
        root = one.value
        while isinstance(root, ast.Attribute):
            root = root.value
        if isinstance(root, ast.Name) and self._is_foreign(root.id, known):
            return leaf(one.attr)
        own = one.attr in self._names.attributes
        return node("." if own else f".{one.attr}", self.read(one.value, known, depth))

    def _terms(
        self, one: ast.expr, operators: tuple[type, type], known: _Environment, depth: int
    ) -> Iterator[tuple[Node, bool]]:
        """The terms of a sum, or the factors of a product, each with whether it is taken away, or divided by."""
        waiting = [(one, False)]
        while waiting:
            part, inverse = waiting.pop()
            if isinstance(part, ast.BinOp) and isinstance(part.op, operators):
                waiting += [(part.left, inverse), (part.right, inverse ^ isinstance(part.op, operators[1]))]
            elif ast.Add in operators and isinstance(part, ast.UnaryOp) and isinstance(part.op, ast.USub):
                waiting.append((part.operand, not inverse))
            else:
                yield self.read(part, known, depth), inverse

    def _comparison(self, one: ast.Compare, known: _Environment, depth: int) -> Node:
        """`a < b`, `b > a` and their opposites are the same, for one may swap the branches."""
        sides = [self.read(side, known, depth) for side in (one.left, *one.comparators)]
        found = []
        for left, operator, right in zip(sides, one.ops, sides[1:]):
            kind = _OPPOSITES.get(type(operator).__name__, type(operator).__name__)
            found.append(node(kind, left, right) if kind == "In" else unordered(kind, [left, right]))
        return found[0] if len(found) == 1 else unordered("and", found)

    def _comprehension(self, one: ast.expr, known: _Environment, depth: int) -> Node:
        known, heads = dict(known), []
        for generator in one.generators:
            source = self.read(generator.iter, known, depth)
            bind(generator.target, node("item", source), known)
            heads += [source, *(self.read(test, known, depth) for test in generator.ifs)]
        results = [one.key, one.value] if isinstance(one, ast.DictComp) else [one.elt]
        return node("Comprehension", *(self.read(result, known, depth) for result in results), *heads)


def _joined(kind: str, parts: Iterable[tuple[Node, bool]]) -> Node:
    """A sum of terms, or a product of factors. A term that is a sum, perhaps by way of a variable, falls apart into its own."""
    terms: list[tuple[Node, bool]] = []
    for part, inverse in parts:
        own, inner = part.terms
        terms += [(one, inverse ^ turned) for one, turned in inner] if own == kind else [(part, inverse)]
    made = unordered(kind, [node("inverse", one) if inverse else one for one, inverse in terms])
    return made._replace(terms=(kind, tuple(terms[:MOST_TERMS])))


def _constant(value: object) -> Node:
    if isinstance(value, (str, bytes)):
        return _TEXT
    return leaf(str(value)) if value is None or value is ... or isinstance(value, bool) else _NUMBER


def _parts(one: ast.expr) -> Iterator[ast.expr | None]:
    """The expressions right below another; None stands for the key of `**more` in a dictionary."""
    for _, value in ast.iter_fields(one):
        parts = value if isinstance(value, list) else [value]
        yield from (part for part in parts if part is None or isinstance(part, ast.expr))
