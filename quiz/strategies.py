"""What someone who knows nothing gets by looks alone: strategies of test-takers, measured on the bank.

Each strategy was fixed before it was measured. It sees the texts of the options and keeps some of them; a guess among those
has a chance to be right. How likely the keys would give it as much by chance is exact: in each item the key moves to each
place in turn, all places alike, and the items are independent. Since many strategies are tried on many groups of items,
their p-values are corrected together (Holm).
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from quiz.bank import TOPICS, Item

LEVEL = 0.05
WHOLE = "whole bank"

TECHNICAL = re.compile(r"\d|[Α-ωα-ω√·×=/_`%−]|\w-\w|[A-Z]{2}|[a-z][A-Z]|\b[A-Za-z]\b(?<![aAI])")
HEDGE = re.compile(
    r"\b(usually|often|mostly|roughly|about|may|might|can|could|partly|necessarily|likely|tends?|hardly|some|almost|nearly|if|unless)\b",
    re.I,
)
ABSOLUTE = re.compile(
    r"\b(all|only|each|every|everything|alone|exactly|any|always|never|whole|entire\w*|cannot|must|no|none|nothing|nobody)\b", re.I
)
NOTHING = re.compile(r"\b(no|none|nothing|nobody|nowhere|neither|not at all)\b", re.I)


def _most(measure: Callable[[str], float]) -> Callable[[list[str]], list[bool]]:
    """Keeps the options of which there is most. Ties are kept together."""

    def keep(texts: list[str]) -> list[bool]:
        values = list(map(measure, texts))
        return [value == max(values) for value in values]

    return keep


def _without(pattern: re.Pattern) -> Callable[[list[str]], list[bool]]:
    """Drops the options that hold one of these words, unless all of them do."""

    def keep(texts: list[str]) -> list[bool]:
        clean = [not pattern.search(text) for text in texts]
        return clean if any(clean) else [True] * len(texts)

    return keep


def _in_turn(*keeps: Callable[[list[str]], list[bool]]) -> Callable[[list[str]], list[bool]]:
    """Each in its turn chooses among what those before it have kept."""

    def keep(texts: list[str]) -> list[bool]:
        kept = list(range(len(texts)))
        for one in keeps:
            kept = [place for place, stays in zip(kept, one([texts[place] for place in kept])) if stays]
        return [place in kept for place in range(len(texts))]

    return keep


SINGLE = {
    "longest": _most(len),
    "shortest": _most(lambda text: -len(text)),
    "most technical": _most(lambda text: sum(bool(TECHNICAL.search(word)) for word in text.split())),
    "most hedged": _most(lambda text: len(HEDGE.findall(text))),
    "no absolute": _without(ABSOLUTE),
    "no “no”": _without(NOTHING),
}
SINGLE["all in turn"] = _in_turn(*(SINGLE[name] for name in ("no absolute", "no “no”", "most technical", "longest")))
COUNTS = (2, 3, 4)  # how many options of a multiple choice are right, as a guess


@dataclass(frozen=True)
class Measured:
    """A strategy on a group of items: the share of points it gets, what chance gives, and p, the chance to get as much.

    items: the ids of those in which it gets more than chance.
    """

    group: str
    strategy: str
    items: tuple[str, ...]
    share: float
    chance: float
    p: float


def measure(items: list[Item]) -> list[Measured]:
    """Every strategy on the whole bank and on each topic, if there is any item of its kind."""
    groups = {WHOLE: items} | {topic: [item for item in items if item.topic == topic] for topic in TOPICS}
    found = []
    for group, members in groups.items():
        singles = [item for item in members if item.kind == "single"]
        several = [item for item in members if item.kind == "multiple"]
        for name, keep in SINGLE.items():
            found += _measured(group, name, singles, [_points(item, keep) for item in singles])
        for count in COUNTS:
            able = [item for item in several if count < len(item.options)]
            # the number of right options is at least 2 and leaves one wrong
            points = [([float(n == count) for n in range(2, len(item.options))], _right(item) == count) for item in able]
            found += _measured(group, f"{count} of several", able, points)
    return found


def above_chance(measured: list[Measured]) -> list[Measured]:
    """Those that are above chance at the level, after Holm's correction for how many were tried."""
    found = []
    for place, one in enumerate(sorted(measured, key=lambda one: one.p)):
        if one.p * (len(measured) - place) >= LEVEL:
            break
        found.append(one)
    return found


def table(measured: list[Measured]) -> str:
    """The figures: per group and strategy the points in per cent, in brackets p before correction."""
    names = [*SINGLE, *(f"{count} of several" for count in COUNTS)]
    cells = {(one.group, one.strategy): f"{one.share:.0%} ({one.p:.3f})" for one in measured}
    chance = {one.group: f"{one.chance:.0%}" for one in measured if one.strategy in SINGLE}
    groups = [group for group in (WHOLE, *TOPICS) if any(one.group == group for one in measured)]
    rows = [["", "chance", *names]] + [[g, chance.get(g, ""), *(cells.get((g, name), "–") for name in names)] for g in groups]
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join("  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip() for row in rows)


def _right(item) -> int:
    return sum(option.right for option in item.options)


def _points(item, keep) -> tuple[list[float], float]:
    """What a guess gets for each place of the key, and what it gets as the key is."""
    kept = keep([option.text for option in item.options])
    points = [one / sum(kept) for one in kept]
    return points, next(point for point, option in zip(points, item.options) if option.right)


def _measured(group: str, name: str, items: list, points: list) -> list[Measured]:
    if not items:
        return []
    got = sum(now for _, now in points)
    chances = [sum(places) / len(places) for places, _ in points]
    p = _tail([places for places, _ in points], got)
    ids = tuple(item.id for item, (_, now), chance in zip(items, points, chances) if now > chance)
    return [Measured(group, name, ids, got / len(items), sum(chances) / len(items), p)]


def _tail(items: list[list[float]], got: float) -> float:
    """The probability of at least so many points, if each item's points are drawn from its list."""
    unit = math.lcm(*range(1, 13))  # points are 1 / n, so their sums are whole in this unit
    distribution = {0: 1.0}
    for points in items:
        following: dict[int, float] = {}
        for total, probability in distribution.items():
            for point in points:
                sum_ = total + round(point * unit)
                following[sum_] = following.get(sum_, 0.0) + probability / len(points)
        distribution = following
    return min(1.0, sum(probability for total, probability in distribution.items() if total >= round(got * unit)))
