"""How steps become a plan: what pays most goes in first, and each step stands behind what it needs.

Everything here follows from its arguments, so that the same standing gives the same plan.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta

from coach.plan import catalog
from coach.plan.catalog import CODING, Step
from coach.plan.standing import UNKNOWN

FIRST_MOCK = 4  # days from which there is a mock interview in the middle too, early enough to mend what it shows
CODE = 1 / 3  # of the minutes beside the mock interview, at most, for the exercise that a round with coding is sure to hold
SHARE = 0.35  # of all minutes, at most, for the mock interview at the end, where a shorter one would do


@dataclass
class Plan:
    """Steps by day, and what the time was too short for.

    Attributes:
        days: for each day as an ISO date its steps, in order.
        out: the steps that did not fit, those that would pay most first.
    """

    days: dict[str, list[Step]]
    out: list[Step] = field(default_factory=list)

    def spent(self, day: str) -> int:
        return sum(step.minutes for step in self.days[day])


def days_until(today: date, interview: date) -> list[str]:
    """The days for work: from today to the day before the interview, or today alone."""
    count = max(1, (interview - today).days)
    return [(today + timedelta(days=one)).isoformat() for one in range(count)]


def build(
    days: list[str],
    minutes: int,
    round_: str,
    coding: bool,
    knowledge: dict[str, float],
    done: Iterable[str] = (),
    spent_today: int = 0,
    due_today: bool = False,
    missed: bool = False,
) -> Plan:
    """The plan for these days.

    Args:
        minutes: of each day.
        knowledge: by topic, from 0 to 1; a topic that is not there is unknown.
        done: the ids of steps that need not be done again. They count as done for what needs them.
        spent_today: minutes of the first day that are gone.
        missed: something was answered wrong and not drilled, so a drill comes first.
        due_today: the quiz's own schedule brings something back on the first day already.
    """
    done = set(done)
    plan = Plan({day: [] for day in days})
    room = dict.fromkeys(days, minutes) | {days[0]: max(0, minutes - spent_today)}
    ends = _ends(days, days if due_today else days[1:], missed, room, done, plan)
    candidates = [step for step in catalog.steps().values() if step.id not in done and (coding or step.kind not in CODING)]
    pays = {step.id: pay(step, round_, knowledge) for step in candidates}
    sure = _exercise(candidates, pays, CODE * sum(room.values()))
    others = [step for step in candidates if step not in sure]
    minutes_left = sum(room.values()) - sum(step.minutes for step in sure)
    chosen = [*sure[:-1], *_choose(others, pays, minutes_left, done | {step.id for step in sure}), *sure[-1:]]
    _place(_in_order(chosen, knowledge), plan, room, done)
    placed = {step.id for steps in plan.days.values() for step in steps}
    rest = sorted((step for step in candidates if step.id not in placed), key=lambda step: -pays[step.id])
    _place(rest, plan, room, done | placed)  # into the minutes that are left over at the end of a day
    placed = {step.id for steps in plan.days.values() for step in steps}
    plan.out += [step for step in rest if step.id not in placed]
    for day, steps in ends.items():
        plan.days[day] += steps
    return plan


def pay(step: Step, round_: str, knowledge: dict[str, float]) -> float:
    """What a minute of a step brings: how often it is asked, times what is not known, times what such a minute brings."""
    return _weight(step.topic, knowledge) * catalog.worth(step, round_)


def _weight(topic: str, knowledge: dict[str, float]) -> float:
    return catalog.asked(topic) * (1 - knowledge.get(topic, UNKNOWN))


def _ends(days: list[str], reviews: list[str], missed: bool, room: dict[str, int], done: set[str], plan: Plan) -> dict[str, list[Step]]:
    """Takes the room for what is sure to be there: reviews, mock interviews, the cheat sheet. Returns what ends each day."""
    ends = {day: [] for day in days}
    mock, sheet = catalog.interview(_mock_minutes(days, room), "mock"), catalog.cheatsheet()

    def take(step: Step, wanted: list[str], where: dict[str, list[Step]]) -> None:
        day = next((day for day in wanted if room[day] >= step.minutes), None)
        if step.id in done:
            return
        if day:
            room[day] -= step.minutes
            where[day].append(step)
        elif step.kind != "review":
            plan.out.append(step)

    take(sheet, [days[-1]], ends)
    take(mock, days[-2:][::-1], ends)  # on the last day, or if that is too short, on the one before
    ends[days[-1]].reverse()
    if len(days) >= FIRST_MOCK:
        take(catalog.interview(30, "first-mock"), [days[len(days) // 2]], ends)
    for day in reviews:
        take(catalog.review(day), [day], plan.days)
    if missed:
        take(catalog.missed(), days, plan.days)
    return ends


def _mock_minutes(days: list[str], room: dict[str, int]) -> int:
    """The longest round that fits beside the cheat sheet into the last day, and leaves most of all time for the rest."""
    lengths = catalog.table()["minutes"]["interview"]
    most = min(SHARE * sum(room.values()), room[days[-1]] - catalog.cheatsheet().minutes)
    return next((length for length in lengths if length <= most), lengths[-1])


def _exercise(candidates: list[Step], pays: dict[str, float], minutes: float) -> list[Step]:
    """Where code will be asked for, some is written before: the exercise that pays most, behind what it needs. [] if none fits."""
    known = {step.id: step for step in candidates}

    def behind(step: Step) -> list[Step]:
        before = [one for id_ in step.needs if id_ in known for one in behind(known[id_])]
        return [*dict.fromkeys(before), step]

    found = [behind(step) for step in candidates if step.kind in CODING]
    fitting = [steps for steps in found if sum(step.minutes for step in steps) <= minutes]
    return max(fitting, key=lambda steps: pays[steps[-1].id], default=[])


def _choose(candidates: list[Step], pays: dict[str, float], minutes: int, done: set[str]) -> list[Step]:
    """What goes in: each time the step that pays most a minute, of those that fit and whose needs are in.

    The longer a topic has, the less another minute of it brings: after `half` minutes one half, after twice as many a third.
    """
    chosen, have, left, half = [], set(done), list(candidates), catalog.table()["minutes"]["half"]
    given = Counter()
    known = {step.id for step in candidates}
    while True:
        free = [step for step in left if step.minutes <= minutes and all(one in have or one not in known for one in step.needs)]
        if not free:
            return chosen
        best = max(free, key=lambda step: pays[step.id] / (1 + given[step.topic] / half))
        chosen.append(best)
        left.remove(best)
        have.add(best.id)
        given[best.topic] += best.minutes
        minutes -= best.minutes


def _in_order(chosen: list[Step], knowledge: dict[str, float]) -> list[Step]:
    """Topic by topic, the weakest of those that are asked most first, behind the topics that it needs."""
    needs = {topic: told.get("needs", []) for topic, told in catalog.table()["topics"].items()}
    by_weight = sorted(needs, key=lambda topic: -_weight(topic, knowledge))
    order: list[str] = []

    def add(topic: str) -> None:
        for other in needs[topic]:
            add(other)
        if topic not in order:
            order.append(topic)

    for topic in by_weight:
        add(topic)
    return sorted(chosen, key=lambda step: order.index(step.topic))  # within a topic as they were chosen


def _place(steps: list[Step], plan: Plan, room: dict[str, int], done: set[str]) -> None:
    """Puts steps into the first day that has room, no step before a day of what it needs. What does not fit is left."""
    wanted = {step.id for step in steps}
    placed, left = set(done), list(steps)
    for day in plan.days:
        for step in list(left):
            is_ready = all(one in placed or one not in wanted for one in step.needs)
            if step.minutes <= room[day] and is_ready:
                plan.days[day].append(step)
                room[day] -= step.minutes
                placed.add(step.id)
                left.remove(step)
