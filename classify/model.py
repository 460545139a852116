"""The encoder, the head on it, and what of both is trained."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
import transformers
from torch import nn

from classify import ClassifyError
from lab import contents, hub
from lab.contents import not_finite
from lab.pretrained import counts_by_padding
from solutions.lora import inject_lora
from solutions.peft import add_adapters, apply_bitfit, freeze
from solutions.sft import SequenceClassifier

# The names under which families of encoders hold these layers: the first line of which a model has all is taken.
QUERY_AND_VALUE = [
    ("query", "value"),
    ("q_lin", "v_lin"),
    ("query_proj", "value_proj"),
    ("q_proj", "v_proj"),
    ("q", "v"),
    ("Wqkv",),
]
ENDS_OF_BLOCKS = [  # the last layer of attention and of the feed-forward part
    ("attn.o", "output.dense"), ("output.dense",), ("out_lin", "lin2"), ("attention.dense", "ffn_output"), ("Wo",),
]  # fmt: skip
USUAL_LENGTH = 512  # tokens
ADVICE = "Choose an encoder, which reads in both directions, such as FacebookAI/roberta-base."


@dataclass(frozen=True)
class Method:
    """How the encoder is trained: full, lora, adapters or bitfit.

    Attributes:
        targets: ends of the names of the layers that get LoRA or adapters; () takes the usual ones of the encoder.
        rank, alpha: of LoRA.
        bottleneck: the width of the adapters.
    """

    name: str
    targets: tuple[str, ...] = ()
    rank: int = 8
    alpha: float = 16.0
    bottleneck: int = 64


class HiddenStates(nn.Module):
    """An encoder of transformers, called as `SequenceClassifier` calls it."""

    def __init__(self, encoder: nn.Module):
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Token ids and mask, each (B, T) -> hidden states (B, T, D) of the last layer."""
        return self.encoder(input_ids=input_ids, attention_mask=attention_mask, return_dict=True).last_hidden_state


def load_encoder(name: str) -> tuple[nn.Module, transformers.PreTrainedTokenizerBase]:
    """An encoder and its tokenizer, from a local folder or by its hub name. It stays in float32 and has no pooler.

    Raises:
        CheckpointError: there is no such model, or its files are not all there.
        ClassifyError: it is no encoder of texts.
    """
    folder, gguf = hub.find(name)
    if gguf:
        raise ClassifyError(f"{name} holds a GGUF file, whose weights are quantised. Name the model from which it was made.")
    config = contents.read_config(folder)
    if config.get("quantization_config"):
        raise ClassifyError(
            f"{name} holds a quantised model, which cannot be trained here. Name the model from which it was made."
        )
    if config.get("is_encoder_decoder"):
        raise ClassifyError(f"{name} holds an encoder and a decoder ({config.get('model_type')}). {ADVICE}")
    for path in contents.weight_files(folder):
        contents.check_is_there(path)
    options = {"trust_remote_code": False, "local_files_only": True}
    with _told(f"The tokenizer of {name} cannot be read"):
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **options)
    with _told(f"The model of {name} cannot be read"):
        encoder, report = transformers.AutoModel.from_pretrained(
            folder, dtype=torch.float32, output_loading_info=True, **options
        )
    encoder = _without_pooler(encoder)
    if missing := sorted(key for key in report["missing_keys"] if not key.startswith("pooler.")):
        raise ClassifyError(
            f"{name}: the weights lack {missing[0]}, which config.json calls for. Copy or download the model again."
        )
    if broken := not_finite(encoder.state_dict()):
        raise ClassifyError(f"{name}: {broken} holds NaN or infinity. Take an earlier checkpoint.")
    _check_tokenizer(name, tokenizer, encoder)
    _check_sees_both_sides(name, encoder)
    return encoder, tokenizer


def tokenizer_from(folder: Path) -> transformers.PreTrainedTokenizerBase:
    """The tokenizer that `saved.save` has written."""
    with _told(f"The tokenizer in {folder} cannot be read"):
        return transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)


def encoder_from(folder: Path) -> nn.Module:
    """An encoder with random weights, by the config that `saved.save` has written."""
    with _told(f"{folder} cannot be read"):
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
        return _without_pooler(transformers.AutoModel.from_config(config, dtype=torch.float32))


def make_classifier(encoder: nn.Module, num_labels: int, method: Method) -> SequenceClassifier:
    """The encoder with a new head, and with what the method trains. The rest is frozen; the head always trains.

    Raises:
        ClassifyError: the encoder has none of the layers that the method needs.
    """
    model = SequenceClassifier(HiddenStates(encoder), encoder.config.hidden_size, num_labels)
    if method.name == "bitfit":
        if not any(name.endswith("bias") for name, _ in encoder.named_parameters()):
            raise ClassifyError(
                f"This encoder ({encoder.config.model_type}) has no biases for BitFit to train. Choose another method."
            )
        apply_bitfit(model, also=["classifier."])
    elif method.name != "full":
        freeze(encoder)
        usual = QUERY_AND_VALUE if method.name == "lora" else ENDS_OF_BLOCKS
        for parent, layer in _layers(encoder, method.targets, usual):
            if method.name == "lora":
                _check_rank(parent.get_submodule(layer), layer, method.rank)
                inject_lora(parent, [layer], method.rank, method.alpha)
            else:
                add_adapters(parent, [layer], method.bottleneck)
    return model


