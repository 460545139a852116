"""Any other model than the tiny one, through transformers: `model(input_ids, attention_mask)` gives logits, as the course calls it.

Hub names, folders and GGUF files of every causal language model that transformers loads.
"""

import functools
import inspect
import re
import warnings
from contextlib import contextmanager
from pathlib import Path

import torch
import transformers
from torch import nn
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES, MODEL_FOR_MASKED_LM_MAPPING_NAMES
from transformers.utils.chat_template_utils import render_jinja_template

from lab import chats, contents
from lab.contents import CheckpointError
from lab.tokenizer import ChatError

SMALL_FILES = ["*.json", "*.jinja", "*.model", "*.txt", "*.tiktoken"]
HARMLESS = re.compile(r"rotary_emb\.inv_freq$|masked_bias$|attn\.bias$")  # what old versions stored and new ones compute


def load(name: str, *, dtype: torch.dtype, device: str | torch.device) -> tuple[nn.Module, "TransformersTokenizer"]:
    """The model in eval mode and its tokenizer. See `lab.checkpoint.load`."""
    place, file = _find(name)
    if file is None:
        contents.check(place)
        if contents.is_ambiguous(place):
            warnings.warn(f"{place} holds a single file of weights and an index of several; the single file was loaded.", stacklevel=3)
    options = {"gguf_file": file} if file else {}
    with _without_reports():
        config = _read(transformers.AutoConfig, place, options)
        _check_kind(config, place)
        tokenizer = _read(transformers.AutoTokenizer, place, options)
        model = _read_model(place, {"dtype": dtype, "config": config, **options})
    _check_numbers(model, place)
    model.__class__ = _giving_logits(type(model))
    model = model.to(device).eval()
    tokenizer = TransformersTokenizer(tokenizer, _end_tokens(model, tokenizer))
    rows = model.get_input_embeddings().weight.shape[0]
    if len(tokenizer) > rows:
        warnings.warn(f"{place}: the tokenizer knows {len(tokenizer)} tokens, but the model has rows for {rows} only.", stacklevel=3)
    return model, tokenizer


# --- where it lies ------------------------------------------------------------------------------


def _find(name: str) -> tuple[Path, str | None]:
    """The folder, and the name of the GGUF file in it if the model has this form."""
    path = Path(name).expanduser()
    if path.is_file():
        if path.suffix.lower() != ".gguf":
            raise CheckpointError(f"{path} is a file. Name the folder that holds the model, or a .gguf file.")
        return path.parent, path.name
    folder = path if path.is_dir() else _from_hub(name)
    gguf = contents.gguf_file(folder)
    return folder, gguf.name if gguf else None


def _from_hub(name: str) -> Path:
    """The folder of the local cache into which the files of a hub's model were loaded."""
    if name.startswith((".", "~", "/")) or name.count("/") != 1 or not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise CheckpointError(f"There is no model {name!r}: no such folder, and hub names look like 'Qwen/Qwen2.5-0.5B'.")
    folder = _download(name, SMALL_FILES)
    if not (folder / "config.json").exists():
        contents.read_config(folder)  # says what it is instead
    indices = [folder / f"{single}{contents.INDEX}" for single in contents.SINGLE]
    known = [path.name.removesuffix(contents.INDEX) for path in indices if path.exists()]
    for single in known or contents.SINGLE:
        stem, ending = single.rsplit(".", 1)
        _download(name, [f"{stem}-*.{ending}" if known else single])
        if (folder / single).exists() or known:
            break
    return folder


