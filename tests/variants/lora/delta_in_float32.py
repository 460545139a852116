"""The update is computed in float32, and the weight is replaced by a new frozen parameter."""


class LoRALinear(LoRALinear):
    def forward(self, x):
        result = self.base(x)
        if self.merged:
            return result
        low_rank = F.linear(self.dropout(x.float()), self.lora_A.float())
        return result + self.scaling * F.linear(low_rank, self.lora_B.float()).to(result.dtype)

    def delta_weight(self):
        return self.lora_B.float() @ self.lora_A.float() * self.scaling

    def _fold(self, sign):
        weight = self.base.weight.detach()
        delta = self.delta_weight().detach().to(weight.dtype)
        self.base.weight = nn.Parameter(weight + sign * delta, requires_grad=False)
        self.merged = sign > 0

    def merge(self):
        if not self.merged:
            self._fold(1)

    def unmerge(self):
        if self.merged:
            self._fold(-1)
