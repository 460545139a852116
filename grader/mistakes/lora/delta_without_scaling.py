"""delta_weight() returns B A without the scaling.

The delta is what is added to W0: (alpha / rank) · B A. Merging without the scaling changes the model's answers.
"""


class LoRALinear(LoRALinear):
    def delta_weight(self):
        return self.lora_B @ self.lora_A
