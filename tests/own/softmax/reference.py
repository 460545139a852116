"""Softmax, with a temperature."""

import torch


def softmax(logits: torch.Tensor, *, temperature: float = 1.0) -> torch.Tensor:
    """The probabilities exp(logits / temperature), divided by their sum over the last dimension. Finite for large logits.

    Raises:
        ValueError: temperature is not above 0.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, got {temperature}")
    logits = logits / temperature
    exponentials = (logits - logits.amax(dim=-1, keepdim=True)).exp()  # the largest is exp(0), so none overflows
    return exponentials / exponentials.sum(dim=-1, keepdim=True)
