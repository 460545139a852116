"""The output is multiplied by 1 + ia3.

With ia3 at ones that doubles the output. Multiply by ia3 itself.
"""
# Shows in: output_is_rescaled


class IA3Linear(IA3Linear):
    def forward(self, x):
        return self.base(x) * (1 + self.ia3)
