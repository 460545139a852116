"""Rules on the code of the problem LoRA."""

import ast

from grader.rules import tree as shared
from grader.rules.register import rule
from grader.rules.tree import Found, Tree, compared, given, last, names_in

MERGING = ("LoRALinear.merge", "LoRALinear.unmerge", "inject_lora", "load_lora_state_dict", "merge_lora")
LAYER = ("LoRALinear", "LoRALinear.delta_weight", *MERGING)
LEARNING = ("both_factors_get_their_gradient", "first_step_moves_b_alone", "learns_a_small_problem")
GRADIENTS = (*LEARNING, "gradient_reaches_the_layers_around")
REFUSED = ("refuses_a_missing_tensor", "refuses_an_unexpected_tensor", "refuses_a_misshapen_tensor")
TARGETS = (
    "wraps_the_targets",
    "matches_the_whole_last_name_part",
    "second_call_wraps_nothing_twice",
    "refuses_targets_that_match_nothing",
)
SLOPE = "`kaiming_uniform_` needs `a=math.sqrt(5)`, as `nn.Linear` has it. Another `a` gives another width."
KAIMING = ("lora_a_is_kaiming_uniform",)


# --- the layer ----------------------------------------------------------------------------------


@rule(
    LAYER,
    (),
    "`F.dropout` is called without `training=self.training`. Its default is True, so it drops in eval mode too.",
)
def dropout_without_training(tree: Tree) -> Found:
    for call in tree.calls("dropout"):
        functional = isinstance(call.func, ast.Attribute) and last(call.func.value) in ("F", "functional")
        told = given(call, "training") or len(call.args) > 2 or any(word.arg is None for word in call.keywords)
        if functional and not told:
            yield call


@rule(("LoRALinear",), LEARNING, "`forward` uses a factor through `.data` or `.detach()`, so no gradient reaches it.")
def factors_cut_off(tree: Tree) -> Found:
    for node in tree.functions("forward").of(ast.Attribute):
        if node.attr in ("data", "detach") and last(node.value) in ("lora_A", "lora_B"):
            yield node


@rule(
    ("LoRALinear",),
    ("dropout_acts_on_the_input_of_the_update",),
    "Dropout is applied to a factor. It belongs on `x`, the input of the update.",
)
def dropout_of_a_factor(tree: Tree) -> Found:
    for call in tree.of(ast.Call):
        if "dropout" in last(call.func).lower() and call.args and last(call.args[0]) in ("lora_A", "lora_B"):
            yield call


@rule(("LoRALinear",), KAIMING, SLOPE)
def slope(tree: Tree) -> Found:
    """A slope that is no number is taken to be √5."""
    for call in tree.calls("kaiming_uniform_"):
        value = given(call, "a") or (call.args[1] if len(call.args) > 1 else None)
        is_number = isinstance(value, ast.Constant) and isinstance(value.value, (int, float))
        if value is None or (is_number and abs(value.value - 5**0.5) > 1e-3):
            yield call


@rule(
    ("LoRALinear",), KAIMING, "A normal distribution is drawn from. The contract asks for Kaiming-uniform with a = √5."
)
def normal_start(tree: Tree) -> Found:
    if not tree.calls("kaiming_uniform_", "uniform_", "rand", "rand_like"):
        yield from tree.calls("normal_", "randn", "randn_like", "kaiming_normal_", "xavier_normal_", "trunc_normal_")


@rule(LAYER, (), "`//` cuts the fraction off. The scaling is `alpha / rank`.")
def integer_division(tree: Tree) -> Found:
    for node in tree.of(ast.BinOp):
        is_scaling = last(node.left) in ("alpha", "lora_alpha") and last(node.right) in ("rank", "r")
        if isinstance(node.op, ast.FloorDiv) and is_scaling:
            yield node


@rule(
    ("LoRALinear", "inject_lora"),
    ("refuses_bad_arguments", *TARGETS),
    "The exact type is compared, so a subclass of `nn.Linear` is no `nn.Linear` here. Use `isinstance`.",
)
def exact_type(tree: Tree) -> Found:
    for node, left, right in compared(tree, ast.Is, ast.IsNot, ast.Eq, ast.NotEq):
        of_type = (isinstance(left, ast.Call) and last(left.func) == "type") or last(left) == "__class__"
        if of_type and last(right) == "Linear":
            yield node


rule(
    ("LoRALinear",),
    GRADIENTS,
    "`forward` runs in part without gradients. The base is frozen, but the gradient must pass through it to the layers before.",
    "lora",
    "forward_without_gradients",
)(shared.no_grad_in_forward)
rule(
    ("LoRALinear",),
    ("refuses_bad_arguments",),
    "A bad argument meets an `assert`, which raises AssertionError. Raise ValueError or TypeError.",
    "lora",
    "asserts",
)(shared.asserts)


# --- merging ------------------------------------------------------------------------------------


@rule(
    ("LoRALinear.delta_weight", *MERGING),
    (),
    "The update is computed once and remembered, but the factors change while they train.",
)
def remembered_delta(tree: Tree) -> Found:
    for function in tree.functions("delta_weight").roots:
        yield from [d for d in function.decorator_list if names_in(d) & {"lru_cache", "cache", "cached_property"}]


@rule(MERGING, (), "What merging does depends on `self.training`. It must be the same in train mode and in eval mode.")
def merge_asks_the_mode(tree: Tree) -> Found:
    for node in tree.functions("merge", "unmerge").of(ast.Attribute):
        if node.attr == "training" and last(node.value) == "self" and isinstance(node.ctx, ast.Load):
            yield node


@rule(MERGING, (), "`merged` is set on the class, so all layers share it. Set it on `self`.")
def merged_on_the_class(tree: Tree) -> Found:
    for node in tree.functions("merge", "unmerge").sets("merged"):
        of_type = isinstance(node.value, ast.Call) and last(node.value.func) == "type"
        if of_type or last(node.value) in ("LoRALinear", "__class__"):
            yield node


# --- the model ----------------------------------------------------------------------------------

rule(
    ("inject_lora",),
    TARGETS,
    "`endswith` also accepts names that merely end in a target, as `my_q_proj` does. Compare the last part as a whole.",
    "lora",
    "endswith_a_target",
)(shared.endswith_a_target)
rule(
    ("inject_lora",),
    TARGETS,
    "`in` searches the target as a piece of the name. Compare the last part of the name as a whole.",
    "lora",
    "target_in_a_name",
)(shared.target_in_a_name)
rule(
    ("inject_lora", "merge_lora"),
    (),
    "The loop sees direct children alone, so it misses the layers that lie deeper. Use `named_modules()`, or call yourself.",
    "lora",
    "children_alone",
)(shared.children_alone)
rule(
    ("load_lora_state_dict",),
    ("loads_what_was_saved", *REFUSED),
    "Loading makes new parameters. An optimizer still holds the old ones: copy into those that are there.",
    "lora",
    "new_parameters",
)(shared.new_parameters_in_loading)
rule(
    ("load_lora_state_dict",),
    REFUSED,
    "`strict=False` lets missing and unexpected names pass, and nothing here raises a ValueError.",
    "lora",
    "lenient_load",
)(shared.lenient_load)
