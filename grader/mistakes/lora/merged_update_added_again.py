"""forward adds the update although it is merged into the weight.

After merge() the base alone holds everything. forward must look at merged, or the update counts twice.
"""


class LoRALinear(LoRALinear):
    def forward(self, x):
        return self.base(x) + self.scaling * F.linear(F.linear(self.dropout(x), self.lora_A), self.lora_B)
