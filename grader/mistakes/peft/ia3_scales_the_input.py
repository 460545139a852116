"""The input is rescaled, not the output.

The vector has one entry for each output. PEFT rescales the input of feed-forward layers only, and says so;
the contract's layer rescales its output.
"""
# Shows in: output_is_rescaled


class IA3Linear(IA3Linear):
    def __init__(self, base):
        super().__init__(base)
        self.ia3 = nn.Parameter(base.weight.new_ones(base.in_features))

    def forward(self, x):
        return self.base(x * self.ia3)
