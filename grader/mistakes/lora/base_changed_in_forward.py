"""forward adds the update to base.weight and then calls the base.

Each call adds it again, so the model drifts while it is merely used. forward adds the update to the output;
only merge() changes the weight.
"""
# Shows in: forward_changes_nothing


class LoRALinear(LoRALinear):
    def forward(self, x):
        if not self.merged:
            with torch.no_grad():
                self.base.weight += self.delta_weight()
        return self.base(x)
