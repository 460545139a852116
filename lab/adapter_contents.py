"""What lies in a folder that should hold a LoRA adapter of PEFT: looked at before it goes into a model, told in sentences."""

import math
import re
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from lab.contents import CheckpointError, check_is_there, read_dict

CONFIG, WEIGHTS, OLD_WEIGHTS = "adapter_config.json", "adapter_model.safetensors", "adapter_model.bin"
PREFIX = "base_model.model."  # PEFT's own wrapping, in front of every name
# What an adapter may be that a LoRALinear cannot hold: the field of the config, and in words. A field that is absent, false or
# empty asks for nothing.
BEYOND = {
    "use_dora": "DoRA",
    "lora_bias": "a bias of its own beside B",
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
# The starts that leave the base as it is. Others, as PiSSA, take the first update out of it: they fit that other base alone.
STARTS = (None, True, False, "gaussian", "eva", "orthogonal", "mica")
ENDS = ("embed_tokens", "wte", "lm_head")  # saved as a whole, unasked, where tokens were added
WRAPPED = re.compile(r"\.(modules_to_save|original_module)\.")  # beside ENDS, PEFT writes its own two copies of them


def _is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and -1e38 < value < 1e38  # false for NaN


def _is_rank(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _are(holds, values) -> bool:
    return values is None or isinstance(values, dict) and all(map(holds, values.values()))


# The settings that are used, what each must be, and in words. One that is absent has PEFT's default.
SETTINGS = {
    "r": (_is_rank, "a whole number above 0"),
    "lora_alpha": (_is_number, "a number"),
    "lora_dropout": (lambda value: _is_number(value) and 0 <= value < 1, "a number from 0 to below 1"),
    "use_rslora": (lambda value: value in (None, True, False), "true or false"),
    "rank_pattern": (lambda value: _are(_is_rank, value), "an object of names and whole numbers above 0"),
    "alpha_pattern": (lambda value: _are(_is_number, value), "an object of names and numbers"),
    "modules_to_save": (
        lambda value: value is None or isinstance(value, list) and all(name and isinstance(name, str) for name in value),
        "a list of names",
    ),
}


@dataclass(frozen=True)
class Adapter:
    """A LoRA adapter, read and found to be whole in itself. Whether it fits a model is another question.

    Attributes:
        folder: where it lies.
        config: adapter_config.json.
        factors: lora_A (rank, in) and lora_B (out, rank) by the layer's qualified name.
        whole: parameters that were trained as they are, by qualified name.
    """

    folder: Path
    config: dict
    factors: dict[str, tuple[torch.Tensor, torch.Tensor]]
    whole: dict[str, torch.Tensor]

    @property
    def modules_to_save(self) -> tuple[str, ...]:
        """The ends of the names of the modules that were trained as a whole: "norm" means every "…layernorm", too."""
        return tuple(self.config.get("modules_to_save") or ())

    def unfit(self, words: str) -> CheckpointError:
        """The error that tells why the adapter does not fit a model, and for which base it was made."""
        base = self.config.get("base_model_name_or_path") or "(not named)"
        return CheckpointError(f"{self.folder}: {words} It was made for the base {base}.")

    def settings(self, name: str) -> tuple[int, float, float]:
        """Rank, alpha and dropout of a layer, as a LoRALinear takes them. CheckpointError if its factors have another rank."""
        rank = self.factors[name][0].shape[0]
        given = _of_pattern(self.config.get("rank_pattern"), name, self.config.get("r", 8))
        if given != rank:
            raise CheckpointError(f"{self.folder}: {CONFIG} gives {name} rank {given}, but its lora_A has {rank} rows.")
        alpha = _of_pattern(self.config.get("alpha_pattern"), name, self.config.get("lora_alpha", 8))
        if self.config.get("use_rslora"):
            alpha *= math.sqrt(rank)  # a LoRALinear divides by the rank, rsLoRA by its root (arXiv 2312.03732)
        return rank, alpha, self.config.get("lora_dropout", 0.0)


def read(folder: Path) -> Adapter:
    """The LoRA adapter in a folder. CheckpointError names what is wrong, or what it has and a LoRALinear has not."""
    config = _read_config(folder)
    _refuse_what_is_beyond(config, folder)
    factors, whole = _sorted(_read_weights(folder), config, folder)
    return Adapter(folder, config, factors, whole)


def _read_config(folder: Path) -> dict:
    path = folder / CONFIG
    if not path.exists():
        raise CheckpointError(f"{folder} holds no PEFT adapter: it {'is a file' if folder.is_file() else f'has no {CONFIG}'}.")
    check_is_there(path)
    config = read_dict(path)
    for field, (holds, words) in SETTINGS.items():
        if field in config and not holds(config[field]):
            raise CheckpointError(f"{path}: {field} should be {words}, not {config[field]!r}.")
    for pattern in [*(config.get("rank_pattern") or ()), *(config.get("alpha_pattern") or ())]:
        try:
            re.compile(_ending(pattern))
        except (re.error, OverflowError, RecursionError) as error:
            raise CheckpointError(f"{path}: {pattern!r} should be a name or a regular expression ({error}).") from None
    return config


def _refuse_what_is_beyond(config: dict, folder: Path) -> None:
    """CheckpointError names what the adapter has and a LoRALinear has not."""
    kind = config.get("peft_type")
    if kind is None:
        raise CheckpointError(f"{folder / CONFIG} does not say which kind of adapter it is: it has no peft_type.")
    if kind != "LORA":
        raise CheckpointError(f"{folder} holds an adapter of the kind {kind}, and a LoRALinear holds LoRA alone.")
    found = [words for field, words in BEYOND.items() if config.get(field)]
    if config.get("bias", "none") != "none":
        found.append(f"trained biases (bias={config['bias']!r})")
    if config.get("init_lora_weights") not in STARTS:
        found.append(f"a start that changes the base weights (init_lora_weights={config['init_lora_weights']!r})")
    if found:
        words = " and ".join(found)
        raise CheckpointError(f"{folder}: this adapter has {words}, which a LoRALinear cannot hold. Load it with PEFT.")


def _read_weights(folder: Path) -> dict[str, torch.Tensor]:
    path = next((folder / name for name in (WEIGHTS, OLD_WEIGHTS) if (folder / name).exists()), None)
    if path is None:
        raise CheckpointError(f"{folder} holds no weights: neither {WEIGHTS} nor {OLD_WEIGHTS}.")
    check_is_there(path)
    try:
        weights = load_file(path) if path.name == WEIGHTS else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # safetensors and pickle raise many kinds
        words = str(error).splitlines()[0][:200] if isinstance(error, (SafetensorError, OSError)) else type(error).__name__
        raise CheckpointError(f"{path} is damaged or no file of weights ({words}). Copy or download it again.") from None
    if not isinstance(weights, dict) or not all(isinstance(k, str) and isinstance(v, torch.Tensor) for k, v in weights.items()):
        raise CheckpointError(f"{path} should hold nothing but tensors, each under its name. Save the adapter again with PEFT.")
    return weights


def _sorted(weights: dict[str, torch.Tensor], config: dict, folder: Path) -> tuple[dict, dict]:
    """The factors by the layer's name, and whole parameters by theirs. CheckpointError if one is neither."""
    weights = {key.removeprefix(PREFIX).replace(".base_layer.", "."): tensor for key, tensor in weights.items()}
    saved = (*(config.get("modules_to_save") or ()), *ENDS)
    factors: dict[str, dict[str, torch.Tensor]] = {}
    whole = {}
    for name, tensor in weights.items():
        found = re.fullmatch(r"(.+)\.lora_([AB])(?:\.default)?\.weight", name)
        if WRAPPED.search(name) and WRAPPED.sub(".", name) in weights:
            pass  # the name without the wrapping holds the trained one
        elif found:
            factors.setdefault(found[1], {})[found[2]] = tensor
        elif ".lora_" not in name and any(module.endswith(saved) for module in _modules_around(name)):
            whole[name] = tensor
        else:
            raise CheckpointError(f"{folder}: the adapter holds {name}, which a LoRALinear cannot hold. Load it with PEFT.")
    for name, pair in factors.items():
        if pair.keys() != {"A", "B"}:
            raise CheckpointError(f"{folder}: of {name} only lora_{min(pair)} is there. Copy or download the adapter again.")
    if not factors:
        raise CheckpointError(f"{folder}: the file of weights holds no lora_A and lora_B.")
    return {name: (pair["A"], pair["B"]) for name, pair in factors.items()}, whole


def _modules_around(name: str) -> list[str]:
    """The names of the modules in which a parameter lies, from the outermost to its own."""
    return [name[: dot.start()] for dot in re.finditer(r"\.", name)]


def _of_pattern(patterns: dict | None, name: str, otherwise):
    """The value of the first pattern that fits the end of the name, as PEFT looks it up."""
    return next((value for pattern, value in (patterns or {}).items() if re.match(_ending(pattern), name)), otherwise)


def _ending(pattern: str) -> str:
    return rf"(.*\.)?({pattern})$"
