"""The checks of `train_step`.

Most look at the weights after an update by plain gradient descent, which show the gradient as it was: its size, what it was
divided by, and whether it was clipped.
"""

import copy

import torch

from grader.checks import a_float, check, grad_of, rand, refusal, some, tried, whole
from grader.checks.sft.material import (
    LanguageModel,
    drawn_batch,
    freeze_some,
    in_drawn_modes,
    micro_batches,
    modes,
    moved,
    weights,
    without_labels,
)


def sgd(rng, model, **options) -> torch.optim.SGD:
    """Plain gradient descent over all parameters, with a drawn learning rate."""
    return torch.optim.SGD(model.parameters(), lr=whole(rng, 2, 5) / 100, **options)


def with_old_gradients(rng, model) -> None:
    for parameter in model.parameters():
        parameter.grad = rand(rng, *parameter.shape)


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
    model = LanguageModel(rng)
    batch = drawn_batch(rng, model.vocabulary, (2, whole(rng, 2, 5)), (0, 3), (1, whole(rng, 1, 4), 2, 1))
    code.train_step(model, [batch], sgd(rng, model), max_grad_norm=None)
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
    """Micro-batches with many, few and one target tokens give the update of one batch that holds them all."""
    model = LanguageModel(rng)
    code.train_step(model, micro_batches(rng, model.vocabulary), sgd(rng, model), max_grad_norm=None)
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
    """The result is the mean loss per target token of the whole list, before the update, as a float."""
    model = LanguageModel(rng)
    optimizer = sgd(rng, model)
    losses = [
        code.train_step(model, micro_batches(rng, model.vocabulary), optimizer, max_grad_norm=0.5) for _ in range(2)
    ]
    return {"loss of the first call": a_float(losses[0]), "of the second": a_float(losses[1])}


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
    model = LanguageModel(rng)
    with_old_gradients(rng, model)
    optimizer = sgd(rng, model)
    seen = {}
    for number, part in enumerate(micro_batches(rng, model.vocabulary), start=1):
        code.train_step(model, [part], optimizer, max_grad_norm=None)
        seen[f"weights after step {number}"] = weights(model)
    return seen


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
    """Every module is in train mode in the forward passes and afterwards, whatever its mode was before."""
    seen = {}
    for before in ("eval mode", "train mode, and some of its parts in eval mode,"):
        model = LanguageModel(rng).eval()
        if before != "eval mode":
            in_drawn_modes(rng, model).training = True
        code.train_step(model, micro_batches(rng, model.vocabulary), sgd(rng, model), max_grad_norm=None)
        seen[f"in {before} before"] = {"modes afterwards": modes(model), "weights": weights(model)}
    return seen


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
    model = LanguageModel(rng)
    limit = whole(rng, 4, 9) / 10
    code.train_step(model, micro_batches(rng, model.vocabulary), sgd(rng, model), max_grad_norm=limit)
    return {"weights": weights(model)}


@check(
    "train_step",
    1,
    (
        "When must clipping leave the gradients alone? And what is left of them at a limit of 0?",
        "None means no clipping, and a norm below the limit stays as it is. 0.0 is a limit like any other. The default is 1.",
        "if max_grad_norm is not None: nn.utils.clip_grad_norm_(...)",
    ),
)
def clips_only_when_it_should(code, rng):
    """None does not clip, a norm below the limit is not scaled up, the default limit is 1.0, and a limit of 0.0 leaves no gradient."""
    given = LanguageModel(rng)
    parts = micro_batches(rng, given.vocabulary)

    def weights_after(**options):
        model = copy.deepcopy(given)
        optimizer = torch.optim.SGD(
            model.parameters(), lr=0.05, weight_decay=2.0
        )  # a decay acts without a gradient, too
        code.train_step(model, parts, optimizer, **options)
        return weights(model)

    return tried(
        rng,
        **{
            "weights with None": lambda: weights_after(max_grad_norm=None),
            "with a high limit": lambda: weights_after(max_grad_norm=10.0 ** whole(rng, 4, 6)),
            "with the default": lambda: weights_after(),
            "with a limit of 0.0": lambda: weights_after(max_grad_norm=0.0),
        },
    )


class Counting(torch.optim.SGD):
    """SGD that counts its steps."""

    steps = 0

    def step(self, *args, **options):
        self.steps += 1
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
    """Each call steps the optimizer once, and after it the scheduler once, if there is one."""
    seen = {}
    for name in ("with a scheduler", "without one"):
        model = LanguageModel(rng)
        optimizer, factor = sgd(rng, model), whole(rng, 3, 7) / 10
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k, factor=factor: factor**k)
        options = {"scheduler": scheduler} if name == "with a scheduler" else {}
        rates = []
        for _ in range(2):
            code.train_step(model, micro_batches(rng, model.vocabulary)[:2], optimizer, **options)
            rates.append(optimizer.param_groups[0]["lr"])
        seen[name] = {"learning rate after each call": rates, "weights": weights(model)}
    return seen


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
    model = LanguageModel(rng)
    with_old_gradients(rng, model)
    frozen = freeze_some(rng, model)
    before = weights(model)
    code.train_step(model, micro_batches(rng, model.vocabulary), sgd(rng, model, weight_decay=2.0), max_grad_norm=0.7)
    return {
        "frozen tensors that moved": [name for name in moved(model, before) if name in frozen],
        "trainable afterwards": [name for name, parameter in model.named_parameters() if parameter.requires_grad],
        "weights": weights(model),
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
    """A list without a label is a ValueError; weights, gradients, modes and schedule are as they were. One label is enough."""

    def trial(parts) -> dict:
        model = in_drawn_modes(rng, LanguageModel(rng))
        with_old_gradients(rng, model)
        given, optimizer = parts(model.vocabulary), sgd(rng, model, weight_decay=2.0)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda k: 0.5**k)
        end = refusal(
            ValueError, lambda: code.train_step(model, given, optimizer, scheduler=scheduler), "micro_batches"
        )
        state = {"weights": weights(model), "modes": modes(model), "learning rate": optimizer.param_groups[0]["lr"]}
        return {"end": end, "state": state, "gradients": {name: grad_of(p) for name, p in model.named_parameters()}}

    def refused(parts) -> dict:
        found = trial(parts)  # what is done instead of a refusal is of no interest
        return found if found["end"]["raises"] == "ValueError" else {"end": found["end"]}

    return tried(
        rng,
        **{
            "no label": lambda: refused(lambda size: [without_labels(rng, size) for _ in range(whole(rng, 1, 3))]),
            "an empty list": lambda: refused(lambda size: []),
            "one label": lambda: trial(lambda size: [drawn_batch(rng, size, (3, 1))])["state"],
        },
    )


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
    model = LanguageModel(rng)
    parts = micro_batches(rng, model.vocabulary)
    parts.insert(whole(rng, 0, 3), without_labels(rng, model.vocabulary))
    loss = code.train_step(model, parts, sgd(rng, model), max_grad_norm=None)
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
    """A list of micro-batches makes one update, also for an optimizer with momentum; inputs are as they were."""
    model = LanguageModel(rng)
    optimizer = Counting(model.parameters(), lr=whole(rng, 2, 5) / 100, momentum=0.9)
    parts = some(rng, whole(rng, 2, 3), micro_batches(rng, model.vocabulary))
    kept = copy.deepcopy(parts)
    for _ in range(2):
        code.train_step(model, parts, optimizer, max_grad_norm=None)
    return {
        "updates in two calls": optimizer.steps,
        "weights": weights(model),
        "batches unchanged": all(torch.equal(part[key], old[key]) for part, old in zip(parts, kept) for key in old),
    }
