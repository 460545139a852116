"""The checks of `train_dpo`.

What an update has done shows in the numbers of the next one, and in the logits at the end, which depend smoothly on the weights. The
weights themselves are looked at in the model of `yes_or_no` alone, where no gradient is nearly zero.
"""

import copy

import torch

from grader.checks import a_float, check, rand, refusal, shuffled, tried, whole
from grader.checks.preference.models import (
    adapters,
    in_mixed_modes,
    known_parameters,
    logits,
    merged,
    modes,
    pairs,
    plain_policy,
    policy,
    tensors,
    train_the_gate,
    trainable,
)
from grader.checks.preference.yes_or_no import yes_or_no

TOLD = {  # what is compared together: a number near zero is off by the rounding of the others
    "loss and margin": ("loss", "margin"),
    "chosen_logprob and rejected_logprob": ("chosen_logprob", "rejected_logprob"),
}


def lesson(rng, model, count: int) -> list[dict[str, torch.Tensor]]:
    return [pairs(rng, model) for _ in range(count)]


def train(code, model, batches, **options) -> list[dict]:
    """A short training in which nothing is clipped, and steps are so small that rounding does not grow."""
    return code.train_dpo(model, batches, **({"lr": 0.003, "beta": 0.5, "max_grad_norm": None} | options))


def told(history: list[dict]) -> dict:
    """The numbers of all updates, a row for each; or what they are, where they are no floats."""
    seen = {}
    for name, keys in TOLD.items():
        rows = [[a_float(entry[key]) for key in keys] for entry in history]
        floats = all(isinstance(value, float) for row in rows for value in row)
        seen[name] = torch.tensor(rows, dtype=torch.float64) if floats else rows
    return seen


def trained(code, model, batches, **options) -> dict:
    """What a training tells, and the logits at its end."""
    history = train(code, model, batches, **options)
    return told(history) | {"logits afterwards": logits(model.eval(), batches[0])}


def tuned(code, model, batches, **options) -> dict:
    """What a training of a `yes_or_no` model tells, and the weights at its end."""
    history = train(code, model, batches, **({"lr": 0.05} | options))
    return told(history) | {"weights afterwards": tensors(model)}


@check(
    "train_dpo",
    3,
    (
        "Which numbers would you plot, and when are they known?",
        "From the forward pass of each update, before its step: what dpo_loss returns, and the means of the policy's log-probabilities.",
        'margin is (result["chosen_reward"] - result["rejected_reward"]).mean().item(); the first half of the rows is chosen',
    ),
)
def history_tells_of_each_update(code, rng):
    """The result has one dict for each batch, in the order given, with loss, accuracy, margin and the mean log-probabilities of
    the chosen and of the rejected answers, all as floats, as they are before the update."""
    model, sure = policy(rng).train(), yes_or_no(rng)
    of_the_sure = train(code, sure, sure.lesson(rng, 2))
    return told(train(code, model, lesson(rng, model, 3))) | {
        "of a model whose preferences are known": told(of_the_sure),
        "its accuracy": [a_float(entry["accuracy"]) for entry in of_the_sure],
    }


@check(
    "train_dpo",
    3,
    (
        "Which optimizer does the contract name, and with which numbers?",
        "AdamW with betas 0.9 and 0.999, eps 1e-8, a constant learning rate, and no weight decay, which is not its default.",
        "torch.optim.AdamW(trainable, lr=lr, weight_decay=0.0), made once, before the loop",
    ),
)
def updates_are_those_of_adamw_without_decay(code, rng):
    """Each update is one of AdamW without weight decay and with a constant learning rate, whether gradients are large or tiny."""
    seen = {}
    for what, beta, updates in (("", 0.5, 4), (" with a tiny beta", 10.0 ** -whole(rng, 6, 7), 3)):
        model = yes_or_no(rng)
        seen[f"training{what}"] = tuned(code, model, model.lesson(rng, updates), beta=beta, lr=whole(rng, 2, 5) / 100)
    return seen


