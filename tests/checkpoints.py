"""Small models as people have them: what the tests of `lab.pretrained` and `lab.adapters` make and save."""

import json
import shutil
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file

from lab import checkpoint

SIZES = {
    "vocab_size": 1073, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 256, "bos_token_id": None, "eos_token_id": 1, "pad_token_id": 0,
}  # fmt: skip
GPT2_SIZES = {"vocab_size": 1073, "n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 256, "bos_token_id": 1, "eos_token_id": 1}
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")


def model_of(kind: str = "Qwen2", **settings):
    """A causal language model of this architecture with random weights, biases and norms included."""
    sizes = GPT2_SIZES if kind == "GPT2" else SIZES
    name = "GPT2LMHeadModel" if kind == "GPT2" else f"{kind}ForCausalLM"
    torch.manual_seed(0)
    model = getattr(transformers, name)(getattr(transformers, f"{kind}Config")(**{**sizes, **settings})).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.2 + (1 if "norm" in name or "ln_" in name else 0))
    model.tie_weights()
    return model


def saved(model, folder: Path, **options) -> Path:
    """The folder, with the model and the tokenizer of the tiny model."""
    model.save_pretrained(folder, **options)
    for name in TOKENIZER_FILES:
        shutil.copy(checkpoint.TINY / name, folder / name)
    return folder


def change(path: Path, **values) -> None:
    """Set values of a JSON file. Without a value (...), the key is taken out."""
    content = json.loads(path.read_text(encoding="utf-8"))
    for name, value in values.items():
        content.pop(name, None) if value is ... else content.update({name: value})
    path.write_text(json.dumps(content), encoding="utf-8")


def change_weights(folder: Path, action) -> None:
    """Rewrite model.safetensors with what `action` gives for its dict of tensors."""
    path = folder / "model.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in action(load_file(path)).items()}, path, metadata={"format": "pt"})


def ids(rows: int = 2, length: int = 40) -> torch.Tensor:
    return torch.randint(5, 1000, (rows, length), generator=torch.Generator().manual_seed(1))
