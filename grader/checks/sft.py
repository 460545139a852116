"""The checks of the SFT problem.

Batches have rows of unequal length, micro-batches unequal numbers of target tokens, and some rows have no
prompt, so that no coincidence hides a mistake. The model differs in train and in eval mode without chance.
"""

import functools

import torch
import torch.nn.functional as F
from torch import nn

from grader import checks
from grader.checks import grad_of, rand, refusal

IGNORE = -100
EOS, PAD = 2, 0
VOCAB, WIDTH = 11, 6


def check(*arguments):
    """A check whose numbers are compared in float32.

    A right solution may compute the loss or a share of tokens in float32, and clip_grad_norm_ adds 1e-6 to
    the norm. The judge's tolerance for float64 would see all that as a mistake.
    """

    def register(probe):
        @functools.wraps(probe)
        def rounding(code, rng):
            return rounded(probe(code, rng))

        return checks.check(*arguments)(rounding)

    return register


def rounded(value):
    """The same with every real number in float32."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(item) for item in value]
    if isinstance(value, float) or (isinstance(value, torch.Tensor) and value.is_floating_point()):
        return torch.as_tensor(value, dtype=torch.float32)
    return value


# --- material -----------------------------------------------------------------------------------


class Toy(nn.Module):
    """A small model with logits (B, T, VOCAB) that depend on ids, mask and mode. It keeps a record of its calls."""

    def __init__(self, rng):
        super().__init__()
        self.embed = nn.Embedding(VOCAB, WIDTH, dtype=torch.float64)
        self.mix = nn.Linear(WIDTH, WIDTH, dtype=torch.float64)
        self.norm = nn.LayerNorm(WIDTH, dtype=torch.float64)
        self.head = nn.Linear(WIDTH, VOCAB, dtype=torch.float64)
        for parameter in self.parameters():
            parameter.data = rand(rng, *parameter.shape)
        self.calls = []

    def forward(self, input_ids, attention_mask):
        self.calls.append(
            {
                "training": self.training,
                "gradients": torch.is_grad_enabled(),
                "ids": input_ids.tolist(),
                "weight": self.head.weight[0, 0].item(),
            }
        )
        mask = attention_mask.unsqueeze(-1).to(self.embed.weight.dtype)
        x = self.embed(input_ids) * mask
        mean = x.sum(dim=1, keepdim=True) / mask.sum(dim=1, keepdim=True).clamp(min=1)
        hidden = self.norm(x + self.mix(x + mean).tanh())
        return self.head(1.5 * hidden if self.training else hidden)  # 1.5 stands for what dropout does


def batch(rng, *rows: tuple[int, int]) -> dict[str, torch.Tensor]:
    """A batch of random tokens. Each row is (length of the prompt, number of scored tokens)."""
    width = max(prompt + scored for prompt, scored in rows)
    ids = torch.full((len(rows), width), PAD)
    mask, labels = torch.zeros_like(ids), torch.full_like(ids, IGNORE)
    for row, (prompt, scored) in enumerate(rows):
        end = prompt + scored
        ids[row, :end] = torch.randint(3, VOCAB, (end,), generator=rng)
        mask[row, :end] = 1
        labels[row, prompt:end] = ids[row, prompt:end]
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def unequal(rng) -> list[dict[str, torch.Tensor]]:
    """Three micro-batches with 12, 1 and 4 target tokens. The first holds a row without a prompt."""
    return [batch(rng, (2, 6), (0, 7), (3, 0)), batch(rng, (4, 1)), batch(rng, (1, 2), (5, 2))]


def unlabelled(rng) -> dict[str, torch.Tensor]:
    """A batch in which only a first label is left, and no position predicts that one."""
    found = batch(rng, (4, 0), (3, 0))
    found["labels"][0, 0] = found["input_ids"][0, 0]
    return found


def sgd(model, lr=0.5, **options):
    return torch.optim.SGD(model.parameters(), lr=lr, **options)


def in_eval_mode(model) -> list[str]:
    return [name or "the model" for name, module in model.named_modules() if not module.training]


def weights(model) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


def moved(model, before: dict[str, torch.Tensor]) -> list[str]:
    """The names of the tensors that are not as they were, to the last bit."""
    return [name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])]


# --- SequenceClassifier -------------------------------------------------------------------------


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


def ids(rng, *shape: int) -> torch.Tensor:
    return torch.randint(0, VOCAB, shape, generator=rng)


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


# --- encode_example -----------------------------------------------------------------------------

PROMPT, RESPONSE = (7, 5, 9), (4, 8, 6, 3)


def encoded(code, max_length=20) -> dict[str, list[int]]:
    """The example of PROMPT and RESPONSE, from new lists."""
    return code.encode_example(list(PROMPT), list(RESPONSE), eos_id=EOS, max_length=max_length)


@check(
    "encode_example",
    1,
    (
        "What does the model read in training? All of it, in order.",
        "Prompt, response, and the token that says that the response is over.",
        "[*prompt_ids, *response_ids, eos_id]",
    ),
)
def inputs_are_prompt_response_eos(code, rng):
    """input_ids are the prompt, the response and EOS, in this order."""
    return {"input_ids": encoded(code)["input_ids"]}


@check(
    "encode_example",
    2,
    (
        "Which tokens should the model learn to say?",
        "The prompt is read, not said: its labels are -100. The rest are labels as they are.",
        "[-100] * len(prompt_ids) + response_ids + [eos_id]",
    ),
)
def labels_score_the_response_alone(code, rng):
    """labels are -100 on the prompt, then the response and EOS; both lists are of equal length."""
    return {
        "labels": list(encoded(code)["labels"]),
        "labels, where a response token also stands in the prompt": list(
            code.encode_example([4, 4, 9], [4, 9], eos_id=EOS, max_length=20)["labels"]
        ),
    }


@check(
    "encode_example",
    1,
    (
        "A model that never sees the end of an answer never stops.",
        "EOS is appended to every response and scored. An EOS id inside the prompt stays in the prompt.",
        "EOS belongs to the labels of the response: target = response_ids + [eos_id].",
    ),
)
def eos_is_learned_once(code, rng):
    """EOS is appended once and scored, also if the prompt or the response holds its id; an empty response is EOS alone."""
    return {
        "EOS in the prompt": code.encode_example([7, EOS, 9], [4], eos_id=EOS, max_length=20),
        "EOS inside the response": code.encode_example([7], [EOS, 4], eos_id=EOS, max_length=20),
        "empty response": code.encode_example([7, 9], [], eos_id=EOS, max_length=20),
        "empty prompt": code.encode_example([], [4, 8], eos_id=EOS, max_length=20),
        "another eos_id": code.encode_example([7], [4], eos_id=10, max_length=20),
    }


@check(
    "encode_example",
    1,
    (
        "Put everything together first, then look at the length.",
        "Cut both lists at max_length. What is cut is the end: first EOS, then the response.",
        "input_ids[:max_length] and labels[:max_length]",
    ),
)
def too_long_is_cut_at_the_end(code, rng):
    """What is longer than max_length loses its end, in both lists; what fits is left whole."""
    return {f"max_length {length}": encoded(code, length) for length in (9, 8, 7, 5, 4)}


@check(
    "encode_example",
    1,
    (
        "What is left to learn if the prompt alone is too long?",
        "If all labels after the cut are -100, raise a ValueError.",
        "if all(label == -100 for label in labels): raise ValueError(...)",
    ),
)
def refuses_an_example_without_labels(code, rng):
    """If the prompt fills max_length, so that no label is left, a ValueError is raised."""
    return {f"max_length {length}": refusal(lambda n=length: encoded(code, n)) for length in (2, 3, 4)}


@check(
    "encode_example",
    1,
    (
        "The same prompt is often used for several responses.",
        "Build new lists. += and append on an argument change the caller's list.",
        "input_ids = prompt_ids + response_ids + [eos_id] makes a new list.",
    ),
)
def arguments_stay_as_they_are(code, rng):
    """The given lists are not changed, and the result holds two lists of their own."""
    prompt, response = list(PROMPT), list(RESPONSE)
    example = code.encode_example(prompt, response, eos_id=EOS, max_length=20)
    kinds = {key: type(value).__name__ for key, value in example.items()}
    for value in example.values():
        value.clear()
    return {"prompt_ids afterwards": prompt, "response_ids afterwards": response, "kinds": kinds}


# --- collate ------------------------------------------------------------------------------------


def example(prompt: list[int], response: list[int]) -> dict[str, list[int]]:
    """What encode_example gives, made by hand."""
    return {"input_ids": [*prompt, *response], "labels": [IGNORE] * len(prompt) + response}


def examples() -> list[dict[str, list[int]]]:
    """Three of unequal length. New ones for each call, since a learner's code may change them."""
    return [example([7, 5], [4, EOS]), example([9], [8, 6, 3, 10, EOS]), example([], [5, EOS])]


