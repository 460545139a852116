"""Dropout is applied to x before both paths.

The pretrained path must see the whole input: base(x) + scaling · B A dropout(x).
"""
# Shows in: dropout_acts_on_the_input_of_the_update


class LoRALinear(LoRALinear):
    def forward(self, x):
        x = self.dropout(x)
        if self.merged:
            return self.base(x)
        return self.base(x) + self.scaling * F.linear(F.linear(x, self.lora_A), self.lora_B)
