"""What a top-level statement does to things that other statements have made.

Python code registers, patches and fills at its top level: `@area.register`, `LAYERS.append(…)`, `attach(LoRALinear, merge)`. Such
a statement binds no new name, yet what it changes is part of the solution. A demonstration that only calls the solution is not.
"""

import ast
import sys
from collections.abc import Iterable, Iterator

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
ANYTHING = "*"  # stands for every name: a star import, exec
NAMESPACES = {"globals", "vars", "locals"}  # called without an argument, they give the variables of the module
# Methods that change what they belong to. At the top level every method may: who calls one there and drops what it gives, wants that.
CHANGING = {
    "add", "append", "appendleft", "clear", "extend", "insert", "pop", "popitem", "register", "remove", "setdefault", "update",
    "__setattr__", "__setitem__", "__delitem__",
}  # fmt: skip
# Functions and methods that give back what they are given, or a part of it.
PASSED_ON = {
    "dict", "enumerate", "get_type_hints", "getattr", "items", "iter", "list", "next", "reversed", "sorted", "tuple", "type", "values", "vars", "zip",
}  # fmt: skip
PATCHES = {"setattr", "delattr", "update_wrapper", "__setattr__", "__delattr__"}  # functions that change their first argument
HEARS = ("__init_subclass__", "__new__", "__init__")  # methods in which a class above, or a metaclass, may note a new class
# Libraries whose functions look at a class or function that they are given, and leave it as it is.
LOOKING_ONLY = {"torch", "numpy", "matplotlib", "IPython", "pandas", "tqdm", "rich", "grader", "lab", "quiz", "solutions"}


def running(node: ast.AST) -> Iterator[ast.AST]:
    """The node and those in it that run when it does. The body of a function does not: it waits for a call."""
    yield node
    if isinstance(node, FUNCTIONS):
        children = [*node.decorator_list, node.args, *([node.returns] if node.returns else [])]
    elif isinstance(node, ast.Lambda):
        children = [node.args]
    else:
        children = ast.iter_child_nodes(node)
    for child in children:
        yield from running(child)


