"""Models by name: the tiny one of the course, a folder, or a Qwen2-family model of a hub.

The files are the standard ones: config.json, model.safetensors, tokenizer.json.
"""

import json
from dataclasses import asdict, fields
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from lab.model import CausalLM, Config
from lab.tokenizer import Tokenizer

TINY = Path(__file__).parent / "tiny"
FILES = ["config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "*.safetensors*"]


class CheckpointError(Exception):
    """The model cannot be loaded. The message says why and what to do."""


def load(name: str | Path = "tiny", *, dtype: torch.dtype = torch.float32) -> tuple[CausalLM, Tokenizer]:
    """Load a model in eval mode and its tokenizer.

    Args:
        name: "tiny" (the model of this course), a local folder, or a hub name such as
            "Qwen/Qwen2.5-0.5B-Instruct", which is downloaded once.
        dtype: of the weights.

    Raises:
        CheckpointError: no such model, no network, another architecture, or a damaged file.
    """
    folder = _folder(name)
    config = read_config(folder)
    model = CausalLM(config)
    weights = _read_weights(folder)
    if config.tie_word_embeddings:
        weights.pop("lm_head.weight", None)
        weights["lm_head.weight"] = weights.get("model.embed_tokens.weight")
    _fit(model, weights, folder)
    return model.to(dtype).eval(), _read_tokenizer(folder)


def save(model: CausalLM, tokenizer: Tokenizer, folder: Path) -> None:
    """Write the standard files into a folder, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "hidden_act": "silu",
        "eos_token_id": tokenizer.eos_id,
        "pad_token_id": tokenizer.pad_id,
        **asdict(model.config),
    }
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    if model.config.tie_word_embeddings:
        del weights["lm_head.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    tokenizer.save(folder)


def read_config(folder: Path) -> Config:
    """The model's sizes out of config.json. CheckpointError if it is no Qwen2."""
    try:
        raw = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{folder / 'config.json'} cannot be read: {error}") from None
    if raw.get("model_type") != "qwen2":
        raise CheckpointError(
            f"{folder} holds a model of type {raw.get('model_type')!r}, and this course reads 'qwen2' only "
            "(Qwen2, Qwen2.5)."
        )
    known = {field.name for field in fields(Config)}
    rope = raw.get("rope_parameters") or {}
    values = {"rope_theta": rope.get("rope_theta", 10_000.0), "tie_word_embeddings": False, **raw}
    try:
        return Config(**{key: value for key, value in values.items() if key in known})
    except TypeError as error:
        raise CheckpointError(f"{folder / 'config.json'} is incomplete: {error}") from None


def _folder(name: str | Path) -> Path:
    if name == "tiny":
        return TINY
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if folder.is_absolute() or str(name).startswith((".", "~")) or str(name).count("/") != 1:
        raise CheckpointError(
            f"There is no model {str(name)!r}: no such folder, and hub names look like 'Qwen/Qwen2.5-0.5B'."
        )
    return _download(str(name))


def _download(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return Path(snapshot_download(name, allow_patterns=FILES))
    except HfHubHTTPError as error:
        status = error.response.status_code
        raise CheckpointError(
            f"The hub refuses {name!r} (HTTP {status}): check its spelling and your access."
        ) from None
    except Exception as error:  # httpx, sockets and the cache raise many kinds when there is no network
        raise CheckpointError(
            f"{name!r} is neither in the local cache nor can it be downloaded now ({type(error).__name__}). "
            "Connect to the internet, or name a local folder."
        ) from None


def _read_weights(folder: Path) -> dict[str, torch.Tensor]:
    shards = sorted(folder.glob("*.safetensors"))
    if not shards:
        raise CheckpointError(f"{folder} has no .safetensors file.")
    weights = {}
    for shard in shards:
        try:
            weights |= load_file(shard)
        except (SafetensorError, OSError) as error:
            raise CheckpointError(
                f"{shard} is damaged or no safetensors file ({error}). Copy or download it again."
            ) from None
    return weights


def _fit(model: CausalLM, weights: dict[str, torch.Tensor], folder: Path) -> None:
    """Copy the weights into the model. CheckpointError names the first tensor that does not fit."""
    own = model.state_dict()
    for name, tensor in own.items():
        given = weights.get(name)
        if given is None:
            raise CheckpointError(f"{folder}: the weights lack {name}, which config.json calls for.")
        if given.shape != tensor.shape:
            raise CheckpointError(
                f"{folder}: {name} has shape {tuple(given.shape)}, but config.json asks for {tuple(tensor.shape)}."
            )
    unknown = [name for name in weights if name not in own]
    if unknown:
        raise CheckpointError(f"{folder}: {unknown[0]} has no place in a Qwen2 model.")
    model.load_state_dict(weights)


def _read_tokenizer(folder: Path) -> Tokenizer:
    try:
        return Tokenizer.load(folder)
    except Exception as error:  # the tokenizers library raises bare Exception
        raise CheckpointError(f"{folder}: the tokenizer cannot be read: {error}") from None
