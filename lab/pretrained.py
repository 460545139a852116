"""Any other model than the tiny one, through transformers: `model(input_ids, attention_mask)` gives logits, as the course calls it.

Hub names, folders and GGUF files of every causal language model that transformers loads.
"""

import functools
import inspect
import re
import warnings
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import torch
import transformers
from torch import nn
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, MODEL_FOR_MASKED_LM_MAPPING_NAMES

from lab import contents, gguf_files, hub
from lab.contents import CheckpointError
from lab.pretrained_tokenizer import TransformersTokenizer

CLASSIFIERS = ("score", "classifier", "qa_outputs", "classification_head")
# What a wrapper puts into the middle of a name.
WRAPPERS = re.compile(r"(?:_fsdp_wrapped_module|_checkpoint_wrapped_module|_orig_mod)\.")


def load(name: str, *, dtype: torch.dtype, device: str | torch.device) -> tuple[nn.Module, TransformersTokenizer]:
    """The model in eval mode and its tokenizer. See `lab.checkpoint.load`."""
    _check_device(device)
    place, file = hub.find(name)
    if file is None:
        contents.check(place)
    options = {"gguf_file": file} if file else {}
    with _without_reports():
        config = _read(transformers.AutoConfig, place, options)
        _check_kind(config, place)
        tokenizer = _read(transformers.AutoTokenizer, place, options)
        model = _read_model(place, {"dtype": dtype, "config": config, **options})
    more_ends = gguf_files.check(place / file, model) if file else []
    _check_numbers(model, place)
    model.__class__ = _giving_logits(type(model))
    model = model.to(device).eval()
    _check_behaviour(model, place)
    rows = model.get_input_embeddings().weight.shape[0]
    tokenizer = TransformersTokenizer(tokenizer, _end_tokens(model, tokenizer) + more_ends, rows)
    if len(tokenizer) > rows:
        _warn(f"{place}: the tokenizer knows {len(tokenizer)} tokens, but the model has rows for {rows} only.")
    if file is None and contents.is_ambiguous(place):
        _warn(f"{place} holds a single file of weights and an index of several; the single file was loaded.")
    return model, tokenizer


def _warn(words: str) -> None:
    warnings.warn(words, stacklevel=4)  # at the line that calls checkpoint.load


def _check_device(device: str | torch.device) -> None:
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise CheckpointError(f"There is no device {str(device)!r} here: {str(error).splitlines()[0][:200]}") from None


# --- reading ------------------------------------------------------------------------------------


def _read(kind: type, place: Path, options: dict):
    """What `from_pretrained` gives. No code of the folder is run. CheckpointError if it fails, whatever the reason."""
    try:
        return kind.from_pretrained(place, trust_remote_code=False, local_files_only=True, **options)
    except Exception as error:  # transformers, safetensors, tokenizers, gguf: each raises kinds of its own
        what = {"AutoConfig": "config.json", "AutoTokenizer": "the tokenizer"}.get(kind.__name__, "the model")
        what = options.get("gguf_file", what)
        words = " ".join(str(error).split())[:400]
        raise CheckpointError(f"{place}: {what} cannot be read by transformers ({type(error).__name__}: {words})") from None


@contextmanager
def _without_reports():
    """transformers prints tables of what fits where. We say it in a sentence."""
    before = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers.logging.set_verbosity(before)


def _check_kind(config, place: Path) -> None:
    """CheckpointError if this is no causal language model."""
    kind = config.model_type
    if getattr(config, "is_encoder_decoder", False):
        raise CheckpointError(f"{place} holds an encoder and a decoder ({kind}). This course needs a causal language model.")
    is_encoder = kind in MODEL_FOR_MASKED_LM_MAPPING_NAMES and not getattr(config, "is_decoder", True)
    if is_encoder or kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise CheckpointError(f"{place} holds a model of type {kind!r}, which is no causal language model.")


def _read_model(place: Path, options: dict) -> nn.Module:
    """The model with all of its weights. CheckpointError names what is missing or has no place."""
    options = {**options, "output_loading_info": True, "ignore_mismatched_sizes": True}  # told below, by name
    model, told = _read(transformers.AutoModelForCausalLM, place, options)
    if mapping := _renaming(model, told, place):
        model, told = _read(transformers.AutoModelForCausalLM, place, {**options, "key_mapping": mapping})
        model.__dict__.pop("_weight_conversions", None)  # else it would be saved under the old names
    missing, unknown = sorted(told["missing_keys"]), sorted(told["unexpected_keys"])
    for name, given, due in sorted(told["mismatched_keys"]):
        raise CheckpointError(f"{place}: {name} has shape {tuple(given)}, but config.json asks for {tuple(due)}.")
    if any(re.search(r"\.(lora_|base_layer\.)", name) for name in unknown):
        raise CheckpointError(f"{place}: the weights hold a LoRA that was not merged. Merge it before saving, or save the adapter alone.")
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise CheckpointError(f"{place}: the weights lack {missing[0]}{more}, which config.json calls for.")
    modules = {name for name, _ in model.named_modules()} - {""}
    left_out = [name for name in unknown if not contents.HARMLESS.search(name)]
    for name in left_out:
        if any(name.startswith(f"{module}.") for module in modules):
            raise CheckpointError(f"{place}: the weights hold {name}, which has no place in a {type(model).__name__} of this config.json.")
        if name.partition(".")[0] in CLASSIFIERS:
            raise CheckpointError(f"{place} holds a classifier ({name}), not a causal language model. Load the model from which it was made.")
    if left_out:
        _warn(f"{place}: {len(left_out)} tensors are no part of the model and were left out, such as {left_out[0]}.")
    return model


