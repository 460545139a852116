"""The checks of `LoRALinear.merge`."""

import torch
from torch import nn

from grader.checks import check, rand
from grader.checks.lora.material import sizes, trainable_names, trained


@check(
    "LoRALinear.merge",
    2,
    (
        "After merging, base.weight alone must give the output of before.",
        "Add the delta to the weight, set merged, and let forward skip the update while merged.",
        "with torch.no_grad(): self.base.weight += self.delta_weight(); self.merged = True",
    ),
)
def merge_folds_the_update_in(code, rng):
    """merge() adds the delta to base.weight of this layer and sets its merged, in train and in eval mode. The output stays
    the same, but for dropout."""
    seen = {}
    other_size = sizes(rng)
    other = trained(code, rng, other_size).eval()
    for mode, dtype in (("train", torch.float64), ("eval", torch.bfloat16)):
        size, dropout = sizes(rng), 0.4 if mode == "eval" else 0.0
        layer, x = trained(code, rng, size, dropout=dropout, dtype=dtype), rand(rng, 2, 3, size.n_in, dtype=dtype)
        layer.train(mode == "train").merge()
        seen[f"a layer in {dtype}, merged in {mode} mode"] = {
            "base.weight": layer.base.weight,
            "merged": bool(layer.merged),
            "output": layer(x),
        }
    return seen | {
        "merged of a layer beside them": bool(other.merged),
        "its output": other(rand(rng, 2, other_size.n_in)),
        "its base.weight": other.base.weight,
    }


@check(
    "LoRALinear.merge",
    1,
    (
        "What if somebody calls merge() twice?",
        "The attribute merged tells whether there is anything to do.",
        "if not self.merged: ...",
    ),
)
def merging_twice_changes_nothing_more(code, rng):
    """A second merge() does nothing, in whatever mode."""
    layer = trained(code, rng, sizes(rng)).eval()
    layer.merge()
    first = layer.base.weight.detach().clone()
    layer.train().merge()
    layer.merge()
    return {"base.weight": first, "base.weight after two more": layer.base.weight, "merged": bool(layer.merged)}


@check(
    "LoRALinear.merge",
    1,
    (
        "Does merging make the frozen weight a tensor that learns?",
        "Change the weight in place, under no_grad. Do not put a new nn.Parameter in its place.",
        "with torch.no_grad(): self.base.weight += self.delta_weight()",
    ),
)
def merge_keeps_everything_else(code, rng):
    """merge() leaves bias, factors and what is trainable as they were."""
    layer = trained(code, rng, sizes(rng))
    layer.merge()
    return {
        "merged": bool(layer.merged),
        "base.weight": layer.base.weight,
        "trainable": trainable_names(layer),
        "bias": layer.base.bias,
        "lora_A": layer.lora_A,
        "lora_B": layer.lora_B,
        "weight is a parameter": isinstance(layer.base.weight, nn.Parameter),
        "weight carries a graph": layer.base.weight.grad_fn is not None,
    }
