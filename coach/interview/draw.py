"""What a round asks: drawn by a seed from the bank, the whiteboards, the reviews and the coding problems."""

from collections.abc import Iterable
from random import Random

from coach.interview import table
from coach.interview.whiteboards import whiteboards
from grader.problems import PROBLEMS
from lab import review
from quiz import bank, followups

LEVELS = list(bank.LEVELS)


def draw(
    seed: int, minutes: int, level: str, topic: str | None, coding: bool, before: Iterable[dict] = (), known: Iterable[str] = ()
) -> dict:
    """The plan of a round, as it is kept.

    Args:
        level: of the round; a round on-site asks questions of a screening call as well.
        before: the plans of earlier rounds; what they have asked comes last.
        known: questions whose answers were told lately; they come last, too. Leave out both, and the seed alone decides.

    Raises:
        ValueError: there is nothing to ask on this topic.
    """
    random, before = Random(seed), list(before)
    asked = {name for plan in before for name in (*plan["questions"], plan["whiteboard"], plan["review"])} | {*known}
    plan = {"seed": seed, "minutes": minutes, "level": level, "topic": topic, "depth": table.table()["depth"]}
    plan["parts"] = table.budget(minutes, coding)
    plan["questions"] = _questions(random, minutes, level, topic, asked)
    plan["whiteboard"] = _whiteboard(random, plan["parts"]["whiteboard"], level, topic, asked)
    scripts = [name for name in review.names() if topic is None or topic in table.table()["reviews"].get(name, [topic])]
    plan["review"] = _new_first(random, scripts or review.names(), asked)[0]
    if coding:
        solved = [plan["coding"] for plan in before if "coding" in plan]
        plan["coding"] = _coding(random, plan["parts"]["coding"], level, topic, solved)
    return plan


def _questions(random: Random, minutes: int, level: str, topic: str | None, asked: set[str]) -> list[str]:
    """Questions with follow-ups, of the round's level where there are some, each topic once before one comes twice."""
    found = [bank.item(name) for name in followups.trees()]
    found = [item for item in found if topic in (None, item.topic)]
    if not found:
        raise ValueError(f"There is no question with follow-ups on {topic}. Leave out --topic, or choose another one.")
    names = _new_first(random, [item.id for item in found], asked)
    order = sorted(names, key=lambda name: (name in asked, _distance(bank.item(name).level, level)))
    chosen, times = [], {}
    while order and len(chosen) < table.table()["questions"][str(minutes)]:
        name = min(order, key=lambda name: times.get(bank.item(name).topic, 0))
        order.remove(name)
        chosen.append(name)
        times[bank.item(name).topic] = times.get(bank.item(name).topic, 0) + 1
    return chosen


def _whiteboard(random: Random, minutes: int, level: str, topic: str | None, asked: set[str]) -> str:
    boards = whiteboards()
    names = [name for name, board in boards.items() if topic in (None, board.topic)] or list(boards)
    names = [name for name in names if boards[name].minutes <= minutes] or [min(names, key=lambda name: boards[name].minutes)]
    names = _new_first(random, names, asked)
    return min(names, key=lambda name: (name in asked, _distance(boards[name].level, level)))


def _coding(random: Random, minutes: int, level: str, topic: str | None, solved: list[dict]) -> dict:
    """A stub that can be written in the time, or a bug to find in the code of a problem."""
    problem = table.table()["problems"].get(topic)
    if random.random() < 0.5:
        problems = [problem] if problem else sorted(set(table.table()["problems"].values()))
        return {"sort": "bug", "problem": random.choice(problems), "seed": random.randrange(10**6)}
    stubs = _stubs(problem)
    before = [{key: value for key, value in one.items() if key != "sort"} for one in solved]
    return {"sort": "stub"} | _new_first(random, _fitting(stubs, minutes), before)[0]


def stub_instead(plan: dict) -> dict:
    """The stub that a plan has in the place of a bug, where no bug can be drawn."""
    stubs = _stubs(plan["coding"]["problem"])
    return {"sort": "stub"} | Random(plan["seed"]).choice(_fitting(stubs, plan["parts"]["coding"]))


def _stubs(problem: str | None) -> list[dict]:
    """The stubs of a problem, or of all. Without solutions there is nothing to give, so only those that stand alone."""
    found = [one for one in table.table()["coding"] if problem in (None, one["problem"])]
    return [one for one in found if one.get("alone") or PROBLEMS[one["problem"]].reference.exists()]


def _fitting(stubs: list[dict], minutes: int) -> list[dict]:
    """Those that can be written in the time, or the shortest one."""
    return [one for one in stubs if one["minutes"] <= minutes] or [min(stubs, key=lambda one: one["minutes"])]


def _new_first(random: Random, found: list, asked) -> list:
    found = random.sample(found, len(found))
    return sorted(found, key=lambda one: one in asked)


def _distance(level: str, wanted: str) -> int:
    return abs(LEVELS.index(level) - LEVELS.index(wanted))