@check(
    "collate",
    1,
    (
        "Rows of unequal length make no tensor. Which length should they all get?",
        "Fill each row of ids on the right with pad_id up to the longest row.",
        "row + [pad_id] * (longest - len(row))",
    ),
)
def ids_are_padded_on_the_right(code, rng):
    """input_ids are padded on the right with pad_id to the longest example of the batch."""
    return {
        "input_ids": code.collate(examples(), pad_id=1)["input_ids"],
        "of the first alone": code.collate(examples()[:1], pad_id=1)["input_ids"],
    }


@check(
    "collate",
    1,
    (
        "The mask tells tokens from padding. Where do you know the difference from?",
        "1 for each token of the row, 0 for each token of padding: from the lengths.",
        "[1] * len(row) + [0] * (longest - len(row))",
    ),
)
def mask_marks_the_tokens(code, rng):
    """attention_mask is 1 on the example's tokens and 0 on padding."""
    return {"attention_mask": code.collate(examples(), pad_id=1)["attention_mask"]}


@check(
    "collate",
    2,
    (
        "What should the model learn to say on padding? Nothing.",
        "Labels are padded with -100, whatever pad_id is.",
        "labels + [-100] * (longest - len(labels))",
    ),
)
def padded_labels_are_ignored(code, rng):
    """labels are those of the examples, and -100 on padding."""
    return {"labels": code.collate(examples(), pad_id=1)["labels"]}


@check(
    "collate",
    3,
    (
        "Many tokenizers have no padding token, so that of EOS is used. Can the value tell what is padding then?",
        "Mask and labels follow from the lengths. Comparing with pad_id also hides every real EOS.",
        "Never write input_ids != pad_id or labels[labels == pad_id] = -100.",
    ),
)
def works_when_pad_is_eos(code, rng):
    """If pad_id equals the EOS id, the real EOS stays visible and is learned."""
    with_eos_inside = [*examples(), example([7, EOS], [4, EOS, 6, EOS])]
    return code.collate(with_eos_inside, pad_id=EOS)


@check(
    "collate",
    1,
    (
        "Embeddings and losses want integers of 64 bits.",
        "All three tensors are torch.long and have the same shape (B, T).",
        "torch.tensor(rows, dtype=torch.long)",
    ),
)
def gives_three_long_tensors(code, rng):
    """The result holds input_ids, attention_mask and labels, each (B, T) long, and nothing else."""
    found = code.collate(examples(), pad_id=1)
    return {
        "keys": sorted(found),
        "shapes": {key: list(found[key].shape) for key in sorted(found)},
        "dtypes": {key: found[key].dtype for key in sorted(found)},
    }


