"""The checks of `finetune`."""

import torch

from grader.checks import rand
from grader.checks.sft.material import IGNORE, WIDTH, Toy, batch, check, moved, weights


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
