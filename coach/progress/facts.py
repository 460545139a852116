"""What the page of progress tells. Everything follows from what is kept: answers, events, gradings."""

import ast
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from coach.progress.recall import Memory
from grader.history import Graded
from grader.problems import PROBLEMS
from quiz import bank, store
from quiz.store import Attempt, Event

LONGEST_GAP = timedelta(minutes=10)  # between two things that were done, which still counts as work
HOUR = time(9)  # of the interview, on its day


@dataclass(frozen=True)
class Topic:
    """How a topic stands.

    Attributes:
        answered: how many of its questions were answered, of `count`.
        right: how many of them were right at the last attempt.
        now: the mean chance of recall of the answered questions, from 0 to 1. None if none was answered, or nothing is graded.
        then: the same on the day of the interview, if nothing is answered until then.
    """

    title: str
    count: int
    answered: int
    right: int
    now: float | None
    then: float | None


@dataclass(frozen=True)
class Stub:
    """The points of a stub at its last grading, and the day on which it was solved first; empty if it was not."""

    name: str
    points: int
    most: int
    solved: str


@dataclass(frozen=True)
class Slip:
    """A known mistake that a grading named. mended: the day of the first grading without it; empty if there is none."""

    problem: str
    stub: str
    title: str
    made: str
    mended: str


@dataclass(frozen=True)
class Written:
    """An open question: the key points of its first and of its last text."""

    stem: str
    times: int
    first: int
    last: int
    points: int


@dataclass(frozen=True)
class Facts:
    """Everything on the page. Times are in local days.

    Attributes:
        interview: the day, as an ISO date; empty if it is not known.
        problems: by title, the stubs that were graded and how many there are.
        exercises: how bugs were searched: day, problem, and how it ended.
        rounds: mock interviews that came to their end: day, and minutes at prompts.
        minutes: by day, what was worked.
    """

    at: datetime
    interview: str
    graded: bool
    topics: tuple[Topic, ...]
    problems: dict[str, tuple[int, tuple[Stub, ...]]]
    slips: tuple[Slip, ...]
    beliefs: tuple
    written: tuple[Written, ...]
    exercises: tuple[tuple[str, str, str], ...]
    rounds: tuple[tuple[str, int], ...]
    minutes: dict[str, int]


def gather(kept: store.Store | None, gradings: Sequence[Graded], at: datetime, interview: str = "") -> Facts:
    """The facts.

    Args:
        kept: None if nothing was ever answered.
        interview: its day; the plan's, if none is given.
    """
    attempts, events = (kept.attempts(), kept.events()) if kept else ([], [])
    planned = [event.content.get("when", "") for event in events if event.kind == "plan"]
    interview = interview or (planned[-1] if planned else "")
    graded = bank.has_keys()
    return Facts(
        at=at,
        interview=interview,
        graded=graded,
        topics=tuple(_topics(attempts, at, _moment(interview, at), graded)) if bank.has_questions() else (),
        problems=_problems(gradings),
        slips=tuple(_slips(gradings)),
        beliefs=_beliefs(attempts) if graded else (),
        written=tuple(_written(events)) if bank.has_questions() else (),
        exercises=tuple(_exercises(events)),
        rounds=tuple(_rounds(events)),
        minutes=_minutes([*(a.at for a in attempts), *(e.at for e in events), *(g.at for g in gradings)]),
    )


def _day(moment: datetime) -> str:
    return store.study_day(moment).isoformat()


def _moment(interview: str, at: datetime) -> datetime | None:
    """When the interview is; None if that is not known or over."""
    if not interview or interview < _day(at):
        return None
    return max(at, datetime.combine(date.fromisoformat(interview), HOUR).astimezone())


def _topics(attempts: list[Attempt], at: datetime, then: datetime | None, graded: bool) -> Iterable[Topic]:
    memory = Memory(attempts) if graded and attempts else None
    last = {attempt.item: attempt.score for attempt in attempts}
    for topic, title in bank.TOPICS.items():
        items = [item.id for item in bank.items(topic, about="interview")]
        met = [item for item in items if item in last]
        now, later = (memory.recall(met, moment) if memory and moment else None for moment in (at, then))
        yield Topic(title, len(items), len(met), sum(last[item] == 1 for item in met), now, later)


