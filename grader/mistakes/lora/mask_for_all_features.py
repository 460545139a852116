"""A token is dropped whole or not at all.

A mask with one entry a token, or nn.Dropout1d, does that. dropout(x) draws a mask for each entry of x.
"""
# Shows in: dropout_acts_on_the_input_of_the_update


class LoRALinear(LoRALinear):
    def forward(self, x):
        if self.merged:
            return self.base(x)
        mask = self.dropout(torch.ones_like(x[..., :1]))
        return self.base(x) + self.scaling * F.linear(F.linear(x * mask, self.lora_A), self.lora_B)
