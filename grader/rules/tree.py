"""Looking at a learner's syntax tree: the code of one stub, and patterns that several problems share."""

import ast
from collections.abc import Callable, Iterable, Iterator

from grader.effects import FUNCTIONS as DEFINED
from grader.effects import last

FUNCTIONS = (*DEFINED, ast.Lambda)
LOOPS = (ast.For, ast.While, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
Found = Iterator[ast.AST]


class Tree:
    """The code of one stub: what it defines, and what that uses of the submission's own."""

    def __init__(self, roots: Iterable[ast.AST]):
        self.roots = list(roots)
        self.nodes = [node for root in self.roots for node in ast.walk(root)]

    def of(self, *kinds: type) -> list:
        return [node for node in self.nodes if isinstance(node, kinds)]

    def calls(self, *names: str) -> list[ast.Call]:
        """Calls of functions or methods with these names, whatever they are called on."""
        return [call for call in self.of(ast.Call) if last(call.func) in names]

    def functions(self, *names: str) -> "Tree":
        """The functions and methods with these names."""
        return Tree(node for node in self.of(*DEFINED) if node.name in names)

    def sets(self, *attributes: str) -> list[ast.Attribute]:
        """Assignments to these attributes."""
        return [n for n in self.of(ast.Attribute) if n.attr in attributes and isinstance(n.ctx, ast.Store)]


def names_in(node: ast.AST) -> set[str]:
    """All names and attributes in an expression."""
    return {last(part) for part in ast.walk(node)} - {""}


def given(call: ast.Call, name: str) -> ast.expr | None:
    """The value of a keyword argument."""
    return next((word.value for word in call.keywords if word.arg == name), None)


def is_constant(node: ast.AST | None, *values) -> bool:
    return isinstance(node, ast.Constant) and any(node.value is value or node.value == value for value in values)


def compared(tree: Tree, *kinds: type) -> Iterator[tuple[ast.Compare, ast.expr, ast.expr]]:
    """Comparisons of two things with one of these operators."""
    for node in tree.of(ast.Compare):
        if len(node.ops) == 1 and isinstance(node.ops[0], kinds):
            yield node, node.left, node.comparators[0]


# --- patterns to be made ------------------------------------------------------------------------


def calling(*names: str) -> Callable[[Tree], list[ast.Call]]:
    """A call of one of these."""
    return lambda tree: tree.calls(*names)


def option(function: str, name: str, *right) -> Callable[[Tree], Found]:
    """An option that the contract does not have, other than with its default."""

    def shows(tree: Tree) -> Found:
        for call in tree.calls(function):
            value = given(call, name)
            if value is not None and not is_constant(value, *right) and ast.unparse(value) not in map(str, right):
                yield value

    return shows


def comparing_with(name: str) -> Callable[[Tree], Found]:
    """A value is compared with this argument, whose value may occur elsewhere too."""

    def shows(tree: Tree) -> Found:
        for node, left, right in compared(tree, ast.Eq, ast.NotEq):
            if name in (last(left), last(right)):
                yield node
        for call in tree.calls("eq", "ne"):
            if call.args and last(call.args[-1]) == name:
                yield call

    return shows


# --- patterns of several problems ---------------------------------------------------------------


def no_grad_in_forward(tree: Tree) -> Found:
    for function in tree.functions("forward").roots:
        blocks = [item.context_expr for w in ast.walk(function) if isinstance(w, ast.With) for item in w.items]
        yield from [n for n in [*function.decorator_list, *blocks] if names_in(n) & {"no_grad", "inference_mode"}]


def asserts(tree: Tree) -> Found:
    if not tree.of(ast.Raise):
        yield from tree.of(ast.Assert)


def endswith_a_target(tree: Tree) -> Found:
    """`name.endswith(target)`, but not `name.endswith("." + target)`."""
    for call in tree.calls("endswith"):
        ends = call.args[:1]
        if ends and isinstance(ends[0], ast.Call) and last(ends[0].func) == "tuple":
            ends = ends[0].args  # endswith(tuple(target_modules))
        if len(ends) == 1 and isinstance(ends[0], ast.Name):
            yield call


def target_in_a_name(tree: Tree) -> Found:
    """`any(target in name for target in target_modules)`: a search for a piece of text."""
    for loop in tree.of(*LOOPS):
        for part in [loop, *getattr(loop, "generators", [])]:
            target, source = getattr(part, "target", None), getattr(part, "iter", None)
            if isinstance(target, ast.Name) and source is not None and "target_modules" in names_in(source):
                for node, left, right in compared(Tree([loop]), ast.In):
                    if last(left) == target.id and isinstance(right, ast.Name) and _is_one_name(right.id):
                        yield node


def _is_one_name(variable: str) -> bool:
    return "name" in variable.lower() and not variable.endswith("s")


def children_alone(tree: Tree) -> Found:
    """A walk over the direct children that goes no deeper."""
    if tree.calls("named_modules", "modules", "get_submodule", "named_parameters", "apply"):
        return
    for function in tree.of(*DEFINED):
        inner = Tree([function])
        walks = inner.calls("named_children", "children")
        stacks = inner.of(ast.While) or inner.calls("append", "extend", "extendleft", "appendleft")
        if walks and not stacks and not inner.calls(function.name) and not _called_in_turn(tree, function):
            yield walks[0]


def _called_in_turn(tree: Tree, function: ast.FunctionDef) -> bool:
    """Whether a function that it calls calls it."""
    called = {last(call.func) for call in Tree([function]).of(ast.Call)}
    return any(Tree([other]).calls(function.name) for other in tree.functions(*called).roots)


def new_parameters_in_loading(tree: Tree) -> Found:
    yield from tree.functions("load_adapter", "load_lora_state_dict").calls("Parameter")


def lenient_load(tree: Tree) -> Found:
    if not tree.of(ast.Raise):
        yield from [call for call in tree.calls("load_state_dict") if is_constant(given(call, "strict"), False)]
