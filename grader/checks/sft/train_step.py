"""The checks of `train_step`."""

import torch

from grader.checks import rand, refusal
from grader.checks.sft.material import (
    VOCAB,
    WIDTH,
    Toy,
    batch,
    check,
    in_eval_mode,
    moved,
    unequal,
    unlabelled,
    weights,
)


def sgd(model, lr=0.5, **options):
    return torch.optim.SGD(model.parameters(), lr=lr, **options)


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
            ValueError,
            lambda m=model, p=parts, o=optimizer, s=scheduler: code.train_step(m, p, o, scheduler=s),
            "micro_batches",
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