@check(
    "collate",
    1,
    (
        "max() of nothing is an error of another kind. Say what was wrong instead.",
        "An empty list is a ValueError that names the argument.",
        'if not examples: raise ValueError("examples is empty")',
    ),
)
def refuses_an_empty_list(code, rng):
    """An empty list of examples is a ValueError that names `examples`."""
    return {"an empty list": refusal(lambda: code.collate([], pad_id=PAD), "examples")}


@check(
    "collate",
    1,
    (
        "The next epoch uses the same examples again.",
        "Pad copies of the rows. += and extend on a row change the example.",
        "row + [pad_id] * missing makes a new list.",
    ),
)
def examples_stay_as_they_are(code, rng):
    """The examples are not changed, so a second batch of them is the same."""
    own = examples()
    code.collate(own, pad_id=1)
    again = code.collate(own[:1], pad_id=1)
    return {"examples afterwards": own, "a batch of the first alone": again}


# --- sft_loss -----------------------------------------------------------------------------------


def logits_and_labels(rng, rows=3, tokens=6):
    """Random logits, and labels with gaps: prompts, padding, and one row that is scored from its start."""
    logits = rand(rng, rows, tokens, VOCAB).requires_grad_()
    labels = torch.randint(0, VOCAB, (rows, tokens), generator=rng)
    labels[1, :3] = IGNORE
    labels[2, 1] = labels[2, 4:] = IGNORE
    return logits, labels


@check(
    "sft_loss",
    3,
    (
        "Which label does the model predict at position t? It has seen t already.",
        "logits[:, t] belong to labels[:, t + 1]: drop the last logits and the first label.",
        "F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100)",
    ),
)
def position_t_predicts_the_next_label(code, rng):
    """The loss is the mean cross-entropy of logits at t against the labels at t + 1, over labels that are not -100."""
    logits, labels = logits_and_labels(rng)
    return {"loss": code.sft_loss(logits, labels)}


@check(
    "sft_loss",
    2,
    (
        "Which logits may get a gradient?",
        "Only those in front of a scored label. The mean is over scored labels, not over rows.",
        "One mean over all scored labels of the batch; no mean per row first.",
    ),
)
def gradient_reaches_scored_positions_alone(code, rng):
    """The gradient of the logits is that of the formula, and zero where the next label is -100."""
    logits, labels = logits_and_labels(rng)
    code.sft_loss(logits, labels).backward()
    return {"gradient of the logits": grad_of(logits)}


@check(
    "sft_loss",
    2,
    (
        "What does a mean over no labels give? And what would NaN do to the weights?",
        "Divide a sum by max(count, 1): the result is a zero that still hangs on the logits.",
        'F.cross_entropy(..., reduction="sum") / count.clamp(min=1)',
    ),
)
def no_label_gives_zero_with_a_graph(code, rng):
    """With no label left the loss is 0, backward() works, and the gradients are zeros; a first label alone does not count."""
    seen = {}
    for what, place in {"all ignored": None, "only the first label left": 0}.items():
        logits = rand(rng, 2, 4, VOCAB).requires_grad_()
        labels = torch.full((2, 4), IGNORE)
        if place is not None:
            labels[:, place] = 5
        loss = code.sft_loss(logits, labels)
        loss.backward()
        seen[what] = {"loss": loss, "gradient": grad_of(logits)}
    one_token = rand(rng, 2, 1, VOCAB).requires_grad_()
    seen["texts of one token"] = {"loss": code.sft_loss(one_token, torch.full((2, 1), 5))}
    return seen


@check(
    "sft_loss",
    1,
    (
        "The caller needs the logits and the labels afterwards.",
        "Shift by slicing, which makes views, and change nothing in place.",
        "No labels[:, 0] = ... and no roll written back.",
    ),
)
def loss_changes_nothing(code, rng):
    """Logits and labels are as they were, and a second call gives the same."""
    logits, labels = logits_and_labels(rng)
    kept = logits.detach().clone(), labels.clone()
    first, second = code.sft_loss(logits, labels), code.sft_loss(logits, labels)
    return {
        "logits unchanged": torch.equal(logits, kept[0]),
        "labels unchanged": torch.equal(labels, kept[1]),
        "first loss": first,
        "second loss": second,
    }


@check(
    "sft_loss",
    1,
    (
        "exp(1000) is infinite.",
        "Work with logarithms from the start: log_softmax subtracts the largest logit first.",
        "Use F.cross_entropy or F.log_softmax, never torch.log(torch.softmax(...)).",
    ),
)
def large_logits_do_not_overflow(code, rng):
    """Logits of ±1000 give a finite loss."""
    logits, labels = logits_and_labels(rng)
    return {"loss in float32": code.sft_loss(1000 * logits.detach().float(), labels)}


@check(
    "sft_loss",
    1,
    (
        "Slices and transposed tensors do not lie in one piece in memory.",
        "reshape and flatten copy if they must; view refuses.",
        "logits[:, :-1].reshape(-1, V) or .flatten(0, 1)",
    ),
)
def takes_tensors_of_any_layout(code, rng):
    """Tensors that are not contiguous, a single row, and one scored token give the right scalar."""
    logits, labels = logits_and_labels(rng)
    scattered = logits.detach().transpose(0, 1).contiguous().transpose(0, 1)
    columns = labels.T.contiguous().T
    one = torch.tensor([[IGNORE, IGNORE, 4]])
    return {
        "loss of scattered tensors": code.sft_loss(scattered, columns),
        "loss of one token": code.sft_loss(rand(rng, 1, 3, VOCAB), one),
    }


