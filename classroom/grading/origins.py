"""What an expression of a stranger's code stands for, as far as its text tells: `s` is `sys` after `import sys as s`.

An origin is a dotted name that begins with a module: `sys._getframe`, `builtins.exec`. One name may have several, for all that
is ever assigned to it counts. What is computed, or given as an argument, has none.
"""

import ast
import builtins
from collections.abc import Iterable, Iterator
from itertools import chain, islice

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
DISPLAYS = (ast.Tuple, ast.List, ast.Set)
BUILTINS = set(dir(builtins))
LONGEST = 10_000  # characters of a string that is put together
MOST = 30  # origins of one expression: names that are bound to one another again and again could have any number
# Modules that others have imported for themselves: `torch.sys` and `random._os` are these, too.
PASSED_ON = {
    "sys", "os", "inspect", "gc", "ctypes", "builtins", "importlib", "threading", "traceback", "pickle", "subprocess",
    "linecache", "multiprocessing", "weakref", "io", "pathlib", "tempfile",
}  # fmt: skip


class Scope:
    """The names that a module, a class, a function or a comprehension binds, each with what it is bound to.

    A value is an origin, an expression with the scope in which it stands, or None if nothing is known of it.
    """

    def __init__(self, kind: str, outer: "Scope | None" = None):
        self.kind = kind
        self.outer = outer
        self.bound: dict[str, list] = {}
        self.elsewhere: dict[str, str] = {}  # names of `global` and `nonlocal`

    def bind(self, name: str, *values) -> None:
        self.bound.setdefault(name, []).extend(values)

    def holder(self, name: str) -> "Scope | None":
        """The scope whose variable a name is here. None for a builtin name."""
        scope = self
        while scope and (name not in scope.bound or scope.kind == "class" and scope is not self):
            scope = scope.outer
        return scope

    @property
    def module(self) -> "Scope":
        return self.outer.module if self.outer else self

    def settle(self) -> None:
        """Move what `global` and `nonlocal` bind to where it belongs."""
        for name, kind in self.elsewhere.items():
            owner = self.module if kind == "global" else self.outer
            owner.bind(name, *self.bound.pop(name, ()))


