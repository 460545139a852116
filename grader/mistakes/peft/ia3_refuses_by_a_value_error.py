"""A base of another kind is refused, but not with a TypeError.

An assert or a ValueError says that a value is wrong. Here the type is, so the contract's error is a TypeError
that names the base.
"""
# Shows in: refuses_a_base_of_another_kind


class IA3Linear(IA3Linear):
    def __init__(self, base):
        if not isinstance(base, nn.Linear):
            raise ValueError(f"base must be an nn.Linear, got {type(base).__name__}")
        super().__init__(base)
