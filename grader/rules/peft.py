"""Rules on the code of the problem PEFT."""

import ast

from grader.rules import tree as shared
from grader.rules.register import rule
from grader.rules.tree import FUNCTIONS, Found, Tree, is_constant, last, names_in

ADDING = ("add_adapters",)
TARGETS = (
    "targets_match_by_their_last_name_part",
    "only_the_adapters_train",
    "adapters_have_the_width_of_the_output",
    "adapters_act_on_the_output",
    "a_second_call_adds_to_the_first",
    "refuses_targets_that_match_nothing",
)
REFUSED = ("refuses_a_missing_tensor", "refuses_an_unexpected_tensor", "refuses_a_misshapen_tensor")
GUARDS = {  # the checks of bad arguments
    "PromptTuning": "refuses_a_prompt_without_tokens",
    "add_adapters": "refuses_targets_in_a_string",
    "IA3Linear": "refuses_a_base_of_another_kind",
    "training_memory": "refuses_more_trained_than_there_are",
    "apply_bitfit": "refuses_a_string_as_also",
}


# --- adapters -----------------------------------------------------------------------------------


def _hooks(tree: Tree) -> list[ast.AST]:
    """The functions that are registered as hooks."""
    calls = tree.calls("register_forward_hook")
    return [
        f for f in tree.of(*FUNCTIONS) if any(f in c.args or getattr(f, "name", None) in names_in(c) for c in calls)
    ]


@rule(
    ADDING,
    (),
    "A function that is made in a loop reads the loop's variable only when it runs. By then it holds the last one, so all "
    "hooks use that. Bind it now, as a default argument.",
)
def late_binding(tree: Tree) -> Found:
    for loop in tree.of(ast.For, ast.While):
        inside = Tree([loop])
        assigned = {node.id for node in inside.of(ast.Name) if isinstance(node.ctx, ast.Store)}
        for function in _hooks(inside):
            arguments = function.args
            own = {a.arg for a in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]}
            names = Tree(function.body if isinstance(function.body, list) else [function.body]).of(ast.Name)
            own |= {node.id for node in names if isinstance(node.ctx, ast.Store)}
            if any(node.id in assigned - own for node in names):
                yield function


@rule(
    ADDING,
    (),
    "Only the hook knows the adapter. As no module of the model holds it, it is in no `parameters()` and in no state dict.",
)
def adapters_out_of_sight(tree: Tree) -> Found:
    adding = tree.functions("add_adapters")
    stores = [
        n
        for n in adding.of(ast.Attribute)
        if isinstance(n.ctx, ast.Store) and n.attr not in ("requires_grad", "training")
    ]
    keeps = tree.calls(
        "setattr", "add_module", "register_module", "ModuleDict", "ModuleList", "Sequential", "__setattr__"
    )
    if not stores and not keeps:
        yield from adding.calls("register_forward_hook")


@rule(ADDING, (), "The adapter gets the input of the module. It must follow the module, so give it the output.")
def adapter_of_the_input(tree: Tree) -> Found:
    """A hook (module, inputs, output) that gives inputs[0] to the adapter."""
    for function in _hooks(tree):
        names = [a.arg for a in function.args.args]
        for call in Tree([function]).of(ast.Call) if len(names) >= 3 else ():
            for given in call.args:
                if isinstance(given, ast.Subscript) and last(given.value) == names[1] and is_constant(given.slice, 0):
                    yield call


rule(
    ADDING,
    (),
    "A pre-hook acts before the module. The adapter must follow it: use `register_forward_hook`.",
    "peft",
    "adapter_before",
)(shared.calling("register_forward_pre_hook"))
rule(
    ("Adapter", *ADDING),
    (),
    "The contract's adapter has no norm: it is `x + up(gelu(down(x)))`.",
    "peft",
    "norm_in_the_adapter",
)(shared.calling("LayerNorm", "RMSNorm"))
rule(
    ADDING,
    TARGETS,
    "`endswith` also accepts names that merely end in a target. Compare the last part as a whole.",
    "peft",
    "endswith_a_target",
)(shared.endswith_a_target)
rule(
    ADDING,
    TARGETS,
    "`in` searches the target as a piece of the name. Compare the last part of the name as a whole.",
    "peft",
    "target_in_a_name",
)(shared.target_in_a_name)
rule(
    ADDING,
    (),
    "The loop sees direct children alone, so it misses the modules that lie deeper. Use `named_modules()`, or call yourself.",
    "peft",
    "children_alone",
)(shared.children_alone)


# --- prompts, factors, counts -------------------------------------------------------------------


@rule(
    ("PromptTuning",),
    (),
    "`get_input_embeddings()` is never called here. How a model names its embedding differs from model to model.",
)
def no_input_embeddings(tree: Tree) -> Found:
    named = [n for n in tree.of(ast.Attribute) if n.attr == "get_input_embeddings"]
    if not named and not any(is_constant(node, "get_input_embeddings") for node in tree.of(ast.Constant)):
        yield from tree.of(ast.ClassDef)


@rule(
    ("freeze", "count_parameters", "apply_bitfit"),
    (),
    "`recurse=False` leaves out the parameters of all modules inside.",
)
def not_recursive(tree: Tree) -> Found:
    if not tree.calls("modules", "named_modules", "children", "named_children", "apply"):
        words = [word for call in tree.of(ast.Call) for word in call.keywords if word.arg == "recurse"]
        yield from [word.value for word in words if is_constant(word.value, False)]


rule(
    ("PromptTuning",),
    ("starts_from_real_tokens",),
    "The embeddings are scaled here, so the prompt starts from vectors that are no token's.",
    "peft",
    "prompt_normalised",
)(shared.calling("normalize"))
rule(
    ("IA3Linear",),
    ("gradients_go_to_the_factors_and_through",),
    "`forward` runs in part without gradients. The base is frozen, but the gradient must pass through it to the layers before.",
    "peft",
    "forward_without_gradients",
)(shared.no_grad_in_forward)
rule(
    ("count_parameters",),
    (),
    "Two tensors may have the same address, as those on the meta device do. Compare the tensors themselves.",
    "peft",
    "counted_by_address",
)(shared.calling("data_ptr"))
rule(
    ("load_adapter",),
    ("loads_what_was_saved", "an_optimizer_goes_on", *REFUSED),
    "Loading makes new parameters. An optimizer still holds the old ones: copy into those that are there.",
    "peft",
    "new_parameters",
)(shared.new_parameters_in_loading)
rule(
    ("load_adapter",),
    REFUSED,
    "`strict=False` lets missing and unexpected names pass, and nothing here raises a ValueError.",
    "peft",
    "lenient_load",
)(shared.lenient_load)
for stub, check in GUARDS.items():
    rule(
        (stub,),
        (check,),
        "A bad argument meets an `assert`, which raises AssertionError. Raise ValueError or TypeError.",
        "peft",
        f"asserts_in_{stub}",
    )(shared.asserts)
