"""All sequences of a batch share one dropout mask.

A mask of the shape (tokens, features) is used for each of them. dropout(x) draws a mask for each entry of x.
"""
# Shows in: dropout_acts_on_the_input_of_the_update


class LoRALinear(LoRALinear):
    def forward(self, x):
        if self.merged:
            return self.base(x)
        mask = self.dropout(torch.ones_like(x[:1] if x.dim() > 2 else x))
        return self.base(x) + self.scaling * F.linear(F.linear(x * mask, self.lora_A), self.lora_B)