@check(
    "train_dpo",
    2,
    (
        "If a parameter outside of the adapters is trained as well, the model without LoRA changes, too. Which one is the reference?",
        "The model without LoRA as it was before the first update. So ask it about all batches before the loop.",
        "references = [reference_logprobs(model, batch) for batch in batches]",
    ),
)
def reference_is_that_before_the_first_update(code, rng):
    """The reference is the model without LoRA before any update, for all batches, also if a part of the base is trained."""
    model = policy(rng).train()
    train_the_gate(model)
    return trained(code, model, lesson(rng, model, 3), lr=whole(rng, 8, 12) / 1000)


@check(
    "train_dpo",
    1,
    (
        "In which mode is the model when it comes to you, and after the reference was asked?",
        "model.train() before the updates, model.eval() after the last.",
        "references = [...]; model.train(); for ...; model.eval(); return history",
    ),
)
def trains_in_train_mode_and_ends_in_eval_mode(code, rng):
    """Every module is in train mode while the model trains, and in eval mode at the end, whatever its mode was before."""
    models = {
        "in eval mode before": policy(rng).eval(),
        "some modules in each mode before": in_mixed_modes(rng, policy(rng), training=True),
    }
    seen = {}
    for before, model in models.items():
        batches = lesson(rng, model, 2)
        seen[before] = told(train(code, model, batches)) | {
            "modes at the end": modes(model),
            "logits": logits(model, batches[0]),
        }
    return seen


@check(
    "train_dpo",
    2,
    (
        "Two updates with gradients of unlike sizes: what does clipping change for Adam, which divides by the size?",
        "Clip the norm of all gradients together after backward and before the step. None means no clipping, 0.0 is a limit.",
        "if max_grad_norm is not None: nn.utils.clip_grad_norm_(trainable, max_grad_norm)",
    ),
)
def clips_the_total_norm(code, rng):
    """The norm of all gradients together is cut to max_grad_norm, 1.0 if nothing is said; None does not clip, 0.0 leaves nothing."""
    given = yes_or_no(rng)
    batches = given.lesson(rng, 3)

    def run(count: int, beta: float = 2.0, **options) -> dict:
        model = copy.deepcopy(given)
        history = code.train_dpo(model, batches[:count], lr=0.05, beta=beta, **options)
        return told(history) | {"weights afterwards": tensors(model)}

    return tried(
        rng,
        **{
            # Adam makes up for a limit on all gradients, but not for one that is as small as its eps.
            "with a tiny limit": lambda: run(2, beta=0.2, max_grad_norm=whole(rng, 2, 9) * 1e-8),
            "with None": lambda: run(3, max_grad_norm=None),
            "with the default": lambda: run(3),
            "with a limit of 0.0": lambda: run(2, max_grad_norm=0.0),
        },
    )


@check(
    "train_dpo",
    1,
    (
        "backward() adds. To what?",
        "Clear the gradients before each backward: old ones may be there before the first update, too.",
        "optimizer.zero_grad() at the start of each turn of the loop",
    ),
)
def old_gradients_are_cleared(code, rng):
    """Gradients that were there before play no role, nor do those of the update before."""
    model = yes_or_no(rng)
    for parameter in known_parameters(model).values():
        if parameter.requires_grad:
            parameter.grad = 5 * rand(rng, *parameter.shape)
    return tuned(code, model, model.lesson(rng, 3))


@check(
    "train_dpo",
    2,
    (
        "What does the loss need besides the log-probabilities?",
        "beta and label_smoothing go on to dpo_loss. If nothing is said, they are 0.1 and 0.",
        "dpo_loss(chosen, rejected, *reference.chunk(2), beta=beta, label_smoothing=label_smoothing)",
    ),
)
def beta_and_smoothing_count(code, rng):
    """beta and label_smoothing have their part in loss, margin and update; without a word they are 0.1 and 0.0."""

    def run(**options) -> dict:
        model = yes_or_no(rng)
        history = code.train_dpo(model, model.lesson(rng, 2), lr=0.05, **options)
        return told(history) | {"weights afterwards": tensors(model)}

    return tried(
        rng,
        **{
            "with a beta": lambda: run(beta=whole(rng, 4, 9) / 10),
            "with label smoothing": lambda: run(beta=0.7, label_smoothing=whole(rng, 15, 45) / 100),
            "with the defaults": lambda: run(),
        },
    )


