"""GIFT, Moodle's text format. A question stands in one paragraph, so no text may hold an empty line."""

import re
from collections.abc import Sequence

from quiz.bank import Item
from quiz.export import content
from quiz.export.moodle import category_path
from quiz.export.notes import Notes

NOTES = {
    "ordering": "GIFT has no ordering. It is a matching question here: a place for each step.",
    "open": "GIFT has no notes for graders: the key points stand in the general feedback.",
    "numeric": "GIFT has no units: the unit is in the text, and a plain number in that unit is wanted.",
    "prints": "A short answer in GIFT is right in capitals too.",
}


ARROW = "GIFT takes “->” in a short answer for partners. It is an essay question here, with the answer in the general feedback."


def write(items: Sequence[Item], notes: Notes) -> str:
    blocks = []
    for title, group in content.by_topic(items).items():
        blocks.append(f"$CATEGORY: {category_path(title)}")
        for item in group:
            blocks.append(_question(item))
            if _has_arrow(item):
                notes.add(ARROW, item.id)
            elif item.kind in NOTES:
                notes.add(NOTES[item.kind], item.id)
    return "\n\n".join(blocks) + "\n"


def _question(item: Item) -> str:
    marks = " ".join(f"[tag:{_inside(tag)}]" for tag in content.tags(item))
    stem = escaped(content.html(content.question(item)))
    key = [content.code(item.output)] if _has_arrow(item) else []
    reason = escaped(content.html([*key, *content.whole_reason(item)]))
    answers = "" if key else "".join(f"\n\t{answer}" for answer in PARTS[item.kind](item))
    number = "#" if item.kind == "numeric" else ""
    name = escaped(content.plain(item.id))
    return f"// [id:{_inside(item.id)}] {marks}\n::{name}::[html]{stem} {{{number}{answers}\n\t####{reason}\n}}"


def _has_arrow(item: Item) -> bool:
    return item.kind == "prints" and any("->" in text for text in (item.output, *(slip.text for slip in item.slips)))


def escaped(text: str) -> str:
    """The text with the signs that mean something in GIFT made plain, and in one line."""
    return re.sub(r"[~=#{}:\\]", r"\\\g<0>", text).replace("\n", "\\n")


def _inside(text: str) -> str:
    """A text for the brackets of a comment."""
    return re.sub(r"[\[\]\n]", "_", content.clean(text))


def _reply(wrong) -> str:
    return f"#{escaped(content.html(content.mistake(wrong)))}" if wrong is not None and wrong.reply else ""


# --- the answers of each kind, a line each ------------------------------------------------------


def _choice(item) -> list[str]:
    share = 100 / sum(option.right for option in item.options)
    several = {True: f"~%{share:.7g}%", False: f"~%-{share:.7g}%"}
    marks = {True: "=", False: "~"} if item.kind == "single" else several
    return [f"{marks[option.right]}{escaped(content.option(option.text))}{_reply(option)}" for option in item.options]


def _numeric(item) -> list[str]:
    answers = [(slip.value, "=%0%", slip) for slip in item.slips] + [(item.value, "=", None)]
    if item.unit == "%" and 0 < item.value <= 100:
        answers.append((item.value / 100, "=", None))
    return [
        f"{mark}{content.number(value)}:{content.number(abs(value) * item.tolerance)}{_reply(slip)}"
        for value, mark, slip in answers
    ]


def _prints(item) -> list[str]:
    answers = [(item.output, "=", None), *((slip.text, "=%0%", slip) for slip in item.slips)]
    return [
        mark + escaped(typed.replace("*", "\\*")) + _reply(slip)
        for text, mark, slip in answers
        for typed in content.typed(text)
    ]


def _pairs(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """An arrow parts the two sides, so one inside a text is drawn as a sign."""
    return [
        f"={escaped(content.option(left).replace('-&gt;', '→'))} -> {escaped(content.plain(right).replace('->', '→'))}"
        for left, right in pairs
    ]


def _ordering(item) -> list[str]:
    return _pairs([(f"Step {place}", step) for place, step in enumerate(item.steps, 1)])


PARTS = {
    "single": _choice, "multiple": _choice, "numeric": _numeric, "prints": _prints,
    "ordering": _ordering, "matching": lambda item: _pairs(item.pairs), "open": lambda item: [],
}  # fmt: skip
