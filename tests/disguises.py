"""What a copier does to a text so that it does not look copied. Each disguise takes code and gives code that does the same."""

import ast
import random
import re
from collections.abc import Callable, Iterator


def renamed(code: str) -> str:
    """Other names for what the text itself names: variables, parameters, attributes of self, private helpers."""
    tree = ast.parse(code)
    return ast.unparse(_Renamed(tree).visit(tree))


def bare(code: str) -> str:
    """Other texts, and no docstrings or annotations."""
    return _changed(code, _Bare())


def reordered(code: str) -> str:
    """The functions in the opposite order, in the module and in each class."""
    tree = ast.parse(code)
    for owner in [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))]:
        owner.body = [node for node in owner.body if not isinstance(node, ast.FunctionDef)] + [
            node for node in reversed(owner.body) if isinstance(node, ast.FunctionDef)
        ]
    return ast.unparse(tree)


def commented(code: str) -> str:
    """Comments, empty lines and other blanks."""
    return re.sub(r"(?<=:)\n( +)", r"\n\n\n\1# my own thought\n\1", code).replace(", ", " ,\t")


def documented(code: str) -> str:
    """A docstring in each function."""
    return _with_statements(code, lambda one: [one], first='"""My own words on what it does."""')


def filled(code: str) -> str:
    """A line that does nothing after each assignment."""
    return _with_statements(code, lambda one: [one, *_parsed("_ = None")] if isinstance(one, ast.Assign) else [one])


def assigned_to_itself(code: str) -> str:
    """`x = x` after each assignment to a variable."""

    def doubled(one: ast.stmt) -> list[ast.stmt]:
        again = isinstance(one, ast.Assign) and isinstance(one.targets[0], ast.Name)
        return [one, *_parsed(f"{one.targets[0].id} = {one.targets[0].id}")] if again else [one]

    return _with_statements(code, doubled)


def padded(code: str) -> str:
    """Statements that do nothing, of many kinds, before every statement."""
    idle = ("_ = None", "pass", "0", "_ = 1 + 2", "assert True", "_tmp = len([1, 2, 3])", "print('', end='')",
            "if False:\n    print(1)", "for _ in range(0):\n    pass", "while False:\n    pass", "_ = {}.get(0)")  # fmt: skip
    chance = random.Random(1)
    return _with_statements(code, lambda one: [*_parsed(chance.choice(idle)), one])


def with_dead_code(code: str) -> str:
    """Twelve functions that nobody calls, and blocks that are never run."""
    helper = (
        "\n\ndef helper_{0}(items, limit):\n    found = []\n    for item in items:\n"
        "        if item.weight > limit and item not in found:\n"
        "            found.append((item, limit * {0}))\n    return sorted(found, key=lambda pair: pair[0].size)[:limit]\n"
    )
    never = "if False:\n    extra = [n for n in range(99) if n % 7 == 3 and n not in (1, 2)]\n    print(sum(extra) / len(extra))"
    longer = _with_statements(code, lambda one: [one, *_parsed(never)] if isinstance(one, ast.Assign) else [one])
    return longer + "".join(helper.format(number) for number in range(12))


def turned(code: str) -> str:
    """`b + a` for `a + b`, `b > a` for `a < b`, `x = x + y` for `x += y`, and the branches of each `if … else` swapped."""
    return _changed(code, _Turned())


def split(code: str) -> str:
    """A variable for each call, sum and item inside of a statement, and for what is returned."""
    count = iter(range(10**6))

    def steps(one: ast.stmt) -> list[ast.stmt]:
        if not isinstance(one, (ast.Assign, ast.Return, ast.Expr)) or one.value is None:
            return [one]
        taker = _Taker(count)
        one.value = taker.visit(one.value)
        if isinstance(one, ast.Return):
            one.value = taker.take(one.value)
        return [*taker.before, one]

    return _with_statements(code, steps)


def wrapped(code: str) -> str:
    """Each body in `if True:`."""
    tree = ast.parse(code)
    for node in list(ast.walk(tree)):
        if isinstance(node, ast.FunctionDef):
            node.body = [ast.If(ast.Constant(True), node.body, [])]
    return _text(tree)


def unlooped(code: str) -> str:
    """A comprehension that is assigned becomes a loop that appends."""

    def loop(one: ast.stmt) -> list[ast.stmt]:
        match one:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.ListComp(elt=element, generators=[one_source])):
                append = ast.Expr(ast.Call(ast.Attribute(ast.Name(name, ast.Load()), "append", ast.Load()), [element], []))
                body = [append]
                for test in reversed(one_source.ifs):
                    body = [ast.If(test, body, [])]
                return [*_parsed(f"{name} = []"), ast.For(one_source.target, one_source.iter, body, [], lineno=1)]
        return [one]

    return _with_statements(code, loop)


def everything(code: str) -> str:
    """Most of these at once."""
    for disguise in (renamed, reordered, bare, turned, unlooped, split, padded):
        code = disguise(code)
    return code


ALL: dict[str, Callable[[str], str]] = {
    "renamed": renamed,
    "other texts, no docstrings, no types": bare,
    "functions in another order": reordered,
    "other comments and blanks": commented,
    "docstrings": documented,
    "`_ = None` after each assignment": filled,
    "`x = x` after each assignment": assigned_to_itself,
    "idle statements everywhere": padded,
    "dead code": with_dead_code,
    "a + b turned round, branches swapped": turned,
    "statements split": split,
    "bodies in `if True`": wrapped,
    "loops for comprehensions": unlooped,
    "most of these at once": everything,
}


