"""The checks of `LoRALinear.merge`."""

from torch import nn

from grader.checks import check, rand
from grader.checks.lora.material import IN, trainable_names, trained


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
    """merge() adds the delta to base.weight, sets merged, and the output in eval mode stays the same."""
    layer = trained(code, rng, dropout=0.4).eval()
    x = rand(rng, 2, 3, IN)
    layer.merge()
    return {"base.weight": layer.base.weight, "merged": layer.merged, "output": layer(x)}


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
    """A second merge() does nothing."""
    layer = trained(code, rng).eval()
    layer.merge()
    layer.merge()
    return {"base.weight": layer.base.weight, "merged": layer.merged}


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
    layer = trained(code, rng)
    layer.merge()
    return {
        "trainable": trainable_names(layer),
        "bias": layer.base.bias,
        "lora_A": layer.lora_A,
        "lora_B": layer.lora_B,
        "weight is a parameter": isinstance(layer.base.weight, nn.Parameter),
    }