def _renaming(model: nn.Module, told: dict, place: Path) -> dict[str, str]:
    """How the stored names become the model's: without what a wrapper has put in front of them, or between. Empty if they are."""
    missing, unknown = told["missing_keys"], told["unexpected_keys"]
    tied = set(getattr(model, "_tied_weights_keys", None) or ()) if model.config.get_text_config().tie_word_embeddings else set()
    needed = missing - tied
    if len(needed) < len(model.state_dict()) / 2:
        return {}  # most have their names
    counts = Counter(name[: dot.end()] for name in unknown for dot in re.finditer(r"\.", name) if name[dot.end() :] in needed)
    fronts = sorted(front for front, count in counts.items() if count > len(needed) / 2)
    if len(fronts) > 1:
        raise CheckpointError(f"{place} holds several models, whose tensors begin with {' and '.join(fronts)}. Save the one that is meant alone.")
    if fronts:
        return {f"^{re.escape(fronts[0])}": ""}
    return {WRAPPERS.pattern: ""} if any(WRAPPERS.search(name) for name in unknown) else {}


def _check_numbers(model: nn.Module, place: Path) -> None:
    """CheckpointError names the first tensor that holds NaN or infinity."""
    if name := contents.not_finite(model.state_dict()):
        kind = str(next(model.parameters()).dtype).removeprefix("torch.")
        raise CheckpointError(
            f"{place}: {name} holds NaN or infinity in {kind}, so the model can only give NaN. Take an earlier checkpoint, or another dtype."
        )


@torch.no_grad()
def _check_behaviour(model: nn.Module, place: Path) -> None:
    """CheckpointError if the model sees later tokens, or gives NaN; a warning if padding at the left changes what it says."""
    rows = model.get_input_embeddings().weight.shape[0]
    device = model.get_input_embeddings().weight.device
    ids = (torch.tensor([[3, 5, 7, 11], [3, 5, 7, 13], [2, 3, 5, 7]], device=device) % rows).long()
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 1], [0, 1, 1, 1]], device=device)
    try:
        logits, padded = model(ids[:2]).float(), model(ids[2:], mask[2:]).float()
    except Exception as error:
        raise CheckpointError(f"{place}: the model cannot be called ({type(error).__name__}: {str(error)[:300]})") from None
    if not logits.isfinite().all():
        raise CheckpointError(f"{place}: the model answers with NaN. Is a number of config.json wrong?")
    size = 0.02 * logits.abs().max()  # rounding in 16 bits is less
    if (logits[0, :3] - logits[1, :3]).abs().max() > size:
        raise CheckpointError(f"{place} holds a model that sees later tokens ({model.config.model_type}). It is no causal language model.")
    if (padded[0, 1:] - logits[0, :3]).abs().max() > size:
        _warn(f"{place}: with this model padding at the left changes the answers. Generate for one prompt at a time.")


def counts_by_padding(model: nn.Module) -> bool:
    """Whether the model makes its positions itself, from where it sees padding, as RoBERTa does."""
    return any("position" in name and getattr(module, "padding_idx", None) is not None for name, module in model.named_modules())


@functools.cache
def _giving_logits(kind: type) -> type:
    """The same class of models, which answers the course's calls with logits (B, T, V).

    A call with any other argument of transformers, such as labels or return_dict, gets what transformers gives. So its own
    `generate`, its Trainer and PEFT work with the model.
    """
    known = inspect.signature(kind.forward).parameters

    @functools.wraps(kind.forward)
    def forward(self, input_ids=None, attention_mask=None, *, inputs_embeds=None, **options):
        given = {"input_ids": input_ids, "attention_mask": attention_mask, "inputs_embeds": inputs_embeds}
        given = {name: value for name, value in given.items() if value is not None}
        if options:
            return kind.forward(self, **given, **options)
        at_the_left = attention_mask is not None and not attention_mask[:, 0].all()
        if "position_ids" in known and at_the_left and not counts_by_padding(self):
            given["position_ids"] = (attention_mask.cumsum(dim=1) - 1).clamp(min=0)  # padding at the left changes nothing
        given |= {name: value for name, value in (("use_cache", False), ("return_dict", True)) if name in known}
        try:
            answer = kind.forward(self, **given)
        except IndexError:
            words = "A token id, or the number of tokens, is beyond the rows that the model has for them."
            raise ValueError(words) from None
        return answer[0] if isinstance(answer, tuple) else answer.logits

    return type(kind.__name__, (kind,), {"forward": forward, "__module__": kind.__module__})


def _end_tokens(model: nn.Module, tokenizer) -> list[int]:
    """The ids that end a text: those of the generation config, else of config.json, else of the tokenizer."""
    for given in (getattr(model, "generation_config", None), model.config, tokenizer):
        ids = getattr(given, "eos_token_id", None)
        ids = [id for id in (ids if isinstance(ids, (list, tuple)) else [ids]) if isinstance(id, int) and 0 <= id < len(tokenizer)]
        if ids:
            return ids
    return []


def save(model: nn.Module, folder: Path) -> None:
    """Write the files of a model that `load` has given. CheckpointError if it is no longer the model of its config."""
    if not isinstance(model, transformers.PreTrainedModel):
        raise CheckpointError(f"A {type(model).__name__} has no standard files. Save a model that checkpoint.load has given.")
    with torch.device("meta"):
        due = type(model)(model.config)
    contents.check_same(due.state_dict(), model.state_dict(), tied=set(due._tied_weights_keys or ()))
    head = model.get_output_embeddings()
    model.config.tie_word_embeddings = head is not None and head.weight is model.get_input_embeddings().weight
    model.save_pretrained(folder)
    for single in contents.SINGLE:
        if (folder / single).exists():
            (folder / f"{single}{contents.INDEX}").unlink(missing_ok=True)  # of an earlier model in several files
