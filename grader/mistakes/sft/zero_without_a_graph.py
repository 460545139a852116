"""With no label left the loss is a new zero that does not hang on the logits.

backward() on it raises an error in the middle of training. A sum over no labels, divided by 1, is zero and
has a graph.
"""


def sft_loss(logits, labels):
    logits = logits.float()
    if (labels[:, 1:] == IGNORE_INDEX).all():
        return torch.tensor(0.0)
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORE_INDEX)
