"""Dropout is applied to the matrix A instead of the input.

That is DropConnect: one mask of weights for all rows. The contract drops entries of the input: B A dropout(x).
"""
# Shows in: dropout_acts_on_the_input_of_the_update


class LoRALinear(LoRALinear):
    def forward(self, x):
        if self.merged:
            return self.base(x)
        return self.base(x) + self.scaling * F.linear(F.linear(x, self.dropout(self.lora_A)), self.lora_B)
