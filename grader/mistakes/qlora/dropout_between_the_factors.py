"""Dropout acts between A and B.

The formula is B A dropout(x). Behind A only rank numbers are left, and dropping one of them removes a whole
direction.
"""
# Shows in: dropout_acts_on_the_input_of_the_update


class QLoRALinear(QLoRALinear):
    def forward(self, x):
        low_rank = self.dropout(F.linear(x.float(), self.lora_A))  # (..., rank)
        return self.base(x) + (self.scaling * F.linear(low_rank, self.lora_B)).to(x.dtype)
