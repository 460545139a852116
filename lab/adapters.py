"""LoRA in the files of PEFT: adapter_config.json and adapter_model.safetensors.

    inject_lora(model, ["q_proj", "v_proj"], rank=16, alpha=32)
    adapters.save(model, "my-adapter", base="Qwen/Qwen2.5-0.5B")

What `save` writes, `PeftModel.from_pretrained` loads; what PEFT or TRL has saved, `load` puts into a LoRALinear of the learner.
A layer counts as LoRA if it has `base`, `lora_A` (rank, in), `lora_B` (out, rank) and `scaling`, whoever wrote its class.
"""

import copy
import json
import math
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from lab.contents import CheckpointError

CONFIG, WEIGHTS, OLD_WEIGHTS = "adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"
PREFIX = "base_model.model."  # PEFT's own wrapping, in front of every name
# What an adapter may be that a LoRALinear cannot hold: the field of the config, and in words. A field that is absent, false or
# empty asks for nothing.
BEYOND = {
    "use_dora": "DoRA",
    "lora_bias": "a bias of its own beside B",
    "fan_in_fan_out": "layers that store their weight transposed, as GPT-2's Conv1D does",
    "trainable_token_indices": "trained rows of the embedding",
    "target_parameters": "LoRA on parameters that belong to no linear layer",
    "layer_replication": "layers that are used several times",
    "alora_invocation_tokens": "an activated LoRA (aLoRA)",
    "use_qalora": "QA-LoRA",
    "use_bdlora": "BD-LoRA",
    "arrow_config": "a router over adapters (Arrow)",
    "monteclora_config": "MonteCLoRA",
    "velora_config": "VeLoRA",
    "kasa_config": "KaSA",
}
ENDS = ("embed_tokens", "wte", "lm_head")  # saved as a whole, unasked, where tokens were added
# Starts that take the first update out of the base: the adapter fits that other base alone.
CHANGES_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")


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
    for name, layer in lora_layers(model).items():
        base = layer.base
        if not getattr(layer, "merged", False):
            update = layer.scaling * (layer.lora_B @ layer.lora_A)
            base.weight = nn.Parameter(base.weight + update.to(base.weight.dtype))
        if name:
            _put(model, name, base)
        else:
            model = base
    return model