class Code:
    """The code of one module: its nodes, each with its scope, and the origins of expressions.

    Attributes:
        nodes: all nodes in the order of the text, outer ones first, each with its scope and the label of its cell.
        tracked: the expressions that are bound to a name, so that what becomes of them is seen there.
    """

    def __init__(self, cells: Iterable[tuple[str, list[ast.stmt]]], others: dict[str, "Code"]):
        """
        Args:
            cells: the label and the statements of each.
            others: the modules beside this one, by name; they may be filled in later.
        """
        self.others = others
        self.scope = Scope("module")
        self.nodes: list[tuple[ast.AST, Scope, str]] = []
        self.tracked: set[ast.AST] = set()
        self._known: dict[object, set[str]] = {}
        self._texts: dict[ast.AST, str | None] = {}
        for label, statements in cells:
            self.add(statements, self.scope, label)

    def add(self, statements: list[ast.AST], scope: Scope, label: str) -> None:
        """Take in statements that run in a scope."""
        waiting, opened = [(statement, scope) for statement in reversed(statements)], []
        while waiting:
            node, scope = waiting.pop()
            self.nodes.append((node, scope, label))
            self._bind(node, scope)
            inner = _opens(node, scope)
            if inner:
                opened.append(inner)
                self._bind_parameters(node, scope, inner)
            waiting += [(part, inner if inner and within else scope) for part, within in reversed(list(_parts(node)))]
        for scope in reversed(opened):  # the inner ones first
            scope.settle()

    # --- binding --------------------------------------------------------------------------------

    def _bind(self, node: ast.AST, scope: Scope) -> None:
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                scope.bind(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                scope.bind(name)
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                scope.bind(name)
            case ast.Global(names=names):
                scope.elsewhere |= dict.fromkeys(names, "global")
            case ast.Nonlocal(names=names):
                scope.elsewhere |= dict.fromkeys(names, "nonlocal")
            case ast.Import(names=aliases):
                for alias in aliases:
                    root = alias.name.partition(".")[0]
                    scope.bind(alias.asname or root, alias.name if alias.asname else root)
            case ast.ImportFrom(names=aliases):
                for alias in aliases:
                    scope.bind(alias.asname or alias.name, came_from(node, alias))
            case ast.Assign(targets=targets, value=value):
                for target in targets:
                    self._pair(target, value, scope)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self._pair(target, value, scope)
            case ast.NamedExpr(target=target, value=value):
                while scope.kind == "comprehension":  # it binds in the function around it
                    scope = scope.outer
                self._pair(target, value, scope)
            case ast.For() | ast.AsyncFor() | ast.comprehension():
                for item in node.iter.elts if isinstance(node.iter, DISPLAYS) else ():
                    self._pair(node.target, item, scope)

    def _pair(self, target: ast.expr, value: ast.expr, scope: Scope) -> None:
        if isinstance(target, ast.Name):
            scope.bind(target.id, (value, scope))
            if scope.kind != "class":  # an attribute of a class can be reached by other ways
                self.tracked.add(value)
        elif isinstance(target, DISPLAYS) and isinstance(value, DISPLAYS) and len(target.elts) == len(value.elts):
            for one, other in zip(target.elts, value.elts):
                self._pair(one, other, scope)

    def _bind_parameters(self, node: ast.AST, scope: Scope, inner: Scope) -> None:
        if not isinstance(node, FUNCTIONS):
            return
        arguments = node.args
        positional = [*arguments.posonlyargs, *arguments.args]
        for argument in [*positional, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]:
            if argument:
                inner.bind(argument.arg)
        defaults = zip(reversed(positional), reversed(arguments.defaults))
        for argument, default in [*defaults, *zip(arguments.kwonlyargs, arguments.kw_defaults)]:
            if default:
                inner.bind(argument.arg, (default, scope))
                self.tracked.add(default)

    # --- asking ---------------------------------------------------------------------------------

    def origins(self, node: ast.AST, scope: Scope) -> set[str]:
        """What an expression may stand for."""
        if isinstance(node, ast.Name):
            return self.named(node.id, scope)
        if node not in self._known:
            self._known[node] = self._all(self._of(node, scope))
        return self._known[node]

    def named(self, name: str, scope: Scope) -> set[str]:
        """What a name may stand for."""
        holder = scope.holder(name)
        if holder is None:
            return {f"builtins.{name}"} if name in BUILTINS else set()
        key = holder, name
        if key not in self._known:
            self._known[key] = set()  # for a name that is bound to what it was
            values = ([value] if isinstance(value, str) else self.origins(*value) for value in holder.bound[name])
            self._known[key] = self._all(chain.from_iterable(values))
        return self._known[key]

    def _all(self, found: Iterable[str]) -> set[str]:
        return set(islice((name for origin in found for name in self._plain(origin)), MOST))

    def _of(self, node: ast.AST, scope: Scope) -> Iterator[str]:
        match node:
            case ast.Attribute(value=value, attr=name):
                yield from (f"{origin}.{name}" for origin in self.origins(value, scope))
            case ast.Subscript(value=value, slice=key):
                yield from self._of_subscript(value, key, scope)
            case ast.Call():
                yield from self._of_call(node, scope)
            case ast.IfExp(body=one, orelse=other):
                yield from self.origins(one, scope) | self.origins(other, scope)
            case ast.BoolOp(values=values):
                yield from (origin for value in values for origin in self.origins(value, scope))
            case ast.NamedExpr(value=value):
                yield from self.origins(value, scope)

    def _of_subscript(self, value: ast.expr, key: ast.expr, scope: Scope) -> Iterator[str]:
        """`sys.modules["gc"]`, `vars(torch)["sys"]`, `[sys][0]`."""
        if isinstance(value, DISPLAYS):
            yield from (origin for item in value.elts for origin in self.origins(item, scope))
        name = self.text(key, scope)
        for origin in self.origins(value, scope) if name else ():
            if origin == "sys.modules":
                yield name
            elif origin == "builtins.globals()":
                yield from self.named(name, scope.module)
            elif origin.endswith(".__dict__"):
                yield origin.removesuffix("__dict__") + name

    def _of_call(self, call: ast.Call, scope: Scope) -> Iterator[str]:
        """`getattr(sys, "modules")`, `__import__("sys")`, `vars(torch)`."""
        functions = self.origins(call.func, scope)
        names = [self.text(argument, scope) or "" for argument in call.args] if functions else []
        for function in functions:
            match function, *names:
                case ("builtins.__import__" | "importlib.import_module" | "sys.modules.get"), name, *_ if name:
                    yield name
                case "builtins.getattr", _, name, *_ if name:
                    yield from (f"{origin}.{name}" for origin in self.origins(call.args[0], scope))
                case "builtins.vars", _:
                    yield from (f"{origin}.__dict__" for origin in self.origins(call.args[0], scope))
                case "builtins.globals" | "builtins.vars",:
                    yield "builtins.globals()"
                case _, name if name and function.endswith(".__getattribute__"):
                    yield function.removesuffix("__getattribute__") + name

    def _plain(self, origin: str) -> set[str]:
        """The origin from where the thing comes: `sys.path` for `torch.sys.path`, or for what a module beside has imported."""
        parts = origin.split(".")
        for place in range(len(parts) - 1, 0, -1):
            if parts[place].lstrip("_") in PASSED_ON:
                parts = [parts[place].lstrip("_"), *parts[place + 1 :]]
                break
        other = self.others.get(parts[0])
        if other and other is not self and len(parts) > 1 and parts[1] in other.scope.bound:
            return {".".join([found, *parts[2:]]) for found in other.named(parts[1], other.scope)}
        return {".".join(parts)}

    def text(self, node: ast.AST, scope: Scope) -> str | None:
        """The string that an expression surely is, also one that is put together of others."""
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else None
        if node not in self._texts:
            parts = list(self._texts_in(node, scope))
            known = bool(parts) and None not in parts and sum(map(len, parts)) <= LONGEST
            self._texts[node] = "".join(parts) if known else None
        return self._texts[node]

    def _texts_in(self, node: ast.AST, scope: Scope) -> Iterator[str | None]:
        """The parts of which an expression puts together a string; none if it does not."""
        match node:
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                yield from (self.text(left, scope), self.text(right, scope))
            case ast.JoinedStr(values=values):
                yield from (self.text(value, scope) for value in values)
            case ast.FormattedValue(value=value, format_spec=None):
                yield self.text(value, scope)
            case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(between)), attr="join"), args=[items]):
                parts = [self.text(item, scope) for item in (items.elts if isinstance(items, DISPLAYS) else [])]
                yield from [part for text in parts for part in (between, text)][1:]
            case ast.Name(id=name):
                holder = scope.holder(name)
                values = holder.bound[name] if holder else []
                once = values[0] if len(values) == 1 and isinstance(values[0], tuple) else (None, scope)
                yield self.text(once[0], scope) if isinstance(once[0], ast.Constant) else None

    def is_written_in_pieces(self, node: ast.AST, scope: Scope) -> bool:
        """Whether an expression always gives the same text, but does not say it: `"kcab_f"[::-1]`, `chr(102) + "_back"`."""
        parts = [part for part in ast.walk(node) if not isinstance(part, (ast.JoinedStr, ast.expr_context))]
        fixed = all(self._is_fixed(part, scope) for part in parts if isinstance(part, ast.Name))
        return len(parts) > 1 and fixed and any(isinstance(part, ast.Constant) for part in parts)

    def _is_fixed(self, name: ast.Name, scope: Scope) -> bool:
        return bool(self.named(name.id, scope)) or scope.holder(name.id) is None


def came_from(node: ast.ImportFrom, alias: ast.alias) -> str:
    """The origin of one name of a `from … import …`."""
    return f"{node.module}.{alias.name}" if node.module else alias.name


def _opens(node: ast.AST, scope: Scope) -> Scope | None:
    """The scope that a node opens, if it does."""
    if isinstance(node, FUNCTIONS):
        return Scope("function", scope)
    if isinstance(node, ast.ClassDef):
        return Scope("class", scope)
    return Scope("comprehension", scope) if isinstance(node, COMPREHENSIONS) else None


def _parts(node: ast.AST) -> Iterator[tuple[ast.AST, bool]]:
    """The children of a node, and whether each stands in the scope that the node opens."""
    for name, value in ast.iter_fields(node):
        within = name == "body" or isinstance(node, COMPREHENSIONS)
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, ast.AST):
                yield part, within
