"""Rules on a learner's syntax tree: patterns that cannot be right, and the checks that each can explain.

`found` reads the code, which is a stranger's, so it runs in the child process and sends data only: ids of rules, cells, lines. The
sentences stay here. `facts` is the parent's part. A rule speaks only of a stub in which it explains every failure that is left.
"""

import ast
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from grader import patterns
from grader.patterns import Tree
from grader.submission import Cell, parse

MOST = 200  # rules that are told of


@dataclass(frozen=True)
class Rule:
    """A pattern that cannot be right.

    Attributes:
        problem: the problem's id.
        stubs: the stubs whose code is searched.
        checks: the checks that it can explain; none means all checks of these stubs.
        shows: gives the nodes of the code of a stub that show the pattern.
        sentence: what is wrong there.
    """

    id: str
    problem: str
    stubs: tuple[str, ...]
    checks: tuple[str, ...]
    shows: Callable[[Tree], Iterable[ast.AST]]
    sentence: str

    def explains(self, stub: str, checks: Sequence[str]) -> bool:
        return stub in self.stubs and (not self.checks or set(checks) <= set(self.checks))


LAYER = ("LoRALinear", "LoRALinear.delta_weight", "LoRALinear.merge", "LoRALinear.unmerge", "inject_lora", "load_lora_state_dict", "merge_lora")
MERGING = ("LoRALinear.merge", "LoRALinear.unmerge", "inject_lora", "load_lora_state_dict", "merge_lora")
UPDATES = ("sft_loss", "train_step", "evaluate", "finetune")
GRADIENTS = ("both_factors_get_their_gradient", "first_step_moves_b_alone", "gradient_reaches_the_layers_around", "learns_a_small_problem")
REFUSED = ("refuses_a_missing_tensor", "refuses_an_unexpected_tensor", "refuses_a_misshapen_tensor")
BY_LAST_PART = ("matches_the_whole_last_name_part", "second_call_wraps_nothing_twice", "wraps_the_targets", "refuses_targets_that_match_nothing")
ADAPTED = ("targets_match_by_their_last_name_part", "only_the_adapters_train", "adapters_have_the_width_of_the_output",
           "refuses_targets_that_match_nothing", "adapters_act_on_the_output", "a_second_call_adds_to_the_first")  # fmt: skip
SCHEDULE = ("warms_up_then_decays", "warm_up_may_be_nothing_or_all", "accumulates_over_windows", "defaults_are_those_of_the_contract",
            "train_loss_is_per_target_token", "trains_with_adamw", "only_matrices_decay")  # fmt: skip
BEST = ("keeps_the_best_epoch", "first_of_equal_epochs_is_kept")


