"""The checks of `PromptTuning`.

How the prompt is kept is free: it is whatever trains, row after row. In the models that it is put in front of, the order
of the rows counts, and another embedding lies beside that of the tokens, often under the name that people guess.
"""

import torch
import torch.nn.functional as F

from grader.checks import Unusable, check, rand, refusal, tried, whole
from grader.checks.peft.material import (
    decoder,
    descend,
    gradients,
    moved,
    snapshot,
    token_ids,
    trainable,
    trainable_names,
)


def a_length(rng) -> int:
    """A number of virtual tokens."""
    return whole(rng, 3, 6)


def prompt_of(wrapped, model, length: int) -> list:
    """The prompt, whatever its name and form: the parameters that train and are not the model's."""
    own = {id(parameter) for parameter in model.parameters()}
    found = [parameter for parameter in trainable(wrapped) if id(parameter) not in own]
    if sum(parameter.numel() for parameter in found) != length * model.width:
        sizes = ", ".join(str(tuple(parameter.shape)) for parameter in found) or "none"
        raise Unusable(f"{length} × {model.width} trainable numbers are needed to go on; trainable: {sizes}")
    return found


def rows_of(tensors: list, length: int, width: int) -> torch.Tensor:
    """Numbers of the prompt as one matrix, a row for each virtual token."""
    return torch.cat([tensor.detach().double().flatten() for tensor in tensors]).view(length, width)


@torch.no_grad()
def set_rows(prompt: list, rows: torch.Tensor) -> None:
    """Known numbers into the prompt."""
    for tensor, numbers in zip(prompt, rows.flatten().split([tensor.numel() for tensor in prompt])):
        tensor.copy_(numbers.view(tensor.shape))


def prompted(code, rng, length: int):
    """A model behind a prompt of known numbers, and the model."""
    model = decoder(rng)
    wrapped = code.PromptTuning(model, length).eval()
    set_rows(prompt_of(wrapped, model, length), rand(rng, length, model.width))
    return wrapped, model


def lengths(rng, ids: torch.Tensor) -> torch.Tensor:
    """Drawn numbers of real tokens: one row is full, all others are padded."""
    rows, longest = ids.shape
    return torch.tensor([longest] + [whole(rng, 1, longest - 1) for _ in range(rows - 1)])


@check(
    "PromptTuning",
    2,
    (
        "What is learned? Vectors, not words.",
        "One parameter of num_virtual_tokens × D numbers trains; the model is frozen.",
        "self.model = freeze(model); self.prompt = nn.Parameter(...)",
    ),
)
def only_the_prompt_trains(code, rng):
    """num_virtual_tokens × D numbers train; the wrapped model is frozen, is a part of the wrapper and stays as it was."""
    model, length = decoder(rng), a_length(rng)
    before = snapshot(model)
    wrapped = code.PromptTuning(model, length)
    inside = {id(parameter) for parameter in wrapped.parameters()}
    return {
        "numbers that train": sum(parameter.numel() for parameter in trainable(wrapped)),
        "parameters of the model that train": trainable_names(model),
        "parameters of the model that the wrapper lacks": [
            name for name, (p, _) in before.items() if id(p) not in inside
        ],
        "parameters of the model that have changed": moved(before),
        "logits of the model without a prompt": model.eval()(token_ids(rng, model)),
        "numbers that train, for twice as many": sum(
            p.numel() for p in trainable(code.PromptTuning(decoder(rng), 2 * length))
        ),
    }


@check(
    "PromptTuning",
    2,
    (
        "A start that the model knows: what has it seen in the place of tokens?",
        "Each row of the prompt is the embedding of some real token, out of model.get_input_embeddings().",
        "embeddings[torch.randint(len(embeddings), (num_virtual_tokens,))].clone()",
    ),
)
def starts_from_real_tokens(code, rng):
    """Each row of the prompt is the embedding of some token of the vocabulary, as get_input_embeddings() gives it."""
    model, length = decoder(rng), whole(rng, 5, 9)
    table, other = (module.weight.detach() for module in (model.get_input_embeddings(), model.decoy()))
    wrapped = code.PromptTuning(model, length)
    rows = rows_of(prompt_of(wrapped, model, length), length, model.width)

    def are(*shapes):  # a drawn number for each row that equals one of these, else 0
        near = torch.cdist(rows, torch.cat(shapes)).min(dim=1).values < 1e-4 * table.norm(dim=1).max()
        return near * weights

    weights = 1 + torch.rand(length, generator=rng, dtype=torch.float64)
    return {
        "a drawn number for each row that is a token's embedding": are(table),
        "rows out of another embedding": int(are(other).count_nonzero()),
        "rows that are zero": int(are(torch.zeros_like(table[:1])).count_nonzero()),
        "rows that are the mean of the embeddings": int(are(table.mean(dim=0, keepdim=True)).count_nonzero()),
        "rows that only point where an embedding points": _parallel(rows, table) - int(are(table).count_nonzero()),
    }


def _parallel(rows, table) -> int:
    """How many rows are a positive multiple of an embedding."""
    return int((F.cosine_similarity(rows[:, None], table[None], dim=-1).max(dim=1).values > 1 - 1e-6).sum())


@check(
    "PromptTuning",
    1,
    (
        "If the prompt were a view of the embedding, what would training do?",
        "The prompt is a copy with memory of its own.",
        "nn.Parameter(embeddings[drawn].detach().clone())",
    ),
)
def the_prompt_is_a_copy(code, rng):
    """A change of the prompt leaves the embedding as it is, and the other way round."""
    length = a_length(rng)
    wrapped, model = prompted(code, rng, length)
    table = model.get_input_embeddings().weight
    seen = {"embedding after a change of the prompt": table.detach().clone()}
    with torch.no_grad():
        table += 1
    rows = rows_of(prompt_of(wrapped, model, length), length, model.width)
    return seen | {"prompt after a change of the embedding": rows}