# --- train_step ---------------------------------------------------------------------------------


@check(
    "train_step",
    2,
    (
        "Write the five lines of every training step in their order.",
        "Clear, forward, loss, backward, step.",
        "optimizer.zero_grad(); loss = sft_loss(model(ids, mask), labels); loss.backward(); optimizer.step()",
    ),
)
def one_batch_makes_one_update(code, rng):
    """With one batch the update is that of gradient descent on its loss."""
    model = Toy(rng)
    code.train_step(model, [batch(rng, (2, 3), (1, 5))], sgd(model), max_grad_norm=None)
    return {"weights": weights(model)}


@check(
    "train_step",
    3,
    (
        "The answer of one token and the answer of twelve: how much should each token count?",
        "Weight the mean loss of a micro-batch by its share of all target tokens in the list.",
        "loss = sft_loss(...) * tokens_of_this_batch / tokens_of_all; loss.backward()",
    ),
)
def unequal_micro_batches_equal_one_batch(code, rng):
    """Micro-batches with 12, 1 and 4 target tokens give the update of one batch with all 17."""
    model = Toy(rng)
    code.train_step(model, unequal(rng), sgd(model), max_grad_norm=None)
    return {"weights": weights(model)}


@check(
    "train_step",
    1,
    (
        "Which loss belongs into the log?",
        "The mean over all target tokens of the list, before the update, as a Python float.",
        "Add up loss.item() of the weighted losses.",
    ),
)
def returns_the_mean_loss_per_token(code, rng):
    """The result is the mean loss per target token of the whole list, as a float."""
    model = Toy(rng)
    loss = code.train_step(model, unequal(rng), sgd(model), max_grad_norm=0.5)
    return {"loss": loss, "kind": type(loss).__name__}


@check(
    "train_step",
    2,
    (
        "backward() adds. To what?",
        "Clear the gradients once, before the first backward of the step.",
        "optimizer.zero_grad() before the loop over the micro-batches, not inside it",
    ),
)
def old_gradients_are_cleared(code, rng):
    """Gradients that were there before play no role, nor do those of the step before."""
    model = Toy(rng)
    for parameter in model.parameters():
        parameter.grad = rand(rng, *parameter.shape)
    optimizer = sgd(model, 0.1)
    for part in unequal(rng):
        code.train_step(model, [part], optimizer, max_grad_norm=None)
    return {"weights after three steps": weights(model)}


@check(
    "train_step",
    1,
    (
        "Dropout acts in train mode alone, and the model may come from an evaluation.",
        "Call model.train() before the first forward pass.",
        "model.train() at the start of the function",
    ),
)
def trains_in_train_mode(code, rng):
    """The model is in train mode at each forward pass and afterwards, although it came in eval mode."""
    model, mixed = Toy(rng).eval(), Toy(rng).train()
    mixed.norm.eval()
    code.train_step(model, unequal(rng), sgd(model))
    code.train_step(mixed, unequal(rng), sgd(mixed))
    return {
        "modes in the calls": {call["training"] for call in model.calls},
        "modules in eval mode afterwards": in_eval_mode(model),
        "in eval mode afterwards, where one part was before": in_eval_mode(mixed),
    }


@check(
    "train_step",
    2,
    (
        "When are the gradients of the step complete, and when are they used?",
        "Clip once, after the last backward and before the optimizer's step, the norm of all gradients together.",
        "nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm) right before optimizer.step()",
    ),
)
def clips_the_total_norm(code, rng):
    """The norm of all gradients of the whole list together is cut to max_grad_norm before the update."""
    model = Toy(rng)
    before = weights(model)
    code.train_step(model, unequal(rng), sgd(model, 1.0), max_grad_norm=0.25)
    after = weights(model)
    return {"update": {name: before[name] - after[name] for name in before}}


@check(
    "train_step",
    1,
    (
        "When must clipping leave the gradients alone?",
        "None means no clipping, and a norm below the limit stays as it is. The default limit is 1.",
        "if max_grad_norm is not None: nn.utils.clip_grad_norm_(...)",
    ),
)
def clips_only_when_it_should(code, rng):
    """None does not clip, a norm below the limit is not scaled up, and the default limit is 1.0."""
    model = Toy(rng)
    start = weights(model)
    parts = unequal(rng)
    seen = {}
    for name, options in {
        "None": {"max_grad_norm": None},
        "a high limit": {"max_grad_norm": 1e6},
        "default": {},
    }.items():
        model.load_state_dict(start)
        with torch.no_grad():
            model.head.weight *= 8  # large gradients
            held = weights(model)
        code.train_step(model, parts, sgd(model, 1.0), **options)
        seen[name] = {key: held[key] - value for key, value in weights(model).items()}
    return seen


class Recorder(torch.optim.SGD):
    """SGD that notes when it steps, and with which learning rate."""

    def __init__(self, *args, **options):
        self.events = []
        super().__init__(*args, **options)

    def step(self, *args, **options):
        self.events.append(f"optimizer, lr {self.param_groups[0]['lr']:g}")
        return super().step(*args, **options)


@check(
    "train_step",
    2,
    (
        "The scheduler sets the learning rate of the NEXT update.",
        "Step the optimizer, then the scheduler, each once for the whole list.",
        "optimizer.step(); then, if scheduler is not None: scheduler.step()",
    ),
)
def steps_the_optimizer_then_the_scheduler(code, rng):
    """Each call steps the optimizer once, and after it the scheduler once."""
    model = Toy(rng)
    optimizer = Recorder(model.parameters(), lr=0.1)

    class Scheduler(torch.optim.lr_scheduler.LambdaLR):
        def step(self, *args):
            optimizer.events.append("scheduler")
            super().step(*args)

    scheduler = Scheduler(optimizer, lambda k: 0.5**k)
    optimizer.events.clear()  # a scheduler makes a first step of its own
    for _ in range(2):
        code.train_step(model, unequal(rng), optimizer, scheduler=scheduler)
    return {"events": optimizer.events, "weights": weights(model)}


