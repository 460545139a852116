"""The checks of `load_adapter`."""

import torch

from grader.checks import check, rand, refusal, shuffled, some, tried
from grader.checks.peft.material import decoder, moved, snapshot, token_ids, trainable, trainable_names
from grader.checks.peft.parameters import in_mixed_precision, tuned


def a_state(rng, model) -> dict[str, torch.Tensor]:
    """Drawn numbers for all that trains in a model, in a drawn order."""
    own = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    return {name: rand(rng, *own[name].shape, dtype=own[name].dtype) for name in shuffled(rng, list(own))}


def numbers_of(model, names) -> dict[str, torch.Tensor]:
    """The present tensors of these names, in the order of the names."""
    own = dict(model.named_parameters())
    return {name: own[name] for name in sorted(names)}


@check(
    "load_adapter",
    1,
    (
        "Copy each tensor into the parameter of the same name.",
        "Copy the numbers; what was loaded must not hang on the state, and all else stays as it was.",
        "with torch.no_grad(): parameter.copy_(state[name])",
    ),
)
def loads_what_was_saved(code, rng):
    """The trainable tensors take the numbers of the state and keep their own dtype; they go on training, and all else is as it was."""
    model = tuned(rng)
    ids, before, state = token_ids(rng, model), snapshot(model), a_state(rng, model)
    code.load_adapter(model, state)
    for tensor in state.values():
        tensor.zero_()  # what was loaded must not hang on the state
    now = dict(model.named_parameters())
    mixed = in_mixed_precision(tuned(rng))
    wide = {name: tensor.float() for name, tensor in a_state(rng, mixed).items()}
    code.load_adapter(mixed, wide)
    return {
        "changed": [name for name, (_, numbers) in before.items() if not torch.equal(now[name], numbers)],
        "tensors": numbers_of(model, state),
        "output": model(ids),
        "trainable": trainable_names(model),
        "a state in float32 for tensors of several dtypes": numbers_of(mixed, wide),
    }


@check(
    "load_adapter",
    1,
    (
        "An optimizer was made before the adapter was loaded. Which tensors does it hold?",
        "Put the numbers into the parameters that are there. A new nn.Parameter is unknown to every optimizer.",
        "with torch.no_grad(): parameter.copy_(state[name])",
    ),
)
def an_optimizer_goes_on(code, rng):
    """An optimizer that was made before trains what was loaded, since the parameters are still the same ones."""
    model = tuned(rng)
    ids = token_ids(rng, model)
    optimizer = torch.optim.SGD(trainable(model), lr=0.1)
    code.load_adapter(model, a_state(rng, model))
    outputs = []
    for _ in range(3):
        output = model(ids)
        outputs.append(output.detach())
        if output.requires_grad:
            optimizer.zero_grad()
            output.square().mean().backward()
            optimizer.step()
    return {"output": outputs[0], "output after two steps": outputs[2]}


def _spoilt(code, rng, spoil) -> dict:
    """What comes of loading a spoilt state: the error, and whether anything was loaded.

    Args:
        spoil: spoil(state, model) spoils a state and returns the name that the error must contain.
    """
    model = tuned(rng)
    ids, before, state = token_ids(rng, model), snapshot(model), a_state(rng, model)
    name = spoil(state, model)
    error = refusal(ValueError, lambda: code.load_adapter(model, state), name)
    return {"error": error, "loaded": moved(before), "output": model(ids), "trainable": trainable_names(model)}


def _whole(code, rng, change=lambda state, model: None) -> dict:
    """What comes of loading a state that fits, however unusual it may look."""
    model = tuned(rng)
    ids, state = token_ids(rng, model), a_state(rng, model)
    change(state, model)
    code.load_adapter(model, state)
    return {"output": model(ids), "trainable": trainable_names(model)}


def _at_the_end(state, name: str, tensor: torch.Tensor) -> str:
    """Put the tensor into the state as its last one: whoever compares while copying has copied all others. Returns the name."""
    state.pop(name, None)
    state[name] = tensor
    return name


def _last(model) -> str:
    """The last trainable tensor of the model, a vector."""
    return trainable_names(model)[-1]


