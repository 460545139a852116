"""GGUF files, as llama.cpp writes them. transformers reads them, but not all that they say; what it leaves out is told here."""

from pathlib import Path

import gguf
from torch import nn

from lab.contents import CheckpointError


def check(path: Path, model: nn.Module) -> list[int]:
    """CheckpointError if the file says more than the model that transformers has made of it. The ids that end a turn, by the file.

    The model can be saved and cast afterwards: its numbers are no longer quantised.
    """
    reader = gguf.GGUFReader(path)
    fields = {name.partition(".")[2]: field.contents() for name, field in reader.fields.items() if "." in name}
    kind = fields.get("rope.scaling.type")
    factors = [tensor.name for tensor in reader.tensors if tensor.name.startswith(("rope_freqs", "rope_factors"))]
    if kind not in (None, "none") or factors:
        raise CheckpointError(
            f"{path} scales its rotary positions ({kind or factors[0]}), which transformers does not read from GGUF files. "
            "Load the safetensors of the same model."
        )
    window, config = fields.get("attention.sliding_window"), model.config.get_text_config()
    if window and window != getattr(config, "sliding_window", None):
        raise CheckpointError(f"{path} has a sliding window of {window} tokens, which transformers does not read. Load its safetensors.")
    there = sum(int(tensor.n_elements) for tensor in reader.tensors)
    taken = sum(parameter.numel() for parameter in model.parameters())
    if there != taken:
        raise CheckpointError(f"{path} holds {there:,} numbers, of which transformers has taken {taken:,}. Load the safetensors of the same model.")
    for name in ("quantization_config", "_pre_quantization_dtype"):
        model.config.__dict__.pop(name, None)
    model.is_quantized, model.hf_quantizer = False, None
    return [fields["ggml.eot_token_id"]] if isinstance(fields.get("ggml.eot_token_id"), int) else []