def _put(model: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, last = name.rpartition(".")
    setattr(model.get_submodule(parent), last, module)


# --- writing ------------------------------------------------------------------------------------


def save(model: nn.Module, folder: str | Path, *, base: str) -> None:
    """Write the LoRA of a model as PEFT does. The folder is made if need be.

    Args:
        base: the hub name or the folder of the model on which the adapter was trained.

    Raises:
        CheckpointError: the model holds no LoRA.
    """
    layers = lora_layers(model)
    if not layers:
        raise CheckpointError("The model holds no LoRA layer, so there is no adapter to save. Was it merged?")
    ranks = {name: layer.lora_A.shape[0] for name, layer in layers.items()}
    alphas = {name: float(layer.scaling * ranks[name]) for name, layer in layers.items()}
    rank, alpha = _most_common(ranks), _most_common(alphas)
    dropouts = [layer.dropout.p for layer in layers.values() if isinstance(getattr(layer, "dropout", None), nn.Dropout)]
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base,
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
    weights = {}
    for name, layer in layers.items():
        weights[f"{PREFIX}{name}.lora_A.weight"] = layer.lora_A.detach().contiguous()
        weights[f"{PREFIX}{name}.lora_B.weight"] = layer.lora_B.detach().contiguous()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    save_file(weights, folder / WEIGHTS, metadata={"format": "pt"})


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
        CheckpointError: it is no LoRA adapter, of another base, or holds what a LoRALinear cannot hold. The model is as it was.
    """
    folder = Path(folder)
    config, weights = _read_config(folder), _read_weights(folder)
    _refuse_what_is_beyond(config, folder)
    modules = dict(model.named_modules())
    factors, whole = _sorted(weights, modules, config, folder)
    names = [name for name in modules if name in factors]
    settings = {name: _settings(modules[name], name, factors[name], config, folder) for name in names}
    model.requires_grad_(False)
    for name in names:
        layer = lora(modules[name], *settings[name]).train(modules[name].training)
        for factor, tensor in zip((layer.lora_A, layer.lora_B), factors[name]):
            factor.copy_(tensor)
            factor.requires_grad_(True)
        _put(model, name, layer)
    for (module, attribute), tensor in whole.items():
        old = getattr(modules[module], attribute)
        new = tensor.to(old.device, old.dtype)
        if not torch.equal(old, new):  # a new tensor, since the old one may be tied to another module
            setattr(modules[module], attribute, nn.Parameter(new, requires_grad=False))
    return names


def _read_config(folder: Path) -> dict:
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{folder} holds no PEFT adapter: it has no {CONFIG}.") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from None
    if not isinstance(config, dict):
        raise CheckpointError(f"{path} should hold an object with names and values.")
    return config


def _read_weights(folder: Path) -> dict[str, torch.Tensor]:
    path, old = folder / WEIGHTS, folder / OLD_WEIGHTS
    try:
        if path.exists():
            return load_file(path)
        if old.exists():
            return torch.load(old, map_location="cpu", weights_only=True)
    except Exception as error:  # safetensors and pickle raise many kinds
        words = str(error).splitlines()[0][:200] if isinstance(error, (SafetensorError, OSError)) else type(error).__name__
        raise CheckpointError(f"{path if path.exists() else old} is damaged or no file of weights ({words}).") from None
    raise CheckpointError(f"{folder} holds no weights: neither {WEIGHTS} nor {OLD_WEIGHTS}.")


def _refuse_what_is_beyond(config: dict, folder: Path) -> None:
    """CheckpointError names what the adapter has and a LoRALinear has not."""
    kind = config.get("peft_type", "LORA")
    if kind != "LORA":
        raise CheckpointError(f"{folder} holds an adapter of the kind {kind}, and a LoRALinear holds LoRA alone.")
    found = [words for field, words in BEYOND.items() if config.get(field)]
    if config.get("bias", "none") != "none":
        found.append(f"trained biases (bias={config['bias']!r})")
    start = str(config.get("init_lora_weights", True)).lower()
    if start.startswith(CHANGES_BASE):
        found.append(f"a start that changes the base weights (init_lora_weights={config['init_lora_weights']!r})")
    if found:
        raise CheckpointError(f"{folder}: this adapter has {' and '.join(found)}, which a LoRALinear cannot hold. Load it with PEFT.")


def _sorted(weights: dict[str, torch.Tensor], modules: dict[str, nn.Module], config: dict, folder: Path) -> tuple[dict, dict]:
    """The factors by the layer's name, and whole parameters by module and attribute. CheckpointError if one fits nowhere."""
    saved = [*(config.get("modules_to_save") or ()), *ENDS]
    factors: dict[str, dict[str, torch.Tensor]] = {}
    whole = {}
    for key, tensor in weights.items():
        name = key.removeprefix(PREFIX).replace(".base_layer.", ".")
        found = re.fullmatch(r"(.+)\.lora_([AB])(?:\.default)?\.weight", name)
        module, _, attribute = name.rpartition(".")
        if found:
            factors.setdefault(found[1], {})[found[2]] = tensor
        elif module.endswith(tuple(saved)):  # as PEFT compares: "norm" means every "…layernorm", too
            if not isinstance(getattr(modules.get(module), attribute, None), torch.Tensor):
                raise CheckpointError(f"{folder}: the adapter brings {name}, but the model has no such tensor. {_for(config)}")
            here = getattr(modules[module], attribute)
            if here.shape != tensor.shape:
                shapes = f"{name} has shape {tuple(tensor.shape)}, in the model {tuple(here.shape)}."
                raise CheckpointError(f"{folder}: {shapes} {_for(config)}")
            whole[module, attribute] = tensor
        else:
            raise CheckpointError(f"{folder}: the adapter holds {name}, which a LoRALinear cannot hold. Load it with PEFT.")
    for name, pair in factors.items():
        if pair.keys() != {"A", "B"}:
            raise CheckpointError(f"{folder}: of {name} only lora_{min(pair)} is there. Copy or download the adapter again.")
        if name not in modules:
            raise CheckpointError(f"{folder}: the adapter is for {name}, but the model has no such layer. {_for(config)}")
    if not factors:
        raise CheckpointError(f"{folder}: the file of weights holds no lora_A and lora_B.")
    return {name: (pair["A"], pair["B"]) for name, pair in factors.items()}, whole


def _settings(module: nn.Module, name: str, factors: tuple, config: dict, folder: Path) -> tuple[int, float, float]:
    """Rank, alpha and dropout of one layer, as a LoRALinear takes them. CheckpointError if the adapter does not fit it."""
    a, b = factors
    if not isinstance(module, nn.Linear):
        raise CheckpointError(f"{folder}: {name} is of the kind {type(module).__name__}, and a LoRALinear wraps an nn.Linear.")
    if (a.ndim, b.ndim, b.shape[0], a.shape[-1], b.shape[-1]) != (2, 2, module.out_features, module.in_features, a.shape[0]):
        shapes = f"lora_A {tuple(a.shape)} and lora_B {tuple(b.shape)}"
        raise CheckpointError(f"{folder}: {name} maps {module.in_features} to {module.out_features}, and has {shapes}. {_for(config)}")
    rank = a.shape[0]
    alpha = _of_pattern(config.get("alpha_pattern"), name, config.get("lora_alpha", 8))
    given = _of_pattern(config.get("rank_pattern"), name, config.get("r", rank))
    if given != rank:
        raise CheckpointError(f"{folder}: {CONFIG} gives {name} rank {given}, but its lora_A has {rank} rows.")
    if config.get("use_rslora"):
        alpha *= math.sqrt(rank)  # a LoRALinear divides by the rank, rsLoRA by its root (arXiv 2312.03732)
    return rank, alpha, config.get("lora_dropout") or 0.0


def _of_pattern(patterns: dict | None, name: str, otherwise):
    """The value of the first pattern that fits the end of the name, as PEFT looks it up."""
    for pattern, value in (patterns or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", name):
            return value
    return otherwise


def _for(config: dict) -> str:
    return f"It was made for the base {config.get('base_model_name_or_path') or '(not named)'}."
