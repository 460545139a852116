"""The tokenizers of transformers, with the methods that the course uses."""

import re
from contextlib import contextmanager
from pathlib import Path

from transformers.utils.chat_template_utils import render_jinja_template

from lab import chats
from lab.tokenizer import ChatError


class TransformersTokenizer:
    """A tokenizer of transformers with the methods of `lab.tokenizer.Tokenizer`. `hf` is the one of transformers.

    eos_ids end a text or a turn; eos_id is the tokenizer's own among them; pad_id fills up short rows.

    Args:
        eos_ids: of the generation config.
        rows: of the model's embedding. Tokens beyond are not taken for padding or ends.
    """

    def __init__(self, hf, eos_ids: list[int], rows: int):
        self.hf = hf
        own = hf.eos_token_id if hf.eos_token_id is not None and hf.eos_token_id < rows else None
        self.eos_ids = eos_ids or ([] if own is None else [own])
        self.eos_id = own if own in self.eos_ids or not self.eos_ids else self.eos_ids[0]
        self.pad_id = next((id for id in (hf.pad_token_id, self.eos_id) if id is not None and id < rows), 0)
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
