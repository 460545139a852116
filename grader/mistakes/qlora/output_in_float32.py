"""The output is in float32 for x in bfloat16.

A sum of bfloat16 and float32 is in float32, and the next layer refuses it or the memory doubles. Convert the update
to x.dtype before it is added.
"""
# Shows in: output_has_the_dtype_of_x


class QLoRALinear(QLoRALinear):
    def forward(self, x):
        low_rank = F.linear(self.dropout(x).float(), self.lora_A)  # (..., rank)
        return self.base(x) + (self.scaling * F.linear(low_rank, self.lora_B))
