"""Dropout acts on the input of the base as well.

base(x) stays whole: the frozen model is not to be disturbed. Only the input of the low-rank path is dropped.
"""
# Shows in: dropout_acts_on_the_input_of_the_update


class QLoRALinear(QLoRALinear):
    def forward(self, x):
        x = self.dropout(x)
        update = self.scaling * F.linear(F.linear(x.float(), self.lora_A), self.lora_B)
        return self.base(x) + update.to(x.dtype)
