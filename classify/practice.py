"""A small encoder of random weights: for trying the program without a network, and for its tests."""

from collections.abc import Iterable
from pathlib import Path

import tokenizers
import torch
import transformers
from tokenizers import models, normalizers, pre_tokenizers, processors, trainers

SIZES = {
    "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 42,
    "initializer_range": 0.06, "hidden_dropout_prob": 0.02,
}  # fmt: skip


def make_encoder(folder: Path, texts: Iterable[str], kind: str = "roberta", seed: int = 0) -> Path:
    """Write a model with random weights and a tokenizer that is trained on the texts. It reads 40 tokens.

    Args:
        kind: "roberta" (bytes, pieces by BPE) or "bert" (small letters, pieces by WordPiece).

    Returns the folder.
    """
    words, special = _byte_pairs() if kind == "roberta" else _word_pieces()
    first, pad, last, unknown, _ = special
    trainer = trainers.BpeTrainer if kind == "roberta" else trainers.WordPieceTrainer
    letters = pre_tokenizers.ByteLevel.alphabet() if kind == "roberta" else []
    words.train_from_iterator(texts, trainer(vocab_size=400, special_tokens=special, initial_alphabet=letters, show_progress=False))
    ends = [(token, words.token_to_id(token)) for token in (first, last)]
    words.post_processor = processors.TemplateProcessing(single=f"{first} $A {last}", special_tokens=ends)
    names = {"bos_token": first, "eos_token": last, "pad_token": pad, "unk_token": unknown}
    transformers.PreTrainedTokenizerFast(tokenizer_object=words, **names).save_pretrained(folder)
    transformers.logging.disable_progress_bar()
    torch.manual_seed(seed)
    config, model = {
        "roberta": (transformers.RobertaConfig, transformers.RobertaForMaskedLM),
        "bert": (transformers.BertConfig, transformers.BertForMaskedLM),
    }[kind]
    model(config(vocab_size=words.get_vocab_size(), pad_token_id=words.token_to_id(pad), **SIZES)).save_pretrained(folder)
    return folder


def _byte_pairs() -> tuple[tokenizers.Tokenizer, list[str]]:
    words = tokenizers.Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.ByteLevel()
    return words, ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]


def _word_pieces() -> tuple[tokenizers.Tokenizer, list[str]]:
    words = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    words.normalizer, words.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    return words, ["[CLS]", "[PAD]", "[SEP]", "[UNK]", "[MASK]"]
