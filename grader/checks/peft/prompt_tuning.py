"""The checks of `PromptTuning`."""

import torch
import torch.nn.functional as F
from torch import nn

from grader.checks import Unusable, check, grad_of, rand
from grader.checks.peft.material import VOCAB, WIDTH, Causal, descend, ids, moved, snapshot, trainable, trainable_names

TOKENS = 4  # virtual ones


def prompt_of(wrapped, tokens=TOKENS) -> nn.Parameter:
    """The prompt, whatever its name and shape: the one parameter that trains."""
    found = trainable(wrapped)
    if len(found) != 1 or found[0].numel() != tokens * WIDTH:
        sizes = ", ".join(str(tuple(parameter.shape)) for parameter in found) or "none"
        raise Unusable(f"one trainable tensor with {tokens} × {WIDTH} numbers is needed to go on; trainable: {sizes}")
    return found[0]


def prompted(code, rng, tokens=TOKENS):
    """A model behind a prompt of known numbers."""
    wrapped = code.PromptTuning(Causal(rng), tokens)
    prompt = prompt_of(wrapped, tokens)
    with torch.no_grad():
        prompt.copy_(rand(rng, tokens, WIDTH).view(prompt.shape))
    return wrapped


def ones() -> torch.Tensor:
    return torch.ones(3, 5, dtype=torch.long)


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
    """num_virtual_tokens × D numbers train, and the wrapped model is frozen."""
    model = Causal(rng)
    wrapped = code.PromptTuning(model, TOKENS)
    own = {id(parameter) for parameter in model.parameters()}
    return {
        "trainable numbers": sum(parameter.numel() for parameter in trainable(wrapped)),
        "parameters of the model that train": trainable_names(model),
        "the model is a part of the wrapper": own <= {id(parameter) for parameter in wrapped.parameters()},
        "trainable numbers for 7 tokens": sum(p.numel() for p in trainable(code.PromptTuning(Causal(rng), 7))),
    }


@check(
    "PromptTuning",
    2,
    (
        "A start that the model knows: what has it seen in the place of tokens?",
        "Each row of the prompt is the embedding of some real token.",
        "embeddings[torch.randint(len(embeddings), (num_virtual_tokens,))].clone()",
    ),
)
def starts_from_real_tokens(code, rng):
    """Each row of the prompt is the embedding of some token of the vocabulary."""
    model, tokens = Causal(rng), 8
    rows = prompt_of(code.PromptTuning(model, tokens), tokens).detach().reshape(tokens, WIDTH)
    known = (rows[:, None] == model.embed.weight.detach()).all(dim=-1).any(dim=-1)
    return {
        "rows that are an embedding": int(known.sum()),
        "rows that are zero": int((rows == 0).all(dim=-1).sum()),
        "all rows are the same": bool((rows == rows[0]).all()),
    }


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
    """Training the prompt leaves the embedding as it is, and the other way round."""
    model = Causal(rng)
    wrapped = code.PromptTuning(model, TOKENS)
    prompt, before = prompt_of(wrapped), model.embed.weight.detach().clone()
    with torch.no_grad():
        prompt += 1
        embedding_moved = not torch.equal(model.embed.weight, before)
        kept = prompt.detach().clone()
        model.embed.weight += 1
    return {"the embedding has moved": embedding_moved, "the prompt has moved": not torch.equal(prompt, kept)}


@check(
    "PromptTuning",
    3,
    (
        "Where does the prompt stand, and which logits does the caller want?",
        "The prompt comes first. The logits of its positions are dropped, so T logits a row are left.",
        "model(inputs_embeds=torch.cat([prompt, tokens], dim=1), ...)[:, num_virtual_tokens:]",
    ),
)
def logits_of_the_real_positions(code, rng):
    """With a known prompt the logits (B, T, V) are those of the real positions behind it."""
    wrapped = prompted(code, rng)
    return {"logits": wrapped(ids(), ones())}


@check(
    "PromptTuning",
    3,
    (
        "May the tokens look at the prompt? Who tells the model?",
        "The mask grows by ones, one for each virtual token, in front of the given mask.",
        "torch.cat([attention_mask.new_ones(B, num_virtual_tokens), attention_mask], dim=1)",
    ),
)
def the_mask_grows_by_ones(code, rng):
    """With rows padded on the right or on the left the logits of the real tokens are right."""
    wrapped = prompted(code, rng)
    right = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 1, 1, 0, 0]])
    left = right.flip(1)
    return {
        "padding on the right": wrapped(ids(), right)[right.bool()],
        "padding on the left": wrapped(ids(), left)[left.bool()],
        "the given mask is unchanged": bool((right.sum(dim=1) == torch.tensor([5, 2, 3])).all()),
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
    wrapped = prompted(code, rng)
    prompt = prompt_of(wrapped)
    wrapped(ids(), ones()).square().mean().backward()
    gradient = grad_of(prompt)
    return {
        "gradient of the prompt": gradient if isinstance(gradient, str) else gradient.reshape(TOKENS, WIDTH),
        "parameters of the model with a gradient": sum(
            p.grad is not None for p in wrapped.parameters() if p is not prompt
        ),
    }


@check(
    "PromptTuning",
    1,
    (
        "One text, one token, one virtual token: do your shapes still hold?",
        "Take the batch size from input_ids, and the length of the prompt from the prompt.",
        "len(input_ids), not a number that was fixed in the constructor",
    ),
)
def works_with_one_of_each(code, rng):
    """A batch of one, a text of one token and a prompt of one vector work."""
    wrapped, single = prompted(code, rng), prompted(code, rng, tokens=1)
    one = torch.tensor([[3]])
    return {
        "one text": wrapped(ids()[:1], ones()[:1]),
        "one token": wrapped(one, torch.ones_like(one)),
        "one virtual token": single(ids()[:2], ones()[:2]),
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
    wrapped = prompted(code, rng)
    prompt = prompt_of(wrapped)
    before = {name: pair for name, pair in snapshot(wrapped).items() if pair[0] is not prompt}
    target = rand(rng, 3, 5, VOCAB)
    losses = descend([prompt], lambda: F.mse_loss(wrapped(ids(), ones()), target))
    return losses | {"moved, besides the prompt": moved(before)}
