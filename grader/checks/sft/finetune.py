"""The checks of `finetune` on its optimizer, its report and the epoch that it keeps. Those on its updates are in `updates`."""

import torch

from grader.checks import check, rand, shuffled, some, whole
from grader.checks.sft.material import (
    LanguageModel,
    TwoAnswers,
    drawn_batch,
    freeze_some,
    in_drawn_modes,
    modes,
    moved,
    weights,
)
from grader.checks.sft.updates import known_gradients, lesson, losses, reported, told, tune


@check(
    "finetune",
    2,
    (
        "Which optimizer does the contract name, and on which parameters?",
        "AdamW with PyTorch's own betas and eps, over what requires a gradient.",
        "torch.optim.AdamW(groups, lr=lr)",
    ),
)
def trains_with_adamw(code, rng):
    """The weights after an epoch without weight decay are those of AdamW, with betas 0.9 and 0.999 and eps 1e-8."""
    size = whole(rng, 20, 30) / 10
    sizes = {
        "gradients of all sizes": shuffled(rng, [size, -1.5, 0.6, -0.2, 4.0]),
        "a gradient, and then none": [size, 0.0, 0.0, 0.0, 0.0],
        "gradients as small as eps": [whole(rng, 3, 30) * 1e-8 for _ in range(3)],
    }
    seen = {}
    for name, some_sizes in sizes.items():
        model, train, val = known_gradients(rng, *some_sizes)
        seen[f"weights after {name}"] = told(tune(code, model, train, val, lr=1.0), model)["weights"]
    return seen


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
    """Weight decay acts on tensors with two dimensions or more, whatever their names, never on biases, gains and other vectors."""
    model = LanguageModel(rng)
    # With so small a learning rate the decay is all that shows.
    history = tune(code, model, *lesson(rng, model.vocabulary, 3), lr=1e-7, weight_decay=whole(rng, 5, 9) * 1e5)
    after = weights(model)
    return reported(history) | {
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
    model = LanguageModel(rng)
    frozen = freeze_some(rng, model)
    for name in frozen:
        parameter = model.get_parameter(name)
        parameter.grad = rand(rng, *parameter.shape)
    before = weights(model)
    history = tune(code, model, *lesson(rng, model.vocabulary, 2), epochs=2, weight_decay=5.0)
    return {
        "frozen tensors that moved": [name for name in moved(model, before) if name in frozen],
        "trainable afterwards": [name for name, parameter in model.named_parameters() if parameter.requires_grad],
    } | reported(history)


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
    model = LanguageModel(rng, tied=True)
    train, val = lesson(rng, model.vocabulary, 3)
    history = tune(code, model, train, val, epochs=2, weight_decay=5.0)
    with torch.no_grad():
        model.embedding.weight *= 2
        logits = model(val[0]["input_ids"], val[0]["attention_mask"])
    return reported(history) | {"logits when the shared tensor is doubled": logits}


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
    model = LanguageModel(rng)
    history = tune(code, model, *lesson(rng, model.vocabulary, 5), epochs=2, accumulation=2)
    return {"train_loss": losses(history, "train_loss")}


@check(
    "finetune",
    1,
    (
        "When is a model validated, and in which mode?",
        "After the last update of each epoch, in eval mode, over all validation batches.",
        "result = evaluate(model, val_batches) at the end of the epoch",
    ),
)
def validates_after_each_epoch(code, rng):
    """val_loss and val_token_accuracy are those of the model after the epoch, in eval mode, over all validation batches."""
    model = LanguageModel(rng)
    train, val = lesson(rng, model.vocabulary, 2)
    history = tune(code, model, train, [*val, drawn_batch(rng, model.vocabulary, (3, 1))], epochs=2)
    # The preference falls to -1, -1.75, -2.25 and -2.5 times the learning rate. Each time one more topic gets the answer no.
    lr = whole(rng, 10, 14) / 10
    turns = {f"turn{number}": (1.0, lr * share) for number, share in enumerate((0.5, 1.4, 2.0, 2.4))}
    answers = TwoAnswers(rng, start=0.0, steep=(1.0, 25.0), **turns)
    texts = [(topic, "n" * whole(rng, 2, 4) + "y" * whole(rng, 0, 1)) for topic in turns]
    val = [answers.batch(rng, *texts[:3]), answers.batch(rng, texts[3])]
    accuracies = tune(code, answers, [answers.batch(rng, ("steep", "nn"))], val, epochs=4, lr=lr)
    return {"val_loss": losses(history), "val_token_accuracy": losses(accuracies, "val_token_accuracy")}


@check(
    "finetune",
    3,
    (
        "state_dict() gives references. What do they hold after the next update?",
        "Copy the weights whenever val_loss is lower than ever before, by however little, and load the copy at the end.",
        "best = copy.deepcopy(model.state_dict()); ...; model.load_state_dict(best)",
    ),
)
def keeps_the_best_epoch(code, rng):
    """At the end the model holds the weights of the epoch with the lowest val_loss, by however little, early or late."""
    return {
        "best is the second of four": second_of_four(code, rng),
        "best is the last, after a worse training loss": last_of_three(code, rng),
        "best is the first": first_of_three(code, rng),
    }


def second_of_four(code, rng) -> dict:
    """Each update lowers the preference by its rate: lr, 3/4 lr, …. val_loss is least at 0 and the same on both sides of it.

    The preference after the second epoch is a little nearer to 0 than that after the first: val_loss is lower by some 0.003 %.
    """
    lr = whole(rng, 140, 240) / 100
    model = TwoAnswers(rng, start=(1 + 0.375) * lr + 7e-5, steep=(1.0, 25.0), open=(1.0, 0.0))
    train, val = model.batch(rng, ("steep", "nnn")), model.batch(rng, ("open", "".join(some(rng, 4, "yynn"))))
    return told(tune(code, model, [train], [val], epochs=4, lr=lr), model)


def last_of_three(code, rng) -> dict:
    """The first step goes too far, so the training loss is never again what it was, while val_loss falls to the end."""
    model = TwoAnswers(rng, start=whole(rng, 20, 40) / 100, open=(1.0, 0.0))
    train, val = model.batch(rng, ("open", "".join(some(rng, 4, "yynn")))), model.batch(rng, ("open", "yy"))
    return told(tune(code, model, [train], [val], epochs=3, lr=whole(rng, 130, 170) / 100), model)


def first_of_three(code, rng) -> dict:
    """Training lowers the preference, and validation asks for a yes: val_loss rises from epoch to epoch."""
    model = TwoAnswers(rng, start=whole(rng, 0, 100) / 100, steep=(1.0, 25.0), open=(1.0, 0.0))
    train, val = model.batch(rng, ("steep", "nn")), model.batch(rng, ("open", "y"))
    return told(tune(code, model, [train], [val], epochs=3, lr=whole(rng, 40, 80) / 100), model)


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
    offset = whole(rng, -200, 200) / 100  # on what is validated, training has no influence
    model = TwoAnswers(rng, start=whole(rng, 0, 300) / 100, steep=(1.0, 25.0), settled=(0.0, offset))
    train, val = model.batch(rng, ("steep", "n")), model.batch(rng, ("settled", "yn"), ("settled", "n"))
    return told(tune(code, model, [train], [val], epochs=whole(rng, 3, 4), lr=whole(rng, 40, 80) / 100), model)


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
    """The model trains in train mode, whatever modes it came in, and all of it is in eval mode at the end."""
    model = in_drawn_modes(rng, LanguageModel(rng))
    history = tune(code, model, *lesson(rng, model.vocabulary, 2), epochs=2)
    return {"modes at the end": modes(model)} | reported(history)


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
    """max_grad_norm reaches every update; at 0.0 only weight decay is left."""
    seen = {}
    for name, limit in {"of 0.0": 0.0, "near eps": whole(rng, 2, 6) * 1e-9}.items():
        model = LanguageModel(rng)
        tune(code, model, *lesson(rng, model.vocabulary, 2), weight_decay=5.0, max_grad_norm=limit)
        seen[f"weights with a limit {name}"] = weights(model)
    model, train, val = known_gradients(rng, *shuffled(rng, [4.0, 2.0, 0.5]))
    tune(
        code, model, train, val, lr=1.0, max_grad_norm=whole(rng, 20, 30) / 100
    )  # below the first two gradients together
    return seen | {"weights with a limit below some gradients": weights(model)}