def _check_rank(layer: nn.Linear, name: str, rank: int) -> None:
    """ClassifyError if LoRA would be larger than what it stands for."""
    if rank > (most := min(layer.in_features, layer.out_features)):
        raise ClassifyError(f"--rank: the weight of {name} has a rank of at most {most}. Choose less; 4 to 64 are usual.")


def room(encoder: nn.Module, tokenizer) -> int:
    """How many tokens of a text the encoder can read."""
    limits = [tokenizer.model_max_length]
    if rows := getattr(encoder.config, "max_position_embeddings", None):
        limits.append(rows - ((encoder.config.pad_token_id or 0) + 1 if counts_by_padding(encoder) else 0))
    limit = min(limits)
    return limit if limit < 10**9 else USUAL_LENGTH  # transformers says 10**30 if it does not know


def encode(tokenizer, texts: Sequence[str], max_length: int) -> tuple[list[list[int]], int]:
    """The token ids of each text with the special tokens, cut to max_length; and how many texts were cut."""
    rows = tokenizer(list(texts), truncation=False, padding=False, verbose=False)["input_ids"]
    long = [number for number, row in enumerate(rows) if len(row) > max_length]
    for number in long:
        rows[number] = tokenizer(texts[number], truncation=True, max_length=max_length, padding=False)["input_ids"]
    return rows, len(long)


def pad_id(tokenizer, encoder: nn.Module) -> int:
    """The id that fills up short rows: the model's own if it has one. It is masked, so the answers do not depend on it."""
    known = (encoder.config.pad_token_id, tokenizer.pad_token_id)
    return next((id for id in known if id is not None), 0)


def fingerprint(model: nn.Module) -> str:
    """A hash of all that is frozen: it says whether a saved part meets the base on which it was trained."""
    digest = hashlib.sha256()
    for name, parameter in sorted(model.named_parameters()):
        if not parameter.requires_grad:
            digest.update(name.encode())
            digest.update(parameter.detach().cpu().contiguous().view(torch.uint8).numpy())
    return digest.hexdigest()


@torch.no_grad()
def _check_sees_both_sides(name: str, encoder: nn.Module) -> None:
    """ClassifyError if what stands behind a token does not change its state, as in a causal language model."""
    rows = encoder.get_input_embeddings().weight.shape[0]
    ids = torch.tensor([[3, 5, 7, 11], [3, 5, 7, 13]]) % rows
    with _told(f"{name} cannot be called as an encoder of texts"):
        states = HiddenStates(encoder.eval())(ids, torch.ones_like(ids))
    if not states.isfinite().all():
        raise ClassifyError(f"{name} answers with NaN. Is a number of config.json wrong?")
    if (states[0, 0] - states[1, 0]).abs().max() <= 1e-6 * states.abs().max():
        raise ClassifyError(
            f"{name} holds a causal model ({encoder.config.model_type}): each token sees only those before it. {ADVICE}"
        )


def _without_pooler(encoder: nn.Module) -> nn.Module:
    """The head reads all tokens. A pooler would be trained, counted and saved for nothing, and RoBERTa's files have none."""
    if getattr(encoder, "pooler", None) is not None:
        encoder.pooler = None
    return encoder


def _check_tokenizer(name: str, tokenizer, encoder: nn.Module) -> None:
    rows = encoder.get_input_embeddings().weight.shape[0]
    if len(tokenizer) <= len(set(tokenizer.all_special_tokens)):
        raise ClassifyError(f"{name} holds no vocabulary for its tokenizer. Copy the tokenizer files of the model into it.")
    if len(tokenizer) > rows:
        raise ClassifyError(
            f"{name}: the tokenizer knows {len(tokenizer)} tokens, but the encoder has rows for {rows}. "
            "They do not belong together: copy the tokenizer files of the model into the folder."
        )


def _layers(encoder: nn.Module, targets: Sequence[str], usual: list[tuple[str, ...]]) -> list[tuple[nn.Module, str]]:
    """The linear layers that are meant, each as the module that holds it and its name there."""
    linear = [name for name, module in encoder.named_modules() if isinstance(module, nn.Linear)]

    def meant(ends: Sequence[str]) -> list[str]:
        return [name for name in linear if f".{name}".endswith(tuple(f".{end}" for end in ends))]

    known = next((ends for ends in usual if all(meant([end]) for end in ends)), ())
    for end in targets or known:
        if not meant([end]):
            raise ClassifyError(f"--targets: no linear layer of the encoder ends in {end!r}. {_endings(linear)}")
    if not (targets or known):
        raise ClassifyError(
            f"The layers of this encoder have unusual names. Name those to adapt with --targets. {_endings(linear)}"
        )
    parts = [name.rpartition(".") for name in meant(targets or known)]
    return [(encoder.get_submodule(parent), last) for parent, _, last in parts]


def _endings(linear: list[str]) -> str:
    """The last two parts of the layers' names, without the numbers of the blocks."""
    ends = {".".join(part for part in name.split(".")[-2:] if not part.isdigit()) for name in linear}
    return f"There are {', '.join(sorted(ends)) or 'none'}."


@contextmanager
def _told(what: str) -> Iterator[None]:
    """ClassifyError instead of whatever a library raises. Its tables and bars are not shown."""
    before = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        yield
    except Exception as error:  # transformers, safetensors, tokenizers: each raises kinds of its own
        words = " ".join(str(error).split())[:300]
        raise ClassifyError(f"{what} ({type(error).__name__}: {words})") from None
    finally:
        transformers.logging.set_verbosity(before)
