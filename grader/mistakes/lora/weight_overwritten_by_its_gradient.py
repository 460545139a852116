"""The weight is replaced by its negative gradient instead of being moved a little along it.

After one step nothing of the pretrained weight is left, and no learning rate enters. A step is
w -= lr · gradient, it is the optimizer's work, and in LoRA it moves the factors only.
"""


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        base.weight.requires_grad_(True)
        base.weight.register_post_accumulate_grad_hook(self._overwrite)

    @torch.no_grad()
    def _overwrite(self, weight):
        weight.copy_(-weight.grad)