@check(
    "train_step",
    1,
    (
        "Which parameters does zero_grad leave with a gradient, and which does weight decay move?",
        "A parameter without a gradient (None) is skipped by the optimizer. Zeros are not None.",
        "optimizer.zero_grad() sets gradients to None by default. Do not write zeros by hand.",
    ),
)
def frozen_parameters_stay(code, rng):
    """Frozen parameters stay bit for bit, although the optimizer holds them and they have an old gradient."""
    model = Toy(rng)
    model.embed.weight.grad = rand(rng, VOCAB, WIDTH)
    model.norm.bias.grad = rand(rng, WIDTH)
    model.embed.requires_grad_(False)
    model.norm.requires_grad_(False)
    before = weights(model)
    code.train_step(model, unequal(rng), sgd(model, weight_decay=0.1), max_grad_norm=None)
    return {
        "tensors that moved": moved(model, before),
        "trainable afterwards": [name for name, parameter in model.named_parameters() if parameter.requires_grad],
    }


@check(
    "train_step",
    2,
    (
        "Count the target tokens before you touch anything.",
        "If the whole list has no label to predict, raise a ValueError that names micro_batches, and do nothing else.",
        "total = ...; if total == 0: raise ValueError(...) before model.train() and zero_grad()",
    ),
)
def refuses_a_list_without_labels(code, rng):
    """A list without a label is a ValueError; weights, gradients, mode and schedule are as they were."""
    seen = {}
    for what, parts in {
        "no label": [unlabelled(rng), unlabelled(rng)],
        "an empty list": [],
    }.items():
        model = Toy(rng).eval()
        for parameter in model.parameters():
            parameter.grad = torch.ones_like(parameter)
        before = weights(model)
        optimizer = sgd(model)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: 0.5**k)
        error = refusal(
            lambda m=model, p=parts, o=optimizer, s=scheduler: code.train_step(m, p, o, scheduler=s), "micro_batches"
        )
        seen[what] = {
            "error": error,
            "tensors that moved": moved(model, before),
            "gradients are as before": all(
                p.grad is not None and bool((p.grad == 1).all()) for p in model.parameters()
            ),
            "in train mode": model.training,
            "learning rate": optimizer.param_groups[0]["lr"],
        }
    return seen


@check(
    "train_step",
    1,
    (
        "One micro-batch may be all prompt, because the answers were cut off.",
        "Its share of the target tokens is zero, so it must add nothing: neither NaN nor weight.",
        "0 · NaN is NaN. The loss of a batch without labels must be a plain zero.",
    ),
)
def a_micro_batch_without_labels_adds_nothing(code, rng):
    """A micro-batch without labels among others changes neither the update nor the loss."""
    model = Toy(rng)
    first, second, third = unequal(rng)
    loss = code.train_step(model, [first, unlabelled(rng), second, third], sgd(model), max_grad_norm=None)
    return {"loss": loss, "weights": weights(model)}


@check(
    "train_step",
    1,
    (
        "An optimizer with a memory can tell one update from three.",
        "However many micro-batches there are, optimizer.step() is called once.",
        "optimizer.step() after the loop, not inside it",
    ),
)
def several_micro_batches_make_one_update(code, rng):
    """Three micro-batches make one update, also for an optimizer with momentum; inputs are as they were."""
    model = Toy(rng)
    optimizer = Recorder(model.parameters(), lr=0.2, momentum=0.9)
    parts = unequal(rng)
    kept = [{key: tensor.clone() for key, tensor in part.items()} for part in parts]
    for _ in range(2):
        code.train_step(model, parts, optimizer, max_grad_norm=None)
    return {
        "updates in two calls": len(optimizer.events),
        "weights": weights(model),
        "batches unchanged": all(torch.equal(part[key], old[key]) for part, old in zip(parts, kept) for key in old),
    }


# --- evaluate -----------------------------------------------------------------------------------


@check(
    "evaluate",
    2,
    (
        "The last batch is often short. How much may it count?",
        "Add up the losses of all tokens, then divide once by the number of all tokens.",
        "total_loss += mean_loss * tokens for each batch; at the end total_loss / total_tokens",
    ),
)
def loss_is_a_mean_over_all_tokens(code, rng):
    """loss is the mean per target token over all batches, also if the last one is short."""
    return {"loss": code.evaluate(Toy(rng), unequal(rng))["loss"]}


@check(
    "evaluate",
    2,
    (
        "The accuracy is shifted in the same way as the loss.",
        "The best logit at position t is compared with label t + 1, where that is not -100.",
        "(logits[:, :-1].argmax(-1) == labels[:, 1:]) counted where labels[:, 1:] != -100",
    ),
)
def accuracy_counts_scored_tokens(code, rng):
    """token_accuracy is the share of scored tokens for which the largest logit is the label's, over all batches."""

    class Copy(Toy):
        """Foretells the id that it reads: right where a token is repeated."""

        def forward(self, input_ids, attention_mask):
            return super().forward(input_ids, attention_mask) * 0 + F.one_hot(input_ids, VOCAB)

    parts = unequal(rng)
    for part in parts[:2]:  # repeat some tokens
        part["input_ids"][:, 4:6] = part["input_ids"][:, 3:4]
        part["labels"] = torch.where(part["labels"] == IGNORE, IGNORE, part["input_ids"])
    return {
        "token_accuracy": code.evaluate(Copy(rng), parts)["token_accuracy"],
        "of a random model": code.evaluate(Toy(rng), [batch(rng, (2, 40), (0, 30))])["token_accuracy"],
    }


