"""What of a plan is done, by what really happened since it was begun."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from coach.drill import still_to_be_right
from coach.plan import standing
from coach.plan.catalog import Step, questions
from quiz import bank, store

ANY = "any"  # stands for all topics
A_THIRD = 1 / 3  # of its minutes, from which a mock interview counts


@dataclass(frozen=True)
class Facts:
    """What happened since a moment.

    Attributes:
        answered: by topic, how many different questions were answered in the quiz.
        drilled: the topics of which, with the questions of a step answered, nothing that was missed was left to be right;
            ANY if that was so of all topics after a drill.
        solved: by problem, its solved stubs.
        debugged: the problems of which a bug was searched to the end: mended, or given up and looked at.
        rounds: the days (ISO) on which mock interviews of one's own were ended, with a third of their time used by answers.
        reviewed: the days (ISO) on which what was due was reviewed.
        ticked: the steps that were ticked off by hand, and not taken back.
    """

    answered: Counter
    drilled: frozenset
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
    debugged = [event.content for event in kept.events("debug") if event.at >= since]
    return Facts(
        answered=Counter(topic for topic, _ in {(a.topic, a.item) for a in attempts if not a.drilled}),
        drilled=_drilled(everything, since) if bank.has_keys() else frozenset(),
        solved=standing.solved(),
        debugged=frozenset(told.get("problem") for told in debugged if not told.get("left")),
        rounds=_rounds(kept, since),
        reviewed=_reviewed(everything, review_days),
        ticked=ticked(kept, since),
    )


def ticked(kept: store.Store, since: datetime) -> frozenset:
    """The steps that were ticked off by hand, and not taken back."""
    told = [event.content for event in kept.events("plan-done") if event.at >= since]
    is_done = {one["step"]: not one.get("undone") for one in told}
    return frozenset(step for step in is_done if is_done[step])


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
            return (step.topic or ANY) in seen.drilled
        case "core" | "code":
            return set(step.stubs) <= seen.solved.get(step.problem, set())
        case "debug":
            return step.problem in seen.debugged
        case "interview":
            return any(ended >= day or step.id == "first-mock" for ended in seen.rounds)
        case "review":
            return step.id.removeprefix("review-") in seen.reviewed
    return False


def _drilled(attempts: list[store.Attempt], since: datetime) -> frozenset:
    served = {item.id: item for item in bank.items(about="interview")}
    wanted = {topic: questions(topic) for topic in {item.topic for item in served.values()}}
    answered, missed, history, found = defaultdict(set), defaultdict(set), defaultdict(list), set()
    for attempt in (attempt for attempt in attempts if attempt.item in served):
        item = served[attempt.item]
        history[item.id].append(attempt)
        missed[item.topic].discard(item.id)
        if still_to_be_right(item, history[item.id]):
            missed[item.topic].add(item.id)
        if attempt.at >= since and not attempt.drilled:
            answered[item.topic].add(item.id)
        if len(answered[item.topic]) >= wanted[item.topic] and not missed[item.topic]:
            found.add(item.topic)
        if attempt.at >= since and attempt.drilled and not any(missed.values()):
            found.add(ANY)
    return frozenset(found)


def _rounds(kept: store.Store, since: datetime) -> tuple[str, ...]:
    minutes, used, found = {}, Counter(), []
    for event in kept.events("round", "round-part", "round-answer", "round-end"):
        told = event.content
        if event.kind == "round" and not told.get("interviewer"):
            minutes[event.number] = told.get("minutes", 0)
        elif event.kind in ("round-part", "round-answer"):
            used[told.get("round")] += 0 if told.get("skipped") else told.get("seconds", 0)
        elif event.kind == "round-end" and event.at >= since and told["round"] in minutes:
            if used[told["round"]] >= A_THIRD * 60 * minutes[told["round"]]:
                found.append(store.study_day(event.at).isoformat())
    return tuple(found)


def _reviewed(attempts: list[store.Attempt], days: Iterable[str]) -> frozenset:
    """Those of the days on which something was answered, and nothing was due any more after the last answer."""
    found = set()
    for day in days if bank.has_keys() else ():
        until = [attempt for attempt in attempts if store.study_day(attempt.at).isoformat() <= day]
        if until and store.study_day(until[-1].at).isoformat() == day and not store.due(until, until[-1].at):
            found.add(day)
    return frozenset(found)
