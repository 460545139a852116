"""The checks of `evaluate`."""

import torch
from torch import nn

from grader.checks import a_float, check, rand, refusal, tried, whole
from grader.checks.sft.material import (
    IGNORE,
    LanguageModel,
    drawn_batch,
    freeze_some,
    in_drawn_modes,
    micro_batches,
    modes,
    weights,
    without_labels,
)


class Bigram(nn.Module):
    """A model of which the best next token is known: it depends on the token alone."""

    def __init__(self, rng):
        super().__init__()
        self.vocabulary = whole(rng, 10, 16)
        self.table = nn.Embedding.from_pretrained(rand(rng, self.vocabulary, self.vocabulary))

    def forward(self, input_ids, attention_mask):
        return self.table(input_ids)

    def batch(self, rng, *rows: tuple[int, ...]) -> dict[str, torch.Tensor]:
        """A drawn batch in which, of three tokens, two are those that the model would have chosen."""
        found = drawn_batch(rng, self.vocabulary, *rows)
        ids, choices = found["input_ids"], self.table.weight.argmax(dim=-1)
        for t in range(1, ids.shape[1]):
            follows = torch.rand(len(ids), generator=rng) < 2 / 3
            ids[:, t] = torch.where(follows, choices[ids[:, t - 1]], ids[:, t])
        found["labels"] = torch.where(found["labels"] == IGNORE, IGNORE, ids)
        return found


def mixed(rng, model: LanguageModel, body_as_model: bool) -> LanguageModel:
    """The model with modules in both modes: the head in the other one than the model, and within the body both."""
    in_drawn_modes(rng, model)
    body, *_, head = model.children()
    body.training = model.training == body_as_model
    list(body.modules())[-1].training = not body.training
    head.training = not model.training
    return model


def evaluated(code, model: nn.Module, batches: list[dict]) -> dict[str, float]:
    """The two results as numbers, of whatever kind they are."""
    result = code.evaluate(model, batches)
    return {key: float(result[key]) for key in ("loss", "token_accuracy")}


