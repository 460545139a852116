"""The bank as one JSON object, for whoever builds on it. `bank/README.md` explains the fields."""

import json
from collections.abc import Sequence
from typing import Literal

from quiz import bank
from quiz.export.notes import Notes
from quiz.register import Erratum, Source, errata, sources


class Export(bank.Strict):
    """What `python -m quiz export` prints. `format` grows when a field is renamed or goes."""

    format: Literal[1] = 1
    topics: dict[str, str]
    items: tuple[bank.Item, ...]
    misconceptions: dict[str, bank.Misconception]
    errata: dict[str, Erratum]
    sources: dict[str, Source]


def as_json(items: Sequence[bank.Item] | None = None) -> str:
    """These items (all, if none are named) with their keys, and all that items refer to."""
    whole = Export(
        topics=bank.TOPICS,
        items=tuple(bank.items() if items is None else items),
        misconceptions=bank.misconceptions(),
        errata=errata(),
        sources=sources(),
    )
    return whole.model_dump_json(indent=2)


def schema() -> str:
    """The JSON Schema of that object."""
    return json.dumps(Export.model_json_schema(mode="serialization"), indent=2, ensure_ascii=False)


def write(items: Sequence[bank.Item], notes: Notes) -> str:
    return as_json(items) + "\n"
