"""The checks of `LoRALinear.unmerge`."""

from grader.checks import check, grad_of, rand, set_parameter, whole
from grader.checks.lora.material import fill, sizes, trainable_names, trained


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
    size, seen = sizes(rng), {}
    layer, x = trained(code, rng, size, dropout=0.3), rand(rng, 4, size.n_in)
    for mode in ("eval", "train"):
        set_parameter(
            layer.base, "weight", rand(rng, size.n_out, size.n_in)
        )  # a base that was loaded after LoRA was added
        layer.merge()
        merged = layer.base.weight.detach().clone()
        layer.train(mode == "train").unmerge()
        seen[f"unmerged in {mode} mode"] = {
            "base.weight before": merged,
            "base.weight": layer.base.weight.detach().clone(),
            "merged": bool(layer.merged),
            "output in eval mode": layer.eval()(x),
        }
    return seen


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
    layer = trained(code, rng, sizes(rng))
    layer.unmerge()
    first = layer.base.weight.detach().clone()
    layer.merge()
    merged = layer.base.weight.detach().clone()
    layer.unmerge()
    layer.unmerge()
    return {
        "weight after an early unmerge()": first,
        "weight after merge()": merged,
        "weight after two more": layer.base.weight,
        "merged": bool(layer.merged),
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
    """Ten or so cycles of merge and unmerge leave the weight within rounding, the layer learns on and merges what it learned."""
    size = sizes(rng)
    layer = trained(code, rng, size)
    merged = []
    for _ in range(whole(rng, 9, 12)):
        layer.merge()
        merged.append(layer.base.weight.detach().clone())
        layer.unmerge()
    layer(rand(rng, 4, size.n_in)).pow(2).sum().backward()
    seen = {
        "base.weight, merged": merged,
        "base.weight": layer.base.weight.detach().clone(),
        "gradient of lora_A": grad_of(layer.lora_A),
        "gradient of lora_B": grad_of(layer.lora_B),
        "trainable": trainable_names(layer),
    }
    fill(layer, rng, size.rank)
    layer.merge()
    return seen | {"base.weight, merged after the factors have changed": layer.base.weight}