def _rules() -> Iterable[Rule]:
    yield Rule(
        "dropout_without_training", "lora", LAYER, (), patterns.dropout_without_training,
        "`F.dropout` is called without `training=self.training`. Its default is True, so it drops in eval mode too.",
    )
    yield Rule(
        "lora_forward_without_gradients", "lora", ("LoRALinear",), GRADIENTS, patterns.no_grad_in_forward,
        "`forward` runs in part without gradients. The base is frozen, but the gradient must pass through it to the layers before.",
    )
    yield Rule(
        "factors_cut_off", "lora", ("LoRALinear",), GRADIENTS, patterns.factors_cut_off,
        "`forward` uses a factor through `.data` or `.detach()`, so no gradient reaches it.",
    )
    yield Rule(
        "dropout_of_a_factor", "lora", ("LoRALinear",), ("dropout_acts_on_the_input_of_the_update",), patterns.dropout_of_a_factor,
        "Dropout is applied to a factor. It belongs on `x`, the input of the update.",
    )
    yield Rule(
        "slope", "lora", ("LoRALinear",), ("lora_a_is_kaiming_uniform",), patterns.slope,
        "`kaiming_uniform_` needs `a=math.sqrt(5)`, as `nn.Linear` has it. Another `a` gives another width.",
    )
    yield Rule(
        "normal_start", "lora", ("LoRALinear",), ("lora_a_is_kaiming_uniform",), patterns.normal_start,
        "The factor A is drawn from a normal distribution here. The contract asks for Kaiming-uniform with a = √5.",
    )
    yield Rule(
        "integer_division", "lora", LAYER, (), patterns.integer_division,
        "`//` cuts the fraction off. The scaling is `alpha / rank`.",
    )
    yield Rule(
        "lora_asserts", "lora", ("LoRALinear",), ("refuses_bad_arguments",), patterns.asserts,
        "A bad argument meets an `assert`, which raises AssertionError. Raise ValueError or TypeError.",
    )
    yield Rule(
        "exact_type", "lora", ("LoRALinear", "inject_lora"), ("refuses_bad_arguments", *BY_LAST_PART), patterns.exact_type,
        "The exact type is compared, so a subclass of `nn.Linear` is no `nn.Linear` here. Use `isinstance`.",
    )
    yield Rule(
        "remembered_delta", "lora", MERGING + ("LoRALinear.delta_weight",), (), patterns.remembered_delta,
        "The update is computed once and remembered, but the factors change while they train.",
    )
    yield Rule(
        "merge_asks_the_mode", "lora", MERGING, (), patterns.merge_asks_the_mode,
        "What merging does depends on `self.training`. It must be the same in train mode and in eval mode.",
    )
    yield Rule(
        "merged_on_the_class", "lora", MERGING, (), patterns.merged_on_the_class,
        "`merged` is set on the class, so all layers share it. Set it on `self`.",
    )
    yield Rule(
        "lora_endswith", "lora", ("inject_lora",), BY_LAST_PART, patterns.endswith_a_target,
        "`endswith` also accepts names that merely end in a target, as `my_q_proj` does. Compare the last part as a whole.",
    )
    yield Rule(
        "lora_target_in_name", "lora", ("inject_lora",), BY_LAST_PART, patterns.target_in_a_name,
        "`in` searches the target as a piece of the name. Compare the last part of the name as a whole.",
    )
    yield Rule(
        "lora_children_alone", "lora", ("inject_lora", "merge_lora"), (), patterns.children_alone,
        "The loop sees direct children alone, so it misses the layers that lie deeper. Use `named_modules()`, or call yourself.",
    )
    yield Rule(
        "lora_new_parameters", "lora", ("load_lora_state_dict",), ("loads_what_was_saved", *REFUSED), patterns.new_parameters,
        "Loading makes new parameters. An optimizer still holds the old ones: copy into those that are there.",
    )
    yield Rule(
        "lora_lenient_load", "lora", ("load_lora_state_dict",), REFUSED, patterns.lenient_load,
        "`strict=False` lets missing and unexpected names pass, and nothing here raises a ValueError.",
    )
    yield from _peft_rules()
    yield from _sft_rules()


