"""Dropout also acts in eval mode.

F.dropout(x, p) is always on, since its argument training is True by default. nn.Dropout follows train() and
eval().
"""
# Shows in: no_dropout_in_eval_mode


class LoRALinear(LoRALinear):
    def forward(self, x):
        if self.merged:
            return self.base(x)
        low_rank = F.linear(F.dropout(x, self.dropout.p), self.lora_A)
        return self.base(x) + self.scaling * F.linear(low_rank, self.lora_B)
