"""Grading: one answer against one item. Partial credit is defined here and nowhere else.

An answer is plain data, by kind:

    single     the index of an option
    multiple   a set or list of indices of options
    numeric    a number in the item's unit, or a text such as "14.1 GB", "57.5 %", "2/3" or "18.9 million"; a share in any form
    prints     the text; blanks beside commas and brackets do not count
    ordering   the indices of the steps, in the learner's order
    matching   for each left side the index of the right side
    open       a set or list of indices of the key points that the learner's own answer held
"""

import math
import re
from dataclasses import dataclass
from itertools import combinations

from quiz import keyless
from quiz.bank import Item


class BadAnswer(ValueError):
    """The answer cannot be graded. The message says what was expected. Nothing is lost: ask again."""


@dataclass(frozen=True)
class Grade:
    """What an answer is worth, from 0 to 1, what it reveals, and the right answer in words."""

    score: float
    replies: tuple[str, ...]
    key: str

    @property
    def right(self) -> bool:
        return self.score == 1

    @property
    def verdict(self) -> str:
        if self.right:
            return "right"
        return "partly right" if self.score else "not right"


def grade(item: Item | keyless.Item, answer) -> Grade | None:
    """Grades an answer. None if the item has no key: then only the form of the answer is looked at.

    Partial credit:
        multiple: (right options chosen − wrong options chosen) / right options, at least 0.
        ordering: the share of pairs of steps that stand in the right order, counted from one half (chance) to all.
        matching: the share of pairs that are right.
        open: the share of key points that the learner marks.
        The other kinds are right or not.

    Raises:
        BadAnswer: the answer is not of the form that the kind needs.
    """
    if isinstance(item, keyless.Item):
        if item.kind == "numeric":
            number(answer, item.unit)
        return None
    return GRADERS[item.kind](item, answer)


def right_answer(item: Item):
    """The right answer as data, in the form that `grade` takes."""
    match item.kind:
        case "single":
            return next(index for index, option in enumerate(item.options) if option.right)
        case "multiple":
            return [index for index, option in enumerate(item.options) if option.right]
        case "numeric":
            return item.value
        case "prints":
            return item.output
        case "ordering":
            return list(range(len(item.steps)))
        case "matching":
            return list(range(len(item.pairs)))
    return list(range(len(item.rubric)))


def key_of(item: Item) -> str:
    """The right answer in words."""
    match item.kind:
        case "single" | "multiple":
            return "; ".join(option.text for option in item.options if option.right)
        case "numeric":
            return f"{readable(item.value)} {item.unit}"
        case "prints":
            return item.output
        case "ordering":
            return "; ".join(f"{place}. {step}" for place, step in enumerate(item.steps, 1))
        case "matching":
            return "; ".join(f"{left}: {right}" for left, right in item.pairs)
    return "; ".join(item.rubric)


