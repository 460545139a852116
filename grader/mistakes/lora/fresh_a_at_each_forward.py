"""A is drawn anew at each call of forward.

B learns to work with one A and meets another at the next call. A is drawn once, in the constructor, and then
trained.
"""
# Shows in: forward_changes_nothing


class LoRALinear(LoRALinear):
    def forward(self, x):
        with torch.no_grad():
            nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        return super().forward(x)
