"""What is kept of the exercises, as events of the quiz's store.

    debug-begin  a file was written: all that the exercise is made of
    debug-step   something was tried: a line, a check, a hint; with the seconds since the step before
    debug        the end of one: mended or given up
"""

from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path

from coach.debug.exercises import Exercise
from quiz.store import Store, now

LATELY = timedelta(days=14)  # in which nothing is drawn twice


@dataclass(frozen=True)
class Running:
    """An exercise that was begun.

    Attributes:
        number: of the event with which it began.
        path: of the candidate's file.
    """

    number: int
    exercise: Exercise
    path: Path


def begin(memory: Store, one: Exercise, path: Path) -> Running:
    return Running(memory.log("debug-begin", asdict(one) | {"path": str(path)}), one, path)


def step(memory: Store, running: Running, kind: str, seconds: float, **more) -> None:
    memory.log("debug-step", {"exercise": running.number, "step": kind, "seconds": round(seconds, 1), **more})


def steps(memory: Store, running: Running) -> list[dict]:
    return [event.content for event in memory.events("debug-step") if event.content["exercise"] == running.number]


def end(memory: Store, running: Running, *, solved: bool, seconds: float, left: bool = False) -> dict:
    """Note the end, with what led to it.

    Args:
        seconds: since the last step.
        left: another one was taken instead.
    """
    done, one = steps(memory, running), running.exercise
    kinds = [entry["step"] for entry in done]
    told = {
        "exercise": running.number,
        "problem": one.problem,
        "mistake": one.mistake,
        "level": one.level,
        "solved": solved,
        "left": left,
        "seconds": round(sum(entry["seconds"] for entry in done) + seconds),
        "line_found": any(entry.get("found") for entry in done),
        "lines_tried": kinds.count("line"),
        "checks": kinds.count("check"),
        "hints": kinds.count("hint"),
    }
    memory.log("debug", told)
    return told


def ended(memory: Store) -> list[dict]:
    """How each exercise ended that was mended or given up, the oldest first."""
    return [event.content for event in memory.events("debug") if not event.content.get("left")]


def running(memory: Store, problem: str) -> Running | None:
    """The latest exercise of a problem, if it has not ended."""
    over = {event.content.get("exercise") for event in memory.events("debug")}
    begun = [event for event in memory.events("debug-begin") if event.content["problem"] == problem]
    if not begun or begun[-1].number in over:
        return None
    told = dict(begun[-1].content)
    path = Path(told.pop("path"))
    return Running(begun[-1].number, Exercise(**told | {"faulty_lines": tuple(told["faulty_lines"])}), path)


def met_lately(memory: Store, problem: str) -> set[str]:
    """The mistakes whose exercises were begun in the last two weeks."""
    begun = memory.events("debug-begin")
    return {event.content["mistake"] for event in begun if event.content["problem"] == problem and now() - event.at < LATELY}