def readable(value: float) -> str:
    """Four digits, and thousands apart."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


# --- one grader a kind --------------------------------------------------------------------------


def _single(item, answer) -> Grade:
    chosen = item.options[_index(answer, len(item.options))]
    return Grade(float(chosen.right), _replies([chosen]), key_of(item))


def _multiple(item, answer) -> Grade:
    chosen = [item.options[index] for index in _indices(answer, len(item.options))]
    right = sum(option.right for option in item.options)
    hits = sum(option.right for option in chosen)
    score = max(0.0, (hits - (len(chosen) - hits)) / right)
    missed = f"{right - hits} of {right} right options were not chosen." if hits < right else ""
    return Grade(score, _replies(chosen) + ((missed,) if missed else ()), key_of(item))


def _numeric(item, answer) -> Grade:
    readings = _readings(answer, item.unit)
    for value, understood in readings:
        said = (understood,) if understood else ()
        for slip in item.slips:
            if _close(value, slip.value, item.tolerance):
                return Grade(0.0, (slip.reply, *said), key_of(item))
        if _close(value, item.value, item.tolerance):
            return Grade(1.0, said, key_of(item))
    value, _ = readings[0]
    read = f"The unit is {item.unit}; your answer was read as {readable(value)}."
    for power, name in _FACTORS:
        if _close(value, item.value * power, item.tolerance):
            return Grade(0.0, (f"The digits are right; the answer is off by a factor of {name}. {read}",), key_of(item))
    return Grade(0.0, (read,), key_of(item))


def _prints(item, answer) -> Grade:
    if not isinstance(answer, str) or not answer.strip():
        raise BadAnswer("type what the code prints")
    said, output = printed(answer), printed(item.output)
    for slip in item.slips:
        if said == printed(slip.text):
            return Grade(0.0, (slip.reply,), key_of(item))
    if said != output and _values(said) == _values(output):
        return Grade(0.0, (f"The values are right, their form is not: Python prints {item.output}.",), key_of(item))
    return Grade(float(said == output), (), key_of(item))


def _ordering(item, answer) -> Grade:
    order = _indices(answer, len(item.steps))
    if len(order) != len(item.steps):
        raise BadAnswer(f"name each of the {len(item.steps)} steps once")
    pairs = list(combinations(order, 2))
    share = sum(first < second for first, second in pairs) / len(pairs)
    displaced = next((step for place, step in enumerate(order) if step != place), None)
    reply = () if displaced is None else (f"“{item.steps[displaced]}” is the first step out of place.",)
    return Grade(max(0.0, 2 * share - 1), reply, key_of(item))


def _matching(item, answer) -> Grade:
    partners = _list(answer)
    if len(partners) != len(item.pairs):
        raise BadAnswer(f"name one partner for each of the {len(item.pairs)} on the left")
    partners = [_index(partner, len(item.pairs)) for partner in partners]
    wrong = [item.pairs[left] for left, partner in enumerate(partners) if left != partner]
    replies = tuple(f"{left}: {right}." for left, right in wrong)
    return Grade(1 - len(wrong) / len(partners), replies, key_of(item))


def _open(item, answer) -> Grade:
    marked = set(_indices(answer, len(item.rubric)))
    missing = tuple(f"Not said: {point}." for index, point in enumerate(item.rubric) if index not in marked)
    return Grade(len(marked) / len(item.rubric), missing, key_of(item))


GRADERS = {
    "single": _single, "multiple": _multiple, "numeric": _numeric, "prints": _prints,
    "ordering": _ordering, "matching": _matching, "open": _open,
}  # fmt: skip


# --- reading answers ----------------------------------------------------------------------------


_FACTORS = [(factor, name) for power, name in ((1e3, "1,000"), (1e6, "a million"), (100, "100")) for factor in (power, 1 / power)]
# What a number may be multiplied by. K, M and G count by 1,000; GiB and its kin by 1,024.
_MULTIPLES = {
    "": 1, "k": 1e3, "thousand": 1e3, "m": 1e6, "million": 1e6, "b": 1e9, "bn": 1e9, "billion": 1e9, "trillion": 1e12,
}  # fmt: skip
_BYTES = {
    "b": 1, "bytes": 1, "kb": 1e3, "mb": 1e6, "gb": 1e9, "tb": 1e12, "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip


_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?"


def number(answer, unit: str) -> float:
    """Reads a number in the item's unit. Decimal point; commas and blanks may part thousands.

    A fraction alone is a share: 1/4 is 25 where the unit is %. With a unit behind it, it is in that unit.
    """
    if isinstance(answer, bool) or answer is None:
        raise BadAnswer("type a number")
    if isinstance(answer, (int, float)):
        if not math.isfinite(answer):
            raise BadAnswer("type a finite number")
        return float(answer)
    text = _squeezed(str(answer)).lower().lstrip("~≈= ")
    text = re.sub(r"(?<=\d)[,_ '](?=\d{3}(?!\d))", "", text)
    if re.search(r"\d,\d", text):
        raise BadAnswer(f"{answer!r} has a comma: write decimals with a point, and thousands as 1,000")
    found = re.fullmatch(rf"({_NUMBER})(?:\s*/\s*({_NUMBER}))?\s*(.*)", text)
    if not found:
        raise BadAnswer(f"{str(answer)[:40]!r} is not a number; for example 61.5, 12 %, 3/8, 4.4 million or 2e-3")
    value = float(found[1])
    if found[2]:
        if not float(found[2]):
            raise BadAnswer("a division by zero has no value")
        value /= float(found[2])
    suffix = found[3].strip()
    is_share = found[2] and not suffix and unit == "%"
    value *= 100 if is_share else _multiple_of(suffix, unit)
    if not math.isfinite(value):
        raise BadAnswer("type a finite number")
    return value


def _readings(answer, unit: str) -> list[tuple[float, str]]:
    """What a number can mean, the likeliest first, each with a sentence if it was not typed in the item's unit.

    Only a share can mean two things: 0.575 without a sign is 0.575 % or the share 0.575, and 57.5 is 57.5 or 57.5 %.
    """
    value = number(answer, unit)
    if unit != "%" and not unit.startswith("share"):
        return [(value, "")]
    text, sign = str(answer), " %" if unit == "%" else ""
    in_unit = "/" not in text and (unit == "%" or not re.search(r"%|per ?cent", text, re.I))
    readings = [(value, "" if in_unit else f"Your answer was read as {readable(value)}{sign}.")]
    bare = re.fullmatch(rf"[~≈=\s]*{_NUMBER}\s*", text)
    if bare and unit == "%" and 0 < value <= 1:
        readings.append((100 * value, f"Your answer was read as the share {readable(value)}, which is {readable(100 * value)} %."))
    if bare and unit != "%" and 1 < value <= 100:
        readings.append((value / 100, f"Your answer was read as {readable(value)} %, which is {readable(value / 100)}."))
    return readings


def _multiple_of(suffix: str, unit: str) -> float:
    """What the words behind a number multiply it by, to be in the unit of the item."""
    own = unit.lower()
    if not suffix or _names(suffix, own):
        return 1
    if own in _BYTES and suffix in _BYTES:
        return _BYTES[suffix] / _BYTES[own]
    if suffix in ("%", "percent", "per cent"):
        if own == "%":
            return 1
        if own.startswith(("share", "factor", "times")):
            return 0.01
    first, _, rest = suffix.partition(" ")
    if first in _MULTIPLES and own not in _BYTES and (not rest or _names(rest, own)):
        return _MULTIPLES[first]
    if suffix in ("x", "×", "times", "-fold", "fold") and own.startswith(("factor", "times")):
        return 1
    raise BadAnswer(f"the unit {suffix!r} does not fit: the unit is: {unit}")


def _names(words: str, unit: str) -> bool:
    """Whether these words are the unit, or how it begins: “parameter” for parameters, “nats” for nats per token."""
    return words in (unit, unit.rstrip("s")) or unit.startswith(f"{words} ")


def _close(value: float, target: float, tolerance: float) -> bool:
    return abs(value - target) <= tolerance * abs(target)


def _squeezed(text: str) -> str:
    """Blanks squeezed; typographic minus and quotes made plain."""
    return " ".join(text.replace("−", "-").replace("–", "-").replace("‘", "'").replace("’", "'").split())


def printed(text: str) -> str:
    """What was printed, without blanks beside commas and brackets, which nobody types as Python does."""
    return re.sub(r"\s*([,()\[\]{}])\s*", r"\1", _squeezed(text))


def _values(printed: str) -> str:
    """The same with each number as a float: 40 and 40.0 have one value."""
    return re.sub(_NUMBER, lambda number: repr(float(number[0])), printed)


def _list(answer) -> list:
    if not isinstance(answer, (list, tuple, set, frozenset)):
        raise BadAnswer("a list of indices is wanted")
    return sorted(answer, key=str) if isinstance(answer, (set, frozenset)) else list(answer)


def _index(answer, count: int) -> int:
    if isinstance(answer, bool) or not isinstance(answer, int) or not 0 <= answer < count:
        raise BadAnswer(f"{answer!r} is none of the {count} indices from 0 to {count - 1}")
    return answer


def _indices(answer, count: int) -> list[int]:
    chosen = [_index(one, count) for one in _list(answer)]
    if len(chosen) != len(set(chosen)):
        raise BadAnswer("an index stands there twice")
    return chosen


def _replies(chosen) -> tuple[str, ...]:
    return tuple(option.reply for option in chosen if not option.right)
