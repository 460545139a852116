"""The checks of `prepare_for_training`."""

import torch
from torch import nn

from grader.checks import check, grad_of, refusal, shuffled, some, tried, whole
from grader.checks.qlora.material import trainable_names
from grader.checks.qlora.network import WIDTH, Backbone, Chain, layer, text

HALF = (torch.bfloat16, torch.float16)


def backbone(rng, usual: bool = False) -> Backbone:
    """A model in half precision, but for some of its parameters."""
    return Backbone(rng, some(rng, 1, HALF)[0], usual)


@check(
    "prepare_for_training",
    1,
    (
        "Only adapters will train. What about norms, biases, embeddings?",
        "No parameter requires a gradient afterwards. And the model comes back.",
        "model.requires_grad_(False) … return model",
    ),
)
def nothing_trains_before_adapters_come(code, rng):
    """No parameter requires a gradient afterwards, whatever did before, and the function returns the model itself."""
    model = backbone(rng)
    names = [name for name, _ in model.named_parameters()]
    result = code.prepare_for_training(model)
    return {"parameters": names, "trainable": trainable_names(model), "returns the model": result is model}


@check(
    "prepare_for_training",
    2,
    (
        "Which tensors are still in 16 bits after quantisation, and which ones are codes?",
        "Each parameter in float16 or bfloat16 becomes float32. Codes are integers, and float64 needs no help.",
        "for p in model.parameters(): if p.dtype in (torch.float16, torch.bfloat16): p.data = p.data.float()",
    ),
)
def half_precision_becomes_float32(code, rng):
    """Parameters in float16 and bfloat16 are in float32 afterwards, with the same numbers; all others, codes too, are
    as they were."""
    model = backbone(rng)
    code.prepare_for_training(model)
    parameters = dict(model.named_parameters())
    return {
        "dtypes": {name: str(parameter.dtype) for name, parameter in parameters.items()},
        "numbers": {name: parameter.double() for name, parameter in parameters.items()},
        "codes in a buffer": [block.codes for block in model.blocks],
        "output": model(text(rng)),
    }


@check(
    "prepare_for_training",
    2,
    (
        "A checkpointed block asks for gradients only if its input requires one. In a frozen model, what does?",
        "A forward hook on model.get_input_embeddings() calls requires_grad_ on the output.",
        "model.get_input_embeddings().register_forward_hook(lambda module, inputs, output: output.requires_grad_(True))",
    ),
)
def gradients_pass_checkpointed_blocks(code, rng):
    """The output of the input embeddings, whatever their name, requires a gradient, so adapters in checkpointed
    blocks get theirs."""
    seen = {}
    for name, usual in shuffled(
        rng, [("embeddings under a drawn name", False), ("embeddings under a usual name", True)]
    ):
        model, ids = backbone(rng, usual), text(rng)
        code.prepare_for_training(model)
        for block in model.blocks:
            block.adapter = layer(rng)
        output = model(ids)
        if output.requires_grad:
            output.square().sum().backward()
        with torch.no_grad():
            without = model(ids)
        seen[name] = {
            "their output requires a gradient": model.get_input_embeddings()(ids).requires_grad,
            "gradients of the adapters": [grad_of(block.adapter.weight) for block in model.blocks],
            "gradient of the embeddings": grad_of(model.get_input_embeddings().weight),
            "output under no_grad": without,
        }
    return dict(sorted(seen.items()))


@check(
    "prepare_for_training",
    1,
    (
        "Notebook cells run twice. How many hooks are there then?",
        "Look whether your hook is there already. Hooks of others are not yours.",
        "if my_hook not in embeddings._forward_hooks.values(): embeddings.register_forward_hook(my_hook)",
    ),
)
def second_call_adds_nothing(code, rng):
    """A second call adds no second hook to the embeddings, and hooks of others neither count nor vanish."""
    model, ids, calls = backbone(rng), text(rng), []
    embeddings, others = model.get_input_embeddings(), whole(rng, 1, 3)
    for _ in range(others):
        embeddings.register_forward_hook(lambda *_: calls.append(1))
    code.prepare_for_training(model)
    once = len(embeddings._forward_hooks)
    result = code.prepare_for_training(model)
    numbers = embeddings(ids)
    return {
        "hooks that the second call adds": len(embeddings._forward_hooks) - once,
        "calls of the hooks of others": len(calls),
        "returns the model": result is model,
        "output of the embeddings": numbers,
        "it requires a gradient": numbers.requires_grad,
        "trainable": trainable_names(model),
    }


@check(
    "prepare_for_training",
    1,
    (
        "What if a model cannot say which of its modules embeds the input?",
        "Without get_input_embeddings() there is nothing to hook: a ValueError that names the argument.",
        'if not hasattr(model, "get_input_embeddings"): raise ValueError("model must have get_input_embeddings()")',
    ),
)
def refuses_a_model_without_input_embeddings(code, rng):
    """A model without get_input_embeddings() is a ValueError, also if it has an embedding under a usual name."""
    names = some(rng, 2, ["embed_tokens", "wte", "embeddings", "tok_embeddings"])
    bare = Chain({"embed": layer(rng), "norm": nn.LayerNorm(WIDTH)})
    holds = nn.ModuleDict({name: nn.Embedding(9, WIDTH) for name in names})
    ids = text(rng)

    def good():
        model = code.prepare_for_training(backbone(rng))
        return model.get_input_embeddings()(ids)

    calls = {
        "a model without embeddings": lambda: refusal(ValueError, lambda: code.prepare_for_training(bare), "model"),
        f"a model with {names[0]}": lambda: refusal(ValueError, lambda: code.prepare_for_training(holds), "model"),
        "embeddings of a good model": good,
        "embeddings of another one": good,
    }
    return tried(rng, **calls)
