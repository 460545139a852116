"""The checks of `evaluate`."""

import torch
import torch.nn.functional as F

from grader.checks import refusal
from grader.checks.sft.material import (
    IGNORE,
    VOCAB,
    Toy,
    batch,
    check,
    in_eval_mode,
    moved,
    unequal,
    unlabelled,
    weights,
)


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
        error = refusal(ValueError, lambda m=model, p=parts: code.evaluate(m, p), "batches")
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
