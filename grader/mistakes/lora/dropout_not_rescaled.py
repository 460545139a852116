"""The kept entries are not divided by 1 - p.

Then the update is smaller in training than in use. nn.Dropout rescales, so that the mean stays the same.
"""


class LoRALinear(LoRALinear):
    def forward(self, x):
        if self.training and self.dropout.p:
            x_update = x * (torch.rand_like(x) >= self.dropout.p)
        else:
            x_update = x
        if self.merged:
            return self.base(x)
        return self.base(x) + self.scaling * F.linear(F.linear(x_update, self.lora_A), self.lora_B)
