"""What lies in a folder that should hold a language model: looked at before it is loaded, and told in sentences."""

import json
import re
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

INDEX = ".index.json"
SINGLE = ("model.safetensors", "pytorch_model.bin")  # in the order in which transformers looks; each may have an index instead
VOCABULARIES = (
    "tokenizer.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model", "sentencepiece.bpe.model", "tekken.json",
)  # fmt: skip
POINTER = b"version https://git-lfs"  # what Git stores in the place of a large file
PLAIN = ("F64", "F32", "F16", "BF16", torch.float64, torch.float32, torch.float16, torch.bfloat16)  # of weights that are not quantised
HARMLESS = re.compile(r"rotary_emb\.inv_freq$|masked_bias$|attn\.bias$")  # what old versions stored and new ones compute
SMALL = ("*.json", "*.jinja", "*.model", "*.txt")
BY_BYTES = ("ByT5Tokenizer", "CanineTokenizer", "PerceiverTokenizer")  # they need no vocabulary
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

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows of it: the sentence. Where it was raised is of no use to a learner."""
        return [str(self)]


def gguf_file(folder: Path) -> Path | None:
    """The GGUF file of a folder that holds its model in this form alone. CheckpointError if there are several."""
    if any((folder / name).exists() or (folder / f"{name}{INDEX}").exists() for name in SINGLE):
        return None
    beside = (".", "mmproj", "imatrix")  # what macOS leaves, an eye, and statistics
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".gguf" and not path.name.startswith(beside))
    if found and re.search(r"-[0-9]+-of-[0-9]+$", found[0].stem):
        raise CheckpointError(f"{folder} holds a GGUF file in several parts. Join them first: llama-gguf-split --merge {found[0].name} whole.gguf")
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
    for path in sorted(path for kind in SMALL for path in folder.glob(kind)):
        if path.is_file() and path.stat().st_size and not path.name.startswith("."):
            check_is_there(path)
    if (folder / "generation_config.json").exists():
        read_dict(folder / "generation_config.json")
    inner = config.get("text_config") if isinstance(config.get("text_config"), dict) else {}
    if quantised := config.get("quantization_config") or config.get("compression_config") or inner.get("quantization_config"):
        kind = quantised.get("quant_method", "of an unnamed kind") if isinstance(quantised, dict) else quantised
        raise CheckpointError(
            f"{folder} holds a quantised model ({kind}), whose weights cannot be trained or merged here. "
            "Load the model from which it was made, in 16 or 32 bits."
        )
    architectures = config.get("architectures")
    for architecture in [architectures] if isinstance(architectures, str) else _list(architectures):
        for ending, what in OTHERS.items():
            if str(architecture).endswith(ending):
                raise CheckpointError(
                    f"{folder} holds {what} ({architecture}), not a causal language model. Load the model from which it was made."
                )
    for path in weight_files(folder):
        _check_weights(path)
    if not any((folder / name).exists() for name in VOCABULARIES) and not _needs_no_vocabulary(folder):
        raise CheckpointError(
            f"{folder} holds no tokenizer: there is none of {_some(VOCABULARIES)}. Copy the tokenizer files of the base model into it."
        )


def _needs_no_vocabulary(folder: Path) -> bool:
    path = folder / "tokenizer_config.json"
    return path.exists() and read_dict(path).get("tokenizer_class") in BY_BYTES


def read_config(folder: Path) -> dict:
    """config.json. CheckpointError says what else the folder holds if there is none, or that it is damaged."""
    path = folder / "config.json"
    if not path.exists():
        raise CheckpointError(_without_config(folder))
    check_is_there(path)
    return read_dict(path)


def adapter_of(folder: Path) -> str:
    """What kind of PEFT adapter a folder holds, and of which base, in words."""
    check_is_there(folder / "adapter_config.json")
    config = read_dict(folder / "adapter_config.json")
    return f"{config.get('peft_type') or 'unnamed kind'}, for the base {config.get('base_model_name_or_path') or '(not named)'}"


def weight_files(folder: Path) -> list[Path]:
    """The files that hold the weights. CheckpointError if they are not all there."""
    for name in SINGLE:
        if (folder / name).is_symlink() and not (folder / name).exists():
            raise CheckpointError(f"{folder / name} points to a file that is gone. Copy or download it again.")
        if (folder / name).exists():
            return [folder / name]
        index = folder / f"{name}{INDEX}"
        if index.exists():
            check_is_there(index)
            named = shards(index)
            missing = [shard for shard in named if not (folder / shard).exists()]
            if missing:
                raise CheckpointError(
                    f"{folder}: {index.name} names {len(named)} files, of which {_some(missing)} is missing. Copy or download it again."
                )
            return [folder / shard for shard in named]
    stray = [path.name for kind in ("safetensors", "bin", "pt", "pth", "msgpack", "h5") for path in sorted(folder.glob(f"*.{kind}"))]
    hint = f" There are {_some(stray)}: shards need their {SINGLE[0]}{INDEX}, and a single file this name." if stray else ""
    raise CheckpointError(f"{folder} holds no weights: neither {SINGLE[0]} nor {SINGLE[1]}.{hint}")


def shards(index: Path) -> list[str]:
    """The names of the files of weights that an index names."""
    names = read_dict(index).get("weight_map")
    if not isinstance(names, dict) or not names or not all(isinstance(name, str) for name in names.values()):
        raise CheckpointError(f"{index} names no files of weights. Copy or download it again.")
    return sorted(set(names.values()))


def check_same(due: dict[str, torch.Tensor], given: dict[str, torch.Tensor], tied: set[str] = frozenset()) -> None:
    """CheckpointError names what a model that is to be saved has more, or less, or in another shape than its config says."""
    if more := sorted(given.keys() - due.keys()):
        raise CheckpointError(f"The model holds {more[0]}, for which the standard files have no place.")
    if less := sorted(due.keys() - given.keys() - tied):
        raise CheckpointError(f"The model lacks {less[0]}, which its config calls for. It could not be loaded again.")
    for name, tensor in given.items():
        if tensor.shape != due[name].shape:
            raise CheckpointError(f"{name} has shape {tuple(tensor.shape)}, but the config of the model says {tuple(due[name].shape)}.")
    if name := not_finite(given):
        raise CheckpointError(f"{name} holds NaN or infinity. Such a model is not saved: has the training diverged?")


def not_finite(tensors: dict[str, torch.Tensor]) -> str:
    """The name of the first tensor that holds NaN or infinity, "" if none does. No copy is made for it."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and tensor.numel() and not all(bound.isfinite() for bound in tensor.aminmax()):
            return name
    return ""


