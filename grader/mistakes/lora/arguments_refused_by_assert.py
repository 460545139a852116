"""Bad arguments are refused by assert.

An AssertionError is not in the contract, and python -O removes every assert. Raise ValueError or TypeError.
"""


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        assert isinstance(base, nn.Linear), "base must be an nn.Linear"
        assert rank >= 1, "rank must be at least 1"
        assert 0 <= dropout < 1, "dropout must lie in [0, 1)"
        super().__init__(base, rank, alpha, dropout)
