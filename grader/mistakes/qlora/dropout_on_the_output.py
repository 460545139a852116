"""Dropout acts on the update, not on its input.

The formula is B A dropout(x): each input of the low-rank path is dropped on its own, before A mixes them.
"""
# Shows in: dropout_acts_on_the_input_of_the_update


class QLoRALinear(QLoRALinear):
    def forward(self, x):
        low_rank = F.linear(x.float(), self.lora_A)  # (..., rank)
        return self.base(x) + (self.scaling * self.dropout(F.linear(low_rank, self.lora_B))).to(x.dtype)
