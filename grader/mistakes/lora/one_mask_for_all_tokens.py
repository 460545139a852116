"""One dropout mask over the features is drawn for the whole input.

All tokens of all sequences then lose the same features. dropout(x) draws a mask for each entry of x.
"""
# Shows in: dropout_acts_on_the_input_of_the_update


class LoRALinear(LoRALinear):
    def forward(self, x):
        if self.merged:
            return self.base(x)
        mask = self.dropout(x.new_ones(x.shape[-1]))
        return self.base(x) + self.scaling * F.linear(F.linear(x * mask, self.lora_A), self.lora_B)
