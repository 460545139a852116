"""Where one stands: what is known of each topic, and which stubs are solved. Needs no torch."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from coach.plan.catalog import table
from grader import history
from quiz import bank
from quiz.store import Attempt, spaced

LATELY = timedelta(days=60)  # older answers tell little of today
DOUBT = 2.0  # the weight of knowing nothing yet: two answers, one of them right
UNKNOWN = 0.5  # so a topic without answers has one half
LEVELS = list(bank.LEVELS)


def knowledge(attempts: Iterable[Attempt], round_: str, at: datetime) -> dict[str, float]:
    """For each topic, how much of what such a round asks is known, from 0 to 1, by the last answer to each question.

    A right answer to a question above the round's level says more, and so does a wrong one below it; a right answer below says
    less, and so does a wrong one above. Each level doubles or halves it. A topic without answers is not among them.
    """
    known = {item.id: item for item in bank.items(about="interview")} if bank.has_questions() else {}
    last = {attempt.item: attempt for attempt in spaced(attempts)}  # what is right minutes after its reply is not known yet
    right, total = dict.fromkeys(table()["topics"], DOUBT * UNKNOWN), dict.fromkeys(table()["topics"], DOUBT)
    for name, attempt in last.items():
        if name not in known or attempt.score is None or at - attempt.at > LATELY:
            continue
        above = LEVELS.index(known[name].level) - LEVELS.index(round_)
        for share, weight in ((attempt.score, 2.0**above), (1 - attempt.score, 2.0**-above)):
            total[known[name].topic] += share * weight
        right[known[name].topic] += attempt.score * 2.0**above
    return {topic: right[topic] / total[topic] for topic in total if total[topic] > DOUBT}


def solved() -> dict[str, set[str]]:
    """By problem, the stubs that had all their points when they were graded last, by `make check` or in a notebook."""
    found: dict[str, set[str]] = {}
    for graded in history.gradings():
        stubs = found.setdefault(graded.problem, set())
        for stub in graded.stubs:
            stubs.add(stub) if graded.is_solved(stub) else stubs.discard(stub)
    return found
