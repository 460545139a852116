"""eval() folds the update into base.weight, and train() takes it out again.

loralib works so. Here merge() does it and nothing else: whoever reads or saves base.weight in eval mode wants the pretrained
numbers.
"""
# Shows in: forward_changes_nothing


class LoRALinear(LoRALinear):
    def train(self, mode=True):
        super().train(mode)
        self.unmerge() if mode else self.merge()
        return self