def afterwards(rng, model: LanguageModel, before: dict[str, str]) -> dict:
    """The modes of all modules, and the logits to which they lead.

    `model.train(was_training)` gives every module the mode of the model. So much code does so that it counts as right, too.
    """
    if set(modes(model).values()) == {before["the model"]}:
        for name, module in model.named_modules():
            module.training = before[name or "the model"] == "train"
    given = drawn_batch(rng, model.vocabulary, (3, 4), (2, 5))
    return {"modes": modes(model), "logits": model(given["input_ids"], given["attention_mask"]).detach()}


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
    model = LanguageModel(rng)
    return {"loss": evaluated(code, model, micro_batches(rng, model.vocabulary))["loss"]}


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
    model = Bigram(rng)
    long, short = whole(rng, 12, 16), whole(rng, 3, 5)
    first = model.batch(rng, (4, long), (0, long + 2), (9, 0))
    rest = [model.batch(rng, (6, 1)), model.batch(rng, (8, short, 5, short))]
    return {
        "of one batch": evaluated(code, model, [first])["token_accuracy"],
        "of three unequal batches": evaluated(code, model, [first, *rest])["token_accuracy"],
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
    """In each forward pass the model and all in it are in eval mode and gradients are off; afterwards they are on again."""
    seen = {}
    for before in ("train", "mixed"):
        training, gradients, factor = set(), set(), 1.2 + whole(rng, 1, 8) / 10

        class Watched(LanguageModel):
            """Tells of its calls, those of a copy, too."""

            def forward(self, input_ids, attention_mask, training=training, gradients=gradients, factor=factor):
                training.update(module.training for module in self.modules())
                gradients.add(torch.is_grad_enabled())
                logits = super().forward(input_ids, attention_mask)
                return logits * factor if torch.is_grad_enabled() else logits

        model = Watched(rng).train()
        if before == "mixed":
            mixed(rng, model, body_as_model=False).training = False
        result = evaluated(code, model, micro_batches(rng, model.vocabulary))
        seen[f"{before} mode before"] = {
            "modules in train mode": sorted(training),
            "gradients on": sorted(gradients),
            "loss in eval mode": result["loss"],
            "gradients on afterwards": torch.is_grad_enabled(),
        }
    return seen


@check(
    "evaluate",
    1,
    (
        "Remember what you change: each module has a mode of its own.",
        "Keep the mode of every module of model.modules() before eval(), and give each its own back.",
        "modes = {m: m.training for m in model.modules()}; ...; for m, mode in modes.items(): m.training = mode",
    ),
)
def mode_is_restored(code, rng):
    """Every module of the model has its own mode afterwards, be it train mode, eval mode, or some in one and some in the other."""
    models = {
        "all in train mode": LanguageModel(rng).train(),
        "all in eval mode": LanguageModel(rng).eval(),
        "some in each": mixed(rng, LanguageModel(rng), body_as_model=True),
        "others in each": mixed(rng, LanguageModel(rng), body_as_model=False),
    }
    seen = {}
    for before, model in models.items():
        own = modes(model)
        loss = evaluated(code, model, micro_batches(rng, model.vocabulary))["loss"]
        seen[before] = {"loss": loss, **afterwards(rng, model, own)}
    return seen


@check(
    "evaluate",
    1,
    (
        "What if the model fails in the middle?",
        "try … finally runs its last part in any case.",
        "try: ... finally: give each module its mode back",
    ),
)
def mode_is_restored_after_an_exception(code, rng):
    """If the model raises an exception, it comes through, and every module has its mode from before."""

    class ModelFailure(Exception):
        pass

    class Failing(LanguageModel):
        fails = True

        def forward(self, input_ids, attention_mask):
            if self.fails and len(self.calls) == self.good_calls:
                raise ModelFailure("out of memory")
            return super().forward(input_ids, attention_mask)

    seen = {}
    for before in ("train", "mixed"):
        model = Failing(rng).train()
        model.good_calls = whole(rng, 0, 2)
        if before == "mixed":
            mixed(rng, model, body_as_model=True)
        own, error = modes(model), "nothing"
        try:
            code.evaluate(model, micro_batches(rng, model.vocabulary))
        except ModelFailure as raised:
            error = str(raised)
        model.fails = False
        gradients = torch.is_grad_enabled()
        left = afterwards(rng, model, own)
        loss = evaluated(code, model, micro_batches(rng, model.vocabulary))["loss"]
        seen[f"{before} mode before"] = {"error": error, "gradients on": gradients, **left, "loss without the failure": loss}
    return seen


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
    """No label at all is a ValueError that names `batches`, and the mode is restored; one label is enough."""
    model = LanguageModel(rng).train()
    own = modes(model)
    nothing = without_labels(rng, model.vocabulary)
    one = drawn_batch(rng, model.vocabulary, (whole(rng, 2, 4), 1), (3, 0))

    def refused(batches):
        return {
            "error": refusal(ValueError, lambda: code.evaluate(model, batches), "batches"),
            **afterwards(rng, model, own),
        }

    return tried(
        rng,
        **{
            "no label": lambda: refused([nothing, nothing]),
            "an empty list": lambda: refused([]),
            "one label": lambda: evaluated(code, model, [one]),
        },
    )


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
    model = LanguageModel(rng)
    batches = micro_batches(rng, model.vocabulary)
    batches.insert(whole(rng, 0, 3), without_labels(rng, model.vocabulary))
    return evaluated(code, model, batches)


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
    """Weights, gradients and batches are as they were, and the result is a dict of floats, the same in a second evaluation."""
    model = LanguageModel(rng)
    frozen = freeze_some(rng, model)
    trainable = {name: p for name, p in model.named_parameters() if name not in frozen}
    for parameter in trainable.values():
        parameter.grad = rand(rng, *parameter.shape)
    batches = micro_batches(rng, model.vocabulary)
    first, second = code.evaluate(model, batches), code.evaluate(model, batches)
    return {
        "loss": a_float(first["loss"]),
        "token_accuracy": a_float(first["token_accuracy"]),
        "loss again": a_float(second["loss"]),
        "labels afterwards": [batch["labels"] for batch in batches],
        "weights afterwards": weights(model),
        "gradients afterwards": {name: "none" if p.grad is None else p.grad for name, p in trainable.items()},
        "trainable afterwards": [name for name, p in model.named_parameters() if p.requires_grad],
    }
