"""The merged layer is float32, whatever the base is.

A half-precision or double-precision model then fails at this layer. Make the new layer in the dtype of the
base's weight.
"""
# Shows in: follows_the_dtype_of_the_base


class IA3Linear(IA3Linear):
    @torch.no_grad()
    def merge(self):
        return super().merge().float()
