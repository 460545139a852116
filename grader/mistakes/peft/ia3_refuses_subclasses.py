"""A subclass of nn.Linear is refused.

Quantised and fused layers are subclasses of nn.Linear. isinstance(base, nn.Linear) lets them in;
type(base) is nn.Linear does not.
"""
# Shows in: refuses_a_base_of_another_kind


class IA3Linear(IA3Linear):
    def __init__(self, base):
        if type(base) is not nn.Linear:
            raise TypeError(f"base must be an nn.Linear, got {type(base).__name__}")
        super().__init__(base)
