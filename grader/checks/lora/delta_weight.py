"""The checks of `LoRALinear.delta_weight`."""

import torch.nn.functional as F

from grader.checks import check, rand
from grader.checks.lora.material import fresh, trained


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
    """delta_weight() is alpha / rank · B A, with the shape of the weight."""
    layer = trained(code, rng)
    return {"delta_weight()": layer.delta_weight(), "of a new layer": fresh(code, rng).delta_weight()}


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
    layer = trained(code, rng, 6, 6)
    x = rand(rng, 4, 6)
    base = F.linear(x, layer.base.weight, layer.base.bias)
    return {
        "delta_weight()": layer.delta_weight(),
        "gap to forward": F.linear(x, layer.delta_weight()) - (layer(x) - base),
    }