@check(
    "evaluate",
    2,
    (
        "What is switched off by eval(), and what by no_grad()?",
        "eval() switches dropout off, no_grad() the graph. An evaluation needs both.",
        "model.eval(); with torch.no_grad(): ...",
    ),
)
def evaluates_in_eval_mode_without_gradients(code, rng):
    """At each forward pass the model is in eval mode and gradients are off; afterwards they are on again."""
    model = Toy(rng).train()
    code.evaluate(model, unequal(rng))
    return {
        "modes in the calls": {call["training"] for call in model.calls},
        "gradients in the calls": {call["gradients"] for call in model.calls},
        "gradients on afterwards": torch.is_grad_enabled(),
    }


@check(
    "evaluate",
    1,
    (
        "Remember what you change.",
        "Keep model.training before eval(), and give it back at the end.",
        "was_training = model.training; ...; model.train(was_training)",
    ),
)
def mode_is_restored(code, rng):
    """A model that came in train mode leaves in train mode, one in eval mode leaves in eval mode."""
    seen = {}
    for training in (True, False):
        model = Toy(rng).train(training)
        code.evaluate(model, unequal(rng))
        seen[f"modules in eval mode afterwards, {'train' if training else 'eval'} mode before"] = in_eval_mode(model)
    return seen


@check(
    "evaluate",
    1,
    (
        "What if the model fails in the middle?",
        "try … finally runs its last part in any case.",
        "try: ... finally: model.train(was_training)",
    ),
)
def mode_is_restored_after_an_exception(code, rng):
    """If the model raises an exception, it comes through, and the mode is that from before."""

    class ModelFailure(Exception):
        pass

    class Failing(Toy):
        def forward(self, input_ids, attention_mask):
            if len(self.calls) == 1:
                raise ModelFailure("out of memory")
            return super().forward(input_ids, attention_mask)

    model = Failing(rng).train()
    error = "nothing"
    try:
        code.evaluate(model, unequal(rng))
    except ModelFailure as raised:
        error = str(raised)
    return {"error": error, "train mode afterwards": model.training, "gradients on": torch.is_grad_enabled()}


@check(
    "evaluate",
    1,
    (
        "A mean over nothing is no number.",
        "If no batch has a label to predict, raise a ValueError that names batches.",
        'if total == 0: raise ValueError("batches hold no label ...")',
    ),
)
def refuses_to_evaluate_nothing(code, rng):
    """No label at all is a ValueError that names `batches`; the mode is restored then, too."""
    seen = {}
    for what, parts in {"no label": [unlabelled(rng)], "an empty list": []}.items():
        model = Toy(rng).train()
        error = refusal(lambda m=model, p=parts: code.evaluate(m, p), "batches")
        seen[what] = {"error": error, "train mode afterwards": model.training}
    return seen


@check(
    "evaluate",
    1,
    (
        "What is zero times NaN? It is NaN.",
        "A batch without labels among others adds zero to both sums.",
        "Use the loss that is 0, not NaN, when nothing is scored.",
    ),
)
def a_batch_without_labels_counts_nothing(code, rng):
    """A batch without labels among others changes nothing."""
    first, second, third = unequal(rng)
    return {"result": dict(code.evaluate(Toy(rng), [first, unlabelled(rng), second, third]))}


@check(
    "evaluate",
    1,
    (
        "An evaluation in the middle of training must leave no trace.",
        "No backward, no zero_grad, no step. The results are plain numbers.",
        "loss.item() and counts as int: a dict of two floats",
    ),
)
def evaluation_leaves_no_trace(code, rng):
    """Weights and gradients are as they were, and the result is a dict of two floats."""
    model = Toy(rng)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    before = weights(model)
    result = code.evaluate(model, unequal(rng))
    return {
        "kinds": {key: type(result[key]).__name__ for key in sorted(result)},
        "tensors that moved": moved(model, before),
        "gradients unchanged": all(p.grad is not None and bool((p.grad == 1).all()) for p in model.parameters()),
    }


# --- finetune -----------------------------------------------------------------------------------


def lesson(rng, count=5):
    """Training batches of unequal size, and validation batches on other texts."""
    rows = [((2, 3), (0, 5)), ((1, 1),), ((3, 4), (2, 2), (1, 6)), ((0, 3),), ((4, 2), (1, 4))]
    return [batch(rng, *rows[i % 5]) for i in range(count)], [batch(rng, (1, 5), (2, 3)), batch(rng, (3, 1))]


def tune(code, model, rng, count=5, **options):
    """A short fine-tuning. What is not said otherwise is chosen so that it plays no role."""
    train, val = lesson(rng, count)
    settings = {"epochs": 1, "lr": 0.01, "weight_decay": 0.0, "warmup_ratio": 0.0, "max_grad_norm": None}
    return code.finetune(model, train, val, **(settings | options))


def path(model) -> torch.Tensor:
    """The values that one weight had in training, one after another. Each update adds one, unless its rate is 0."""
    found = [call["weight"] for call in model.calls if call["training"]]
    return torch.tensor([value for value, before in zip(found, [None, *found]) if value != before])


@check(
    "finetune",
    1,
    (
        "What would you want to plot after the run?",
        "One dict for each epoch, numbered from 1, with the four keys of the contract.",
        '{"epoch": epoch, "train_loss": ..., "val_loss": ..., "val_token_accuracy": ...}',
    ),
)
def history_has_one_entry_per_epoch(code, rng):
    """The result is a list of dicts, one an epoch: epoch from 1, train_loss, val_loss and val_token_accuracy."""
    history = tune(code, Toy(rng), rng, count=1, epochs=3)
    return {
        "epochs": [entry["epoch"] for entry in history],
        "keys": [sorted(entry) for entry in history],
        "kinds": {key: type(history[0][key]).__name__ for key in sorted(history[0])},
    }


