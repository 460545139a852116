"""The checks of `QLoRALinear.merge`."""

import torch
from torch import nn

from grader.checks import check, grad_of, shuffled, whole
from grader.checks.qlora.material import numbers_in, sizes, trained, weight_of


def tensors_of(merged) -> dict:
    """The weight and the bias of a layer, if they are parameters. An optimizer and a state dict find no others."""
    found = dict(merged.named_parameters())
    return {name: found.get(name, "no parameter") for name in ("weight", "bias")}


@check(
    "QLoRALinear.merge",
    3,
    (
        "On which weight was the adapter trained? That one, plus the update, is the merged weight.",
        "base.dequantized_weight() + delta_weight() in float32. Not quantised again: four bits lose most of the update.",
        "merged.weight.copy_(self.base.dequantized_weight() + self.delta_weight())",
    ),
)
def weight_is_the_dequantised_one_plus_the_update(code, rng):
    """merge() returns a plain nn.Linear whose weight is the dequantised weight plus the update, in float32, on a
    square layer as well."""
    seen = {}
    for name, size in {"a layer": sizes(rng), "a square layer": sizes(rng, square=True)}.items():
        merged = trained(code, rng, size).merge()
        seen[name] = tensors_of(merged) | {
            "is an nn.Linear": isinstance(merged, nn.Linear),
            "is a QLoRALinear": isinstance(merged, code.QLoRALinear),
            "sizes": [merged.in_features, merged.out_features],
        }
    return seen


@check(
    "QLoRALinear.merge",
    2,
    (
        "Before and after the merge the model must say the same. What belongs to the output besides the weight?",
        "The bias is copied, if there is one. Dropout has no part in the merged weight.",
        "nn.Linear(in_features, out_features, bias=self.base.bias is not None), then copy the bias",
    ),
)
def merged_layer_answers_the_same(code, rng):
    """The merged layer gives the output of the layer in eval mode, with and without a bias, also if it was merged in
    train mode."""
    seen = {}
    for name, bias in shuffled(rng, [("with a bias", True), ("without bias", False)]):
        size = sizes(rng)
        layer, x = trained(code, rng, size, bias=bias, dropout=whole(rng, 3, 6) / 10), numbers_in(rng, 3, size.n_in)
        merged = layer.train().merge()
        seen[name] = {
            "output of the merged layer": merged(x),
            "output of the layer in eval mode": layer.eval()(x),
            "has a bias": merged.bias is not None,
        }
    return dict(sorted(seen.items()))


@check(
    "QLoRALinear.merge",
    1,
    (
        "The layer was quantised from bfloat16. In which dtype are weight and bias of the merged layer?",
        "Both in float32: the update is too fine for bfloat16.",
        "nn.Linear(..., dtype=torch.float32), and copy_ converts the bias",
    ),
)
def merges_in_float32(code, rng):
    """Weight and bias of the merged layer are in float32, whatever dtype the layer was quantised from."""
    seen = {}
    for dtype in shuffled(rng, [torch.bfloat16, torch.float16, torch.float64]):
        size = sizes(rng)
        merged = trained(code, rng, size, dtype=dtype).merge()
        seen[f"quantised from {dtype}"] = tensors_of(merged) | {"output": merged(numbers_in(rng, 2, size.n_in))}
    return dict(sorted(seen.items()))


@check(
    "QLoRALinear.merge",
    2,
    (
        "What if somebody merges, trains on, and merges again?",
        "merge() makes a new layer, with memory of its own and without a graph; the old one is only read.",
        "@torch.no_grad(), a new nn.Linear, and copy_ into its parameters",
    ),
)
def merging_leaves_the_layer_as_it_is(code, rng):
    """merge() changes nothing in the layer, gives the same twice, and returns a layer that shares neither memory nor
    a graph with it."""
    size = sizes(rng)
    layer, x = trained(code, rng, size), numbers_in(rng, 3, size.n_in)
    first, second = layer.merge(), layer.merge()
    seen = {
        "output of the first merged layer": first(x),
        "output of the second": second(x),
        "output of the layer": layer(x),
        "weight of its base": weight_of(layer.base),
        "delta_weight()": layer.delta_weight(),
    }
    if seen["output of the second"].requires_grad:
        seen["output of the second"].sum().backward()
    seen["gradient of lora_B from the merged layer"] = grad_of(layer.lora_B)
    with torch.no_grad():
        for tensor in first.parameters():
            tensor += 1
    return seen | {"output of the layer after a change of the merged one": layer(x)}