def _matrix(model) -> str:
    """The trainable matrix of which height and width differ."""
    return next(name for name in trainable_names(model) if f".{model.names.down}." in name)


@check(
    "load_adapter",
    1,
    (
        "Compare the names of the state with those of the model before you copy anything.",
        "A trainable tensor that the state lacks is a ValueError that contains its name.",
        "missing = [name for name in own if name not in state]",
    ),
)
def refuses_a_missing_tensor(code, rng):
    """If the state lacks a tensor, a ValueError names it and nothing is loaded. Where nothing trains, an empty state fits."""

    def without_the_last(state, model):
        del state[_last(model)]
        return _last(model)

    def without_some_one(state, model):
        (name,) = some(rng, 1, list(state))
        del state[name]
        return name

    def empty(state, model):
        state.clear()
        return ""  # one of its names, whichever

    def nothing_trains():
        model = decoder(rng).requires_grad_(False)
        code.load_adapter(model, {})
        return model(token_ids(rng, model))

    return tried(
        rng,
        **{
            "without the last tensor": lambda: _spoilt(code, rng, without_the_last),
            "without another one": lambda: _spoilt(code, rng, without_some_one),
            "an empty state": lambda: _spoilt(code, rng, empty),
            "an empty state where nothing trains": nothing_trains,
        },
    )


@check(
    "load_adapter",
    1,
    (
        "Could the state hold a name that does not train here?",
        "A name of the state that is no trainable tensor of the model is a ValueError, too, also if it is a frozen one.",
        "unexpected = [name for name in state if name not in own]",
    ),
)
def refuses_an_unexpected_tensor(code, rng):
    """If the state holds a tensor without a place, or one for a frozen place, a ValueError names it and nothing is loaded."""

    def without_a_place(state, model):
        (name,) = some(rng, 1, list(state))
        other = some(rng, 1, [f"module.{name}", f"{name}_2", f"{name}.default", name.upper()])[0]
        return _at_the_end(state, other, torch.zeros_like(state[name]))

    def frozen(state, model):
        names = [name for name, parameter in model.named_parameters() if not parameter.requires_grad]
        (name,) = some(rng, 1, names)
        return _at_the_end(state, name, rand(rng, *model.get_parameter(name).shape))

    def a_buffer(state, model):
        name, buffer = next(model.named_buffers())
        return _at_the_end(state, name, torch.zeros_like(buffer))

    return tried(
        rng,
        **{
            "no such tensor": lambda: _spoilt(code, rng, without_a_place),
            "a frozen tensor": lambda: _spoilt(code, rng, frozen),
            "a buffer": lambda: _spoilt(code, rng, a_buffer),
            "all that trains": lambda: _whole(code, rng),
        },
    )


@check(
    "load_adapter",
    2,
    (
        "copy_ broadcasts: one number fits into every tensor without a word.",
        "Compare the shapes of all tensors before the first copy.",
        "if state[name].shape != parameter.shape: raise ValueError(...)",
    ),
)
def refuses_a_misshapen_tensor(code, rng):
    """If a tensor has another shape, even one that would broadcast, a ValueError names it and nothing is loaded."""

    def one_number(state, model):
        return _at_the_end(state, _last(model), state[_last(model)][:1])

    def one_row(state, model):
        return _at_the_end(state, _matrix(model), state[_matrix(model)][:1])

    def flattened(state, model):
        return _at_the_end(state, _matrix(model), state[_matrix(model)].flatten())

    def transposed(state, model):
        return _at_the_end(state, _matrix(model), state[_matrix(model)].T)

    def a_view(state, model):
        matrix = state[_matrix(model)]
        _at_the_end(state, _matrix(model), matrix.T.contiguous().T)

    return tried(
        rng,
        **{
            "one number for a vector": lambda: _spoilt(code, rng, one_number),
            "one row for a matrix": lambda: _spoilt(code, rng, one_row),
            "a flat matrix": lambda: _spoilt(code, rng, flattened),
            "a transposed matrix": lambda: _spoilt(code, rng, transposed),
            "the right shape, as a view": lambda: _whole(code, rng, a_view),
        },
    )
