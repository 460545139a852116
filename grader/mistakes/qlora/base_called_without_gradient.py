"""The base is called under no_grad, because it is frozen.

Frozen means that its weight gets no gradient. The gradient with respect to x must pass through the base, or the
layers before learn from the low-rank path alone.
"""
# Shows in: gradients_reach_the_factors_and_x


class QLoRALinear(QLoRALinear):
    def forward(self, x):
        with torch.no_grad():
            fixed = self.base(x)
        low_rank = F.linear(self.dropout(x).float(), self.lora_A)
        return fixed + (self.scaling * F.linear(low_rank, self.lora_B)).to(x.dtype)
