"""The checks of `QLoRALinear`: how it is made, and what its forward does."""

from grader.checks.qlora import construction, forward  # noqa: F401  (their checks are registered in this order)
