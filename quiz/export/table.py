"""A table for a spreadsheet: UTF-8 with the mark that Excel looks for, one row an item, no cell that could be a formula."""

from collections.abc import Sequence

from desk.cells import as_csv, safe
from quiz import asking
from quiz.bank import Item
from quiz.export import content
from quiz.export.notes import Notes
from quiz.grading import key_of

HEADINGS = [
    "id", "topic", "level", "kind", "about", "question", "code", "unit", "choices", "answer", "tolerance", "wrong answers",
    "explanation", "sources", "cell",
]  # fmt: skip


def write(items: Sequence[Item], notes: Notes) -> str:
    rows = {item.id: _row(item) for item in items}
    for name, row in rows.items():
        if any(safe(cell) != cell for cell in row):
            notes.add("An apostrophe (’) stands before each sign that a spreadsheet could take for a formula.", name)
    return "\ufeff" + as_csv([HEADINGS, *rows.values()])


def _row(item: Item) -> list[str]:
    shown = asking.question(item)
    choices = [f"{letter}. {text}" for letter, text in zip(asking.LETTERS, shown.choices)]
    return [
        item.id, content.TOPICS[item.topic], item.level, item.kind, item.about, item.stem, item.code.strip("\n"),
        getattr(item, "unit", ""), "\n".join([*shown.left, *choices]), key_of(item),
        f"{item.tolerance:.3g}" if item.kind == "numeric" else "", "\n".join(_wrong(item)), item.explanation,
        "; ".join(f"{title} ({address})" for title, address in asking.proof(item.model_copy(update={"cell": ""}))),
        item.cell,
    ]  # fmt: skip


def _wrong(item: Item) -> list[str]:
    return [f"{text}: {wrong.thought} {wrong.reply}" for text, wrong in content.wrong_answers(item)]
