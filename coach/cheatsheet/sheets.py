"""The entries of the sheets, read from one TOML file a topic.

An entry is data: its kind, a text of at most three lines, a formula where there is one (`math`), and where it is proved: a cell
of a notebook, sources, or both. A number that a formula of the bank gives is not typed in: `values` name formulas of
`quiz.formulas`, and each takes the place of one {} in the text. `short` entries stand on the sheet of all topics too.
"""

import tomllib
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "sheets"
TOPICS = ("sft", "peft", "lora", "data", "hyperparameters", "preference", "qlora")
ALL = "all"
KINDS = {
    "formula": "Formulas",
    "number": "Numbers to know",
    "bill": "Bills",
    "recipe": "Recipes",
    "trap": "Traps",
}
HOLE = "{}"


@dataclass(frozen=True)
class Entry:
    """One thing to know.

    Attributes:
        kind: a key of KINDS.
        said: the text, its numbers filled in.
        math: a formula, where _x, _{xy}, ^x and ^{xy} stand low and high, as in `said`. Two blanks part it.
        cell: the claim of the cell that proves it, or nothing.
        sources: keys of the bibliography.
        short: it stands on the sheet of all topics too.
    """

    topic: str
    kind: str
    said: str
    math: str = ""
    cell: str = ""
    sources: tuple[str, ...] = ()
    short: bool = False


@cache
def entries(topic: str) -> tuple[Entry, ...]:
    """The entries of a topic, in the order of the file.

    Raises:
        ValueError: the file is not as it should be. The message names the entry.
    """
    path = FOLDER / f"{topic}.toml"
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))["entry"]
    except (OSError, LookupError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{path.name} cannot be read: {error}") from None
    return tuple(_entry(topic, number, one) for number, one in enumerate(told, 1))


def short(topic: str) -> tuple[Entry, ...]:
    """The entries of a topic that stand on the sheet of all topics."""
    return tuple(entry for entry in entries(topic) if entry.short)


def _entry(topic: str, number: int, told: dict) -> Entry:
    where = f"{topic}.toml, entry {number}"
    allowed = {field.name for field in fields(Entry)} - {"topic", "said"} | {"text", "values"}
    if told.keys() - allowed:
        raise ValueError(f"{where}: there is no field {', '.join(sorted(told.keys() - allowed))}")
    if told.get("kind") not in KINDS or not told.get("text"):
        raise ValueError(f"{where}: it needs a text, and a kind of {', '.join(KINDS)}")
    if not (told.get("cell") or told.get("sources")):
        raise ValueError(f"{where}: it names neither a cell nor a source")
    rest = {name: told[name] for name in ("math", "cell", "short") if name in told}
    return Entry(topic, told["kind"], _filled(told, where), sources=tuple(told.get("sources", ())), **rest)


def _filled(told: dict, where: str) -> str:
    """The text with its numbers in the place of its holes."""
    from quiz import formulas  # here, since a copy without keys lacks them

    text, values = told["text"], told.get("values", ())
    if text.count(HOLE) != len(values):
        raise ValueError(f"{where}: the text has {text.count(HOLE)} places for {len(values)} values")
    for value in values:
        try:
            number = formulas.compute(value["formula"], value.get("arguments", {}))
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
        text = text.replace(HOLE, format(number, value["format"]).replace("e-0", "e-"), 1)
    return text
