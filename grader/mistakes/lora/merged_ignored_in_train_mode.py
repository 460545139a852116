"""In train mode forward adds the update although it is merged.

The weight holds the update in either mode, so forward must look at merged in either mode, or the update counts twice.
"""
# Shows in: merge_folds_the_update_in


class LoRALinear(LoRALinear):
    def forward(self, x):
        if self.merged and not self.training:
            return self.base(x)
        return self.base(x) + self.scaling * F.linear(F.linear(self.dropout(x), self.lora_A), self.lora_B)
