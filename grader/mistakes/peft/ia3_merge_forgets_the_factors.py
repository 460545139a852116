"""merge() returns the base without the factors.

What was learned is lost. Multiply rows and bias by ia3.
"""


class IA3Linear(IA3Linear):
    @torch.no_grad()
    def merge(self):
        merged = super().merge()
        merged.load_state_dict(self.base.state_dict())
        return merged
