"""ia3 is detached in forward, so it gets no gradient.

.data and .detach() cut the graph. The product must hold the parameter itself.
"""
# Shows in: gradients_go_to_the_factors_and_through


class IA3Linear(IA3Linear):
    def forward(self, x):
        return self.base(x) * self.ia3.detach()
