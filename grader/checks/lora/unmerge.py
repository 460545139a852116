"""The checks of `LoRALinear.unmerge`."""

from grader.checks import check, grad_of, rand, set_parameter
from grader.checks.lora.material import IN, OUT, fill, trainable_names, trained


@check(
    "LoRALinear.unmerge",
    1,
    (
        "unmerge is the inverse of merge.",
        "Subtract exactly the delta that merge has added, and clear merged.",
        "with torch.no_grad(): self.base.weight -= self.delta_weight(); self.merged = False",
    ),
)
def unmerge_takes_the_update_out(code, rng):
    """After merge() and unmerge() the weight is the old one and the output is still the adapted one."""
    layer = trained(code, rng).eval()
    x = rand(rng, 4, IN)
    set_parameter(layer.base, "weight", rand(rng, OUT, IN))  # a base that was loaded after LoRA was added
    layer.merge()
    layer.unmerge()
    return {"base.weight": layer.base.weight, "merged": layer.merged, "output": layer(x)}


@check(
    "LoRALinear.unmerge",
    1,
    (
        "What if nothing is merged?",
        "Without a merge there is nothing to take out.",
        "if self.merged: ...",
    ),
)
def unmerging_twice_changes_nothing_more(code, rng):
    """unmerge() on a layer that is not merged does nothing, at the start or a second time."""
    layer = trained(code, rng)
    layer.unmerge()
    first = layer.base.weight.detach().clone()
    layer.merge()
    layer.unmerge()
    layer.unmerge()
    return {
        "weight after an early unmerge()": first,
        "weight after two more": layer.base.weight,
        "merged": layer.merged,
    }


@check(
    "LoRALinear.unmerge",
    2,
    (
        "Ten merges and unmerges must not wear the weight out.",
        "Add and subtract the same numbers, in the dtype of the weight.",
        "The same delta_weight() in both, without a cast to a smaller format.",
    ),
)
def no_drift_over_many_cycles(code, rng):
    """Ten cycles of merge and unmerge leave the weight within rounding, the layer learns on and merges what it learned."""
    layer = trained(code, rng)
    for _ in range(10):
        layer.merge()
        layer.unmerge()
    layer(rand(rng, 4, IN)).pow(2).sum().backward()
    seen = {
        "base.weight": layer.base.weight.detach().clone(),
        "gradient of lora_A": grad_of(layer.lora_A),
        "gradient of lora_B": grad_of(layer.lora_B),
        "trainable": trainable_names(layer),
    }
    fill(layer, rng)
    layer.merge()
    return seen | {"base.weight, merged after the factors have changed": layer.base.weight}
