"""Ignored labels are set to 0 and scored.

Then the model learns to say token 0 on prompts and padding. Leave -100 in place and let ignore_index do its
work.
"""


def sft_loss(logits, labels):
    logits = logits.float()
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].clamp(min=0).flatten())