def check_target(folder: Path) -> None:
    """CheckpointError if a model cannot be saved into this folder."""
    if folder.exists() and not folder.is_dir():
        raise CheckpointError(f"{folder} is a file. Name a folder for the model.")
    if (folder / "adapter_config.json").exists():
        raise CheckpointError(f"{folder} holds a PEFT adapter. Save the model into a folder of its own.")


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
    check_is_there(path)
    for name, kind in _kinds(path).items():
        if name.endswith(("weight", "bias")) and kind not in PLAIN and not HARMLESS.search(name):
            raise CheckpointError(
                f"{path}: {name} is of type {kind}, so this is a quantised model, and config.json does not say which kind. "
                "Load the model from which it was made, in 16 or 32 bits."
            )


def _kinds(path: Path) -> dict:
    """The kind of numbers of each tensor in a file of weights, which is not read for that."""
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as file:
                return {name: file.get_slice(name).get_dtype() for name in file.keys()}
        tensors = torch.load(path, map_location="meta", weights_only=True)
    except Exception as error:  # safetensors and pickle raise many kinds
        words = str(error).splitlines()[0][:200] if isinstance(error, (SafetensorError, OSError)) else type(error).__name__
        raise CheckpointError(f"{path} is damaged or no file of weights ({words}). Copy or download it again.") from None
    if not isinstance(tensors, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in tensors.values()):
        raise CheckpointError(f"{path} holds more than weights, such as the state of a training. Save the model's state_dict alone.")
    return {name: tensor.dtype for name, tensor in tensors.items()}


def check_is_there(path: Path) -> None:
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


def read_dict(path: Path) -> dict:
    """A JSON file that holds an object. CheckpointError if it is something else."""
    try:
        return _dict(json.loads(path.read_text(encoding="utf-8")))
    except UnicodeDecodeError:
        raise CheckpointError(f"{path} cannot be read: it is not in UTF-8.") from None
    except json.JSONDecodeError as error:
        hint = "It begins with a byte-order mark: save it as UTF-8 without one." if "BOM" in error.msg else error
        raise CheckpointError(f"{path} cannot be read: {hint}") from None
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
