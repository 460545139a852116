"""Text to token ids and back, and the chat template, in the standard files.

`tokenizer.json` holds the vocabulary, `tokenizer_config.json` the special tokens and the template.
"""

import json
from functools import cached_property
from pathlib import Path

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Regex, decoders, models, pre_tokenizers, trainers
from tokenizers import Tokenizer as FastTokenizer

END_OF_TEXT, END_OF_TURN = "<|endoftext|>", "<|end|>"
SPECIAL_TOKENS = [END_OF_TEXT, END_OF_TURN, "<|system|>", "<|user|>", "<|assistant|>"]
# A space follows the role, so that an answer is the same token as the word inside a text: " Oslo".
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|' + message.role + '|> ' + message.content + '<|end|>' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)

# Contractions, words with the character before them, single digits, other signs, line ends, spaces
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
    r"\s*[\r\n]+|\s+(?!\S)|\s+"
)


class ChatError(ValueError):
    """A chat template is missing, or refuses the messages. The message says why."""


class Tokenizer:
    """A fast tokenizer with its special tokens and its chat template.

    eos_id ends a turn: generation stops there, as at each of eos_ids. end_of_text_id ends a text. pad_id fills up short rows.
    """

    def __init__(self, fast: FastTokenizer, config: dict):
        self.fast = fast
        self.config = config
        self.eos_id = self._special_id("eos_token")
        self.eos_ids = [self.eos_id]
        self.pad_id = self._special_id("pad_token")
        self.end_of_text_id = fast.token_to_id(END_OF_TEXT)
        self.special_ids = [fast.token_to_id(token) for token in SPECIAL_TOKENS]

    def _special_id(self, key: str) -> int:
        token = self.config.get(key)
        token = token["content"] if isinstance(token, dict) else token
        number = None if token is None else self.fast.token_to_id(token)
        if number is None:
            raise ValueError(f"tokenizer_config.json: {key} is {token!r}, which the vocabulary does not hold")
        return number

    def __len__(self) -> int:
        return self.fast.get_vocab_size()

    def encode(self, text: str) -> list[int]:
        """Token ids of the text. Special tokens in it count as such; none is added."""
        return self.fast.encode(text, add_special_tokens=False).ids

    def encode_with_places(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Token ids, and for each the characters of the text that it stands for."""
        encoded = self.fast.encode(text, add_special_tokens=False)
        return encoded.ids, encoded.offsets

    def decode(self, ids) -> str:
        """The text of the ids, without special tokens and outer spaces."""
        return self.fast.decode([int(i) for i in ids], skip_special_tokens=True).strip()

    def token(self, number: int) -> str:
        """The text of one token, special or not, as the vocabulary writes it."""
        return self.fast.id_to_token(number).replace("Ġ", " ")

    def chat(self, messages: list[dict], *, add_generation_prompt: bool = False, **variables) -> str:
        """Messages {"role", "content"} as the one string that the model reads. ChatError if the template refuses them.

        Args:
            variables: what the template knows besides, such as `tools`.
        """
        try:
            return self._template.render(messages=messages, add_generation_prompt=add_generation_prompt, **variables)
        except (TemplateError, TypeError) as error:
            raise ChatError(f"The chat template refuses these messages: {error}") from None

    def marked(self, messages: list[dict], **variables) -> None:
        """None: this template does not mark what is the assistant's. See `lab.pretrained.TransformersTokenizer.marked`."""

    @cached_property
    def _template(self):
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        return environment.from_string(self.config["chat_template"])

    def save(self, folder: Path) -> None:
        """Write tokenizer.json and tokenizer_config.json into an existing folder."""
        self.fast.save(str(folder / "tokenizer.json"))
        text = json.dumps(self.config, indent=2) + "\n"
        (folder / "tokenizer_config.json").write_text(text, encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "Tokenizer":
        """Read the files that `save` writes. Those of other models, `lab.pretrained` reads."""
        config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        return cls(FastTokenizer.from_file(str(folder / "tokenizer.json")), config)

    @classmethod
    def train(cls, texts: list[str], vocab_size: int) -> "Tokenizer":
        """Learn a byte-level BPE from texts. Words are split as Qwen2 splits them."""
        fast = FastTokenizer(models.BPE())
        fast.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(WORDS), behavior="isolated"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
            ]
        )
        fast.decoder = decoders.ByteLevel()
        fast.train_from_iterator(
            texts,
            trainers.BpeTrainer(
                vocab_size=vocab_size,
                special_tokens=SPECIAL_TOKENS,
                initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                show_progress=False,
            ),
        )
        config = {
            "tokenizer_class": "Qwen2Tokenizer",
            "eos_token": END_OF_TURN,
            "pad_token": END_OF_TEXT,
            "chat_template": CHAT_TEMPLATE,
        }
        return cls(fast, config)
