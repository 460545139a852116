"""How an item is put to a person, and how what they type becomes an answer. Terminal and notebook share it."""

import re
from dataclasses import dataclass
from random import Random

from quiz.bank import Item
from quiz.grading import BadAnswer
from quiz.register import claims, sources

LETTERS = "abcdefghij"

# What to type, by kind.
HOW = {
    "single": "Type one letter.",
    "multiple": "Several are right. Type their letters, for example: a c",
    "numeric": "Type a number ({unit}). Forms such as 1.5e9, 18.9 million or 2/3 are read.",
    "prints": "Type what is printed.",
    "ordering": "Type the letters in the right order, the first step first.",
    "matching": "Type one letter for each number, in the order of the numbers.",
    "open": "Answer in your own words (one line), then compare with the key points.",
}


@dataclass(frozen=True)
class Question:
    """An item as it is shown: its choices in shuffled order.

    order: for each shown choice its index in the item.
    left: what is to be matched, else empty.
    """

    item: Item
    order: tuple[int, ...]
    choices: tuple[str, ...]
    left: tuple[str, ...] = ()

    @property
    def how(self) -> str:
        return HOW[self.item.kind].format(unit=getattr(self.item, "unit", ""))


def question(item: Item, seed: int = 0) -> Question:
    """The item with its choices shuffled by the seed. Steps and partners are not shown in their right order."""
    match item.kind:
        case "single" | "multiple":
            texts = [option.text for option in item.options]
        case "ordering":
            texts = list(item.steps)
        case "matching":
            texts = [right for _, right in item.pairs]
        case _:
            return Question(item, (), ())
    order = list(range(len(texts)))
    Random(f"{seed} {item.id}").shuffle(order)
    if item.kind in ("ordering", "matching") and order == sorted(order):
        order = order[1:] + order[:1]
    left = tuple(one for one, _ in item.pairs) if item.kind == "matching" else ()
    return Question(item, tuple(order), tuple(texts[index] for index in order), left)


def understand(asked: Question, text: str):
    """What was typed, as an answer for `quiz.grade`. BadAnswer says what was expected."""
    text = text.strip()
    if not text:
        raise BadAnswer(f"Nothing was typed. {asked.how}")
    if asked.item.kind in ("numeric", "prints", "open"):
        return text
    typed = [_place(token, len(asked.choices)) for token in _tokens(text)]
    if asked.item.kind == "single":
        if len(typed) != 1:
            raise BadAnswer("One letter is wanted.")
        return asked.order[typed[0]]
    chosen = [asked.order[place] for place in typed]
    if asked.item.kind == "multiple" and len(set(chosen)) < len(chosen):
        raise BadAnswer("A letter stands there twice.")
    if asked.item.kind in ("ordering", "matching") and sorted(chosen) != list(range(len(asked.choices))):
        raise BadAnswer(f"Each of the {len(asked.choices)} letters is wanted once.")
    return chosen


def marks(asked: Question, text: str) -> list[int]:
    """The key points of an open answer that the learner marks, by letter. “0” stands for none."""
    if text.strip() in ("", "0", "-"):
        return []
    return sorted({_place(token, len(asked.item.rubric)) for token in _tokens(text)})


def _tokens(text: str) -> list[str]:
    """“a c”, “a,c”, “ac” and “1 3” are all lists of two."""
    tokens = re.split(r"[\s,;.)]+", text.lower().strip(" ,;.)"))
    if len(tokens) == 1 and tokens[0].isalpha():
        return list(tokens[0])
    return tokens


def _place(token: str, count: int) -> int:
    if len(token) == 1 and token in LETTERS[:count]:
        return LETTERS.index(token)
    if token.isdecimal() and token.isascii() and 1 <= int(token[:9]) <= count:
        return int(token) - 1
    raise BadAnswer(f"{token[:20]!r} is none of the letters a to {LETTERS[count - 1]}.")


# --- what to read again -------------------------------------------------------------------------


def reading(item: Item) -> str:
    """Where the answer is proved: notebook, heading and cell. Where no cell can prove it, the sources."""
    if item.cell:
        notebook, heading = claims().get(item.cell, ("", ""))
        return f"notebooks/{notebook}, “{heading}”, cell {item.cell}" if notebook else f"cell {item.cell}"
    return "; ".join(f"{sources()[key].title} ({sources()[key].link})" for key in item.sources)
