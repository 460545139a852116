"""A base that is no nn.Linear is not refused.

An object with all attributes of a linear layer may compute something else, and what lacks one fails later with
an error about an attribute. A TypeError at the start says what is wrong.
"""
# Shows in: refuses_a_base_of_another_kind


class IA3Linear(IA3Linear):
    def __init__(self, base):
        nn.Module.__init__(self)
        self.base = base
        for parameter in base.parameters():
            parameter.requires_grad = False
        self.ia3 = nn.Parameter(torch.ones(base.out_features, dtype=base.weight.dtype))