def _peft_rules() -> Iterable[Rule]:
    adding = ("add_adapters",)
    yield Rule(
        "late_binding", "peft", adding, (), patterns.late_binding,
        "A function that is made in a loop reads the loop's variable only when it runs. By then it holds the last one, "
        "so all hooks use that. Bind it now, as a default argument.",
    )  # fmt: skip
    yield Rule(
        "adapters_out_of_sight", "peft", adding, (), patterns.adapters_out_of_sight,
        "Only the hook knows the adapter. As no module of the model holds it, it is in no `parameters()` and in no state dict.",
    )
    yield Rule(
        "adapter_of_the_input", "peft", adding, (), patterns.adapter_of_the_input,
        "The adapter gets the input of the module. It must follow the module, so give it the output.",
    )
    yield Rule(
        "adapter_before", "peft", adding, (), patterns.calling("register_forward_pre_hook"),
        "A pre-hook acts before the module. The adapter must follow it: use `register_forward_hook`.",
    )
    yield Rule(
        "norm_in_the_adapter", "peft", ("Adapter", "add_adapters"), (), patterns.calling("LayerNorm", "RMSNorm"),
        "The contract's adapter has no norm: it is `x + up(gelu(down(x)))`.",
    )
    yield Rule(
        "peft_endswith", "peft", adding, ADAPTED, patterns.endswith_a_target,
        "`endswith` also accepts names that merely end in a target. Compare the last part as a whole.",
    )
    yield Rule(
        "peft_target_in_name", "peft", adding, ADAPTED, patterns.target_in_a_name,
        "`in` searches the target as a piece of the name. Compare the last part of the name as a whole.",
    )
    yield Rule(
        "peft_children_alone", "peft", adding, (), patterns.children_alone,
        "The loop sees direct children alone, so it misses the layers that lie deeper. Use `named_modules()`, or call yourself.",
    )
    yield Rule(
        "no_input_embeddings", "peft", ("PromptTuning",), (), patterns.no_input_embeddings,
        "`get_input_embeddings()` is never called here. How a model names its embedding differs from model to model.",
    )
    yield Rule(
        "prompt_normalised", "peft", ("PromptTuning",), ("starts_from_real_tokens",), patterns.calling("normalize"),
        "The embeddings are scaled here, so the prompt starts from vectors that are no token's.",
    )
    yield Rule(
        "peft_forward_without_gradients", "peft", ("IA3Linear",), ("gradients_go_to_the_factors_and_through",), patterns.no_grad_in_forward,
        "`forward` runs in part without gradients. The base is frozen, but the gradient must pass through it to the layers before.",
    )
    yield Rule(
        "counted_by_address", "peft", ("count_parameters",), (), patterns.calling("data_ptr"),
        "Two tensors may have the same address, as empty ones and those on the meta device do. Compare the tensors themselves.",
    )
    yield Rule(
        "not_recursive", "peft", ("freeze", "count_parameters", "apply_bitfit"), (),
        patterns.not_recursive, "`recurse=False` leaves out the parameters of all modules inside.",
    )  # fmt: skip
    yield Rule(
        "peft_new_parameters", "peft", ("load_adapter",), ("loads_what_was_saved", "an_optimizer_goes_on", *REFUSED), patterns.new_parameters,
        "Loading makes new parameters. An optimizer still holds the old ones: copy into those that are there.",
    )
    yield Rule(
        "peft_lenient_load", "peft", ("load_adapter",), REFUSED, patterns.lenient_load,
        "`strict=False` lets missing and unexpected names pass, and nothing here raises a ValueError.",
    )
    for stub, check in {
        "PromptTuning": "refuses_a_prompt_without_tokens", "add_adapters": "refuses_targets_in_a_string",
        "IA3Linear": "refuses_a_base_of_another_kind", "training_memory": "refuses_more_trained_than_there_are", "apply_bitfit": "refuses_a_string_as_also",
    }.items():  # fmt: skip
        yield Rule(
            f"{stub}_asserts", "peft", (stub,), (check,), patterns.asserts,
            "A bad argument meets an `assert`, which raises AssertionError. Raise ValueError or TypeError.",
        )


