"""unmerge() clears merged but leaves the update in the weight.

forward then adds the update to a weight that holds it already. Subtract what merge() has added.
"""
# Shows in: unmerge_takes_the_update_out


class LoRALinear(LoRALinear):
    def unmerge(self):
        self.merged = False