# --- how ----------------------------------------------------------------------------------------


def _parsed(code: str) -> list[ast.stmt]:
    return ast.parse(code).body


def _text(tree: ast.Module) -> str:
    return ast.unparse(ast.fix_missing_locations(tree))


def _changed(code: str, transformer: ast.NodeTransformer) -> str:
    return _text(transformer.visit(ast.parse(code)))


def _blocks(function: ast.FunctionDef) -> Iterator[tuple[ast.AST, str]]:
    for node in ast.walk(function):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
                yield node, name


def _with_statements(code: str, become: Callable[[ast.stmt], list[ast.stmt]], first: str = "") -> str:
    """The code in which each statement of a function has become others. `first` begins each function."""
    tree = ast.parse(code)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    inner = {id(node) for function in functions for node in ast.walk(function) if node is not function}
    for function in functions:
        if id(function) not in inner:
            for node, name in list(_blocks(function)):
                setattr(node, name, [new for one in getattr(node, name) for new in become(one)])
        function.body = [*_parsed(first), *function.body] if first else function.body
    return _text(tree)


class _Renamed(ast.NodeTransformer):
    def __init__(self, tree: ast.Module):
        nodes = list(ast.walk(tree))
        own = {node.arg for node in nodes if isinstance(node, ast.arg)}
        own |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        own |= {node.name for node in nodes if isinstance(node, ast.FunctionDef) and node.name[:2].count("_") == 1}
        fields = {
            node.attr
            for node in nodes
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and isinstance(node.value, ast.Name)
            if node.value.id == "self"
        }
        fields |= {
            target.id
            for node in nodes
            if isinstance(node, ast.ClassDef)
            for statement in node.body
            for target in getattr(statement, "targets", [getattr(statement, "target", None)])
            if isinstance(target, ast.Name)
        }
        self.new = {name: f"my_{number}" for number, name in enumerate(sorted(own))}
        self.attributes = {name: self.new.get(name, f"our_{number}") for number, name in enumerate(sorted(fields))}

    def visit(self, node):
        for field in ("id", "arg", "name"):
            if isinstance(old := getattr(node, field, None), str):
                setattr(node, field, self.new.get(old, old))
        if isinstance(node, ast.Attribute):
            node.attr = self.attributes.get(node.attr, self.new.get(node.attr, node.attr) if node.attr[0] == "_" else node.attr)
        return self.generic_visit(node)


class _Bare(ast.NodeTransformer):
    def visit_Constant(self, node):
        return ast.Constant("my own words") if isinstance(node.value, str) else node

    def visit_JoinedStr(self, node):
        return ast.Constant("my own words")

    def visit_AnnAssign(self, node):
        if node.value is None:  # a field: without an annotation, a dataclass would lose it
            return ast.AnnAssign(node.target, ast.Name("object", ast.Load()), None, node.simple)
        return ast.Assign([node.target], self.visit(node.value))

    def visit_arg(self, node):
        return ast.arg(node.arg)

    def visit_FunctionDef(self, node):
        node.returns = None
        node.body = node.body[1:] if ast.get_docstring(node) and node.body[1:] else node.body
        return self.generic_visit(node)


class _Turned(ast.NodeTransformer):
    swapped = {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE, ast.Eq: ast.Eq, ast.NotEq: ast.NotEq}

    def visit_BinOp(self, node):
        self.generic_visit(node)
        if isinstance(node.op, (ast.Add, ast.Mult)):
            node.left, node.right = node.right, node.left
        return node

    def visit_Compare(self, node):
        self.generic_visit(node)
        if len(node.ops) == 1 and type(node.ops[0]) in self.swapped:
            return ast.Compare(node.comparators[0], [self.swapped[type(node.ops[0])]()], [node.left])
        return node

    def visit_AugAssign(self, node):
        self.generic_visit(node)
        if isinstance(node.target, ast.Name):
            return ast.Assign([node.target], ast.BinOp(ast.Name(node.target.id, ast.Load()), node.op, node.value))
        return node

    def visit_If(self, node):
        self.generic_visit(node)
        if node.orelse and not isinstance(node.orelse[0], ast.If):
            node.test, node.body, node.orelse = ast.UnaryOp(ast.Not(), node.test), node.orelse, node.body
        return node


class _Taker(ast.NodeTransformer):
    """Takes the parts of an expression out into variables of their own, `before` it."""

    def __init__(self, count: Iterator[int]):
        self.before, self.count = [], count

    def take(self, node: ast.expr) -> ast.expr:
        if not isinstance(node, (ast.Call, ast.BinOp, ast.Subscript)):
            return node
        name = f"step_{next(self.count)}"
        self.before.append(ast.Assign([ast.Name(name, ast.Store())], node))
        return ast.Name(name, ast.Load())

    def visit_Call(self, node):
        if isinstance(node.func, ast.Attribute):
            node.func.value = self.take(self.visit(node.func.value))
        node.args = [one if isinstance(one, ast.Starred) else self.take(self.visit(one)) for one in node.args]
        return node

    def visit_BinOp(self, node):
        node.left, node.right = self.take(self.visit(node.left)), self.take(self.visit(node.right))
        return node

    def _left(self, node):
        """What is not always run, or not once, stays where it is."""
        return node

    visit_Lambda = visit_ListComp = visit_SetComp = visit_GeneratorExp = visit_DictComp = _left
    visit_IfExp = visit_BoolOp = visit_Yield = visit_YieldFrom = visit_Await = visit_Compare = _left
