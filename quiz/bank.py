"""The question bank: items of eight kinds, read from one TOML file a topic, checked field by field.

An item is data. It holds its key, and for every wrong option the belief behind it and a reply to whoever chose it.
A numeric key is not typed in: it names a formula of `quiz.formulas`. In a copy without keys (`quiz.keyless`), the items
are what is left without them.
"""

from collections.abc import Iterator
from functools import cache, cached_property
from pathlib import Path
from random import Random
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, computed_field, field_validator, model_validator

from quiz import keyless, packed
from quiz.register import BANK, OWN, Broken, Proved, errata, has_keys, read, sources, where

TOPICS = {
    "sft": "Supervised fine-tuning",
    "peft": "Parameter-efficient fine-tuning",
    "lora": "LoRA",
    "data": "Preparing the data",
    "hyperparameters": "Hyper-parameters",
    "preference": "Preference tuning",
    "qlora": "Quantisation and QLoRA",
    "code": "Reading code",
}
COURSE = tuple(TOPICS)  # TOPICS also holds those of own questions while they are asked; see quiz.own
NO_TOPICS = ("sources", "topics")  # the files of a folder with own questions that hold none
MOST = 10  # choices, steps, pairs or key points: each has a letter
NO_QUESTIONS = "This copy of the course has no questions."
# Each level, and what it stands for.
LEVELS = {
    "screening": "the first call, where short answers are enough",
    "on-site": "the interview itself",
    "expert": "what specialists are asked",
}


def _computed(formula: str, arguments: dict[str, float]) -> float:
    from quiz import formulas  # here, since a copy without keys lacks them: a formula tells its answer

    return formulas.compute(formula, arguments)