def _problems(gradings: Sequence[Graded]) -> dict[str, tuple[int, tuple[Stub, ...]]]:
    last, solved = defaultdict(dict), {}
    for graded in gradings:
        for stub, (points, most) in graded.stubs.items():
            last[graded.problem][stub] = points, most
            if graded.is_solved(stub):
                solved.setdefault((graded.problem, stub), _day(graded.at))
    found = {}
    for id_, problem in PROBLEMS.items():
        if id_ in last:
            stubs = [stub for stub in problem.stubs if stub in last[id_]]
            told = tuple(Stub(stub, *last[id_][stub], solved.get((id_, stub), "")) for stub in stubs)
            found[problem.title] = len(problem.stubs), told
    return found


def _slips(gradings: Sequence[Graded]) -> Iterable[Slip]:
    """Each known mistake once for each time it was made anew, the oldest first.

    It is mended when it is named no more, and the stub has as many points as with the mistake, or more.
    """
    made: dict[tuple[str, str, str], list[str]] = {}
    had: dict[tuple[str, str, str], int] = {}
    over: list[tuple[tuple[str, str, str], list[str]]] = []
    for graded in gradings:
        for stub in graded.stubs:
            names = graded.mistakes.get(stub, ())
            points = graded.stubs[stub][0]
            gone = [key for key in made if key[:2] == (graded.problem, stub) and key[2] not in names]
            for key in [key for key in gone if points >= had[key]]:
                made[key][1] = _day(graded.at)
                over.append((key, made.pop(key)))
            for name in names:
                made.setdefault((graded.problem, stub, name), [_day(graded.at), ""])
                had[graded.problem, stub, name] = points
    for (problem, stub, name), (begun, mended) in sorted([*over, *made.items()], key=lambda one: one[1][0]):
        title = PROBLEMS[problem].title if problem in PROBLEMS else problem
        yield Slip(title, stub, _title(problem, name), begun, mended)


def _title(problem: str, mistake: str) -> str:
    """The misconception in a sentence, or its name where this copy has no known mistakes."""
    try:
        source = (PROBLEMS[problem].mistakes / f"{mistake}.py").read_text(encoding="utf-8")
        return " ".join(ast.get_docstring(ast.parse(source)).partition("\n\n")[0].split())
    except (OSError, LookupError, ValueError, SyntaxError, AttributeError):
        return mistake.replace("_", " ")


def _beliefs(attempts: list[Attempt]) -> tuple:
    from coach.beliefs import held

    return tuple(held(attempts))


def _written(events: list[Event]) -> Iterable[Written]:
    by_item = defaultdict(list)
    for event in events:
        if event.kind == "open":
            by_item[event.content.get("item")].append(event.content)
    known = {item.id: item for item in bank.items()}
    for item, told in by_item.items():
        if item in known:
            points = [len(one.get("marked", ())) for one in told]
            yield Written(known[item].stem, len(told), points[0], points[-1], told[-1].get("points", 0))


def _exercises(events: list[Event]) -> Iterable[tuple[str, str, str]]:
    for event in events:
        told = event.content
        if event.kind == "debug" and not told.get("left"):
            problem = PROBLEMS.get(told.get("problem"))
            ended = "mended" if told.get("solved") else "given up"
            minutes, hints = max(1, round(told.get("seconds", 0) / 60)), told.get("hints", 0)
            words = f"{ended} after {minutes} min, {hints or 'no'} hint{'s' * (hints != 1)}"
            yield _day(event.at), problem.title if problem else str(told.get("problem")), words


def _rounds(events: list[Event]) -> Iterable[tuple[str, int]]:
    seconds = defaultdict(float)
    led = {event.number for event in events if event.kind == "round" and event.content.get("interviewer")}
    for event in events:
        if event.kind in ("round-part", "round-answer"):
            seconds[event.content.get("round")] += event.content.get("seconds", 0)
        if event.kind == "round-end" and event.content.get("round") not in led:
            yield _day(event.at), round(seconds[event.content.get("round")] / 60)


def _minutes(moments: list[datetime]) -> dict[str, int]:
    """By day, the sum of the gaps between neighbours that are not longer than LONGEST_GAP."""
    moments, found = sorted(moments), defaultdict(timedelta)
    for before, after in zip(moments, moments[1:]):
        found[_day(after)] += after - before if after - before <= LONGEST_GAP else timedelta()
    return {day: round(spent / timedelta(minutes=1)) for day, spent in found.items() if spent}
