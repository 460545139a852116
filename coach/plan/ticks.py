"""What of a plan is done, by what really happened since it was begun."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from coach.plan import standing
from coach.plan.catalog import Step
from quiz import bank, store

DRILLED = 5  # answers in a drill of a topic, if it was not drilled to its end


@dataclass(frozen=True)
class Facts:
    """What happened since a moment.

    Attributes:
        answered: by topic, how many different questions were answered in the quiz.
        drilled: by topic, how many answers were given in drills.
        ended: the topics whose drill came to its end; None stands for a drill of all topics.
        solved: by problem, its solved stubs.
        debugged: the problems of which a bug was searched to the end: mended, or given up and looked at.
        rounds: the days (ISO) on which mock interviews came to their end.
        reviewed: the days (ISO) on which what was due was reviewed.
        ticked: the steps that were ticked off by hand.
    """

    answered: Counter
    drilled: Counter
    ended: frozenset
    solved: dict[str, set[str]]
    debugged: frozenset
    rounds: tuple[str, ...]
    reviewed: frozenset
    ticked: frozenset


def facts(kept: store.Store, since: datetime, review_days: Iterable[str] = ()) -> Facts:
    """What happened since a plan was begun.

    review_days: the days (ISO) of which it is to be known whether what was due was reviewed.
    """
    everything = kept.attempts()
    attempts = [attempt for attempt in everything if attempt.at >= since]
    events = [event for event in kept.events("drill", "drill-end", "debug", "round-end", "plan-done") if event.at >= since]

    def of(kind: str) -> list[dict]:
        return [event.content for event in events if event.kind == kind]

    topics = {told["session"]: told.get("topic") for told in of("drill")}
    return Facts(
        answered=Counter(topic for topic, _ in {(a.topic, a.item) for a in attempts if not a.drilled}),
        drilled=Counter(attempt.topic for attempt in attempts if attempt.drilled),
        ended=frozenset(topics[told["session"]] for told in of("drill-end") if told["session"] in topics),
        solved=standing.solved(),
        debugged=frozenset(told.get("problem") for told in of("debug") if not told.get("left")),
        rounds=tuple(store.study_day(event.at).isoformat() for event in events if event.kind == "round-end"),
        reviewed=_reviewed(everything, review_days),
        ticked=frozenset(told["step"] for told in of("plan-done")),
    )


def is_done(step: Step, seen: Facts, day: str = "") -> bool:
    """Whether a step is done. Reading is ticked off by hand alone: nobody can see it.

    day: when the step is planned. The last mock interview is not done by an earlier one.
    """
    if step.id in seen.ticked:
        return True
    match step.kind:
        case "quiz":
            wanted = int(step.do.rpartition(" ")[2])
            return seen.answered[step.topic] >= wanted
        case "drill":
            return seen.drilled[step.topic] >= DRILLED or bool(seen.ended & {step.topic, None})
        case "core" | "code":
            return set(step.stubs) <= seen.solved.get(step.problem, set())
        case "debug":
            return step.problem in seen.debugged
        case "interview":
            return any(ended >= day or step.id == "first-mock" for ended in seen.rounds)
        case "review":
            return step.id.removeprefix("review-") in seen.reviewed
    return False


def _reviewed(attempts: list[store.Attempt], days: Iterable[str]) -> frozenset:
    """Those of the days on which something was answered, and nothing was due any more after the last answer."""
    found = set()
    for day in days if bank.has_keys() else ():
        until = [attempt for attempt in attempts if store.study_day(attempt.at).isoformat() <= day]
        if until and store.study_day(until[-1].at).isoformat() == day and not store.due(until, until[-1].at):
            found.add(day)
    return frozenset(found)
