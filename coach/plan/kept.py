"""Plans as they are kept: events in the store, which are only ever added.

    plan-wish   what a plan is to be made for, answer by answer, so that questions that were left are gone on with
    plan        a plan: its wish, since when its steps count, its steps by day, and what did not fit
    plan-done   a step that was ticked off by hand, or with `undone` the tick taken back
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime

from coach import drill
from coach.plan import build, catalog, standing, ticks
from coach.plan.catalog import Step
from quiz import bank, store


@dataclass(frozen=True)
class Planned:
    """A step in a plan, and whether it is done."""

    step: Step
    day: str
    done: bool


@dataclass(frozen=True)
class Current:
    """The plan that holds.

    Attributes:
        wish: when, minutes, round and coding.
        since: from when on answers and rounds tick its steps off.
        steps: in order.
        out: what did not fit.
    """

    wish: dict
    since: datetime
    steps: tuple[Planned, ...]
    out: tuple[Step, ...]

    @property
    def days(self) -> list[str]:
        return list(dict.fromkeys(planned.day for planned in self.steps))

    def of(self, day: str) -> list[Planned]:
        return [planned for planned in self.steps if planned.day == day]


MORNING = 25  # minutes on the day of the interview, for whoever has prepared before: a review, what was missed, the cheat sheet
KEYS = ("when", "minutes", "round", "coding")  # of a wish


def pending(kept: store.Store) -> dict | None:
    """What is known of a plan that is being asked for and not yet made. None if there is no such plan.

    The latest answer counts. `new` begins from nothing.
    """
    wish: dict | None = None
    for event in kept.events("plan", "plan-wish"):
        if event.kind == "plan" or event.content.get("forgotten"):
            wish = None
        else:
            wish = (wish or {} if not event.content.get("new") else {}) | event.content
    return wish


def current(kept: store.Store) -> Current | None:
    """The latest plan, with its steps ticked off by what has happened."""
    told = next((event.content for event in reversed(kept.events("plan"))), None)
    if told is None:
        return None
    since = datetime.fromisoformat(told["since"])
    today = store.study_day(store.now()).isoformat()
    reviews = [one["day"] for one in told["steps"] if one["id"].startswith("review-") and one["day"] <= today]
    seen = ticks.facts(kept, since, reviews)
    found = ((catalog.step(one["id"], one["minutes"]), one["day"]) for one in told["steps"])
    steps = tuple(Planned(step, day, ticks.is_done(step, seen, day)) for step, day in found if step)
    out = tuple(step for step in (catalog.step(one["id"], one["minutes"]) for one in told["out"]) if step)
    return Current({key: told[key] for key in (*KEYS, "knowledge")}, since, steps, out)


def ticked(kept: store.Store) -> frozenset:
    """The steps of the latest plan that are ticked off by hand."""
    told = next((event.content for event in reversed(kept.events("plan"))), None)
    return ticks.ticked(kept, datetime.fromisoformat(told["since"])) if told else frozenset()


def make(kept: store.Store, wish: dict, before: Current | None = None) -> tuple[Current, list[str]]:
    """Makes a plan for what is left until the interview, and keeps it.

    Args:
        before: the plan that it follows: what is done stays done.

    Returns:
        The plan, and in sentences what moved to another day and what fell out.
    """
    at = store.now()
    today = store.study_day(at)
    days = build.days_until(today, date.fromisoformat(wish["when"]))
    since = before.since if before else at
    if before and wish["when"] > max(before.wish["when"], today.isoformat()):  # the end comes later: it is done again then
        for step in ("mock", "cheatsheet"):
            kept.log("plan-done", {"step": step, "undone": True})
        before = replace(before, steps=tuple(one for one in before.steps if one.step.id not in ("mock", "cheatsheet")))
    seen = ticks.facts(kept, since)
    finished = _until(today.isoformat(), before.steps) if before else []
    done = {planned.step.id for planned in finished} | ({"first-mock"} if seen.rounds else set())
    done |= {step.id for step in catalog.steps().values() if ticks.is_done(step, seen)}
    spent = sum(planned.step.minutes for planned in finished if planned.day == today.isoformat())
    attempts = kept.attempts()
    if not before and wish.get("session"):  # the questions that measured took their time
        spent += sum(one.session == wish["session"] and store.study_day(one.at) == today for one in attempts)
    minutes = wish["minutes"]
    if before and wish["when"] == today.isoformat() > store.study_day(since).isoformat():
        minutes = min(minutes, MORNING + spent)  # the rest is named as left out
    knowledge = standing.knowledge(attempts, wish["round"], at)
    due = bank.has_keys() and bool(store.due(attempts, at))
    served = {item.id: item for item in bank.items(about="interview")} if bank.has_keys() else {}
    missed = bool(drill.still_missed(drill.by_item(attempts), served))
    plan = build.build(days, minutes, wish["round"], wish["coding"], knowledge, done, spent, due, missed)
    steps = [_told(planned.step, planned.day) for planned in finished]
    steps += [_told(step, day) for day, steps in plan.days.items() for step in steps]
    content = {key: wish[key] for key in KEYS} | {"since": since.isoformat(), "knowledge": knowledge, "steps": steps}
    kept.log("plan", content | {"out": [_told(step) for step in plan.out]})
    after = current(kept)
    return after, changes(before, after) if before else []


def _until(today: str, steps: Iterable[Planned]) -> list[Planned]:
    """The steps that are done. What was done before its day was done today at the latest."""
    done = [replace(one, day=min(one.day, today)) for one in steps if one.done]
    return sorted(done, key=lambda one: one.day)


def changes(before: Current, after: Current) -> list[str]:
    """What became of the steps that were planned and not done, in sentences. Reviews belong to their days, and do not count."""
    new = {planned.step.id: planned.day for planned in after.steps}
    old = [planned for planned in before.steps if not planned.done and planned.step.kind != "review"]
    here = {planned.step.id for planned in before.steps}
    later = [planned.step for planned in old if new.get(planned.step.id, "") > planned.day]
    came = [planned.step for planned in after.steps if planned.step.id not in here and planned.step.kind != "review"]
    words = []
    if later:
        topics = Counter(bank.TOPICS.get(step.topic, step.title) for step in later)
        words.append(f"Moved to a later day: {', '.join(f'{topic} ({count} of its steps)' for topic, count in topics.items())}.")
    words += [f"Fell out: {planned.step.label}." for planned in old if planned.step.id not in new]
    return words + [f"Came in: {step.label}." for step in came]


def _told(step: Step, day: str | None = None) -> dict:
    return {"id": step.id, "minutes": step.minutes} | ({"day": day} if day else {})
