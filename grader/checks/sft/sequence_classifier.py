"""The checks of `SequenceClassifier`."""

import torch
from torch import nn

from grader.checks import grad_of, rand
from grader.checks.sft.material import VOCAB, WIDTH, check, ids


class Backbone(nn.Module):
    """Hidden states (B, T, WIDTH) that depend on the mask. On padding they are far from zero."""

    def __init__(self, rng):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, WIDTH, dtype=torch.float64)
        self.embed.weight.data = rand(rng, VOCAB, WIDTH)

    def forward(self, input_ids, attention_mask):
        x = self.embed(input_ids)
        mask = attention_mask.unsqueeze(-1).to(x.dtype)
        return (x + (x * mask).sum(dim=1, keepdim=True)).sin() + 5 * (1 - mask)


def classifier(code, rng, classes=3):
    """A classifier with known weights in its head."""
    model = code.SequenceClassifier(Backbone(rng), WIDTH, classes).double()
    for parameter in model.classifier.parameters():
        parameter.data = rand(rng, *parameter.shape)
    return model


def masked(*lengths: int, left: bool = False, width: int = 0) -> torch.Tensor:
    """A mask with these numbers of ones."""
    width = width or max(lengths)
    rows = [[0] * (width - n) + [1] * n if left else [1] * n + [0] * (width - n) for n in lengths]
    return torch.tensor(rows)


@check(
    "SequenceClassifier",
    1,
    (
        "What must an optimizer find when it asks the module for its parameters?",
        "Keep both parts as attributes of the module: the backbone, and an nn.Linear named classifier.",
        "self.backbone = backbone; self.classifier = nn.Linear(hidden_size, num_classes)",
    ),
)
def has_a_linear_head(code, rng):
    """The head is an nn.Linear named classifier, from hidden_size to num_classes; the backbone is part of the module."""
    backbone = Backbone(rng)
    model = code.SequenceClassifier(backbone, WIDTH, 4)
    head = model.classifier
    return {
        "class of classifier": type(head).__name__,
        "shape of its weight": list(head.weight.shape),
        "has a bias": head.bias is not None,
        "the backbone's tensors are among the parameters": any(p is backbone.embed.weight for p in model.parameters()),
        "number of parameters": sum(p.numel() for p in model.parameters()),
    }


@check(
    "SequenceClassifier",
    2,
    (
        "One row of logits for each text. Over which tokens is the mean taken?",
        "Add up the hidden states where the mask is 1 and divide by the number of ones in the row.",
        "(hidden * mask.unsqueeze(-1)).sum(dim=1) / mask.sum(dim=1, keepdim=True), then the head",
    ),
)
def logits_come_from_the_mean_of_real_tokens(code, rng):
    """The logits are the head's output on the mean of the hidden states where the mask is 1."""
    model = classifier(code, rng)
    return {"logits": model(ids(rng, 3, 5), masked(5, 2, 4))}


@check(
    "SequenceClassifier",
    2,
    (
        "Classify a text alone, then in a batch with a longer one. Are the logits the same?",
        "Neither the number of padding tokens nor their ids may enter the mean.",
        "Multiply by the mask before the sum, and divide by mask.sum(), not by the width.",
    ),
)
def padding_changes_nothing(code, rng):
    """More padding, other ids in the padding, or padding on the left leave the logits as they are."""
    model = classifier(code, rng)
    text = ids(rng, 1, 3)
    alone = model(text, masked(3)).detach()
    right = torch.cat([text, ids(rng, 1, 4)], dim=1)
    left = torch.cat([ids(rng, 1, 4), text], dim=1)
    return {
        "change of the logits by padding on the right": model(right, masked(3, width=7)) - alone,
        "change of the logits by padding on the left": model(left, masked(3, width=7, left=True)) - alone,
    }


@check(
    "SequenceClassifier",
    1,
    (
        "What is 0 / 0, and what does it do to a loss?",
        "A row of padding alone has no real token, so the division needs a smallest value of 1.",
        "mask.sum(dim=1, keepdim=True).clamp(min=1)",
    ),
)
def a_row_of_padding_gives_no_nan(code, rng):
    """A row that is all padding gives finite logits and gradients and leaves the other rows as they are."""
    model = classifier(code, rng)
    tokens = ids(rng, 2, 4)
    logits = model(tokens, masked(3, 0, width=4))
    logits.sum().backward()
    return {
        "all logits are finite": bool(logits.isfinite().all()),
        "all gradients are finite": all(p.grad is None or bool(p.grad.isfinite().all()) for p in model.parameters()),
        "logits of the other row": logits[0],
    }


@check(
    "SequenceClassifier",
    1,
    (
        "The backbone must not attend to padding, either.",
        "Call the backbone with both arguments.",
        "hidden = self.backbone(input_ids, attention_mask)",
    ),
)
def the_backbone_sees_the_mask(code, rng):
    """The backbone gets the ids and the mask as they were given."""
    model = classifier(code, rng)
    seen = {}

    class Spy(Backbone):
        def forward(self, input_ids, attention_mask):
            seen.update(ids=input_ids, mask=attention_mask)
            return super().forward(input_ids, attention_mask)

    model = code.SequenceClassifier(Spy(rng), WIDTH, 3).double()
    model(torch.arange(10).view(2, 5), masked(5, 2))
    return seen


@check(
    "SequenceClassifier",
    1,
    (
        "Fine-tuning moves the backbone, not the head alone.",
        "Nothing between the backbone and the logits may be detached or run under no_grad.",
        "No .detach(), no .data and no torch.no_grad() in forward.",
    ),
)
def gradients_reach_head_and_backbone(code, rng):
    """Head and backbone get the gradients of the formula; a backbone that was trainable stays so."""
    model = classifier(code, rng)
    (model(ids(rng, 3, 5), masked(5, 2, 4)) * rand(rng, 3, 3)).sum().backward()
    return {
        "parameters that are frozen": sum(not p.requires_grad for p in model.parameters()),
        "gradient of the head": grad_of(model.classifier.weight),
        "gradient of the backbone": grad_of(next(p for p in model.parameters() if p.shape == (VOCAB, WIDTH))),
    }


@check(
    "SequenceClassifier",
    1,
    (
        "A batch can hold one text, and a text can hold one token.",
        "Take sums over dimension 1 and let every other dimension stand.",
        "No squeeze() without a dimension: it also removes a batch of one.",
    ),
)
def works_on_one_text(code, rng):
    """One text, one token and two classes give logits of shape (1, 2)."""
    model = classifier(code, rng, classes=2)
    return {
        "logits for one token": model(ids(rng, 1, 1), masked(1)),
        "logits for three tokens": model(ids(rng, 1, 3), masked(3)),
    }
