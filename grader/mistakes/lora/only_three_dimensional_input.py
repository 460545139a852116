"""forward unpacks the shape of x as batch, tokens, hidden.

A linear layer takes any number of dimensions, and other parts of a model use that. F.linear needs no unpacking.
"""
# Shows in: takes_any_leading_shape


class LoRALinear(LoRALinear):
    def forward(self, x):
        if self.merged:
            return self.base(x)
        batch, tokens, hidden = x.shape
        flat = self.dropout(x).reshape(batch * tokens, hidden)
        update = self.scaling * (flat @ self.lora_A.T @ self.lora_B.T)
        return self.base(x) + update.reshape(batch, tokens, -1)
