"""The checks of `LoRALinear`: how it is made, and what its forward does."""

from grader.checks.lora import construction, forward  # noqa: F401  (their checks are registered in this order)
