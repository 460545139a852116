"""The factors are plain tensors, not nn.Parameter.

Then model.parameters() does not list them, no optimizer moves them, and state_dict() does not save them.
"""


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        lora_A, lora_B = self.lora_A.detach(), self.lora_B.detach()
        del self.lora_A, self.lora_B
        self.lora_A, self.lora_B = lora_A.requires_grad_(), lora_B.requires_grad_()
