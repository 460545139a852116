"""Derivations and estimates for the whiteboard: data (`whiteboards.toml`), checked field by field.

A number of a solution is not typed in: `{name}` in the text stands for the formula of `quiz.formulas` that `numbers` gives it.
"""

import re
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from quiz import bank
from quiz.register import Broken, read, sources

FILE = "whiteboards.toml"
FULL = 10  # what all points of a rubric are worth together


class Number(bank.Strict):
    """A number by its formula, and how it is written: a format of Python, such as ",.0f"."""

    formula: str
    arguments: dict[str, float] = {}
    written: str = ",.0f"

    def __str__(self) -> str:
        from quiz import formulas  # here, since a copy without keys lacks them

        return format(formulas.compute(self.formula, self.arguments), self.written)


class Point(bank.Strict):
    """A point of a rubric, and what it is worth of FULL."""

    text: str
    worth: int = Field(gt=0)


class Whiteboard(bank.Strict):
    """A task at the whiteboard.

    Attributes:
        topic, level: as in the bank.
        minutes: the time for it.
        task: what is asked. Lines may be kept as they are.
        rubric: what is marked.
        solution: worked out, with its numbers filled in. Lines are kept as they are.
        sources: keys of the bibliography.
    """

    topic: str
    level: Literal["screening", "on-site", "expert"]
    minutes: int = Field(ge=3, le=20)
    task: str
    rubric: tuple[Point, ...] = Field(min_length=3)
    numbers: dict[str, Number] = {}
    solution: str
    sources: tuple[str, ...] = Field(min_length=1)

    @field_validator("topic")
    @classmethod
    def is_known(cls, topic):
        if topic not in bank.TOPICS:
            raise ValueError(f"there is no topic {topic!r}; there are {', '.join(bank.TOPICS)}")
        return topic

    @field_validator("rubric")
    @classmethod
    def adds_up(cls, rubric):
        if sum(point.worth for point in rubric) != FULL:
            raise ValueError(f"the points are worth {sum(point.worth for point in rubric)} together, not {FULL}")
        return rubric

    @field_validator("solution")
    @classmethod
    def with_its_numbers(cls, solution, info):
        numbers = info.data.get("numbers", {})
        named = set(re.findall(r"{(\w+)}", solution))
        if named != set(numbers):
            raise ValueError(f"{', '.join(sorted(named ^ set(numbers)))}: named in the solution alone, or in numbers alone")
        return re.sub(r"{(\w+)}", lambda name: str(numbers[name[1]]), solution.strip("\n"))

    @field_validator("task")
    @classmethod
    def without_blank_ends(cls, task):
        return task.strip("\n")


@cache
def whiteboards() -> dict[str, Whiteboard]:
    """The tasks by id. None at all in a copy without keys: their solutions are keys as well.

    Raises:
        Broken: a task is not as it should be. The message names it and the field.
    """
    if not bank.has_keys():
        return {}
    found = read(FILE, Whiteboard.model_validate, Path(__file__).parent)
    for name, board in found.items():
        for key in board.sources:
            if key not in sources():
                raise Broken(f"{FILE}, [{name}], sources: there is no {key!r} in sources.toml")
    return found
