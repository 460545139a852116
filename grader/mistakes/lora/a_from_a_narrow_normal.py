"""A is drawn from a normal distribution with standard deviation 1 / rank.

PEFT does so with init_lora_weights="gaussian". The contract draws U(-1/√in, 1/√in): the size of the inputs decides how wide
A is, not the rank.
"""
# Shows in: lora_a_is_kaiming_uniform


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        nn.init.normal_(self.lora_A, std=1 / rank)
