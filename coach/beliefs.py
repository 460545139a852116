"""The beliefs that wrong answers name. Nothing is stored: they follow from the stored answers by grading."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from quiz import bank
from quiz.grading import BadAnswer, grade
from quiz.store import Attempt

SETTLED = 2  # right answers, since a belief showed last, after which it counts as given up


@dataclass(frozen=True)
class Held:
    """A belief that wrong answers have named.

    belief: an id of misconceptions.toml, or a sentence.
    times: how many wrong answers named it.
    since: how many right answers were given since then, to questions on which it leads astray.
    """

    belief: str
    times: int
    since: int

    @property
    def claim(self) -> str:
        known = bank.misconceptions().get(self.belief)
        return known.claim if known else self.belief

    @property
    def correction(self) -> str:
        """What is true. Empty where the explanation of the question alone says it."""
        known = bank.misconceptions().get(self.belief)
        return known.correction if known else ""

    @property
    def is_settled(self) -> bool:
        return self.since >= SETTLED


def named(item, answer) -> list[str]:
    """The beliefs that an answer names. None for an answer that the item of today cannot have."""
    by_reply = {part.reply: part.belief for part in _parts(item) if part.belief}
    try:
        return [by_reply[reply] for reply in grade(item, answer).replies if reply in by_reply]
    except BadAnswer:  # the question has been changed since
        return []


def held(attempts: Iterable[Attempt]) -> list[Held]:
    """The beliefs that are not settled, the firmest first: named often, and not answered right since."""
    known = {item.id: item for item in bank.items()}
    times, since = {}, {}
    for attempt in attempts:
        item = known.get(attempt.item)
        if item is None or attempt.score is None:
            continue
        if attempt.score == 1:
            for belief in _tempting(item) & times.keys():
                since[belief] += 1
            continue
        for belief in named(item, attempt.answer):
            times[belief] = times.pop(belief, 0) + 1  # the latest stands last
            since[belief] = 0
    found = [Held(belief, times[belief], since[belief]) for belief in reversed(times)]
    return sorted((one for one in found if not one.is_settled), key=lambda one: one.since - one.times)


@cache
def questions(belief: str) -> tuple:
    """The questions of an interview on which a belief leads astray, in the order of the bank."""
    return tuple(item for item in bank.items(about="interview") if belief in _tempting(item))


def _tempting(item) -> set[str]:
    return {part.belief for part in _parts(item)}


def _parts(item) -> tuple:
    """The wrong answers that an item knows, and its right options."""
    return (*getattr(item, "options", ()), *getattr(item, "slips", ()))
