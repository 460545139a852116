"""Rules on the code of the problem SFT."""

import ast

from grader.rules import tree as shared
from grader.rules.register import rule
from grader.rules.tree import Found, Tree, compared, is_constant, last, names_in

UPDATES = ("sft_loss", "train_step", "evaluate", "finetune")
CLEARED = (
    "old_gradients_are_cleared",
    "frozen_parameters_stay",
    "several_micro_batches_make_one_update",
    "steps_the_optimizer_then_the_scheduler",
    "refuses_a_list_without_labels",
)
CLIPPED = ("clips_the_total_norm", "clips_only_when_it_should", "passes_the_clipping_on")
SCHEDULE = (
    "warms_up_then_decays",
    "warm_up_may_be_nothing_or_all",
    "accumulates_over_windows",
    "defaults_are_those_of_the_contract",
    "train_loss_is_per_target_token",
    "trains_with_adamw",
    "only_matrices_decay",
)
BEST = ("keeps_the_best_epoch", "first_of_equal_epochs_is_kept")
FINAL_WEIGHTS = (
    *BEST,
    "accumulates_over_windows",
    "trains_with_adamw",
    "only_matrices_decay",
    "only_trainable_parameters_move",
    "shared_tensors_train_once",
    "passes_the_clipping_on",
)
MODES = ("mode_is_restored", "mode_is_restored_after_an_exception", "refuses_to_evaluate_nothing")


# --- a step of training -------------------------------------------------------------------------


@rule(
    ("train_step",),
    CLEARED,
    "Gradients are cleared only after the step. What an earlier backward pass has left enters the first update: clear them before.",
)
def cleared_after_the_step(tree: Tree) -> Found:
    for function in tree.functions("train_step").roots:
        calls = [call for call in Tree([function]).of(ast.Call) if isinstance(call.func, ast.Attribute)]
        clears = [call for call in calls if call.func.attr == "zero_grad"]
        steps = [call.lineno for call in calls if call.func.attr == "step" and "optim" in last(call.func.value)]
        elsewhere = len(tree.calls("zero_grad")) > len(clears) or tree.sets("grad")
        if clears and steps and not elsewhere and min(call.lineno for call in clears) > min(steps):
            yield clears[0]


@rule(("train_step",), CLEARED, "No line here clears the gradients, and `backward()` adds to those that are there.")
def never_cleared(tree: Tree) -> Found:
    if not tree.sets("grad") and not tree.calls("zero_grad", "zero_", "grad"):
        yield from tree.calls("backward")


@rule(
    ("train_step",),
    ("frozen_parameters_stay",),
    "`set_to_none=False` leaves zeros as gradients. For the optimizer these are gradients, so weight decay still acts.",
)
def kept_as_zeros(tree: Tree) -> Found:
    for call in tree.calls("zero_grad"):
        told = [word.value for word in call.keywords if word.arg == "set_to_none"] or call.args[:1]
        if told and is_constant(told[0], False):
            yield call


@rule(
    ("train_step", "finetune"),
    CLIPPED,
    "This is false for `max_grad_norm=0.0` as well, which must clip to zero. Ask whether it `is not None`.",
)
def truth_of_the_limit(tree: Tree) -> Found:
    tests = [node.test for node in tree.of(ast.If, ast.IfExp)]
    tests += [value for node in tree.of(ast.BoolOp) for value in node.values]
    tests += [node.operand for node in tree.of(ast.UnaryOp) if isinstance(node.op, ast.Not)]
    yield from [test for test in tests if last(test) == "max_grad_norm"]


@rule(UPDATES, (), "`> 0` leaves out the token with id 0. What does not count is −100 alone.")
def label_zero_left_out(tree: Tree) -> Found:
    yield from [
        n for n, left, right in compared(tree, ast.Gt) if "label" in last(left).lower() and is_constant(right, 0)
    ]


rule(UPDATES, (), "The contract's loss has no label smoothing.", "sft", "label_smoothing")(
    shared.option("cross_entropy", "label_smoothing", 0, 0.0)
)


# --- the whole training -------------------------------------------------------------------------


@rule(
    ("finetune",),
    SCHEDULE,
    "`//` leaves out the short window at the end. There are `ceil(len(train_batches) / accumulation)` updates an epoch.",
)
def windows_rounded_down(tree: Tree) -> Found:
    negated = [node.operand for node in tree.of(ast.UnaryOp) if isinstance(node.op, ast.USub)]  # -(-a // b) rounds up
    for node in tree.of(ast.BinOp):
        if isinstance(node.op, ast.FloorDiv) and last(node.right) == "accumulation" and node not in negated:
            if not isinstance(node.left, (ast.BinOp, ast.UnaryOp)):
                yield node


@rule(("finetune",), SCHEDULE, "The number of warm-up updates is rounded up: `math.ceil(warmup_ratio * steps)`.")
def warm_up_rounded_down(tree: Tree) -> Found:
    for call in tree.calls("int", "round", "floor"):
        used = names_in(call.args[0]) if len(call.args) == 1 and isinstance(call.args[0], ast.BinOp) else set()
        if "warmup_ratio" in used and "ceil" not in used:
            yield call


