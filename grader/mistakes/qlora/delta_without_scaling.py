"""delta_weight() is B A without the scaling.

forward multiplies by alpha / rank, so the merged layer gives another output. The scaling belongs to delta_weight().
"""
# Shows in: delta_weight_is_the_scaled_product


class QLoRALinear(QLoRALinear):
    def delta_weight(self):
        return self.lora_B @ self.lora_A
