"""Every step that a plan can have: a section to read, questions, an exercise, a round."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from desk import place
from grader.problems import PROBLEMS, Problem
from quiz import bank

FILE = Path(__file__).parent / "steps.toml"
CODING = ("core", "code", "debug")  # the kinds that only a round with coding needs


@dataclass(frozen=True)
class Step:
    """One thing to do.

    Attributes:
        do: the command to type, or where to read, as an address from the student's folder.
        kind: a key of the table `worth`, or "review", "interview", "cheatsheet".
        needs: the ids of the steps that come before it.
        factor: how much more than others of its kind a minute of it brings.
        stubs: what an exercise solves, with the id of its problem.
    """

    id: str
    topic: str
    kind: str
    title: str
    do: str
    minutes: int
    needs: tuple[str, ...] = ()
    factor: float = 1.0
    problem: str = ""
    stubs: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The title behind its topic."""
        return f"{bank.TOPICS[self.topic]}: {self.title}" if self.topic else self.title


@cache
def table() -> dict:
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


def asked(topic: str) -> int:
    """How often interviews ask about a topic, from 1 to 5."""
    return table()["topics"][topic]["asked"]


def worth(step: Step, round_: str) -> float:
    """What a minute of a step brings in such a round, before the topic counts."""
    return step.factor * table()["worth"][step.kind] * table()["rounds"][round_].get(step.kind, 1)


@cache
def steps() -> dict[str, Step]:
    """The steps by id, for the notebooks and questions that this copy of the course has."""
    found = {}
    for topic in table()["topics"]:
        for step in (*_of_topic(topic), *_of_problem(topic)):
            found[step.id] = step
    return found


def step(id_: str, minutes: int) -> Step | None:
    """The step that a stored plan names. None if the course has it no more."""
    if id_ in ("mock", "first-mock"):
        return interview(minutes, id_)
    if id_ == "cheatsheet":
        return cheatsheet()
    if id_ == "missed":
        return missed()
    return review(id_.removeprefix("review-")) if id_.startswith("review-") else steps().get(id_)


def interview(minutes: int, id_: str) -> Step:
    title = "A first mock interview" if id_ == "first-mock" else "The mock interview"
    return Step(id_, "", "interview", title, f"python -m coach interview --minutes {minutes}", minutes)


def cheatsheet() -> Step:
    title, do = "Read the cheat sheet of all topics once more", "python -m coach cheatsheet all"
    if not bank.has_keys():
        title = "Read the short answers of all topics once more"
        do = "notebooks 01 to 05 and 10: the part “The one-minute answer” of each"
    return Step("cheatsheet", "", "cheatsheet", title, do, table()["minutes"]["cheatsheet"])


def missed() -> Step:
    """What was missed in the questions that found out where one stands."""
    title, minutes = "Drill what you have missed so far", table()["minutes"]["drill"]
    return Step("missed", "", "drill", title, "python -m coach drill", minutes)


def review(day: str) -> Step:
    """What the quiz's own schedule brings back on a day."""
    title = "Review what is due today"
    return Step(f"review-{day}", "", "review", title, "python -m quiz review --all", table()["minutes"]["review"])


def questions(topic: str) -> int:
    """How many a step of the quiz asks of a topic."""
    return min(len(bank.items(topic, about="interview")), table()["quiz"]["questions"]) if bank.has_questions() else 0


def address(notebook: str, heading: str) -> str:
    """Where a section stands. JupyterLab's anchors have hyphens for blanks."""
    return f"notebooks/{notebook}.ipynb#{heading.replace(' ', '-')}"


def _of_topic(topic: str) -> list[Step]:
    told = table()["topics"][topic]
    found = []
    if _is_there(told["notebook"]):
        before = tuple(f"{other}-answers" for other in told.get("needs", ()))
        for kind in ("answers", "next", "codereview"):
            if kind in told:
                needs = before if kind == "answers" else (f"{topic}-answers",) if "answers" in told else ()
                found.append(_reading(topic, kind, f"{topic}-{kind}", told[kind], needs))
        for group in told.get("read", ()):
            found.append(_reading(topic, "read", f"{topic}-{_slug(group['headings'][0])}", group, (f"{topic}-answers",)))
    count = questions(topic)
    if count:
        command = f"python -m quiz --topic {topic} --count {count}"
        minutes, needs = table()["quiz"]["minutes"], tuple(step.id for step in found if step.kind == "answers")
        found.append(Step(f"{topic}-quiz", topic, "quiz", f"{count} questions", command, minutes, needs))
    if count and bank.has_keys():
        command = f"python -m coach drill --topic {topic}"
        minutes = table()["minutes"]["drill"]
        found.append(Step(f"{topic}-drill", topic, "drill", "Drill what you missed", command, minutes, (f"{topic}-quiz",)))
    return found


def _of_problem(topic: str) -> list[Step]:
    problem, told = PROBLEMS.get(topic), table()["problems"].get(topic)
    if not (problem and told and _is_there(problem.notebook)):
        return []
    found = []
    first = (f"{topic}-answers",) if _is_there(table()["topics"][topic]["notebook"]) else ()
    for number, (exercise, stubs) in enumerate(zip(told["exercises"], problem.cells), 1):
        needs = first + tuple(f"{topic}-exercise-{one}" for one in exercise.get("needs", ()))
        title = f"Write {', '.join(stubs)}"
        do = address(problem.notebook, exercise["heading"])
        kind = "core" if exercise.get("core") else "code"
        factor = exercise.get("factor", 1.0)
        found.append(Step(f"{topic}-exercise-{number}", topic, kind, title, do, exercise["minutes"], needs, factor, topic, stubs))
    if _is_kept(problem):
        command, minutes = f"python -m coach debug {topic}", table()["minutes"]["debug"]
        found.append(Step(f"{topic}-debug", topic, "debug", "Find a bug in a whole file", command, minutes, first, problem=topic))
    return found


def _reading(topic: str, kind: str, id_: str, told: dict, needs: tuple[str, ...]) -> Step:
    notebook, headings = table()["topics"][topic]["notebook"], told["headings"]
    listed = "; ".join(f"“{heading}”" for heading in headings)
    return Step(id_, topic, kind, f"Read {listed}", address(notebook, headings[0]), told["minutes"], needs)


def _is_there(notebook: str) -> bool:
    return any((place.notebooks() / f"{notebook}{suffix}").exists() for suffix in (".ipynb", ".md"))


def _is_kept(problem: Problem) -> bool:
    """Whether this copy has the known mistakes and the reference, from which a bug is drawn."""
    return problem.reference.exists() and problem.mistakes.is_dir()


def _slug(text: str) -> str:
    return re.sub(r"\W+", "-", text.lower()).strip("-")
