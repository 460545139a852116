"""The checks of `merge_lora`."""

from grader.checks import check
from grader.checks.lora.material import IDS, injected, wrapped_names


@check(
    "merge_lora",
    2,
    (
        "The result must look as if LoRA had never been there.",
        "Merge each LoRALinear, then put its base in its place.",
        "module.merge(); setattr(parent, last, module.base)",
    ),
)
def leaves_plain_linear_layers(code, rng):
    """merge_lora returns the model with plain nn.Linear layers and the tensor names of the original."""
    model = injected(code, rng, ["q_proj", "v_proj", "head"])
    result = code.merge_lora(model)
    return {
        "returns the model": result is model,
        "LoRALinear left": wrapped_names(code, model),
        "class of blocks.1.v_proj": type(model.blocks[1].v_proj).__name__,
        "tensor names": sorted(model.state_dict()),
    }


@check(
    "merge_lora",
    2,
    (
        "The merged weight is W0 plus the delta, and the bias stays.",
        "Call merge() before you take the base out.",
        "module.merge(), then use module.base",
    ),
)
def merged_model_answers_the_same(code, rng):
    """The merged model gives the output of the adapted one."""
    model = injected(code, rng, ["q_proj", "v_proj", "head"]).eval()
    before = model(IDS).detach()
    code.merge_lora(model)
    return {"output": model(IDS), "change of the output": model(IDS) - before}


@check(
    "merge_lora",
    1,
    (
        "Some layers may be merged already. What must not happen to them?",
        "merge() does nothing on a merged layer; adding the delta by hand would add it twice.",
        "Call module.merge() instead of computing the sum again.",
    ),
)
def accepts_layers_that_are_merged(code, rng):
    """Layers that are merged already get their update once."""
    model = injected(code, rng).eval()
    before = model(IDS).detach()
    model.blocks[0].q_proj.merge()
    code.merge_lora(model)
    return {"change of the output": model(IDS) - before}
