"""A is used without its gradient.

.data and .detach() cut the graph, and A stays at its random start. Use self.lora_A itself.
"""
# Shows in: gradients_reach_the_factors_and_x


class QLoRALinear(QLoRALinear):
    def forward(self, x):
        low_rank = F.linear(self.dropout(x).float(), self.lora_A.detach())  # (..., rank)
        return self.base(x) + (self.scaling * F.linear(low_rank, self.lora_B)).to(x.dtype)
