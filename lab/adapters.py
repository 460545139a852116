"""LoRA in the files of PEFT: adapter_config.json and adapter_model.safetensors.

    inject_lora(model, ["q_proj", "v_proj"], rank=16, alpha=32)
    adapters.save(model, "my-adapter", base="Qwen/Qwen2.5-0.5B")

What `save` writes, `PeftModel.from_pretrained` loads; what PEFT or TRL has saved, `load` puts into a LoRALinear of the learner.
A layer counts as LoRA if it has `base`, `lora_A` (rank, in), `lora_B` (out, rank) and `scaling`, whoever wrote its class.
"""

import copy
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import nn

from lab.adapter_contents import CONFIG, ENDS, PREFIX, WEIGHTS, Adapter, read
from lab.contents import PLAIN, CheckpointError

BROUGHT = "brought_by_an_adapter"  # the attribute by which a module is marked whose parameters `load` has put in


# --- the layers of a model ----------------------------------------------------------------------


def lora_layers(model: nn.Module) -> dict[str, nn.Module]:
    """The layers of a model that hold LoRA, by qualified name."""
    parts = ("base", "lora_A", "lora_B", "scaling")
    return {name: module for name, module in model.named_modules() if all(hasattr(module, part) for part in parts)}


@torch.no_grad()
def merged(model: nn.Module) -> nn.Module:
    """A copy of the model with plain linear layers, the updates added to their weights. It answers like the model.

    A merged weight is a tensor of its own, also where it was tied. Else a head's update would change the embedding.
    """
    model = copy.deepcopy(model)
    for name, layer in reversed(lora_layers(model).items()):  # the inner one first, where one lies in another
        base = layer.base
        if not getattr(layer, "merged", False):
            update = layer.scaling * (layer.lora_B @ layer.lora_A)
            base.weight = nn.Parameter(base.weight + update.to(base.weight.dtype))
        if name:
            _put(model, name, base)
        else:
            model = base
    return model


def _factors(name: str, layer: nn.Module) -> tuple[torch.Tensor, torch.Tensor]:
    """lora_A and lora_B of a layer. CheckpointError if they are no factors of the update of a linear layer."""
    base, *factors = (getattr(layer, part, None) for part in ("base", "lora_A", "lora_B"))
    if not isinstance(base, nn.Linear):
        raise CheckpointError(f"{name} should hold LoRA in an nn.Linear, its base, and has {type(base).__name__}.")
    if not all(isinstance(factor, torch.Tensor) and factor.ndim == 2 for factor in factors):
        raise CheckpointError(f"{name}: lora_A and lora_B should be matrices.")
    a, b = factors
    if (a.shape[1], *b.shape) != (base.in_features, base.out_features, a.shape[0]):
        due, given = f"(rank, {base.in_features}) and ({base.out_features}, rank)", f"{tuple(a.shape)} and {tuple(b.shape)}"
        raise CheckpointError(f"{name}: lora_A and lora_B should have the shapes {due}, not {given}.")
    return a, b


def _alpha(name: str, layer: nn.Module) -> float:
    """scaling · rank. CheckpointError if the scaling is not one finite number."""
    scaling = torch.as_tensor(layer.scaling)
    if scaling.numel() != 1 or not scaling.isfinite():
        raise CheckpointError(f"{name}: scaling should be one finite number.")
    return float(layer.scaling * layer.lora_A.shape[0])


def _check_numbers(name: str, tensor: torch.Tensor, dtype: torch.dtype, folder: Path) -> None:
    """CheckpointError if a tensor of an adapter is quantised, or not finite in the dtype that the model has for it."""
    if tensor.layout != torch.strided or tensor.dtype not in PLAIN:
        kind = _kind(tensor.dtype)
        raise CheckpointError(f"{folder}: {name} is of type {kind}. An adapter holds floating-point numbers of 16 or 32 bits.")
    if not tensor.isfinite().all():
        raise CheckpointError(f"{folder}: {name} holds NaN or infinity. Has the training diverged?")
    if not tensor.to(dtype).isfinite().all():
        kind = _kind(dtype)
        raise CheckpointError(f"{folder}: {name} holds numbers too large for {kind}. Load the model in bfloat16 or float32.")