def root(node: ast.AST) -> str | None:
    """`LoRALinear` of `LoRALinear.merge`, `table[0]` or `registry().items`."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Call, ast.Starred)):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def last(node: ast.AST) -> str:
    """`dropout` for F.dropout and for dropout; empty for what has no name."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def is_of_a_namespace(node: ast.AST) -> bool:
    """Whether an expression is the module, or begins with it: `globals()`, `sys.modules[…]`. `vars(thing)` is another thing's."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        if last(node) == "modules" and last(node.value) == "sys":
            return True
        node = node.value
    return isinstance(node, ast.Call) and not node.args and isinstance(node.func, ast.Name) and node.func.id in NAMESPACES


def binds(statement: ast.stmt) -> set[str]:
    """The module-level names that a statement defines, or that it changes by assignment. "*" if that may be any."""
    if isinstance(statement, (*FUNCTIONS, ast.ClassDef)):
        return {statement.name}
    bound, queue = set(), [statement]
    while queue:
        node = queue.pop()
        bound |= _bound(node)
        if isinstance(node, (*FUNCTIONS, ast.ClassDef, ast.Lambda)):
            continue  # what is assigned in there is not of the module
        if isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)):
            queue += [found for found in ast.walk(node) if isinstance(found, (ast.NamedExpr, ast.Call))]
            continue
        queue += ast.iter_child_nodes(node)
    return bound - {None}


def _bound(node: ast.AST) -> set[str | None]:
    if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
        return {node.name}
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return {(alias.asname or alias.name).split(".")[0] for alias in node.names}
    if isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)) and isinstance(node.ctx, (ast.Store, ast.Del)):
        return _entry(node) if is_of_a_namespace(node) else {root(node)}
    if isinstance(node, ast.Call):
        return _bound_by_call(node)
    return set()


def _entry(node: ast.AST) -> set[str]:
    """The name that `globals()["name"] = …` binds."""
    key = node.slice if isinstance(node, ast.Subscript) else None
    return {key.value} if isinstance(key, ast.Constant) and isinstance(key.value, str) else {ANYTHING}


def _bound_by_call(node: ast.Call) -> set[str | None]:
    name = last(node.func)
    if root(node.func) == name == "exec" or (is_of_a_namespace(node.func) and name in CHANGING):
        return {ANYTHING}
    if name in PATCHES and node.args:
        return {ANYTHING} if is_of_a_namespace(node.args[0]) else {root(node.args[0])}
    return set()


class Effects:
    """What the statements of one submission change, beside what they bind."""

    def __init__(self, statements: Iterable[ast.stmt]):
        self.functions: dict[str, ast.FunctionDef] = {}
        self.classes: dict[str, ast.ClassDef] = {}
        self.modules: dict[str, str] = {}  # imported names, and the package that each is from
        self.aliases: dict[str, set[str]] = {}  # other names for a thing, or for what holds it
        for statement in statements:
            self._note(statement)
        self._summaries: dict[str, tuple[set[int], set[str]]] = {}

    def _note(self, statement: ast.stmt) -> None:
        for node in running(statement):
            if isinstance(node, FUNCTIONS):
                self.functions[node.name] = node
            elif isinstance(node, ast.ClassDef):
                self.classes[node.name] = node
            elif isinstance(node, ast.Import):
                self.modules |= {(a.asname or a.name).split(".")[0]: a.name.split(".")[0] for a in node.names}
            elif isinstance(node, ast.ImportFrom):
                self.modules |= {a.asname or a.name: (node.module or ".").split(".")[0] for a in node.names}
            else:
                _note_alias(node, self.aliases)

    def touches(self, statement: ast.stmt) -> set[str]:
        """The module-level names of what a statement changes: in place, by a call, by a decorator, by a subclass."""
        found: set[str | None] = set()
        for node in running(statement):
            if isinstance(node, ast.Call):
                found |= self._by_call(node) | _bound_by_call(node)
            elif isinstance(node, (ast.Attribute, ast.Subscript)) and isinstance(node.ctx, (ast.Store, ast.Del)):
                found.add(root(node))
            if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
                for decorator in node.decorator_list:
                    found |= self._by_decorator(decorator, node)
            if isinstance(node, ast.ClassDef):
                found |= self._by_subclass(node)
        if isinstance(statement, ast.Expr):
            found |= self._by_bare_call(statement.value)
        return {name for one in found - {None} for name in self._behind(one)}

    def _behind(self, name: str) -> set[str]:
        """The name and those of which it is an alias."""
        found, queue = set(), [name]
        while queue:
            one = queue.pop()
            if one not in found:
                found.add(one)
                queue += self.aliases.get(one, ())
        return found

    def _by_bare_call(self, call: ast.expr) -> set[str | None]:
        """`LAYERS.append(x)`: a method that is called for what it does. `history.append(…)` matters if `history` does."""
        if not isinstance(call, ast.Call):
            return set()
        owner = root(call.func)
        if isinstance(call.func, ast.Name):
            from_elsewhere = self.modules.get(owner)
            looks = from_elsewhere is None or from_elsewhere in LOOKING_ONLY or from_elsewhere in sys.stdlib_module_names
            return set() if looks else {root(argument) for argument in call.args}  # a helper module may change what it gets
        if owner in self.modules or self._is_of_a_result(call):
            return set()
        own = self.classes.get(owner)
        methods = {node.name: node for node in own.body if isinstance(node, FUNCTIONS)} if own else {}
        called = methods.get(last(call.func))
        return set() if called and not called.decorator_list else {owner}  # a plain method of a class is a use of it

    def _is_of_a_result(self, call: ast.Call) -> bool:
        """`sft_loss(logits, labels).backward()`: a method of what a function has made of what it got. The function stays as it is."""
        node = call.func
        while isinstance(node, (ast.Attribute, ast.Subscript)):
            node = node.value
        made = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in self.functions
        return made and bool(node.args or node.keywords) and last(call.func) not in CHANGING

    def _by_call(self, call: ast.Call) -> set[str | None]:
        """What a function of the submission does to the variables of the module, and to what it is given."""
        if not isinstance(call.func, ast.Name) or call.func.id not in self.functions:
            return set()
        places, names = self._summary(call.func.id)
        return names | {root(argument) for index, argument in enumerate(call.args) if index in places}

    def _by_decorator(self, decorator: ast.expr, decorated: ast.AST) -> set[str | None]:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        found = self._by_call(decorator) if isinstance(decorator, ast.Call) else set()
        owner = root(called)
        if isinstance(called, ast.Name) and owner in self.functions:
            found |= self._summary(owner)[1] | (self._owner(decorated) if _patches(self.functions[owner]) else set())
        elif owner not in self.modules:
            found.add(owner)  # @area.register, @LAYERS.add("name")
        elif isinstance(decorator, ast.Call) and self.modules[owner] not in LOOKING_ONLY | sys.stdlib_module_names:
            found |= {root(argument) for argument in decorator.args}
        elif self.modules[owner] not in LOOKING_ONLY | sys.stdlib_module_names:
            found |= self._owner(decorated)
        return found

    def _owner(self, decorated: ast.AST) -> set[str]:
        """The class that `@patch def forward(self: LoRALinear, x)` is put on, by its first annotation; for `nn.Module`, `nn`."""
        arguments = [*decorated.args.posonlyargs, *decorated.args.args] if isinstance(decorated, FUNCTIONS) else []
        note = arguments[0].annotation if arguments else None
        name = note.value if isinstance(note, ast.Constant) else root(note) if note else None
        return {name} if name in self.classes or name in self.modules else set()

    def _by_subclass(self, node: ast.ClassDef) -> set[str | None]:
        """What hears of a new class: those above it that have `__init_subclass__`, its metaclass, and what these change."""
        found, seen, queue = set(), set(), _above(node)
        while queue:
            name = queue.pop()
            if name in self.classes and name not in seen:
                seen.add(name)
                own = self.classes[name]
                queue += _above(own)
                if any(isinstance(part, FUNCTIONS) and part.name in HEARS for part in own.body):
                    found |= {name} | _changed(own, set())[1] - self.modules.keys()
        return found if any(_hears(self.classes[name]) for name in seen) else set()

    def _summary(self, name: str) -> tuple[set[int], set[str]]:
        """Of a function: the places of the arguments that it changes, and the module's names that it changes."""
        if name not in self._summaries:
            self._summaries[name] = set(), set()  # for one that calls itself
            function = self.functions[name]
            parameters = [a.arg for a in [*function.args.posonlyargs, *function.args.args]]
            changed, outside = _changed(function, set(parameters))
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in self.functions:
                    places, names = self._summary(node.func.id)
                    outside |= names
                    changed |= {root(argument) for index, argument in enumerate(node.args) if index in places}
            places = {index for index, parameter in enumerate(parameters) if parameter in changed}
            self._summaries[name] = places, outside - self.modules.keys()  # a library is used, not changed
        return self._summaries[name]