def _sft_rules() -> Iterable[Rule]:
    cleared = ("old_gradients_are_cleared", "frozen_parameters_stay", "several_micro_batches_make_one_update",
               "steps_the_optimizer_then_the_scheduler", "refuses_a_list_without_labels")  # fmt: skip
    yield Rule(
        "cleared_after_the_step", "sft", ("train_step",), cleared, patterns.gradients_cleared_after_the_step,
        "Gradients are cleared only after the step. What an earlier backward pass has left enters the first update: clear them before.",
    )
    yield Rule(
        "never_cleared", "sft", ("train_step",), cleared, patterns.gradients_never_cleared,
        "No line here clears the gradients, and `backward()` adds to those that are there.",
    )
    yield Rule(
        "kept_as_zeros", "sft", ("train_step",), ("frozen_parameters_stay",), patterns.gradients_kept_as_zeros,
        "`set_to_none=False` leaves zeros as gradients. For the optimizer these are gradients, so weight decay still acts.",
    )
    yield Rule(
        "truth_of_the_limit", "sft", ("train_step", "finetune"),
        ("clips_the_total_norm", "clips_only_when_it_should", "passes_the_clipping_on"), patterns.truth_of_the_limit,
        "This is false for `max_grad_norm=0.0` as well, which must clip to zero. Ask whether it `is not None`.",
    )  # fmt: skip
    yield Rule(
        "label_smoothing", "sft", UPDATES, (), patterns.option("cross_entropy", "label_smoothing", 0, 0.0),
        "The contract's loss has no label smoothing.",
    )
    yield Rule(
        "betas", "sft", ("finetune",), (), patterns.option("AdamW", "betas", "(0.9, 0.999)"),
        "The contract names no betas, so AdamW keeps its own: (0.9, 0.999).",
    )
    yield Rule(
        "eps", "sft", ("finetune",), (), patterns.option("AdamW", "eps", 1e-8),
        "The contract names no eps, so AdamW keeps its own: 1e-8.",
    )
    yield Rule(
        "windows_rounded_down", "sft", ("finetune",), SCHEDULE, patterns.windows_rounded_down,
        "`//` leaves out the short window at the end. There are `ceil(len(train_batches) / accumulation)` updates an epoch.",
    )
    yield Rule(
        "warm_up_rounded_down", "sft", ("finetune",), SCHEDULE, patterns.warm_up_rounded_down,
        "The number of warm-up updates is rounded up: `math.ceil(warmup_ratio * steps)`.",
    )
    yield Rule(
        "best_by_reference", "sft", ("finetune",), BEST, patterns.best_state_by_reference,
        "`state_dict()` gives the tensors themselves, which go on training. Keep a copy of each: `.clone()`, or `copy.deepcopy`.",
    )
    yield Rule(
        "margin_for_the_best", "sft", ("finetune",), BEST, patterns.margin_for_the_best,
        "An epoch must be better by a margin here. The best one has the lowest `val_loss`, by however little.",
    )
    yield Rule(
        "stops_early", "sft", ("finetune",), ("history_has_one_entry_per_epoch", "validates_after_each_epoch", "takes_batches_in_the_order_given", *BEST),
        patterns.breaks, "`break` ends the training before its last epoch. The contract trains for `epochs` epochs.",
    )  # fmt: skip
    yield Rule(
        "mode_not_given_back", "sft", ("evaluate",), ("mode_is_restored", "mode_is_restored_after_an_exception", "refuses_to_evaluate_nothing"),
        patterns.mode_not_given_back, "`eval()` changes the mode, and no line gives back the one from before.",
    )  # fmt: skip
    yield Rule(
        "no_finally", "sft", ("evaluate",), ("mode_is_restored_after_an_exception", "refuses_to_evaluate_nothing"),
        patterns.mode_given_back_without_finally,
        "An exception in the loop passes by this line, so the mode from before is lost. Put it into `finally`.",
    )  # fmt: skip
    yield Rule(
        "eos_by_its_value", "sft", ("encode_example",), ("inputs_are_prompt_response_eos", "labels_score_the_response_alone", "eos_is_learned_once"),
        patterns.comparing_with("eos_id"), "A token is compared with `eos_id`. EOS is always appended and learned, and the same id may stand elsewhere too.",
    )  # fmt: skip
    yield Rule(
        "encode_asserts", "sft", ("encode_example",), ("refuses_an_example_without_labels",), patterns.asserts,
        "A bad argument meets an `assert`, which raises AssertionError. Raise ValueError.",
    )
    yield Rule(
        "padding_by_its_value", "sft", ("collate",), ("mask_marks_the_tokens", "padded_labels_are_ignored", "works_when_pad_is_eos"),
        patterns.comparing_with("pad_id"), "A token is compared with `pad_id`. A real token may have this id, so padding is known from the lengths alone.",
    )  # fmt: skip
    yield Rule(
        "mask_from_ids", "sft", ("SequenceClassifier",), (), patterns.ids_compared_with_a_number,
        "The ids are compared with a number. Which tokens are real is told by `attention_mask`.",
    )
    yield Rule(
        "label_zero", "sft", UPDATES, (), patterns.label_zero_left_out,
        "`> 0` leaves out the token with id 0. What does not count is −100 alone.",
    )
    yield Rule(
        "squeezed", "sft", ("SequenceClassifier", "sft_loss"), ("works_on_one_text", "takes_tensors_of_any_layout"), patterns.squeezes,
        "`squeeze()` removes every axis of length 1, that of a single row too.",
    )
    yield Rule(
        "backbone_without_gradient", "sft", ("SequenceClassifier",), ("gradients_reach_head_and_backbone",), patterns.no_grad_in_forward,
        "`forward` runs in part without gradients, so the backbone gets none.",
    )
    yield Rule(
        "classifier_drops", "sft", ("SequenceClassifier",), (), patterns.calling("Dropout", "dropout"),
        "The contract's classifier has no dropout: a mean, then one linear layer.",
    )


