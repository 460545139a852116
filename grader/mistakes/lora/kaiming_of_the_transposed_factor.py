"""A is drawn as (in, rank) and then transposed, so its bound comes from the rank.

kaiming_uniform_ takes the second size of a matrix for its number of inputs. A has the shape (rank, in), and the bound must be
1/√in.
"""
# Shows in: lora_a_is_kaiming_uniform


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        with torch.no_grad():
            drawn = nn.init.kaiming_uniform_(base.weight.new_empty(base.in_features, rank), a=math.sqrt(5))
            self.lora_A.copy_(drawn.T)