class Strict(BaseModel):
    """Unknown fields are errors, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Misconception(Strict):
    """A belief that many hold, and what is true."""

    claim: str
    correction: str


class Slip(Strict):
    """A wrong answer that we know: the belief behind it and a sentence for whoever gives it.

    belief: an id of misconceptions.toml, or a sentence.
    """

    belief: str
    reply: str

    @property
    def thought(self) -> str:
        known = misconceptions().get(self.belief)
        return known.claim if known else self.belief


class Option(Strict):
    """One option of a choice. A wrong one has a belief and a reply, as a Slip has."""

    text: str
    right: bool = False
    belief: str = ""
    reply: str = ""

    @model_validator(mode="after")
    def explains_itself(self):
        if self.right and (self.belief or self.reply):
            raise ValueError("a right option has no belief and no reply")
        if not self.right and not (self.belief and self.reply):
            raise ValueError(f"the wrong option {self.text!r} needs a belief and a reply")
        return self

    thought = Slip.thought


class WrongText(Slip):
    text: str


class WrongNumber(Slip):
    """A wrong number, by the formula that gives it."""

    formula: str
    arguments: dict[str, float] = {}

    @computed_field
    @cached_property
    def value(self) -> float:
        return _computed(self.formula, self.arguments)


class Base(Proved):
    """What every item has. See bank/README.md for each field."""

    id: str
    topic: str
    level: Literal["screening", "on-site", "expert"]
    stem: str
    code: str = ""
    explanation: str
    errata: tuple[str, ...] = ()
    sources: tuple[str, ...] = Field(min_length=1)
    about: Literal["interview", "article"] = "interview"

    @property
    def choices(self) -> tuple[str, ...]:
        """What is chosen from or put in order, by the indices of an answer."""
        return ()

    @property
    def left(self) -> tuple[str, ...]:
        """What partners are chosen for."""
        return ()


class Choice(Base):
    """One right option (single) or several (multiple)."""

    kind: Literal["single", "multiple"]
    options: tuple[Option, ...] = Field(min_length=3, max_length=MOST)

    @property
    def choices(self) -> tuple[str, ...]:
        return tuple(option.text for option in self.options)

    @field_validator("options")
    @classmethod
    def in_an_order_that_does_not_tell(cls, options, info):
        """In the files the right options come first, for whoever edits. Everyone else sees a fixed shuffled order."""
        return tuple(Random(info.data.get("id")).sample(options, len(options)))

    @model_validator(mode="after")
    def has_a_key(self):
        if len({option.text.casefold() for option in self.options}) < len(self.options):
            raise ValueError("two options are equal")
        right = sum(option.right for option in self.options)
        if self.kind == "single" and right != 1:
            raise ValueError(f"a single choice has one right option, this one has {right}")
        if self.kind == "multiple" and not 2 <= right < len(self.options):
            raise ValueError(f"a multiple choice has two right options or more, and a wrong one; this one has {right} right")
        return self


class Numeric(Base):
    """A number with a unit. Right within a relative tolerance."""

    kind: Literal["numeric"]
    formula: str
    arguments: dict[str, float] = {}
    unit: str
    tolerance: float = Field(gt=0, lt=0.2)
    slips: tuple[WrongNumber, ...] = ()

    @computed_field
    @cached_property
    def value(self) -> float:
        return _computed(self.formula, self.arguments)

    @model_validator(mode="after")
    def can_be_computed(self):
        value = self.value  # a formula that does not fit is refused now, not when someone answers
        for slip in self.slips:
            if abs(slip.value - value) <= self.tolerance * abs(value):
                raise ValueError(f"the slip {slip.formula!r} gives the right number")
        return self


class Prints(Base):
    """What does this code print? The tests run it."""

    kind: Literal["prints"]
    output: str
    slips: tuple[WrongText, ...] = ()

    @model_validator(mode="after")
    def has_code(self):
        if not self.code:
            raise ValueError("an item of this kind needs code")
        return self


class Ordering(Base):
    """Steps, here in their right order."""

    kind: Literal["ordering"]
    steps: tuple[str, ...] = Field(min_length=3, max_length=MOST)

    @property
    def choices(self) -> tuple[str, ...]:
        return self.steps

    @field_validator("steps")
    @classmethod
    def differ(cls, steps):
        if len(set(steps)) < len(steps):
            raise ValueError("two steps are equal")
        return steps


class Matching(Base):
    """Pairs, here as they belong together."""

    kind: Literal["matching"]
    pairs: tuple[tuple[str, str], ...] = Field(min_length=3, max_length=MOST)

    @property
    def choices(self) -> tuple[str, ...]:
        return tuple(right for _, right in self.pairs)

    @property
    def left(self) -> tuple[str, ...]:
        return tuple(left for left, _ in self.pairs)

    @model_validator(mode="after")
    def has_one_partner_each(self):
        if len({left for left, _ in self.pairs}) < len(self.pairs) or len({right for _, right in self.pairs}) < len(self.pairs):
            raise ValueError("two pairs share a side")
        return self


class Open(Base):
    """A free answer. The learner marks which key points of the rubric it held."""

    kind: Literal["open"]
    rubric: tuple[str, ...] = Field(min_length=2, max_length=MOST)


Item = Annotated[Choice | Numeric | Prints | Ordering | Matching | Open, Field(discriminator="kind")]
_item = TypeAdapter(Item)


@cache
def misconceptions() -> dict[str, Misconception]:
    """Common beliefs by id."""
    return read("misconceptions.toml", Misconception.model_validate)


def has_questions() -> bool:
    """Whether there are any. An instructor may hand out copies without them."""
    return any((BANK / f"{topic}.toml").exists() or packed.holds(BANK / f"{topic}.toml") for topic in COURSE)


@cache
def _all() -> dict[str, Item]:
    if not has_questions():
        raise Broken(NO_QUESTIONS)
    found = {}
    for topic, folder in _files():
        for name, item in read_topic(topic, folder).items():
            if name in found:
                file = where(f"{topic}.toml", folder)
                raise Broken(f"{file}, [{name}]: {found[name].topic}.toml has an item of this id already")
            found[name] = item
    return found


def _files() -> Iterator[tuple[str, Path | None]]:
    """The topics of the course, and those of each folder with own questions."""
    yield from ((topic, None) for topic in COURSE)
    for folder in OWN:
        yield from ((path.stem, folder) for path in sorted(folder.glob("*.toml")) if path.stem not in NO_TOPICS)


def read_topic(topic: str, folder: Path | None = None) -> dict[str, Item]:
    """The items of one file, each checked, with its sources and errata. Broken names file, item and field."""
    name = f"{topic}.toml"
    if not has_keys(folder):
        return read(name, keyless.Item.model_validate, folder, topic=topic)
    found = read(name, _item.validate_python, folder, topic=topic)
    for key, item in found.items():
        for field, known in (("sources", sources()), ("errata", errata())):
            for reference in getattr(item, field):
                if reference not in known:
                    file = where(name, folder)
                    raise Broken(f"{file}, [{key}], {field}: there is no {reference!r} in {field}.toml")
    return found


def items(topic: str | None = None, level: str | None = None, about: str | None = None) -> list[Item]:
    """The items of a topic and a level, in the order of the files; with `about` only those of one kind.

    about: "interview", what an interviewer may ask, or "article", the errors of the article that the course corrects.

    Raises:
        ValueError: there is no such topic, level or kind.
    """
    wanted = {"topic": (topic, TOPICS), "level": (level, LEVELS), "about": (about, ("interview", "article"))}
    for name, (value, known) in wanted.items():
        if value is not None and value not in known:
            raise ValueError(f"there is no {name} {value!r}; there are {', '.join(known)}")
    return [
        item for item in _all().values()
        if all(value in (None, getattr(item, name)) for name, (value, _) in wanted.items())
    ]  # fmt: skip


def item(name: str) -> Item:
    """The item with this id. ValueError if there is none."""
    if name not in _all():
        raise ValueError(f"there is no item {name!r}")
    return _all()[name]
