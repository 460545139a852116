"""Models by name: the tiny one of the course, which our own code reads, and any other, which transformers reads.

The files are the standard ones: config.json, model.safetensors, tokenizer.json.
"""

import json
from dataclasses import asdict, fields, replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from lab import adapters, contents
from lab.contents import CheckpointError
from lab.model import CausalLM, Config
from lab.tokenizer import Tokenizer

TINY = Path(__file__).parent / "tiny"


def load(name: str | Path = "tiny", *, dtype: torch.dtype = torch.float32, device: str | torch.device = "cpu"):
    """Load a causal language model in eval mode, and its tokenizer.

    The model is called as model(input_ids, attention_mask) and returns logits (B, T, V).

    Args:
        name: "tiny" (the model of this course), "smollm2" (a real one of 135 million parameters, which `lab.smollm2` fetches
            once), a local folder, a .gguf file, or a hub name such as "Qwen/Qwen2.5-0.5B-Instruct", which is downloaded once.
        dtype: of the weights.
        device: where they lie, such as "cuda".

    Returns:
        A `lab.model.CausalLM` and a `lab.tokenizer.Tokenizer`; for any other model than the tiny one, a model of transformers and
        a `lab.pretrained.TransformersTokenizer`, which has the same methods.

    Raises:
        CheckpointError: no such model, no network, something else than a causal language model, or a damaged file.
    """
    if str(name) == "smollm2":
        from lab import smollm2

        return smollm2.load(dtype=dtype, device=device)
    if str(name) != "tiny":
        from lab import pretrained  # here, since transformers takes seconds to import

        return pretrained.load(str(name), dtype=dtype, device=device)
    raw = json.loads((TINY / "config.json").read_text(encoding="utf-8"))
    model = CausalLM(Config(**{field.name: raw[field.name] for field in fields(Config)}))
    weights = load_file(TINY / "model.safetensors")
    model.load_state_dict({**weights, "lm_head.weight": weights["model.embed_tokens.weight"]})
    return model.to(device, dtype).eval(), Tokenizer.load(TINY)


def save(model: nn.Module, tokenizer, folder: str | Path, *, merge: bool = False) -> None:
    """Write the standard files into a folder, which is made if need be. `load` reads them, and so does transformers.

    Args:
        merge: save a model with LoRA inside with the updates added to its weights. The model itself stays as it is.

    Raises:
        CheckpointError: the model holds LoRA, and merge is False; or it holds layers for which the files have no place.
    """
    folder = Path(folder)
    contents.check_target(folder)
    if inside := adapters.lora_layers(model):
        if not merge:
            raise CheckpointError(
                f"The model holds LoRA in {len(inside)} layers, such as {min(inside)}, for which the standard files have no place. "
                "Save it merged, with merge=True, or the adapter alone, with lab.adapters.save."
            )
        model = adapters.merged(model)
    if isinstance(model, CausalLM):
        _save_own(model, tokenizer, folder)
    else:
        from lab import pretrained

        pretrained.save(model, folder)
    (tokenizer.save if hasattr(tokenizer, "save") else tokenizer.save_pretrained)(folder)  # ours, or one of transformers


def _save_own(model: CausalLM, tokenizer: Tokenizer, folder: Path) -> None:
    tied = model.lm_head.weight is model.model.embed_tokens.weight
    settings = replace(model.config, tie_word_embeddings=tied)
    weights = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    with torch.device("meta"):
        contents.check_same(CausalLM(settings).state_dict(), weights)
    if tied:
        del weights["lm_head.weight"]
    config = {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "hidden_act": "silu",
        "eos_token_id": tokenizer.eos_id,
        "pad_token_id": tokenizer.pad_id,
        **asdict(settings),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for stale in ("generation_config.json", "chat_template.jinja", f"model.safetensors{contents.INDEX}"):
        (folder / stale).unlink(missing_ok=True)  # of another model, which is written over: they would outweigh ours
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
