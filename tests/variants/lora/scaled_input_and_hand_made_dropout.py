"""The scaling multiplies the input of the update, and dropout is written by hand."""


class LoRALinear(LoRALinear):
    def forward(self, x):
        result = self.base(x)
        if self.merged:
            return result
        p = self.dropout.p
        if self.training and p:
            x = x * torch.bernoulli(torch.full_like(x, 1 - p)) / (1 - p)
        return result + ((x * self.scaling) @ self.lora_A.T) @ self.lora_B.T
