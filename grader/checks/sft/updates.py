"""The checks of `finetune` on its updates: how many there are, with which learning rates, and on which batches."""

from grader.checks import a_float, check, refusal, shuffled, tried, whole
from grader.checks.sft.material import LanguageModel, TwoAnswers, drawn_batch, weights


def lesson(rng, vocabulary: int, count: int) -> tuple[list, list]:
    """Training batches that differ in their rows and target tokens, and validation batches on other texts.

    Of all five, no two of two and a single one have target tokens in the shares 2 : 2 : 1 of their batches.
    """
    n = whole(rng, 2, 4)
    kinds = [((2, n + 2), (0, 8)), ((1, 1),), ((3, n), (2, 2, 1, 3)), ((0, n), (3, 0)), ((4, 2), (1, n))]
    rows = (shuffled(rng, kinds) * 3)[:count]
    return [drawn_batch(rng, vocabulary, *one) for one in rows], [drawn_batch(rng, vocabulary, (1, 5), (2, n))]


def tune(code, model, train, val, **options) -> list[dict]:
    """A short fine-tuning. What is not said otherwise is chosen so that it plays no role."""
    plain = {"epochs": 1, "lr": 0.005, "weight_decay": 0.0, "warmup_ratio": 0.0, "max_grad_norm": None}
    return code.finetune(model, train, val, **(plain | options))


def losses(history: list[dict], key: str = "val_loss") -> list:
    return [a_float(entry[key]) for entry in history]


def reported(history: list[dict]) -> dict:
    """The losses of each epoch. Of several epochs they show more than the weights, which are those of one.

    Nor do they hang on chance: AdamW makes a full step of the rounding error where a gradient is nearly zero, and there the loss
    hardly depends on the weight. So weights are looked at only where no gradient is nearly zero or no step is full.
    """
    return {key: losses(history, key) for key in ("train_loss", "val_loss")}


def told(history: list[dict], model) -> dict:
    """The losses of a run, and the weights at its end."""
    return reported(history) | {"weights": weights(model)}


def known_gradients(rng, *sizes: float) -> tuple[TwoAnswers, list, list]:
    """A model, a training batch for each size, on which all gradients are this size over the number of weights, and validation."""
    topics = {f"size{number}": (size, 25.0) for number, size in enumerate(sizes)}
    model = TwoAnswers(rng, start=whole(rng, 0, 100) / 100, steep=(1.0, 25.0), **topics)
    return (
        model,
        [model.batch(rng, (topic, "n" * whole(rng, 1, 4))) for topic in topics],
        [model.batch(rng, ("steep", "n"))],
    )


def val_losses_of_a_slope(code, rng, count: int = 1, **options) -> list[float]:
    """val_loss after each epoch of a run in which each update lowers it by its learning rate.

    The gradients never change, so AdamW makes steps as long as the learning rate, and the loss is the preference plus 25.
    """
    model, train, val = known_gradients(rng, *[1.0] * count)
    return losses(tune(code, model, train, val, lr=whole(rng, 40, 80) / 100, **options))


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
    model = LanguageModel(rng)
    history = tune(code, model, *lesson(rng, model.vocabulary, 1), epochs=whole(rng, 2, 4))
    return {
        "epochs": [entry["epoch"] for entry in history],
        "train_loss": losses(history, "train_loss"),
        "val_loss": losses(history),
        "each val_token_accuracy is a float": [isinstance(entry["val_token_accuracy"], float) for entry in history],
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
    """Update k uses lr · k / warmup, then lr · (steps − k) / (steps − warmup). Here each update lowers val_loss by its rate."""
    few, long, short = whole(rng, 2, 3) - 0.7, 15, 6  # updates of the warm-up, which are rounded up, and of the runs
    many = whole(rng, 3, 4) - 0.3
    return {
        "val_loss after each five updates": val_losses_of_a_slope(
            code, rng, count=5, epochs=3, warmup_ratio=few / long
        ),
        "val_loss after each two updates, of three batches": val_losses_of_a_slope(
            code, rng, count=3, accumulation=2, epochs=3, warmup_ratio=many / short
        ),
    }


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
    """warmup_ratio 0 and 1 work, without a division by zero. Here each update lowers val_loss by its rate."""
    epochs = whole(rng, 3, 4)
    return {
        f"val_loss after each update, warmup_ratio {ratio}": val_losses_of_a_slope(
            code, rng, epochs=epochs, warmup_ratio=ratio
        )
        for ratio in (0.0, 1.0)
    }


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
    for name, count, accumulation in (
        ("a short window at the end", 3, 2),
        ("a short window alone", 2, whole(rng, 3, 5)),
    ):
        model = LanguageModel(rng)
        train, val = lesson(rng, model.vocabulary, count)
        seen[name] = reported(tune(code, model, train, val, epochs=2, accumulation=accumulation))
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
    model = LanguageModel(rng)
    return reported(tune(code, model, *lesson(rng, model.vocabulary, 4), epochs=2))


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
    sizes = shuffled(rng, [whole(rng, 50, 60) / 10, 3.0, 1.0, 0.5])  # the largest gradient is clipped
    # 6 % of 11 updates is 1 of them, 10 % would be 2. 6 % of 18 updates is 2 of them, 5 % would be 1.
    seen = {}
    for count, epochs in ((11, 1), (6, 3)):
        model, train, val = known_gradients(rng, *sizes)
        history = code.finetune(model, (train * 3)[:count], val, epochs=epochs, lr=0.1)
        seen[f"{count * epochs} updates"] = told(history, model)
    return seen


@check(
    "finetune",
    1,
    (
        "How many updates are there in no epoch, and how many batches in an update of none?",
        "epochs and accumulation are counts: below 1 they are a ValueError that names the argument.",
        'if epochs < 1: raise ValueError(f"epochs must be at least 1, got {epochs}")',
    ),
)
def refuses_counts_below_one(code, rng):
    """epochs and accumulation below 1 are ValueErrors that name the argument; 1, and more than there are batches, are fine."""

    def run(**options) -> dict:
        model = LanguageModel(rng)
        return reported(tune(code, model, *lesson(rng, model.vocabulary, 2), **options))

    def end(name: str, value: int) -> str:
        found = refusal(ValueError, lambda: run(**{name: value}), name)
        good = found["raises"] == "ValueError" and not found["not named in the message"]
        return "a ValueError that names it" if good else "no ValueError that names it"

    return tried(
        rng,
        **{
            "epochs of 0": lambda: end("epochs", 0),
            "epochs below 0": lambda: end("epochs", -whole(rng, 1, 5)),
            "accumulation of 0": lambda: end("accumulation", 0),
            "accumulation below 0": lambda: end("accumulation", -whole(rng, 1, 5)),
            "both of 1": lambda: run(epochs=1, accumulation=1),
            "a large accumulation": lambda: run(accumulation=whole(rng, 3, 9)),
        },
    )
