"""merge() returns the IA3Linear itself.

The result is to be a plain nn.Linear, for tools that know nothing of IA3.
"""


class IA3Linear(IA3Linear):
    @torch.no_grad()
    def merge(self):
        return self
