"""delta_weight() is transposed.

The weight is (out_features, in_features), and so is B A. On a square layer the transpose raises no error, but gives
another output.
"""
# Shows in: delta_weight_is_the_scaled_product


class QLoRALinear(QLoRALinear):
    def delta_weight(self):
        return self.scaling * (self.lora_B @ self.lora_A).T