RULES = {rule.id: rule for rule in _rules()}


# --- in the child -------------------------------------------------------------------------------


def found(cells: Sequence[Cell], problem_id: str) -> list[dict]:
    """Which rules the code of which stubs shows, and where: dicts of "rule", "stub", "cell" and "line"."""
    rules = [rule for rule in RULES.values() if rule.problem == problem_id]
    source = Source([cell for cell in cells if cell.kind == "code"])
    told = []
    for stub in dict.fromkeys(stub for rule in rules for stub in rule.stubs):
        tree = Tree(source.code_of(stub))
        for rule in rules if tree.roots else ():
            node = next(iter(rule.shows(tree)), None) if stub in rule.stubs else None
            if node is not None:
                told.append({"rule": rule.id, "stub": stub, "cell": source.cell_of(tree, node), "line": getattr(node, "lineno", 0)})
    return told[:MOST]


class Source:
    """The definitions of a submission, by name. Of two with one name the last one counts, unless it builds on the other."""

    def __init__(self, cells: Sequence[Cell]):
        self.defined: dict[str, list[ast.AST]] = {}
        self.labels: dict[int, str] = {}  # of the cell of each definition
        for cell in cells:
            for node in _statements(cell):
                self.labels[id(node)] = cell.label
                self._note(node)

    def _note(self, node: ast.AST) -> None:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            extends = isinstance(node, ast.ClassDef) and any(patterns.last(base) == node.name for base in node.bases)
            self.defined[node.name] = [*(self.defined.get(node.name, []) if extends else []), node]
        elif isinstance(node, (ast.If, ast.Try)):
            for part in ast.iter_child_nodes(node):
                if isinstance(part, ast.stmt):
                    self.labels.setdefault(id(part), self.labels[id(node)])
                    self._note(part)

    def code_of(self, stub: str) -> list[ast.AST]:
        """What a stub defines, and what that uses in turn. Of a method, the method and what it calls on `self`."""
        owner, _, method = stub.partition(".")
        own = self._method(owner, method) if method else self.defined.get(owner, [])
        waiting, kept = list(own), []
        while waiting:
            node = waiting.pop()
            if any(node is other for other in kept):
                continue
            kept.append(node)
            for part in ast.walk(node):
                if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load):
                    waiting += self.defined.get(part.id, [])
                elif method and isinstance(part, ast.Attribute) and patterns.last(part.value) == "self":
                    waiting += self._method(owner, part.attr)
        return kept

    def _method(self, owner: str, name: str) -> list[ast.AST]:
        """A method, in the body of its class or written as a function that is put on the class."""
        inside = [
            part
            for node in self.defined.get(owner, [])
            for part in ast.walk(node)
            if isinstance(part, ast.FunctionDef) and part.name == name
        ]
        for part in inside:
            self.labels.setdefault(id(part), self.labels.get(id(self.defined[owner][-1]), ""))
        return self.defined.get(name, [])[-1:] or inside[-1:]

    def cell_of(self, tree: Tree, node: ast.AST) -> str:
        root = next(root for root in tree.roots if any(part is node for part in ast.walk(root)))
        return self.labels.get(id(root), "")


def _statements(cell: Cell) -> list[ast.stmt]:
    try:
        return parse(cell.source).body
    except (SyntaxError, RecursionError, MemoryError):
        return []


# --- in the parent ------------------------------------------------------------------------------


def facts(told: Sequence[dict], stub: str, checks: Sequence[str]) -> dict[str, str]:
    """A sentence for each of these failing checks of a stub, if a rule explains them all. Of two such rules the narrower speaks.

    Args:
        told: what `found` has told; a stranger's process may have told anything of these types.
    """
    fitting = [one for one in told if one["stub"] == stub and one["rule"] in RULES and RULES[one["rule"]].explains(stub, checks)]
    if not checks or not fitting:
        return {}
    first = min(fitting, key=lambda one: len(RULES[one["rule"]].checks) or len(fitting) + 100)
    return dict.fromkeys(checks, f"In {first['cell']}, line {first['line']}: {RULES[first['rule']].sentence}")
