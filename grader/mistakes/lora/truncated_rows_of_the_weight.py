"""Keeping the first rows of the weight and zeroing the rest is taken for low-rank adaptation.

That deletes output units of the pretrained layer. LoRA leaves W0 whole: it is the update, added to W0, that
has low rank, as a product B A of two small factors.
"""
# Shows in: output_is_base_plus_scaled_update


class LoRALinear(LoRALinear):
    def __init__(self, base, rank, alpha, dropout=0.0):
        super().__init__(base, rank, alpha, dropout)
        with torch.no_grad():
            base.weight[rank:] = 0