@check(
    "finetune",
    3,
    (
        "Write the learning rate of the first five updates down by hand.",
        "With warmup = ceil(ratio · steps): update k uses lr · k / warmup while k < warmup. So the first one uses 0.",
        "LambdaLR(optimizer, lambda k: k / warmup if k < warmup else (steps - k) / (steps - warmup))",
    ),
)
def warms_up_then_decays(code, rng):
    """Update k uses lr · k / warmup, then lr · (steps − k) / (steps − warmup), as one weight's path shows."""
    model, other = Toy(rng), Toy(rng)
    history = tune(code, model, rng, count=2, epochs=8, warmup_ratio=0.2)  # 16 updates, ceil(3.2) = 4 of them warm-up
    tune(code, other, rng, epochs=2, warmup_ratio=0.4, accumulation=2)  # 6 updates, ceil(2.4) = 3
    losses = [entry["val_loss"] for entry in history]  # the last one also shows the last update
    return {"path of a weight": path(model), "with accumulation": path(other), "val_loss": losses}


@check(
    "finetune",
    1,
    (
        "What if there is no warm-up, or nothing else?",
        "With ratio 0 the first update uses lr itself. With ratio 1 the decay never comes.",
        "Neither case may divide by zero: max(1, steps - warmup)",
    ),
)
def warm_up_may_be_nothing_or_all(code, rng):
    """warmup_ratio 0 and 1 work, without a division by zero."""
    seen = {}
    for ratio in (0.0, 1.0):
        model = Toy(rng)
        tune(code, model, rng, warmup_ratio=ratio)
        seen[f"path of a weight, warmup_ratio {ratio}"] = path(model)
    return seen


@check(
    "finetune",
    2,
    (
        "Five batches, two an update: how many updates has an epoch?",
        "Cut the batches of an epoch into windows of `accumulation`. The last one may be short, and it counts.",
        "for start in range(0, len(train_batches), accumulation): window = train_batches[start:start + accumulation]",
    ),
)
def accumulates_over_windows(code, rng):
    """An update takes `accumulation` batches; the last window of an epoch may be short and is not carried over."""
    seen = {}
    for accumulation in (2, 7):
        model = Toy(rng)
        tune(code, model, rng, epochs=2, accumulation=accumulation)
        seen[f"path of a weight, accumulation {accumulation}"] = path(model)
    return seen


@check(
    "finetune",
    1,
    (
        "Who shuffles? Not this function.",
        "Take the batches in the order given, in each epoch the same.",
        "No random, no sorted: slices of train_batches",
    ),
)
def takes_batches_in_the_order_given(code, rng):
    """Training takes the batches in the order given, all of them in each epoch; validation batches are never trained on."""
    model = Toy(rng)
    tune(code, model, rng, epochs=2)
    return {"ids of each training call": [call["ids"] for call in model.calls if call["training"]]}


@check(
    "finetune",
    2,
    (
        "Which optimizer does the contract name, and on which parameters?",
        "AdamW with the default betas and eps, over what requires a gradient.",
        "torch.optim.AdamW(groups, lr=lr)",
    ),
)
def trains_with_adamw(code, rng):
    """The weights after an epoch without weight decay are those of AdamW."""
    model = Toy(rng)
    tune(code, model, rng)
    return {"weights": weights(model)}


@check(
    "finetune",
    2,
    (
        "Weight decay pulls towards zero. For which tensors does that make no sense?",
        "Biases and the gains of norms are 1-D. They get weight_decay 0 in a group of their own.",
        '[{"params": matrices, "weight_decay": weight_decay}, {"params": one_dimensional, "weight_decay": 0.0}]',
    ),
)
def only_matrices_decay(code, rng):
    """Weight decay acts on tensors with two dimensions or more, never on biases and norm gains."""
    model = Toy(rng)
    tune(code, model, rng, weight_decay=5.0)
    after = weights(model)
    return {
        "with decay": {name: tensor for name, tensor in after.items() if tensor.ndim > 1},
        "without decay": {name: tensor for name, tensor in after.items() if tensor.ndim == 1},
    }


@check(
    "finetune",
    1,
    (
        "A frozen parameter with an old gradient still moves if the optimizer holds it.",
        "Give the optimizer only what requires a gradient.",
        "[p for p in model.parameters() if p.requires_grad]",
    ),
)
def only_trainable_parameters_move(code, rng):
    """Frozen parameters stay bit for bit, also with weight decay and an old gradient."""
    model = Toy(rng)
    model.mix.requires_grad_(False)
    model.norm.requires_grad_(False)
    model.mix.weight.grad = rand(rng, WIDTH, WIDTH)
    before = weights(model)
    tune(code, model, rng, epochs=2, weight_decay=0.5)
    return {
        "tensors that moved": moved(model, before),
        "trainable afterwards": [name for name, parameter in model.named_parameters() if parameter.requires_grad],
    }


@check(
    "finetune",
    1,
    (
        "Many models share one tensor between the embedding and the head.",
        "model.parameters() gives a shared tensor once.",
        "Collect from model.parameters(), not module by module.",
    ),
)
def shared_tensors_train_once(code, rng):
    """A tensor that two modules share is trained as one and stays shared."""
    model = Toy(rng)
    model.head.weight = model.embed.weight
    tune(code, model, rng, weight_decay=0.1)
    return {"weights": weights(model), "still shared": model.head.weight is model.embed.weight}


