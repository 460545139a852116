"""Counting, BitFit, states and the bill with explicit loops, sets and formulas."""

from collections import namedtuple

Counts = namedtuple("Counts", ["trainable", "total"])


def freeze(model):
    for module in model.modules():
        for _, parameter in module.named_parameters(recurse=False):
            parameter.requires_grad = False
    return model


def count_parameters(model):
    seen, trainable, total = set(), 0, 0
    for module in model.modules():
        for parameter in module.parameters(recurse=False):
            if id(parameter) in seen:
                continue
            seen.add(id(parameter))
            total += parameter.nelement()
            trainable += parameter.nelement() if parameter.requires_grad else 0
    return Counts(total=total, trainable=trainable)


def apply_bitfit(model, also=()):
    if isinstance(also, (str, bytes)):
        raise TypeError(f"also: {also!r} is one string, a list of strings is needed")
    chosen, any_bias = [], False
    for name, parameter in model.named_parameters():
        is_bias = name.split(".")[-1] == "bias"
        any_bias = any_bias or is_bias
        train = is_bias or len([part for part in also if name.find(part) >= 0]) > 0
        parameter.requires_grad = train
        if train:
            chosen.append(name)
    if not any_bias:
        raise ValueError("this model has no bias")
    return chosen


def adapter_state_dict(model):
    wanted = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    return {name: tensor.clone() for name, tensor in model.state_dict().items() if name in wanted}


def load_adapter(model, state):
    own = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    for name in sorted(own.keys() ^ state.keys()):
        raise ValueError(f"{name} is only in the {'model' if name in own else 'state'}")
    for name in own:
        if tuple(own[name].shape) != tuple(state[name].shape):
            raise ValueError(f"{name}: shapes differ")
    for name in own:
        own[name].data.copy_(state[name])


def training_memory(total, trainable, *, weight_bytes=2, grad_bytes=2, optimizer_bytes=12):
    if trainable < 0:
        raise ValueError(f"trainable={trainable} is negative; total={total}")
    frozen = total - trainable
    if frozen < 0:
        raise ValueError(f"trainable={trainable} is more than total={total}")
    whole = frozen * weight_bytes + trainable * (weight_bytes + grad_bytes + optimizer_bytes)
    return dict(
        total=whole,
        optimizer=trainable * optimizer_bytes,
        gradients=trainable * grad_bytes,
        weights=whole - trainable * (grad_bytes + optimizer_bytes),
    )
