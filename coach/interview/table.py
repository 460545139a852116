"""How a round is made up: the data of `rounds.toml`, and the names of what it has."""

import tomllib
from functools import cache
from pathlib import Path

PARTS = {
    "warmup": "Questions",
    "whiteboard": "Whiteboard",
    "review": "Code review",
    "coding": "Coding",
    "close": "The end",
}
COMPETENCES = {
    "concepts": "Concepts",
    "derivation": "Derivation and estimates",
    "coding": "Coding",
    "debugging": "Debugging and reading code",
    "communication": "Communication",
}
LENGTHS = (30, 45, 60)  # minutes


@cache
def table() -> dict:
    return tomllib.loads((Path(__file__).parent / "rounds.toml").read_text(encoding="utf-8"))


def budget(minutes: int, coding: bool) -> dict[str, int]:
    """The minutes of each part, in their order."""
    return dict(table()["minutes" if coding else "no-coding"][str(minutes)])