def _kind(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _put(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(model.get_submodule(parent), last, module)


# --- writing ------------------------------------------------------------------------------------


def save(model: nn.Module, folder: str | Path, *, base: str | Path) -> None:
    """Write the LoRA of a model as PEFT does. The folder is made if need be.

    Other modules that train, or that `load` has brought, are written as a whole (PEFT's modules_to_save). A parameter that was
    changed and is frozen is not seen.

    Args:
        base: the hub name or the folder of the model on which the adapter was trained.

    Raises:
        CheckpointError: the model holds no LoRA, or NaN, or trains what PEFT's files have no place for; or the folder cannot be
            written.
    """
    folder = Path(folder)
    layers = lora_layers(model)
    if not layers:
        raise CheckpointError("The model holds no LoRA layer, so there is no adapter to save. Was it merged?")
    if not isinstance(base, (str, Path)):
        raise CheckpointError(f"base should be the hub name or the folder of the model that was adapted, not {base!r}.")
    if nested := next((name for name in layers for other in layers if name != other and _is_in(name, other)), None):
        raise CheckpointError(f"{nested} is a LoRA layer in another one. PEFT's files have no place for it. Save it merged.")
    if "" in layers:
        raise CheckpointError("The model is itself a LoRA layer, and PEFT's files hold only those that have a name in a model.")
    weights, ranks = {}, {}
    for name, layer in layers.items():
        a, b = _factors(name, layer)
        ranks[name] = a.shape[0]
        weights |= {f"{name}.lora_A.weight": a, f"{name}.lora_B.weight": b}
    whole = _whole(model, layers)
    for name in whole:
        weights |= {f"{name}.{key}": tensor for key, tensor in model.get_submodule(name).state_dict().items()}
    for name, tensor in weights.items():
        if tensor.is_floating_point():  # a whole module may count something
            _check_numbers(name, tensor, tensor.dtype, folder)
    # copies, since the file may not hold two names of one tensor, as tied ones are
    copies = {f"{PREFIX}{name}": t.detach().clone(memory_format=torch.contiguous_format) for name, t in weights.items()}
    config = _config(model, layers, ranks) | {"base_model_name_or_path": str(base), "modules_to_save": whole or None}
    if folder.is_file() or (folder / "config.json").exists():
        what = "is a file" if folder.is_file() else "holds a model"
        raise CheckpointError(f"{folder} {what}. Save the adapter into a folder of its own.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        save_file(copies, folder / WEIGHTS, metadata={"format": "pt"})
    except (OSError, SafetensorError) as error:
        why = getattr(error, "strerror", None) or error
        raise CheckpointError(f"The adapter cannot be written into the folder {folder}: {why}.") from None


def _config(model: nn.Module, layers: dict[str, nn.Module], ranks: dict[str, int]) -> dict:
    """What adapter_config.json says of the layers."""
    alphas = {name: _alpha(name, layer) for name, layer in layers.items()}
    rank, alpha = _most_common(ranks), _most_common(alphas)
    dropouts = [layer.dropout.p for layer in layers.values() if isinstance(getattr(layer, "dropout", None), nn.Dropout)]
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": rank,
        "lora_alpha": int(alpha) if alpha.is_integer() else alpha,
        "lora_dropout": max(dropouts, default=0.0),
        "target_modules": _targets(model, layers),
        "rank_pattern": {_exactly(name): value for name, value in ranks.items() if value != rank},
        "alpha_pattern": {_exactly(name): value for name, value in alphas.items() if value != alpha},
        "bias": "none",
        "fan_in_fan_out": False,
        "use_rslora": False,
        "inference_mode": True,
    }


def _whole(model: nn.Module, layers: dict[str, nn.Module]) -> list[str]:
    """The modules beside the LoRA that `load` has brought or that hold a trainable parameter.

    PEFT takes every module whose name ends like one of these, with all that it holds, and puts no LoRA into it. So
    CheckpointError if there is LoRA in one of them, or one of them in a LoRA layer.
    """
    factors = {id(tensor) for layer in layers.values() for tensor in (layer.lora_A, layer.lora_B, layer.scaling)}
    modules = dict(model.named_modules(remove_duplicate=False))
    own = {name for name, module in modules.items() if getattr(module, BROUGHT, False)}
    for name, parameter in model.named_parameters(remove_duplicate=False):  # a tied one trains under both of its names
        if parameter.requires_grad and id(parameter) not in factors:
            own.add(name.rpartition(".")[0])
    whole = own | {name for name in modules if name.endswith(tuple(own))}
    for layer in layers:
        if clash := sorted(name for name in whole if _is_in(name, layer) or _is_in(layer, name)):
            raise CheckpointError(
                f"{clash[0] or 'The model'} has parameters that are trained as they are, beside the LoRA of {layer}. "
                "PEFT's files have no place for both. Freeze them before the training, or save the model merged: "
                "lab.checkpoint.save(model, tokenizer, folder, merge=True)."
            )
    return [name for name in modules if name in whole and not any(name.startswith(f"{other}.") for other in whole)]


def _is_in(one: str, other: str) -> bool:
    """Whether a module is another one or lies in it, by their names."""
    return not other or f"{one}.".startswith(f"{other}.")


def _most_common(values: dict[str, float]) -> float:
    return Counter(values.values()).most_common(1)[0][0]


def _targets(model: nn.Module, layers: dict[str, nn.Module]) -> list[str] | str:
    """The last name parts if they mean these layers alone, as people write them; else a pattern of the whole names."""
    last_parts = {name.rpartition(".")[2] for name in layers}
    inside = {f"{name}." for name in layers}
    meant = {n for n, _ in model.named_modules() if n.rpartition(".")[2] in last_parts and not n.startswith(tuple(inside))}
    return sorted(last_parts) if meant == layers.keys() else "|".join(map(re.escape, layers))


def _exactly(name: str) -> str:
    """The key of a rank_pattern or alpha_pattern that means this layer alone. PEFT reads the keys as patterns."""
    return "^" + re.escape(name)


# --- reading ------------------------------------------------------------------------------------


@torch.no_grad()
def load(model: nn.Module, folder: str | Path, lora: Callable[..., nn.Module]) -> list[str]:
    """Put a PEFT adapter into a model, which is frozen but for the factors.

    Args:
        lora: makes a layer: lora(base, rank, alpha, dropout), as `LoRALinear` of problem 8 does.

    Returns:
        The names of the layers that hold it now, in model order.

    Raises:
        CheckpointError: it is no LoRA adapter, of another base, or holds what a LoRALinear cannot hold; or the model holds LoRA
            in one of these layers already. After this, and after any error of `lora`, the model is as it was.
    """
    adapter = read(Path(folder))
    _check_it_is_free(model, adapter)
    _check_factors_fit(model, adapter)
    _check_whole_fits(model, adapter)
    layers = _built(model, adapter, lora)
    for name, tensor in adapter.whole.items():  # before the layers, since one may be the base of such a layer
        module, _, attribute = name.rpartition(".")
        _set(model.get_submodule(module), attribute, tensor)
    for name, layer in layers.items():
        _put(model, name, layer)
    return list(layers)


def _check_it_is_free(model: nn.Module, adapter: Adapter) -> None:
    """CheckpointError if the model holds LoRA where the adapter belongs."""
    held = lora_layers(model)
    for name in (*adapter.factors, *adapter.whole):
        if any(_is_in(name, layer) for layer in held):
            raise CheckpointError(
                f"{adapter.folder}: the adapter brings {name}, and there the model holds LoRA already. "
                "Load it into a fresh model, or into a merged one: lab.adapters.merged(model)."
            )


def _check_factors_fit(model: nn.Module, adapter: Adapter) -> None:
    modules = dict(model.named_modules())
    for name, (a, b) in adapter.factors.items():
        if name not in modules:
            raise adapter.unfit(f"the adapter is for {name}, but the model has no such layer.")
        module = modules[name]
        if not isinstance(module, nn.Linear):
            kind = type(module).__name__
            raise CheckpointError(f"{adapter.folder}: {name} is of the kind {kind}, and a LoRALinear wraps an nn.Linear.")
        if a.ndim != 2 or tuple(a.shape) != (len(a), module.in_features) or tuple(b.shape) != (module.out_features, len(a)):
            shapes = f"lora_A {tuple(a.shape)} and lora_B {tuple(b.shape)}"
            raise adapter.unfit(f"{name} maps {module.in_features} to {module.out_features}, and has {shapes}.")
        for factor, tensor in (("lora_A", a), ("lora_B", b)):
            _check_numbers(f"{name}.{factor}", tensor, module.weight.dtype, adapter.folder)


def _check_whole_fits(model: nn.Module, adapter: Adapter) -> None:
    here = dict(model.named_parameters(remove_duplicate=False)) | dict(model.named_buffers(remove_duplicate=False))
    for name, tensor in adapter.whole.items():
        if name not in here:
            raise adapter.unfit(f"the adapter brings {name}, but the model has no such tensor.")
        old = here[name]
        if old.shape != tensor.shape:
            grown = name.split(".")[-2] in ENDS and old.shape[1:] == tensor.shape[1:]
            advice = f" Resize its vocabulary first: model.resize_token_embeddings({len(tensor)})." if grown else ""
            raise adapter.unfit(f"{name} has shape {tuple(tensor.shape)}, in the model {tuple(old.shape)}.{advice}")
        if old.is_floating_point():
            _check_numbers(name, tensor, old.dtype, adapter.folder)
    for name, module in model.named_modules():
        if name.endswith(adapter.modules_to_save):
            if lost := sorted({f"{name}.{key}" for key in module.state_dict()} - adapter.whole.keys()):
                raise adapter.unfit(f"modules_to_save means {name}, but the file of weights lacks {lost[0]}.")


def _built(model: nn.Module, adapter: Adapter, lora: Callable[..., nn.Module]) -> dict[str, nn.Module]:
    """The layers that hold the adapter, in model order, before one of them is put in. The rest of the model is frozen."""
    settings = {name: adapter.settings(name) for name in adapter.factors}
    flags = [(parameter, parameter.requires_grad) for parameter in model.parameters()]
    layers = {}
    try:
        model.requires_grad_(False)
        for name, module in model.named_modules():
            if name in adapter.factors:
                layers[name] = lora(module, *settings[name]).train(module.training)
                for factor, tensor in zip(_factors(name, layers[name]), adapter.factors[name]):
                    factor.copy_(tensor)
                    factor.requires_grad_(True)
    except BaseException:  # whatever the learner's class raises, and an interruption
        for parameter, flag in flags:
            parameter.requires_grad_(flag)
        raise
    return layers


def _set(module: nn.Module, attribute: str, tensor: torch.Tensor) -> None:
    """Put a whole tensor into a module: a new one, since the old one may be tied to another module."""
    old = getattr(module, attribute)
    new = tensor.to(old.device, old.dtype)
    if not torch.equal(old, new):
        setattr(module, attribute, nn.Parameter(new, requires_grad=False) if isinstance(old, nn.Parameter) else new)
        setattr(module, BROUGHT, True)
