"""The checks of `LoRALinear.delta_weight`."""

import torch
import torch.nn.functional as F

from grader.checks import Unusable, check, rand
from grader.checks.lora.material import fill, fresh, sizes, trained


def delta_of(layer) -> torch.Tensor:
    """The delta in the dtype of the weight. It may also be in float32."""
    delta = layer.delta_weight()
    if not isinstance(delta, torch.Tensor):
        raise Unusable(f"delta_weight() returns no tensor, but an object of type {type(delta).__name__}")
    return delta.to(layer.base.weight.dtype)


@check(
    "LoRALinear.delta_weight",
    1,
    (
        "Which matrix, added to base.weight, would give the same output?",
        "scaling · B A, of shape (out_features, in_features).",
        "return self.scaling * (self.lora_B @ self.lora_A)",
    ),
)
def delta_is_the_scaled_product(code, rng):
    """delta_weight() is alpha / rank · B A of the factors as they are now, with the shape of the weight and without dropout."""
    size = sizes(rng)
    layer = trained(code, rng, size, dropout=0.5).train()
    seen = {"delta_weight()": delta_of(layer)}
    fill(layer, rng, size.rank)
    return seen | {
        "delta_weight() after the factors have changed": delta_of(layer),
        "of a new layer": delta_of(fresh(code, rng, size)),
        "of a layer in bfloat16": delta_of(trained(code, rng, sizes(rng), dtype=torch.bfloat16)),
    }


@check(
    "LoRALinear.delta_weight",
    1,
    (
        "On a square layer A B and B A have the same shape. Which one is it?",
        "B A: first A (to rank), then B (from rank), as in B A x.",
        "self.lora_B @ self.lora_A, not transposed",
    ),
)
def delta_agrees_with_forward(code, rng):
    """On a square layer x delta_weight()ᵀ is what forward adds to base(x)."""
    size = sizes(rng, square=True)
    layer, x = trained(code, rng, size), rand(rng, 4, size.n_in)
    return {
        "delta_weight()": delta_of(layer),
        "base(x) + x delta_weight()ᵀ": F.linear(x, layer.base.weight + delta_of(layer), layer.base.bias),
        "output": layer(x),
    }
