"""A is drawn from a normal distribution with standard deviation 1.

That is about √(3·in) times as wide as U(-1/√in, 1/√in), so the first steps of B are that much too large.
"""
# Shows in: lora_a_is_kaiming_uniform


class QLoRALinear(QLoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        nn.init.normal_(self.lora_A)
