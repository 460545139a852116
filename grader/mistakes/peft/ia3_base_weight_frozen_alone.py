"""The bias of the base still trains.

IA3 trains the factors alone. Freeze the base as a whole.
"""


class IA3Linear(IA3Linear):
    def __init__(self, base):
        super().__init__(base)
        if base.bias is not None:
            base.bias.requires_grad_(True)
