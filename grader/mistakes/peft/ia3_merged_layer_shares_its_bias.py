"""The merged layer has no bias.

The bias is a part of the output. Copy it, rescaled.
"""


class IA3Linear(IA3Linear):
    @torch.no_grad()
    def merge(self):
        merged = super().merge()
        merged.bias = None
        return merged
