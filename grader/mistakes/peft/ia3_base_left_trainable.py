"""The base still requires gradients.

Then the whole layer is fine-tuned. Freeze weight and bias by requires_grad_(False).
"""


class IA3Linear(IA3Linear):
    def __init__(self, base):
        super().__init__(base)
        base.requires_grad_(True)