@check(
    "train_dpo",
    1,
    (
        "Who says what is trained?",
        "requires_grad. Factors of LoRA may be frozen, and a parameter of the base may be trainable.",
        "trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]",
    ),
)
def trains_what_is_trainable(code, rng):
    """All trainable parameters are trained, those outside of the adapters too. Frozen ones stay, and stay frozen."""
    model = policy(rng).train()
    train_the_gate(model)
    layers = list(adapters(model).values())
    for layer in shuffled(rng, layers)[: whole(rng, 1, len(layers) - 1)]:
        layer.lora_A.requires_grad_(False)
    before, names = tensors(model), trainable(model)
    seen = trained(code, model, lesson(rng, model, 2))
    moved = [name for name, tensor in tensors(model).items() if not torch.equal(tensor, before[name])]
    return seen | {
        "frozen tensors that moved": [name for name in moved if name not in names],
        "trainable tensors that moved": sorted(name for name in moved if name in names),
        "trainable afterwards": trainable(model),
    }


@check(
    "train_dpo",
    1,
    (
        "What is there to tell of no update?",
        "No batch, no dict: the result is an empty list.",
        "A loop over no batches does nothing by itself. Take no first batch and no last one out of the list.",
    ),
)
def an_empty_list_gives_an_empty_history(code, rng):
    """No batches give [] and leave all weights as they are; one batch gives one dict."""
    model = policy(rng).train()

    def updates(batches) -> dict:
        history = train(code, model, batches)
        return {"updates": len(history)} | (told(history) if batches else {"weights": tensors(model)})

    return {"an empty list": updates([]), "one batch": updates(lesson(rng, model, 1))}


@check(
    "train_dpo",
    2,
    (
        "When is a bad beta found, and what has happened until then?",
        "Look at all arguments before anything is touched: no LoRALinear, one that is merged, a bad beta, a bad label_smoothing.",
        "Raise before model.train(), before zero_grad() and before the references are computed.",
    ),
)
def refuses_what_cannot_be_trained(code, rng):
    """No LoRALinear, a merged one, beta ≤ 0 and label_smoothing outside [0, 0.5) are ValueErrors. Nothing has changed then.
    Numbers near the borders are right."""

    def prepared(model):
        in_mixed_modes(rng, model)
        for parameter in known_parameters(model).values():
            if parameter.requires_grad:
                parameter.grad = rand(rng, *parameter.shape)
        return model

    def bad(model, *words, **options):
        batches = lesson(rng, model, 2)
        end = refusal(ValueError, lambda: train(code, model, batches, **options), *words)
        if end["raises"] != "ValueError":
            return {"end": end}  # what is done instead of a refusal is of no interest
        gradients = {name: p.grad for name, p in known_parameters(model).items() if p.requires_grad}
        left = {"modes": modes(model), "merged": merged(model), "trainable": trainable(model)}
        return {"end": end, "weights": tensors(model), "gradients": gradients} | left

    def merged_layers(share: float):
        model = prepared(policy(rng))
        layers = shuffled(rng, list(adapters(model).values()))
        for layer in layers[: round(share * len(layers)) or 1]:
            layer.merge()
        return bad(model)

    def good(**options):
        model = prepared(policy(rng))
        return told(train(code, model, lesson(rng, model, 2), **options))

    low, high = -whole(rng, 1, 9) / 100, 0.5 + whole(rng, 1, 40) / 100
    return tried(
        rng,
        **{
            "no LoRALinear": lambda: bad(prepared(plain_policy(rng))),
            "one merged layer": lambda: merged_layers(0.0),
            "all layers merged": lambda: merged_layers(1.0),
            "a beta of 0": lambda: bad(prepared(policy(rng)), "beta", beta=0.0),
            f"a beta of {low}": lambda: bad(prepared(policy(rng)), "beta", beta=low),
            "a label_smoothing of 0.5": lambda: bad(prepared(policy(rng)), "label_smoothing", label_smoothing=0.5),
            f"a label_smoothing of {high:g}": lambda: bad(
                prepared(policy(rng)), "label_smoothing", label_smoothing=high
            ),
            f"a label_smoothing of {low}": lambda: bad(prepared(policy(rng)), "label_smoothing", label_smoothing=low),
            "a small beta and a label_smoothing of 0.49": lambda: good(beta=0.02, label_smoothing=0.49),
        },
    )