def _patches(function: ast.AST) -> bool:
    """Whether a function puts something on something else, whatever that is."""
    return any(isinstance(node, ast.Call) and last(node.func) in PATCHES for node in ast.walk(function))


def _above(node: ast.ClassDef) -> list[str | None]:
    """The names of a class's bases and of its metaclass."""
    return [root(base) for base in [*node.bases, *(k.value for k in node.keywords if k.arg == "metaclass")]]


def _hears(node: ast.ClassDef) -> bool:
    """Whether a class is told of its subclasses: it has `__init_subclass__`, or is a metaclass."""
    own = any(isinstance(part, FUNCTIONS) and part.name == "__init_subclass__" for part in node.body)
    return own or any(root(base) in ("type", "ABCMeta", "EnumMeta") for base in node.bases)


def _changed(body: ast.AST, parameters: set[str]) -> tuple[set[str], set[str]]:
    """The parameters, and the names from outside, that are changed in a function or in what is defined within it."""
    aliases: dict[str, set[str]] = {}
    local, outer, found = set(parameters), set(), set()
    for node in ast.walk(body):
        _note_alias(node, aliases)
        if isinstance(node, ast.Global):
            outer |= set(node.names)
        elif isinstance(node, ast.arg):
            local.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            local.add(node.id)
        elif isinstance(node, (ast.Attribute, ast.Subscript)) and isinstance(node.ctx, (ast.Store, ast.Del)):
            found |= _entry(node) if is_of_a_namespace(node) else {root(node)}
        elif isinstance(node, ast.Call):
            name = last(node.func)
            if name in PATCHES and node.args:
                found.add(root(node.args[0]))
            elif name in CHANGING and isinstance(node.func, ast.Attribute):
                found.add(root(node.func))
    seen, queue = set(), list(found - {None})
    while queue:
        name = queue.pop()
        if name not in seen:
            seen.add(name)
            queue += aliases.get(name, ()) if name in local else ()
    return seen & parameters, (seen - local) | outer


def _note_alias(node: ast.AST, aliases: dict[str, set[str]]) -> None:
    """Note that a variable is another name for something, or one of several things: `C = A`, `for C in (A, B)`, `with f(A) as C`."""
    if isinstance(node, ast.Assign):
        pairs = [(target, node.value) for target in node.targets]
    elif isinstance(node, (ast.AnnAssign, ast.NamedExpr)) and node.value:
        pairs = [(node.target, node.value)]
    elif isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
        pairs = [(node.target, node.iter)]
    elif isinstance(node, ast.withitem) and node.optional_vars:
        pairs = [(node.optional_vars, node.context_expr)]
    else:
        return
    for target, value in pairs:
        names = _held(value)
        for found in ast.walk(target):
            if isinstance(found, ast.Name) and isinstance(found.ctx, ast.Store) and names - {found.id}:
                aliases.setdefault(found.id, set()).update(names - {found.id})


def _held(value: ast.expr) -> set[str]:
    """The names of what an expression gives or holds. Of a call: what it is given, and what it is called on."""
    if isinstance(value, ast.Name):
        return {value.id}
    if isinstance(value, (ast.Attribute, ast.Subscript, ast.Starred)):
        parts = [value.value]
    elif isinstance(value, (ast.Tuple, ast.List, ast.Set)):
        parts = value.elts
    elif isinstance(value, ast.Dict):
        parts = value.values
    elif isinstance(value, ast.IfExp):
        parts = [value.body, value.orelse]
    elif isinstance(value, ast.Call) and last(value.func) in PASSED_ON:
        parts = [*value.args, *([value.func.value] if isinstance(value.func, ast.Attribute) else [])]
    else:
        parts = []
    return {name for part in parts for name in _held(part)}