def _download(name: str, patterns: list[str]) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return Path(snapshot_download(name, allow_patterns=patterns))
    except HfHubHTTPError as error:
        status = error.response.status_code
        raise CheckpointError(f"The hub refuses {name!r} (HTTP {status}): check its spelling and your access.") from None
    except Exception as error:  # httpx, sockets and the cache raise many kinds when there is no network
        raise CheckpointError(
            f"{name!r} is neither in the local cache nor can it be downloaded now ({type(error).__name__}). "
            "Connect to the internet, or name a local folder."
        ) from None


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
    prefix = _prefix(told["missing_keys"], told["unexpected_keys"])
    if prefix:  # as torch.compile or a parallel wrapper has stored them
        options = {**options, "key_mapping": {f"^{re.escape(prefix)}": ""}}
        model, told = _read(transformers.AutoModelForCausalLM, place, options)
    missing, unknown = sorted(told["missing_keys"]), sorted(told["unexpected_keys"])
    for name, given, due in sorted(told["mismatched_keys"]):
        raise CheckpointError(f"{place}: {name} has shape {tuple(given)}, but config.json asks for {tuple(due)}.")
    if missing:
        raise CheckpointError(f"{place}: {_why_missing(missing, unknown)}")
    modules = dict(model.named_modules())
    left_out = [name for name in unknown if not HARMLESS.search(name)]
    for name in left_out:
        if name.rpartition(".")[0] in modules.keys() - {""}:
            raise CheckpointError(f"{place}: the weights hold {name}, which has no place in a {type(model).__name__} of this config.json.")
    if left_out:
        warnings.warn(f"{place}: {len(left_out)} tensors are no part of the model and were left out, such as {left_out[0]}.", stacklevel=4)
    return model


def _prefix(missing: set[str], unknown: set[str]) -> str:
    """What stands in front of the name of every missing tensor, "" if nothing does."""
    one = min(missing, default="")
    fronts = [name.removesuffix(one) for name in unknown if one and name.endswith(f".{one}")]
    return next((front for front in fronts if all(front + name in unknown for name in missing)), "")


def _why_missing(missing: list[str], unknown: list[str]) -> str:
    if any(re.search(r"\.(lora_|base_layer\.)", name) for name in unknown):
        return "the weights hold a LoRA that was not merged. Merge it before saving, or save the adapter alone."
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    return f"the weights lack {missing[0]}{more}, which config.json calls for."


def _check_numbers(model: nn.Module, place: Path) -> None:
    """CheckpointError names the first tensor that holds NaN or infinity."""
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and tensor.numel() and not all(bound.isfinite() for bound in tensor.aminmax()):
            raise CheckpointError(f"{place}: {name} holds NaN or infinity, so the model can only give NaN. Take an earlier checkpoint.")


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
        if "position_ids" in known and attention_mask is not None and not attention_mask[:, 0].all():
            given["position_ids"] = (attention_mask.cumsum(dim=1) - 1).clamp(min=0)  # padding at the left changes nothing
        if "use_cache" in known:
            given["use_cache"] = False
        return kind.forward(self, **given).logits

    return type(kind.__name__, (kind,), {"forward": forward, "__module__": kind.__module__})


def _end_tokens(model: nn.Module, tokenizer) -> list[int]:
    """The ids that end a text: those of the generation config, else of config.json, else of the tokenizer."""
    for given in (getattr(model, "generation_config", None), model.config, tokenizer):
        ids = getattr(given, "eos_token_id", None)
        ids = [id for id in (ids if isinstance(ids, (list, tuple)) else [ids]) if isinstance(id, int) and 0 <= id < len(tokenizer)]
        if ids:
            return ids
    return []


