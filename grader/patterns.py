"""Patterns in a learner's syntax tree that cannot be right where they stand. Each function yields the nodes that show its pattern.

A pattern is written so that no right solution shows it: the tests look for each in the reference and in many right solutions.
"""

import ast
from collections.abc import Callable, Iterable, Iterator

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
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
        return Tree(node for node in self.of(*FUNCTIONS[:2]) if node.name in names)


def last(node: ast.AST) -> str:
    """`dropout` for F.dropout and for dropout."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


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


# --- gradients and modes ------------------------------------------------------------------------


def dropout_without_training(tree: Tree) -> Found:
    for call in tree.calls("dropout"):
        is_functional = isinstance(call.func, ast.Attribute) and last(call.func.value) in ("F", "functional")
        if is_functional and len(call.args) < 3 and given(call, "training") is None and not any(w.arg is None for w in call.keywords):
            yield call


def no_grad_in_forward(tree: Tree) -> Found:
    for function in tree.functions("forward").roots:
        for node in [*function.decorator_list, *(i.context_expr for w in ast.walk(function) if isinstance(w, ast.With) for i in w.items)]:
            if names_in(node) & {"no_grad", "inference_mode"}:
                yield node


def factors_cut_off(tree: Tree) -> Found:
    for node in tree.functions("forward").of(ast.Attribute):
        if node.attr in ("data", "detach") and last(node.value) in ("lora_A", "lora_B"):
            yield node


def gradients_cleared_after_the_step(tree: Tree) -> Found:
    for function in tree.functions("train_step").roots:
        calls = [node for node in ast.walk(function) if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)]
        clears = [call for call in calls if call.func.attr == "zero_grad"]
        steps = [call.lineno for call in calls if call.func.attr == "step" and "optim" in last(call.func.value)]
        by_hand = any(isinstance(node, ast.Attribute) and node.attr == "grad" and isinstance(node.ctx, ast.Store) for node in tree.nodes)
        if clears and steps and not by_hand and len(tree.calls("zero_grad")) == len(clears):
            yield from [call for call in clears if min(c.lineno for c in clears) > min(steps)][:1]


def gradients_never_cleared(tree: Tree) -> Found:
    by_hand = any(node.attr == "grad" and isinstance(node.ctx, ast.Store) for node in tree.of(ast.Attribute))
    if tree.calls("backward") and not by_hand and not tree.calls("zero_grad", "zero_", "grad"):
        yield tree.calls("backward")[0]


def gradients_kept_as_zeros(tree: Tree) -> Found:
    for call in tree.calls("zero_grad"):
        if is_constant(given(call, "set_to_none"), False) or (call.args and is_constant(call.args[0], False)):
            yield call


def mode_not_given_back(tree: Tree) -> Found:
    told = any(node.attr == "training" for node in tree.of(ast.Attribute)) or tree.calls("train", "deepcopy", "copy")
    if tree.calls("eval") and not told:
        yield tree.calls("eval")[0]


def mode_given_back_without_finally(tree: Tree) -> Found:
    guarded = any(node.finalbody for node in tree.of(ast.Try)) or tree.functions("__exit__").roots
    helpers = {name for node in tree.of(ast.With) for item in node.items for name in names_in(item.context_expr)}
    if not guarded and helpers <= {"torch", "no_grad", "inference_mode", "set_grad_enabled"}:
        if not tree.calls("callback", "ExitStack"):
            yield from tree.calls("train")[:1]


# --- names and modules --------------------------------------------------------------------------


def endswith_a_target(tree: Tree) -> Found:
    """`name.endswith(target)`, but not `name.endswith("." + target)`."""
    for call in tree.calls("endswith"):
        if call.args and (isinstance(call.args[0], ast.Name) or _is_tuple_of_names(call.args[0])):
            yield call


def _is_tuple_of_names(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and last(node.func) == "tuple" and len(node.args) == 1 and isinstance(node.args[0], ast.Name)


def target_in_a_name(tree: Tree) -> Found:
    """`any(target in name for target in target_modules)`: a search for a piece of text."""
    for loop in tree.of(*LOOPS):
        for part in [loop, *getattr(loop, "generators", [])]:
            target, source = getattr(part, "target", None), getattr(part, "iter", None)
            if isinstance(target, ast.Name) and source is not None and "target_modules" in names_in(source):
                for node, left, right in compared(Tree([loop]), ast.In):
                    if last(left) == target.id and isinstance(right, ast.Name) and "name" in right.id.lower() and not right.id.endswith("s"):
                        yield node


def exact_type(tree: Tree) -> Found:
    for node, left, right in compared(tree, ast.Is, ast.IsNot, ast.Eq, ast.NotEq):
        of_type = isinstance(left, ast.Call) and last(left.func) == "type" or last(left) == "__class__"
        if of_type and last(right) == "Linear":
            yield node


def children_alone(tree: Tree) -> Found:
    """A walk over the direct children that goes no deeper."""
    if tree.calls("named_modules", "modules", "get_submodule", "named_parameters", "apply"):
        return
    for function in tree.of(*FUNCTIONS[:2]):
        inner = Tree([function])
        walks = inner.calls("named_children", "children")
        stacks = inner.of(ast.While) or inner.calls("append", "extend", "extendleft", "appendleft")
        if walks and not stacks and not inner.calls(function.name) and not _called_by_its_own(tree, function):
            yield walks[0]


def _called_by_its_own(tree: Tree, function: ast.FunctionDef) -> bool:
    """Whether a function that it calls calls it in turn."""
    called = {last(call.func) for call in Tree([function]).calls(*(f.name for f in tree.of(*FUNCTIONS[:2])))}
    return any(Tree([other]).calls(function.name) for other in tree.functions(*called).roots)


def late_binding(tree: Tree) -> Found:
    """A function that is made in a loop, kept as a hook, and reads a variable that the loop sets anew."""
    for loop in tree.of(ast.For, ast.While):
        assigned = {node.id for node in ast.walk(loop) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        hooks = Tree([loop]).calls("register_forward_hook")
        for function in (node for node in ast.walk(loop) if isinstance(node, FUNCTIONS)):
            name = getattr(function, "name", None)
            kept = any(function in call.args or (name and name in names_in(call)) for call in hooks)
            arguments = function.args
            own = {a.arg for a in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]}
            body = function.body if isinstance(function.body, list) else [function.body]
            inner = [node for part in body for node in ast.walk(part) if isinstance(node, ast.Name)]
            own |= {node.id for node in inner if isinstance(node.ctx, ast.Store)}
            if kept and any(node.id in assigned - own for node in inner):
                yield function


def adapters_out_of_sight(tree: Tree) -> Found:
    """Adapters that only a hook knows: no module holds them, so they are no part of the model."""
    holds = tree.functions("add_adapters").of(ast.Attribute)
    stores = any(isinstance(node.ctx, ast.Store) and node.attr not in ("requires_grad", "training") for node in holds)
    keeps = tree.calls("setattr", "add_module", "register_module", "ModuleDict", "ModuleList", "Sequential", "__setattr__")
    if tree.functions("add_adapters").calls("register_forward_hook") and not stores and not keeps:
        yield tree.functions("add_adapters").calls("register_forward_hook")[0]


def adapter_of_the_input(tree: Tree) -> Found:
    """A hook (module, inputs, output) that gives inputs[0] to the adapter."""
    hooks = tree.calls("register_forward_hook")
    for function in tree.of(*FUNCTIONS):
        names = [a.arg for a in function.args.args]
        kept = any(function in call.args or getattr(function, "name", None) in names_in(call) for call in hooks)
        for call in Tree([function]).of(ast.Call) if kept and len(names) >= 3 else ():
            for argument in call.args:
                if isinstance(argument, ast.Subscript) and last(argument.value) == names[1] and is_constant(argument.slice, 0):
                    yield call


def no_input_embeddings(tree: Tree) -> Found:
    classes = tree.of(ast.ClassDef)
    if classes and not any(node.attr == "get_input_embeddings" for node in tree.of(ast.Attribute)):
        if not any(is_constant(node, "get_input_embeddings") for node in tree.of(ast.Constant)):
            yield classes[0]


# --- arguments and numbers ----------------------------------------------------------------------


def asserts(tree: Tree) -> Found:
    if not tree.of(ast.Raise):
        yield from tree.of(ast.Assert)


def truth_of_the_limit(tree: Tree) -> Found:
    """`if max_grad_norm:`, which is false for 0.0 too."""
    for node in tree.of(ast.If, ast.IfExp, ast.BoolOp, ast.UnaryOp):
        tests = {ast.BoolOp: lambda n: n.values, ast.UnaryOp: lambda n: [n.operand] if isinstance(n.op, ast.Not) else []}
        for test in tests.get(type(node), lambda n: [n.test])(node):
            if last(test) == "max_grad_norm":
                yield test


def integer_division(tree: Tree) -> Found:
    for node in tree.of(ast.BinOp):
        if isinstance(node.op, ast.FloorDiv) and last(node.left) in ("alpha", "lora_alpha") and last(node.right) in ("rank", "r"):
            yield node


def windows_rounded_down(tree: Tree) -> Found:
    """`len(train_batches) // accumulation`: a short window at the end is left out."""
    for node in tree.of(ast.BinOp):
        if isinstance(node.op, ast.FloorDiv) and last(node.right) == "accumulation":
            counted = node.left.args if isinstance(node.left, ast.Call) and last(node.left.func) == "len" else [node.left]
            ceiled = any(isinstance(n, ast.UnaryOp) and isinstance(n.op, ast.USub) and n.operand is node for n in tree.nodes)
            if not isinstance(counted[0], ast.BinOp | ast.UnaryOp) and not ceiled:
                yield node


def warm_up_rounded_down(tree: Tree) -> Found:
    for call in tree.calls("int", "round", "floor"):
        if len(call.args) == 1 and isinstance(call.args[0], ast.BinOp) and "warmup_ratio" in names_in(call.args[0]):
            if not names_in(call.args[0]) & {"ceil"}:
                yield call


def best_state_by_reference(tree: Tree) -> Found:
    """`best = model.state_dict()`: its tensors go on training."""
    for node in tree.of(ast.Assign, ast.NamedExpr):
        values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
        for value in values:
            if isinstance(value, ast.Call) and last(value.func) in ("dict", "copy") and len(value.args) == 1:
                value = value.args[0]  # a copy of the dict alone
            if isinstance(value, ast.DictComp):
                source = value.generators[0].iter
                plain = not names_in(value.value) & {"clone", "deepcopy", "copy", "tensor", "numpy", "to", "cpu"}
                if plain and "state_dict" in names_in(source):
                    yield node
            elif isinstance(value, ast.Call) and last(value.func) == "state_dict":
                yield node


def margin_for_the_best(tree: Tree) -> Found:
    """`loss < best - 1e-4`."""
    for node, left, right in compared(tree, ast.Lt, ast.LtE, ast.Gt, ast.GtE):
        for side in (left, right):
            small = isinstance(side, ast.BinOp) and isinstance(side.op, (ast.Sub, ast.Add)) and _is_small(side.right)
            if small and any("best" in name or "loss" in name for name in names_in(node)):
                yield node


def _is_small(node: ast.expr) -> bool:
    return "delta" in last(node).lower() or (isinstance(node, ast.Constant) and isinstance(node.value, float) and 0 < node.value < 0.1)


def breaks(tree: Tree) -> Found:
    yield from tree.functions("finetune").of(ast.Break)


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


def calling(*names: str) -> Callable[[Tree], list[ast.Call]]:
    """A call of one of these."""
    return lambda tree: tree.calls(*names)


def ids_compared_with_a_number(tree: Tree) -> Found:
    for node, left, right in compared(tree, ast.NotEq, ast.Gt, ast.Eq):
        if last(left) == "input_ids" and isinstance(right, ast.Constant):
            yield node
    for call in tree.calls("ne", "eq", "gt"):
        if isinstance(call.func, ast.Attribute) and last(call.func.value) == "input_ids" and call.args:
            yield call


def label_zero_left_out(tree: Tree) -> Found:
    for node, left, right in compared(tree, ast.Gt):
        if "label" in last(left).lower() and is_constant(right, 0):
            yield node


def squeezes(tree: Tree) -> Found:
    for call in tree.calls("squeeze"):
        if isinstance(call.func, ast.Attribute) and not call.args and not call.keywords:
            yield call


def slope(tree: Tree) -> Found:
    """`kaiming_uniform_` with a slope that is a number and not √5."""
    for call in tree.calls("kaiming_uniform_"):
        value = given(call, "a") or (call.args[1] if len(call.args) > 1 else None)
        if value is None or (isinstance(value, ast.Constant) and isinstance(value.value, (int, float)) and abs(value.value - 5**0.5) > 1e-3):
            yield call


def normal_start(tree: Tree) -> Found:
    if not tree.calls("kaiming_uniform_", "uniform_", "rand", "rand_like"):
        yield from tree.calls("normal_", "randn", "randn_like", "kaiming_normal_", "xavier_normal_", "trunc_normal_")


def dropout_of_a_factor(tree: Tree) -> Found:
    for call in tree.of(ast.Call):
        if "dropout" in last(call.func).lower() and call.args and last(call.args[0]) in ("lora_A", "lora_B"):
            yield call


def merge_asks_the_mode(tree: Tree) -> Found:
    for node in tree.functions("merge", "unmerge").of(ast.Attribute):
        if node.attr == "training" and last(node.value) == "self" and isinstance(node.ctx, ast.Load):
            yield node


def merged_on_the_class(tree: Tree) -> Found:
    for node in tree.functions("merge", "unmerge", "__init__").of(ast.Attribute):
        holder = node.value
        is_class = last(holder) in ("LoRALinear", "__class__") or (isinstance(holder, ast.Call) and last(holder.func) == "type")
        if node.attr == "merged" and isinstance(node.ctx, ast.Store) and is_class:
            yield node


def remembered_delta(tree: Tree) -> Found:
    for function in tree.functions("delta_weight").roots:
        yield from [d for d in function.decorator_list if names_in(d) & {"lru_cache", "cache", "cached_property"}]


def not_recursive(tree: Tree) -> Found:
    if not tree.calls("modules", "named_modules", "children", "named_children", "apply"):
        yield from [word.value for call in tree.of(ast.Call) for word in call.keywords if word.arg == "recurse" and is_constant(word.value, False)]


def new_parameters(tree: Tree) -> Found:
    yield from tree.functions("load_adapter", "load_lora_state_dict").calls("Parameter")


def lenient_load(tree: Tree) -> Found:
    if not tree.of(ast.Raise):
        yield from [call for call in tree.calls("load_state_dict") if is_constant(given(call, "strict"), False)]
