"""What lies in a folder that should hold a language model: looked at before it is loaded, and told in sentences."""

import json
from collections.abc import Iterable
from pathlib import Path

from safetensors import SafetensorError, safe_open

INDEX = ".index.json"
SINGLE = ("model.safetensors", "pytorch_model.bin")  # in the order in which transformers looks; each may have an index instead
VOCABULARIES = (
    "tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "sentencepiece.bpe.model", "tekken.json",
)  # fmt: skip
POINTER = b"version https://git-lfs"  # what Git stores in the place of a large file
WHOLE_NUMBERS = ("I8", "U8", "I16", "I32", "F8_E4M3", "F8_E5M2", "F4")  # of weights: kinds that only quantised models have
OTHERS = {
    "ForSequenceClassification": "a classifier of texts",
    "ForTokenClassification": "a classifier of tokens",
    "ForQuestionAnswering": "a model that marks answers in a text",
    "ForMultipleChoice": "a classifier of choices",
    "ForMaskedLM": "a masked language model",
    "ForPreTraining": "a model with the heads of its pretraining",
}


class CheckpointError(Exception):
    """The model cannot be loaded or saved. The message says why and what to do."""


def gguf_file(folder: Path) -> Path | None:
    """The GGUF file of a folder that holds its model in this form alone. CheckpointError if there are several."""
    if any((folder / name).exists() or (folder / f"{name}{INDEX}").exists() for name in SINGLE):
        return None
    found = sorted(path for path in folder.glob("*.gguf") if not path.name.startswith("."))
    if len(found) > 1:
        raise CheckpointError(f"{folder} holds several GGUF files ({_some(p.name for p in found)}). Name the path of one.")
    return found[0] if found else None


def check(folder: Path) -> None:
    """CheckpointError if the folder does not hold all of a causal language model that transformers can load as it is."""
    config = read_config(folder)
    if (folder / "adapter_config.json").exists():
        raise CheckpointError(
            f"{folder} holds a model and a PEFT adapter ({adapter_of(folder)}), and does not say which of them is meant. "
            "Move adapter_config.json and its weights into a folder of their own."
        )
    if quantised := config.get("quantization_config") or config.get("compression_config"):
        kind = quantised.get("quant_method", "of an unnamed kind") if isinstance(quantised, dict) else quantised
        raise CheckpointError(
            f"{folder} holds a quantised model ({kind}), whose weights cannot be trained or merged here. "
            "Load the model from which it was made, in 16 or 32 bits."
        )
    for architecture in _list(config.get("architectures")):
        for ending, what in OTHERS.items():
            if str(architecture).endswith(ending):
                raise CheckpointError(
                    f"{folder} holds {what} ({architecture}), not a causal language model. Load the model from which it was made."
                )
    for path in weight_files(folder):
        _check_weights(path)
    if not any((folder / name).exists() for name in VOCABULARIES):
        raise CheckpointError(
            f"{folder} holds no tokenizer: there is none of {_some(VOCABULARIES)}. Copy the tokenizer files of the base model into it."
        )
    for path in folder.glob("tokenizer*"):
        _check_is_there(path)


def read_config(folder: Path) -> dict:
    """config.json. CheckpointError says what else the folder holds if there is none, or that it is damaged."""
    path = folder / "config.json"
    if not path.exists():
        raise CheckpointError(_without_config(folder))
    _check_is_there(path)
    return _read_dict(path)


def adapter_of(folder: Path) -> str:
    """What kind of PEFT adapter a folder holds, and of which base, in words."""
    config = _read_dict(folder / "adapter_config.json")
    return f"{config.get('peft_type') or 'unnamed kind'}, for the base {config.get('base_model_name_or_path') or '(not named)'}"


def weight_files(folder: Path) -> list[Path]:
    """The files that hold the weights. CheckpointError if they are not all there."""
    for name in SINGLE:
        if (folder / name).exists():
            return [folder / name]
        index = folder / f"{name}{INDEX}"
        if index.exists():
            _check_is_there(index)
            shards = sorted(set(map(str, _dict(_read_dict(index).get("weight_map")).values())))
            missing = [shard for shard in shards if not (folder / shard).exists()]
            if missing or not shards:
                raise CheckpointError(
                    f"{folder}: {index.name} names {len(shards)} files, of which {_some(missing) or 'none'} is missing. Copy or download it again."
                )
            return [folder / shard for shard in shards]
    stray = [path.name for kind in ("safetensors", "bin", "pt", "pth", "msgpack", "h5") for path in sorted(folder.glob(f"*.{kind}"))]
    shards = f" There are {_some(stray)}: shards need their {SINGLE[0]}{INDEX}, and a single file this name." if stray else ""
    raise CheckpointError(f"{folder} holds no weights: neither {SINGLE[0]} nor {SINGLE[1]}.{shards}")


def is_ambiguous(folder: Path) -> bool:
    """Whether there are a single file of weights and an index of several ones."""
    return any((folder / name).exists() and (folder / f"{name}{INDEX}").exists() for name in SINGLE)


def _without_config(folder: Path) -> str:
    if (folder / "adapter_config.json").exists():
        return (
            f"{folder} holds no model but a PEFT adapter ({adapter_of(folder)}). "
            "Load the base first, then put the adapter on it: lab.adapters.load(model, folder, LoRALinear)."
        )
    names = sorted(path.name for path in folder.iterdir())
    return f"{folder} holds no model: it has no config.json. " + (f"It has {_some(names)}." if names else "It is empty.")


def _check_weights(path: Path) -> None:
    """CheckpointError if a file of weights is none, is cut off, or holds whole numbers, as quantised weights are."""
    _check_is_there(path)
    if path.suffix != ".safetensors":
        return
    try:
        with safe_open(path, framework="pt") as file:
            kinds = {name: file.get_slice(name).get_dtype() for name in file.keys() if name.endswith("weight")}
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path} is damaged or no safetensors file ({error}). Copy or download it again.") from None
    for name, kind in kinds.items():
        if kind in WHOLE_NUMBERS:
            raise CheckpointError(
                f"{path}: {name} is of type {kind}, so this is a quantised model, and config.json does not say which kind. "
                "Load the model from which it was made, in 16 or 32 bits."
            )


def _check_is_there(path: Path) -> None:
    """CheckpointError if the file is empty, cannot be read, or is only Git's pointer to it."""
    try:
        with open(path, "rb") as file:
            start = file.read(len(POINTER))
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}.") from None
    if start == POINTER:
        raise CheckpointError(f"{path} is only a pointer of Git LFS, not the file itself. Run git lfs pull there, or download it.")
    if not start:
        raise CheckpointError(f"{path} is empty. Copy or download it again.")


def _read_dict(path: Path) -> dict:
    try:
        return _dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from None


def _dict(value) -> dict:
    if not isinstance(value, dict):
        raise ValueError(f"it should be an object with names and values, not {type(value).__name__}")
    return value


def _list(value) -> list:
    return value if isinstance(value, list) else []


def _some(names: Iterable[str], most: int = 5) -> str:
    names = list(names)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
