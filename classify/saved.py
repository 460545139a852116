"""A trained classifier in a folder: what was trained, and all that is needed to use it."""

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from classify import ClassifyError, files
from classify.model import Method, encoder_from, fingerprint, load_encoder, make_classifier, tokenizer_from
from solutions.peft import adapter_state_dict, load_adapter

VERSION = 1


@dataclass(frozen=True)
class Card:
    """What `classifier.json` says.

    Attributes:
        base: the hub name or the folder of the encoder. With the method "full" it is not needed again.
        base_hash: of the weights that were not trained.
        labels: the names of the classes, by number.
        text, label: the columns of the training file.
        max_length: of a text, in tokens.
    """

    base: str
    base_hash: str
    method: Method
    labels: list[str]
    text: str
    label: str
    max_length: int


def save(folder: Path, card: Card, model: nn.Module, tokenizer) -> None:
    """Write the classifier. Of the encoder only what was trained is written, and its config."""
    here = folder / files.ENCODER
    shutil.rmtree(here, ignore_errors=True)  # half of one, left by a kill
    here.mkdir()
    tokenizer.save_pretrained(here)
    model.backbone.encoder.config.save_pretrained(here)
    weights = {name: tensor.cpu().contiguous() for name, tensor in adapter_state_dict(model).items()}
    files.write(folder / files.WEIGHTS, lambda path: save_file(weights, path, metadata={"format": "pt"}))
    files.write_json(folder / files.CONFIG, {"version": VERSION, **asdict(card)})


def check_complete(folder: Path) -> None:
    """ClassifyError if the folder holds no finished training."""
    if files.is_complete(folder):
        return
    if (folder / files.STATE).exists():
        raise ClassifyError(f"--out: {folder} holds a training that was not finished. Finish it with --resume.")
    raise ClassifyError(f"--out: {folder} holds no trained classifier. Name the folder that a training has written.")


def load(folder: Path, base: str | None = None) -> tuple[Card, nn.Module, object]:
    """The card, the model in eval mode, and the tokenizer.

    Args:
        base: where the encoder lies now, if not where the card says.

    Raises:
        ClassifyError: a file of the folder is damaged, or the encoder is not the one of the training.
        CheckpointError: the encoder is not found.
    """
    card = _card(folder / files.CONFIG)
    if card.method.name == "full":
        encoder = encoder_from(folder / files.ENCODER)
    else:
        encoder, _ = load_encoder(base or card.base)
    tokenizer = tokenizer_from(folder / files.ENCODER)
    model = make_classifier(encoder, len(card.labels), card.method)
    if fingerprint(model) != card.base_hash:
        raise ClassifyError(
            f"{base or card.base} is not the encoder on which {folder} was trained: its weights differ. "
            "Name the right one with --model, or train again."
        )
    try:
        load_adapter(model, load_file(folder / files.WEIGHTS))
    except (OSError, SafetensorError, ValueError) as error:
        raise ClassifyError(
            f"{folder / files.WEIGHTS} is damaged ({str(error)[:200]}). Copy it again, or train again."
        ) from None
    return card, model.eval(), tokenizer


def _card(path: Path) -> Card:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        version = told.pop("version")
        if version == VERSION:
            method = told.pop("method")
            return Card(method=Method(**method | {"targets": tuple(method["targets"])}), **told)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ClassifyError(f"{path} is damaged ({type(error).__name__}: {error}). Copy it again, or train again.") from None
    raise ClassifyError(
        f"{path} is of version {version}, and this program reads version {VERSION}. Use the program that wrote it."
    )
