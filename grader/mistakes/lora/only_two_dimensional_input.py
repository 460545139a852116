"""forward takes inputs of two dimensions only.

mm, addmm and t want matrices. A language model gives (batch, tokens, hidden): F.linear and @ with a
transposed weight take any leading shape.
"""


class LoRALinear(LoRALinear):
    def forward(self, x):
        if self.merged:
            return self.base(x)
        return self.base(x) + self.scaling * self.dropout(x).mm(self.lora_A.t()).mm(self.lora_B.t())
