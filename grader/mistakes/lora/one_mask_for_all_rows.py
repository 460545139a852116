"""One dropout mask over the features serves all rows.

Then all tokens lose the same inputs at once. dropout(x) draws a mask for each entry of x.
"""
# Shows in: dropout_acts_on_the_input_of_the_update


class LoRALinear(LoRALinear):
    def forward(self, x):
        if self.merged:
            return self.base(x)
        mask = self.dropout(torch.ones_like(x[..., :1, :] if x.dim() > 1 else x))
        return self.base(x) + self.scaling * F.linear(F.linear(x * mask, self.lora_A), self.lora_B)