@check(
    "finetune",
    2,
    (
        "Batches have unequal numbers of target tokens.",
        "Weight the loss of each update by its target tokens, and divide by those of the epoch.",
        "loss_sum += tokens * train_step(...); train_loss = loss_sum / tokens_of_the_epoch",
    ),
)
def train_loss_is_per_target_token(code, rng):
    """train_loss is the mean over the target tokens of the epoch, each loss taken before its update."""
    history = tune(code, Toy(rng), rng, epochs=2, accumulation=2)
    return {"train_loss": [entry["train_loss"] for entry in history]}


@check(
    "finetune",
    2,
    (
        "When is a model validated, and in which mode?",
        "After the last update of each epoch, in eval mode, over all validation batches.",
        "result = evaluate(model, val_batches) at the end of the epoch",
    ),
)
def validates_after_each_epoch(code, rng):
    """val_loss and val_token_accuracy are those of the model after the epoch, in eval mode."""
    history = tune(code, Toy(rng), rng, count=2, epochs=3, lr=0.05)
    return {key: [entry[key] for entry in history] for key in ("val_loss", "val_token_accuracy")}


def overfit(code, model, rng):
    """Training on the answer 5 alone, validation on 5 and 6 by turns: val_loss falls, then rises."""
    model.requires_grad_(False)
    model.head.bias.requires_grad_(True)
    with torch.no_grad():
        model.head.weight *= 0.1
        model.head.bias.zero_()
    train, val = batch(rng, (1, 8), (2, 6)), batch(rng, (1, 8))
    train["labels"] = torch.where(train["labels"] == IGNORE, IGNORE, 5)
    val["labels"] = torch.where(val["labels"] == IGNORE, IGNORE, 5 + torch.arange(9) % 2)
    options = {"weight_decay": 0.0, "warmup_ratio": 0.0, "max_grad_norm": None}
    return code.finetune(model, [train], [val], epochs=6, lr=0.6, **options)


@check(
    "finetune",
    3,
    (
        "state_dict() gives references. What do they hold after the next update?",
        "Copy the weights whenever val_loss is lower than ever before, and load the copy at the end.",
        "best = copy.deepcopy(model.state_dict()); ...; model.load_state_dict(best)",
    ),
)
def keeps_the_best_epoch(code, rng):
    """At the end the model holds the weights of the epoch with the lowest val_loss, although it came early."""
    model, diverged = Toy(rng), Toy(rng)
    history = overfit(code, model, rng)
    tune(code, diverged, rng, count=1, epochs=3, lr=3.0)  # here the training loss rises, too
    return {
        "val_loss": [entry["val_loss"] for entry in history],
        "weights": weights(model),
        "sum of the head's bias after a run that diverges": round(diverged.head.bias.sum().item(), 1),
    }


@check(
    "finetune",
    1,
    (
        "Two epochs with the same val_loss: which one counts?",
        "The first: compare with <, not with <=.",
        "if best is None or val_loss < best_loss",
    ),
)
def first_of_equal_epochs_is_kept(code, rng):
    """On a tie of val_loss the earlier weights are kept."""
    model = Toy(rng)
    model.requires_grad_(False)
    model.embed.requires_grad_(True)
    train, val = [batch(rng, (1, 4))], [batch(rng, (1, 4))]
    train[0]["input_ids"] = train[0]["input_ids"].clamp(max=6)  # tokens 3 to 6 here, 7 to 9 there:
    val[0]["input_ids"] = val[0]["input_ids"].clamp(min=7)  # training does not touch what is validated
    options = {"weight_decay": 0.0, "warmup_ratio": 0.0}
    history = code.finetune(model, train, val, epochs=3, lr=0.05, **options)
    return {
        "all val_loss equal": len({entry["val_loss"] for entry in history}) == 1,
        "embeddings": model.embed.weight,
    }


@check(
    "finetune",
    1,
    (
        "In which mode is a finished model used?",
        "Leave the model in eval mode.",
        "model.eval() before the return",
    ),
)
def ends_in_eval_mode(code, rng):
    """The model trains in train mode, even if it came in eval mode, and is in eval mode at the end."""
    model = Toy(rng).eval()
    tune(code, model, rng, count=1, epochs=2)
    return {
        "modes of the training calls": {call["training"] for call in model.calls if call["gradients"]},
        "train mode at the end": model.training,
    }


@check(
    "finetune",
    1,
    (
        "Where does max_grad_norm belong?",
        "Pass it on to every train_step.",
        "train_step(model, window, optimizer, scheduler=scheduler, max_grad_norm=max_grad_norm)",
    ),
)
def passes_the_clipping_on(code, rng):
    """max_grad_norm reaches every update."""
    model = Toy(rng)
    seen = {}
    start = weights(model)
    for limit in (1e-9, 0.5):  # 1e-9 is below Adam's eps of 1e-8, so that clipping shows
        model.load_state_dict(start)
        tune(code, model, torch.Generator().manual_seed(5), count=3, max_grad_norm=limit)
        seen[f"update with limit {limit}"] = {name: tensor - start[name] for name, tensor in weights(model).items()}
    return seen


@check(
    "finetune",
    1,
    (
        "Compare your signature with the contract.",
        "weight_decay=0.01, warmup_ratio=0.06, accumulation=1, max_grad_norm=1.0",
        "def finetune(model, train_batches, val_batches, *, epochs, lr, weight_decay=0.01, warmup_ratio=0.06, ...)",
    ),
)
def defaults_are_those_of_the_contract(code, rng):
    """Without further arguments: weight decay 0.01, warm-up 6 %, no accumulation, gradients clipped to norm 1."""
    model = Toy(rng)
    train, val = lesson(rng)
    code.finetune(model, train, val, epochs=2, lr=0.05)  # 10 updates, 1 of them warm-up
    return {"path of a weight": path(model), "weights": weights(model)}