@check(
    "PromptTuning",
    3,
    (
        "Where does the prompt stand, and which logits does the caller want?",
        "The prompt comes first, as it is. The logits of its positions are dropped, so T logits a row are left.",
        "model(inputs_embeds=torch.cat([prompt, tokens], dim=1), ...)[:, num_virtual_tokens:]",
    ),
)
def logits_of_the_real_positions(code, rng):
    """With a known prompt the logits (B, T, V) are those of the real positions behind it."""
    wrapped, model = prompted(code, rng, a_length(rng))
    ids = token_ids(rng, model)
    return {"logits": wrapped(ids, torch.ones_like(ids))}


@check(
    "PromptTuning",
    2,
    (
        "May the tokens look at the prompt? Who tells the model?",
        "The mask grows by ones, one for each virtual token, in front of the given mask.",
        "torch.cat([attention_mask.new_ones(B, num_virtual_tokens), attention_mask], dim=1)",
    ),
)
def the_mask_grows_by_ones(code, rng):
    """With rows padded on the right or on the left the logits of the real tokens are right."""
    wrapped, model = prompted(code, rng, a_length(rng))
    ids = token_ids(rng, model)
    right = (torch.arange(ids.shape[1]) < lengths(rng, ids)[:, None]).long()
    left = right.flip(1)
    return {
        "logits of real tokens, padding on the right": wrapped(ids, right)[right.bool()],
        "logits of real tokens, padding on the left": wrapped(ids, left)[left.bool()],
        "the given mask afterwards": right,
    }


@check(
    "PromptTuning",
    2,
    (
        "The same prompt stands before every text of the batch.",
        "expand gives each row the same prompt; its gradient is the sum over the rows.",
        "self.prompt.expand(len(input_ids), -1, -1)",
    ),
)
def the_prompt_gets_its_gradient(code, rng):
    """The gradient of the prompt is that of the formula, summed over the batch; the model gets none."""
    length = a_length(rng)
    wrapped, model = prompted(code, rng, length)
    prompt, ids = prompt_of(wrapped, model, length), token_ids(rng, model)
    logits = wrapped(ids, torch.ones_like(ids))
    found = gradients((logits * rand(rng, *logits.shape)).sum(), prompt)
    none = any(gradient is None for gradient in found)
    return {
        "gradient of the prompt": "none" if none else rows_of(found, length, model.width),
        "parameters of the model that get one": trainable_names(model),
    }


@check(
    "PromptTuning",
    1,
    (
        "One text, one token, one virtual token, or very many: do your shapes still hold?",
        "Take the batch size from input_ids and the length from the prompt. Two rows may start from the same token.",
        "torch.randint(len(embeddings), (num_virtual_tokens,)), not a permutation of the vocabulary",
    ),
)
def works_with_one_of_each(code, rng):
    """A batch of one, a text of one token, a prompt of one vector and a prompt longer than the vocabulary work."""
    (wrapped, model), (single, other) = prompted(code, rng, a_length(rng)), prompted(code, rng, 1)
    text, token, texts = token_ids(rng, model, rows=1), token_ids(rng, model, rows=1, length=1), token_ids(rng, other)
    long, third = prompted(code, rng, 15 + a_length(rng))  # no vocabulary here has more than 14 tokens
    ids = token_ids(rng, third)
    return {
        "logits of one text": wrapped(text, torch.ones_like(text)),
        "logits of one token": wrapped(token, torch.ones_like(token)),
        "logits behind one virtual token": single(texts, torch.ones_like(texts)),
        "logits behind more virtual tokens than the vocabulary has": long(ids, torch.ones_like(ids)),
    }


@check(
    "PromptTuning",
    1,
    (
        "Train the prompt for some steps: the loss must fall, and one tensor may move.",
        "Nothing between prompt and logits may be detached.",
        "Use the parameter itself in forward.",
    ),
)
def training_moves_the_prompt_alone(code, rng):
    """Gradient descent on the prompt lowers the loss and leaves the model as it was, bit for bit."""
    length = a_length(rng)
    wrapped, model = prompted(code, rng, length)
    before, ids = snapshot(model), token_ids(rng, model)
    target = rand(rng, *ids.shape, model.vocab)
    losses = descend(
        trainable(wrapped), lambda: F.mse_loss(wrapped(ids, torch.ones_like(ids)), target), steps=4, rate=0.5
    )
    return losses | {"tensors of the model that have moved": moved(before)}


@check(
    "PromptTuning",
    1,
    (
        "What would a prompt without tokens learn?",
        "A number below 1 is a ValueError that names the argument; 1 is good.",
        'if num_virtual_tokens < 1: raise ValueError(f"num_virtual_tokens must be at least 1, got {num_virtual_tokens}")',
    ),
)
def refuses_a_prompt_without_tokens(code, rng):
    """Fewer than one virtual token is a ValueError that names num_virtual_tokens; one is enough."""
    below, length = -whole(rng, 1, 4), a_length(rng)

    def refused(number):
        return refusal(ValueError, lambda: code.PromptTuning(decoder(rng), number), "num_virtual_tokens")

    def accepted(number):
        wrapped, model = prompted(code, rng, number)
        ids = token_ids(rng, model)
        return wrapped(ids, torch.ones_like(ids))

    return tried(
        rng,
        **{
            "no virtual token": lambda: refused(0),
            "a negative number of virtual tokens": lambda: refused(below),
            "logits behind one virtual token": lambda: accepted(1),
            "logits behind some virtual tokens": lambda: accepted(length),
        },
    )
