"""forward scales x in place.

x belongs to the caller: the next layer, or the residual path, then reads other numbers. Write x * scaling, not x *= scaling.
"""
# Shows in: forward_changes_nothing


class LoRALinear(LoRALinear):
    def forward(self, x):
        result = self.base(x)
        if self.merged:
            return result
        x = self.dropout(x)
        with torch.no_grad():
            x *= self.scaling
        return result + F.linear(F.linear(x, self.lora_A), self.lora_B)