@rule(
    ("finetune",),
    FINAL_WEIGHTS,
    "`state_dict()` gives the tensors themselves, which go on training. Keep a copy of each: `.clone()`, or `copy.deepcopy`.",
)
def best_by_reference(tree: Tree) -> Found:
    copies = {"clone", "deepcopy", "copy", "tensor", "numpy", "to", "cpu"}
    for node in tree.of(ast.Assign, ast.NamedExpr):
        for value in node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]:
            if isinstance(value, ast.Call) and last(value.func) in ("dict", "copy"):  # a copy of the dict alone
                value = value.args[0] if value.args else getattr(value.func, "value", value)
            shallow = isinstance(value, ast.DictComp) and not names_in(value.value) & copies
            source = value.generators[0].iter if shallow else value
            if isinstance(source, ast.Call) and shallow and "state_dict" in names_in(source):
                yield node
            elif isinstance(source, ast.Call) and last(source.func) == "state_dict":
                yield node


@rule(
    ("finetune",),
    BEST,
    "An epoch must be better by a margin here. The best one has the lowest `val_loss`, by however little.",
)
def margin_for_the_best(tree: Tree) -> Found:
    """`loss < best - 1e-4`."""
    for node, left, right in compared(tree, ast.Lt, ast.LtE, ast.Gt, ast.GtE):
        sums = [
            side for side in (left, right) if isinstance(side, ast.BinOp) and isinstance(side.op, (ast.Sub, ast.Add))
        ]
        if any(_is_small(side.right) for side in sums) and any(
            "best" in name or "loss" in name for name in names_in(node)
        ):
            yield node


def _is_small(node: ast.expr) -> bool:
    is_number = isinstance(node, ast.Constant) and isinstance(node.value, float)
    return "delta" in last(node).lower() or (is_number and 0 < node.value < 0.1)


@rule(
    ("finetune",),
    ("history_has_one_entry_per_epoch", "validates_after_each_epoch", "takes_batches_in_the_order_given", *BEST),
    "`break` ends the training before its last epoch. The contract trains for `epochs` epochs.",
)
def stops_early(tree: Tree) -> Found:
    yield from tree.functions("finetune").of(ast.Break)


rule(("finetune",), (), "The contract names no betas, so AdamW keeps its own: (0.9, 0.999).", "sft", "betas")(
    shared.option("AdamW", "betas", "(0.9, 0.999)")
)
rule(("finetune",), (), "The contract names no eps, so AdamW keeps its own: 1e-8.", "sft", "eps")(
    shared.option("AdamW", "eps", 1e-8)
)


# --- evaluation ---------------------------------------------------------------------------------


@rule(("evaluate",), MODES, "`eval()` changes the mode, and no line gives back the one from before.")
def mode_not_given_back(tree: Tree) -> Found:
    remembered = [node for node in tree.of(ast.Attribute) if node.attr == "training"]
    if not remembered and not tree.calls("train", "deepcopy", "copy"):
        yield from tree.calls("eval")


@rule(
    ("evaluate",),
    MODES[1:],
    "An exception in the loop passes by this line, so the mode from before is lost. Put it into `finally`.",
)
def mode_given_back_without_finally(tree: Tree) -> Found:
    guarded = any(node.finalbody for node in tree.of(ast.Try)) or tree.functions("__exit__").roots
    helpers = {name for node in tree.of(ast.With) for item in node.items for name in names_in(item.context_expr)}
    if not guarded and helpers <= {"torch", "no_grad", "inference_mode", "set_grad_enabled"}:
        yield from tree.calls("train")


# --- data ---------------------------------------------------------------------------------------

rule(
    ("encode_example",),
    ("inputs_are_prompt_response_eos", "labels_score_the_response_alone", "eos_is_learned_once"),
    "A token is compared with `eos_id`. EOS is always appended and learned, and the same id may stand elsewhere too.",
    "sft",
    "eos_by_its_value",
)(shared.comparing_with("eos_id"))
rule(
    ("encode_example",),
    ("refuses_an_example_without_labels",),
    "A bad argument meets an `assert`, which raises AssertionError. Raise ValueError.",
    "sft",
    "asserts",
)(shared.asserts)
rule(
    ("collate",),
    ("mask_marks_the_tokens", "padded_labels_are_ignored", "works_when_pad_is_eos"),
    "A token is compared with `pad_id`. A real token may have this id, so padding is known from the lengths alone.",
    "sft",
    "padding_by_its_value",
)(shared.comparing_with("pad_id"))


# --- the classifier -----------------------------------------------------------------------------


@rule(
    ("SequenceClassifier",),
    (),
    "The ids are compared with a number. Which tokens are real is told by `attention_mask`.",
)
def mask_from_the_ids(tree: Tree) -> Found:
    for node, left, right in compared(tree, ast.NotEq, ast.Gt, ast.Eq):
        if last(left) == "input_ids" and isinstance(right, ast.Constant):
            yield node
    for call in tree.calls("ne", "eq", "gt"):
        if isinstance(call.func, ast.Attribute) and last(call.func.value) == "input_ids":
            yield call


@rule(
    ("SequenceClassifier", "sft_loss"),
    ("works_on_one_text", "takes_tensors_of_any_layout"),
    "`squeeze()` removes every axis of length 1, that of a single row too.",
)
def squeezed(tree: Tree) -> Found:
    methods = [call for call in tree.calls("squeeze") if isinstance(call.func, ast.Attribute)]
    yield from [call for call in methods if not call.args and not call.keywords]


rule(
    ("SequenceClassifier",),
    ("gradients_reach_head_and_backbone",),
    "`forward` runs in part without gradients, so the backbone gets none.",
    "sft",
    "backbone_without_gradient",
)(shared.no_grad_in_forward)
rule(
    ("SequenceClassifier",),
    (),
    "The contract's classifier has no dropout: a mean, then one linear layer.",
    "sft",
    "dropout_in_the_classifier",
)(shared.calling("Dropout", "dropout"))