class TransformersTokenizer:
    """A tokenizer of transformers with the methods of `lab.tokenizer.Tokenizer`. `hf` is the one of transformers.

    eos_ids end a text, eos_id among them ends a turn; pad_id fills up short rows.
    """

    def __init__(self, hf, eos_ids: list[int]):
        self.hf = hf
        own = hf.eos_token_id
        self.eos_ids = eos_ids or ([] if own is None else [own])
        self.eos_id = own if own in self.eos_ids or not self.eos_ids else self.eos_ids[0]
        self.pad_id = next((id for id in (hf.pad_token_id, self.eos_id) if id is not None), 0)
        self.end_of_text_id = own if own is not None else self.eos_id
        self.special_ids = {*hf.all_special_ids, *(id for id, token in hf.added_tokens_decoder.items() if token.special)}
        self.eos_ids += [id for id in self._ends_of_turns() if id not in self.eos_ids]

    def _ends_of_turns(self) -> list[int]:
        """The token with which the chat template ends an answer: that of a base model may be no end of a text."""
        try:
            ids, labels = chats.example(self, [{"role": "user", "content": "a"}, {"role": "assistant", "content": "a"}])
        except ValueError:  # it has no template, or needs other messages
            return []
        said = [label for label in labels if label != chats.IGNORE_INDEX]
        return [id for id in said[-1:] if id in self.special_ids]

    def __len__(self) -> int:
        return len(self.hf)

    def encode(self, text: str) -> list[int]:
        """Token ids of the whole text. Special tokens in it count as such; none is added."""
        return list(self._encoded(text)["input_ids"])

    def encode_with_places(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Token ids, and for each the characters of the text that it stands for. NotImplementedError if it is a slow tokenizer."""
        if not self.hf.is_fast:
            raise NotImplementedError
        encoded = self._encoded(text, return_offsets_mapping=True)
        return list(encoded["input_ids"]), [tuple(place) for place in encoded["offset_mapping"]]

    def _encoded(self, text: str, **options):
        # What was stored of an earlier call, such as truncation, has no say.
        return self.hf(text, add_special_tokens=False, truncation=False, padding=False, verbose=False, **options)

    def decode(self, ids) -> str:
        """The text of the ids, without special tokens and outer spaces."""
        return self.hf.decode([int(i) for i in ids], skip_special_tokens=True).strip()

    def token(self, number: int) -> str:
        """The text of one token, special or not, as the vocabulary writes it."""
        text = self.hf.convert_ids_to_tokens(int(number)) or ""
        return text if number in self.special_ids else text.replace("Ġ", " ").replace("▁", " ")

    def chat(self, messages: list[dict], *, add_generation_prompt: bool = False, **variables) -> str:
        """Messages as the one string that the model reads.

        Args:
            variables: what the template knows besides, such as `tools` or `enable_thinking`.

        Raises:
            ChatError: there is no chat template, or it refuses these messages.
        """
        options = {**variables, "tokenize": False, "add_generation_prompt": add_generation_prompt}
        with _told_of_chats(self.hf):
            return self.hf.apply_chat_template(messages, **options)

    def marked(self, messages: list[dict], **variables) -> tuple[str, list[tuple[int, int]]] | None:
        """The chat, and where in it the template marks what the assistant says. None if it marks nothing.

        transformers also makes a mask of it, but by a way from characters to tokens that some tokenizers do not know.
        """
        if not re.search(r"{%-?\s*generation\s*-?%}", str(self.hf.chat_template)):
            return None
        with _told_of_chats(self.hf):
            template = self.hf.get_chat_template(None, variables.get("tools"))
            given = {**self.hf.special_tokens_map, **variables}
            texts, spans = render_jinja_template([messages], chat_template=template, return_assistant_tokens_mask=True, **given)
        found = [tuple(span) for span in spans[0]]
        return (texts[0], found) if found else None

    def save(self, folder: Path) -> None:
        """Write its files into an existing folder."""
        self.hf.save_pretrained(folder)


@contextmanager
def _told_of_chats(hf):
    """ChatError instead of whatever a template raises."""
    try:
        yield
    except Exception as error:  # each template fails in its own way
        if not hf.chat_template:
            raise ChatError("This tokenizer has no chat template: its model was not trained to chat. Choose one that was.") from None
        words = " ".join(str(error).split())[:300]
        raise ChatError(f"The chat template refuses these messages ({type(error).__name__}: {words})") from None


def save(model: nn.Module, folder: Path) -> None:
    """Write the files of a model that `load` has given. CheckpointError if it holds layers that were put into it."""
    if not isinstance(model, transformers.PreTrainedModel):
        raise CheckpointError(f"A {type(model).__name__} has no standard files. Save a model that checkpoint.load has given.")
    with torch.device("meta"):
        own = type(model)(model.config).state_dict().keys()
    if unknown := sorted(model.state_dict().keys() - own):
        raise CheckpointError(f"The model holds {unknown[0]}, for which the standard files have no place.")
    head = model.get_output_embeddings()
    model.config.tie_word_embeddings = head is not None and head.weight is model.get_input_embeddings().weight
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
