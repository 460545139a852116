"""merge() puts a plain tensor in the place of the weight.

Then parameters() and state_dict() no longer list it, so the merged model cannot be saved. Change the parameter in place.
"""
# Shows in: merge_keeps_everything_else


class LoRALinear(LoRALinear):
    @torch.no_grad()
    def merge(self):
        if not self.merged:
            weight = self.base.weight + self.delta_weight()
            del self.base.weight
            self.base.weight = weight
            self.merged = True
