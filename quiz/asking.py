"""How an item is put to a person, and how what they type becomes an answer. Terminal and notebook share it."""

import re
from dataclasses import dataclass
from random import Random

from quiz import keyless
from quiz.bank import TOPICS, Item
from quiz.grading import BadAnswer, Grade, key_of, right_answer
from quiz.register import claims, link, sources

LETTERS = "abcdefghij"

# What to type, by kind.
HOW = {
    "single": "Type one letter.",
    "multiple": "Several are right. Type their letters, such as “a c”.",
    "numeric": "Type a number ({unit}). Forms such as 1.5e9, 4.4 million or 3/8 are read.",
    "prints": "Type what is printed.",
    "ordering": "Type the letters in the right order, the first step first.",
    "matching": "Type one letter for each number, in the order of the numbers.",
    "open": "Answer in your own words, in as many lines as you like. An empty line ends your answer.",
}
COMPARE = "Then compare it with the key points."  # where an open question has some
HOW_PER_CENT = "Type a number (%). Forms such as 12, 12 %, 0.12 or 3/25 are read."


@dataclass(frozen=True)
class Question:
    """An item as it is shown: its choices in shuffled order.

    order: for each shown choice its index in the item.
    left: what is to be matched, else empty.
    """

    item: Item | keyless.Item
    order: tuple[int, ...]
    choices: tuple[str, ...]
    left: tuple[str, ...] = ()

    @property
    def how(self) -> str:
        unit = getattr(self.item, "unit", "")
        words = HOW_PER_CENT if unit == "%" else HOW[self.item.kind].format(unit=unit)
        return f"{words} {COMPARE}" if self.rubric else words

    @property
    def rubric(self) -> tuple[str, ...]:
        """The key points of an open question, which the learner marks. Without a key there are none to mark."""
        return getattr(self.item, "rubric", ())

    @property
    def sort(self) -> str:
        """Topic and level, as they stand above the question."""
        about = ", about the article" if self.item.about == "article" else ""
        return f"{TOPICS[self.item.topic]}, {self.item.level}{about}"


def question(item: Item | keyless.Item, seed: int = 0) -> Question:
    """The item with its choices shuffled by the seed. Steps and partners are not shown in their right order."""
    order = list(range(len(item.choices)))
    Random(f"{seed} {item.id}").shuffle(order)
    if item.kind in ("ordering", "matching") and order == sorted(order):
        order = order[1:] + order[:1]
    return Question(item, tuple(order), tuple(item.choices[index] for index in order), item.left)


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
    return sorted({_place(token, len(asked.rubric)) for token in _tokens(text)})


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


def record(item: Item | keyless.Item, answer, result: Grade | None) -> tuple[float | None, object]:
    """What the store keeps of an answer: its score and the answer, or without a key no score and the answer in words."""
    return (result.score, answer) if result else (None, keyless.in_words(item, answer))


# --- what is told after an answer ---------------------------------------------------------------


def verdict(result: Grade) -> str:
    """The verdict as a sentence, with the share of a partly right answer."""
    share = f" ({result.score:.0%})" if 0 < result.score < 1 else ""
    return f"{result.verdict.capitalize()}{share}."


def in_words(asked: Question, answer) -> list[tuple[str, str]]:
    """An answer, right or wrong, row by row: what stood in front of it when it was shown, and its text."""
    item, letters = asked.item, {index: letter for letter, index in zip(LETTERS, asked.order)}
    match item.kind:
        case "single":
            return [(letters[answer], item.options[answer].text)]
        case "multiple":
            return [(letters[index], item.options[index].text) for index in asked.order if index in answer]
        case "ordering":
            return [(letters[index], item.steps[index]) for index in answer]
        case "matching":
            return [
                (f"{number} {letters[index]}", f"{left}: {item.pairs[index][1]}")
                for number, (left, index) in enumerate(zip(asked.left, answer), 1)
            ]
        case "open":
            return [("", f"{len(answer)} of {len(item.rubric)} key points")]
    return [("", str(answer))]


def key(asked: Question) -> list[tuple[str, str]]:
    """The right answer, row by row in the same way."""
    if asked.choices:
        return in_words(asked, right_answer(asked.item))
    if asked.item.kind == "open":
        return [("", point) for point in asked.item.rubric]
    return [("", key_of(asked.item))]


def replies(asked: Question, result: Grade) -> list[tuple[str, str]]:
    """What the answer reveals. Where several options may be chosen, the letter of the option stands in front."""
    letters = {}
    if asked.item.kind == "multiple":
        letters = {asked.item.options[index].reply: letter for letter, index in zip(LETTERS, asked.order)}
    rows = [(letters.get(reply, ""), reply) for reply in result.replies]
    return sorted(rows, key=lambda row: row[0] or "z")  # what is said of no option comes last


def proof(item: Item) -> list[tuple[str, str]]:
    """Where the answer is proved, each place as a title and a link from beside the notebooks.

    The place is the notebook's cell, if it shows the answer. The sources stand behind a cell that only illustrates it, and
    alone where there is no cell or the notebook is not there.
    """
    cited = [(sources()[key].title, sources()[key].link) for key in item.sources]
    if not link(item.cell):
        return cited
    notebook, section = claims()[item.cell]
    place = (f"{notebook}, “{section}”", link(item.cell))
    return [place] if item.proof == "shows" else [place, *cited]


def reading(item: Item) -> str:
    """The same as one line of text."""
    places = [f"{title} ({address})" for title, address in proof(item)]
    if link(item.cell):
        places[0] = f"notebooks/{link(item.cell)}, “{claims()[item.cell][1]}”"
    return "; ".join(places)
