"""The table of cases that holds two gradings together, Python's and the browser's: quiz_cases.json, and cases from the bank.

A case is an item by its name, and what is `typed` (for an open question with the `marks`) or an `answer` as data. What comes
of it is a `score`, a `verdict` and `replies`, or a `refusal`. Choices stand in the item's own order.
"""

import json
from itertools import product
from pathlib import Path
from types import SimpleNamespace

from quiz import asking, bank
from quiz.grading import BadAnswer, grade, right_answer

FILE = Path(__file__).with_name("quiz_cases.json")
GIVEN = ("item", "typed", "marks", "answer")
FORMS = [  # of a number, whatever the question
    "1.5e9", "1,000", "57.5 %", "2/3", "−3", "18.9 million", "14.1 GB", "1,5", "", "nan", "٤٢", "1/0", "0", "-0", "1e-400",
    ".5", "many", "1 cow", "0.5", "1", "1.0001", "100", "3x", "5 per cent", "~7", "1 2",
]  # fmt: skip


def stored() -> tuple[dict[str, dict], list[dict]]:
    """The items of the file by name, as data, and its cases."""
    whole = json.loads(FILE.read_text(encoding="utf-8"))
    return whole["items"], whole["cases"]


def item(fields: dict):
    """An item of the file for Python."""

    def made(value):
        if isinstance(value, dict):
            return SimpleNamespace(**{name: made(one) for name, one in value.items()})
        return tuple(map(made, value)) if isinstance(value, list) else value

    found = made(fields)
    pairs, options = getattr(found, "pairs", ()), getattr(found, "options", ())
    found.choices = tuple(right for _, right in pairs) or tuple(one.text for one in options) or getattr(found, "steps", ())
    found.left = tuple(left for left, _ in pairs)
    return found


def outcome(item, case: dict) -> dict:
    """What Python makes of a case."""
    asked = asking.Question(item, tuple(range(len(item.choices))), item.choices, item.left)
    try:
        answer = case["answer"] if "answer" in case else asking.understand(asked, case["typed"])
        if "marks" in case:
            answer = asking.marks(asked, case["marks"])
        result = grade(item, answer)
    except BadAnswer as error:
        return {"refusal": str(error)}
    return {"score": result.score, "verdict": asking.verdict(result), "replies": list(result.replies)}


def given(case: dict) -> dict:
    """A case without what comes of it."""
    return {name: case[name] for name in GIVEN if name in case}


def of_the_bank() -> list[dict]:
    """Cases for each question there is: right, each known mistake, near misses, odd forms."""
    return [{"item": one.id, **case} for one in bank.items() for case in _cases(one)]


def _cases(one):
    letters = asking.LETTERS[: len(one.choices)]
    yield {"answer": right_answer(one)}
    match one.kind:
        case "single":
            yield from ({"typed": typed} for typed in (*letters, "", "z", "a b", "1"))
        case "multiple":
            chosen = [
                [letter for letter, kept in zip(letters, keeps) if kept] for keeps in product((0, 1), repeat=len(letters))
            ]
            yield from ({"typed": " ".join(some)} for some in chosen)
        case "ordering" | "matching":
            moved = [letters[n:] + letters[:n] for n in range(len(letters))]
            swapped = [letters[:n] + letters[n + 1] + letters[n] + letters[n + 2 :] for n in range(len(letters) - 1)]
            yield from ({"typed": typed} for typed in (*moved, *swapped, letters[::-1], letters[1:], letters + "a"))
        case "open":
            points = asking.LETTERS[: len(one.rubric)]
            yield from ({"typed": "my words", "marks": points[:n]} for n in range(len(points) + 1))
            yield {"typed": "my words", "marks": points + "j"}
        case "prints":
            slips = [slip.text for slip in one.slips]
            forms = [
                form
                for text in (one.output, *slips)
                for form in (text, text.replace(", ", ","), f" {text} ", text.replace(".0", ""))
            ]
            yield from ({"typed": typed} for typed in (*forms, one.output + ".", one.output.lower(), "nothing"))
        case "numeric":
            yield from ({"typed": typed} for typed in _numbers(one))


def _numbers(one):
    targets = [one.value, *(slip.value for slip in one.slips)]
    edges = [1, *(1 + sign * one.tolerance * near for sign in (1, -1) for near in (0.999, 1, 1.001))]
    powers = [10.0**power for power in (-6, -3, -2, 2, 3, 6)]
    values = [target * factor for target in targets for factor in (*edges, *powers, -1)]
    for value in values:
        yield repr(value)
        yield f"{value:.6g} {one.unit}"
    yield from (
        form for value in targets for form in (f"{value:,.0f}", f"{value:.3g} %", f"{value!r}/1", f"{value / 1e6!r} million")
    )
    yield from FORMS
