"""Questions without their keys, as students get them unless the instructor hands the keys out, and what is answered to them.

The quiz of such a copy asks and keeps the answers; the instructor's bank grades them. An answer is kept in the words of
the question, so it holds wherever the options have these words, in whichever order they stand:

    single               the text of an option
    multiple, ordering   a list of texts
    matching             for each left side, by its text, the text of the right side
    the other kinds      what was typed
"""

from hashlib import sha256
from typing import Literal

from pydantic import BaseModel, ConfigDict

WHO = "Your instructor has the keys."
KEPT = f"Your answer is kept. {WHO}"
HAND_IN = "Hand in what you have answered with: python -m quiz hand-in"


class Item(BaseModel):
    """What is left of an item. `choices` are its options, steps or right sides, and `left` its left sides."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["single", "multiple", "numeric", "prints", "ordering", "matching", "open"]
    id: str
    topic: str
    level: Literal["screening", "on-site", "expert"]
    about: Literal["interview", "article"]
    stem: str
    code: str
    unit: str
    choices: tuple[str, ...]
    left: tuple[str, ...]


def stripped(item) -> dict:
    """The fields of an item that tell nothing of its key, as a table of the bank.

    The choices stand in the order of the alphabet: a shuffled order could be put back into that of the bank.
    """
    fields = {name: getattr(item, name) for name in ("kind", "level", "about", "stem", "code")}
    return fields | {"unit": getattr(item, "unit", ""), "choices": sorted(item.choices), "left": list(item.left)}


def alias(name: str) -> str:
    """What an item of this id is called where its key is not: an id such as data-two-bos can tell the answer."""
    return sha256(name.encode("utf-8")).hexdigest()[:12]


def in_words(item, answer):
    """An answer in the form of `quiz.grade`, in words."""
    match item.kind:
        case "single":
            return item.choices[answer]
        case "multiple" | "ordering":
            return [item.choices[index] for index in answer]
        case "matching":
            return {left: item.choices[index] for left, index in zip(item.left, answer)}
    return answer.encode("utf-8", "replace").decode("utf-8")  # a terminal can give half signs, which no file can hold


def from_words(item, words):
    """The answer in the form of `quiz.grade`, whatever was given. ValueError if this item has no such answer."""
    match item.kind:
        case "single":
            return _index(item, words)
        case "multiple" | "ordering":
            if not isinstance(words, list):
                raise ValueError("a list of texts is wanted")
            return [_index(item, one) for one in words]
        case "matching":
            if not isinstance(words, dict) or set(words) != set(item.left):
                raise ValueError("a text for each left side is wanted")
            return [_index(item, words[left]) for left in item.left]
    if not isinstance(words, str) or not words.strip():
        raise ValueError("a text is wanted")
    return words


def _index(item, text) -> int:
    if not isinstance(text, str) or text not in item.choices:
        raise ValueError("the question has no such choice")
    return item.choices.index(text)
