"""The checks of `SequenceClassifier`."""

import torch
from torch import nn

from grader.checks import check, grad_of, rand, set_parameter, shuffled, some, whole

NAMES = ("embed_tokens", "wte", "word_embeddings", "tok_embeddings", "shared")


class Backbone(nn.Module):
    """Hidden states (B, T, width), in float32, of a model that reads in both directions.

    They depend on the order of the tokens and on the mask. On padding they are far from zero; elsewhere padding changes nothing.
    """

    def __init__(self, rng, vocabulary: int, width: int):
        super().__init__()
        self.name = some(rng, 1, NAMES)[0]
        self.add_module(self.name, nn.Embedding(vocabulary, width))
        self.mix = nn.ModuleList([nn.Linear(width, width)])
        self.unlike_zero = 3 + rand(rng, width, dtype=torch.float32).abs()
        for parameter in self.parameters():
            parameter.data = rand(rng, *parameter.shape, dtype=torch.float32)

    def forward(self, input_ids, attention_mask):
        mask = attention_mask.unsqueeze(-1).float()
        x = self.get_submodule(self.name)(input_ids) * mask
        before, everything = x.cumsum(dim=1), x.sum(dim=1, keepdim=True)
        return self.mix[0](torch.sin(x + before - 0.3 * everything)) * mask + self.unlike_zero * (1 - mask)


class Task:
    """Drawn sizes, and what is made with them: a backbone, a classifier with a drawn head, texts."""

    def __init__(self, code, rng, classes: int | None = None):
        self.rng, self.vocabulary, self.width = rng, whole(rng, 30, 40), whole(rng, 5, 7)
        self.classes = classes or whole(rng, 3, 4)
        self.backbone = Backbone(rng, self.vocabulary, self.width)
        self.model = code.SequenceClassifier(self.backbone, self.width, self.classes)

    def with_drawn_head(self) -> nn.Module:
        """The classifier with known numbers in its head."""
        set_parameter(self.model.classifier, "weight", rand(self.rng, self.classes, self.width))
        set_parameter(self.model.classifier, "bias", rand(self.rng, self.classes))
        return self.model

    def ids(self, rows: int, tokens: int) -> torch.Tensor:
        """Token ids, of which no two are equal, with 0 and 1 in the first columns: what stands for padding elsewhere, here is text."""
        others = 2 + torch.randperm(self.vocabulary - 2, generator=self.rng)
        return (
            torch.tensor([*shuffled(self.rng, [0, 1]), *others.tolist()])[: rows * tokens]
            .view(tokens, rows)
            .T.contiguous()
        )


def masked(*lengths: int, width: int = 0, left: int = 0) -> torch.Tensor:
    """A mask with these numbers of ones, behind so many zeros."""
    width = width or max(lengths)
    return torch.tensor([[0] * left + [1] * n + [0] * (width - left - n) for n in lengths])


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
    task = Task(code, rng)
    head = task.model.classifier
    count = sum(parameter.numel() for parameter in task.model.parameters())
    with torch.no_grad():
        for parameter in task.model.parameters():
            parameter.mul_(0.5)
    return {
        "classifier is an nn.Linear": isinstance(head, nn.Linear),
        "shape of its weight": list(head.weight.shape),
        "has a bias": head.bias is not None,
        "number of parameters": count,
        "a weight of the backbone, after all of the module's were halved": task.backbone.mix[0].weight,
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
    task = Task(code, rng)
    lengths = shuffled(rng, [5, 2, whole(rng, 3, 4)])
    return {"logits": task.with_drawn_head()(task.ids(3, 5), masked(*lengths))}


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
    task, length = Task(code, rng), whole(rng, 3, 5)
    model, ids = task.with_drawn_head(), task.ids(1, length + 4)
    text, padding = ids[:, :length], ids[:, length:]
    return {
        "logits of a text alone": model(text, masked(length)),
        "with padding on the right": model(torch.cat([text, padding], dim=1), masked(length, width=length + 4)),
        "with padding on the left": model(torch.cat([padding, text], dim=1), masked(length, width=length + 4, left=4)),
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
    """A row that is all padding gives finite logits and gradients and leaves the other rows, and their gradients, as they are."""
    task = Task(code, rng)
    model, ids, weights = task.with_drawn_head(), task.ids(3, 4), rand(rng, 3, task.classes).float()
    lengths = shuffled(rng, [3, 0, 2])
    mask, real = masked(*lengths, width=4), torch.tensor(lengths) > 0
    logits = model(ids, mask)
    if not logits.isfinite().all():
        return {"all logits are finite": False}
    (logits * weights).sum().backward()
    if not all(p.grad is None or p.grad.isfinite().all() for p in model.parameters()):
        return {"all logits are finite": True, "all gradients are finite": False}
    model.zero_grad()
    (model(ids, mask) * weights)[real].sum().backward()
    return {
        "all logits are finite": True,
        "all gradients are finite": True,
        "logits of the other rows": logits[real],
        "gradient of the head from the other rows": grad_of(model.classifier.weight),
        "gradient of the backbone from the other rows": grad_of(task.backbone.mix[0].weight),
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
    """The backbone gets the ids and the mask, so what it makes of a real token does not depend on the padding around it."""
    task = Task(code, rng)
    left, right, length = whole(rng, 1, 3), whole(rng, 1, 3), whole(rng, 2, 4)
    width = left + length + right
    return {
        "logits of a text between padding": task.with_drawn_head()(
            task.ids(2, width), masked(length, length - 1, width=width, left=left)
        )
    }


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
    task = Task(code, rng)
    model, lengths = task.with_drawn_head(), shuffled(rng, [5, 2, 4])
    (model(task.ids(3, 5), masked(*lengths)) * rand(rng, 3, task.classes)).sum().backward()
    return {
        "parameters that are frozen": sum(not p.requires_grad for p in model.parameters()),
        "gradient of the head": grad_of(model.classifier.weight),
        "gradient of the backbone's embedding": grad_of(task.backbone.get_submodule(task.backbone.name).weight),
        "gradient of the backbone's layer": grad_of(task.backbone.mix[0].weight),
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
    """One text, one token, one class: each may be, and the logits always are of shape (texts, classes)."""
    few, one = Task(code, rng, classes=2), Task(code, rng, classes=1)
    length = whole(rng, 2, 4)
    return {
        "one token, two classes": few.with_drawn_head()(few.ids(1, 1), masked(1)),
        "several tokens, two classes": few.model(few.ids(1, length), masked(length)),
        "several texts, one class": one.with_drawn_head()(one.ids(2, length), masked(length, length - 1)),
    }
