"""The state of a round: a list of events, folded. The events are kept in the store and only ever added.

    round         a round begins, with its plan
    round-part    something beside the answers: a part is closed or goes on over its time, a pause, a draft, the file to work in
    round-answer  an answer, with the seconds that it took and what it was worth
    round-end     the round is over, and why

All but the first name their round by the number of its first event.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from quiz.store import Event

KINDS = ("round", "round-part", "round-answer", "round-end")
ROUND = "round"  # stands for all parts among those that went on over their time


@dataclass
class State:
    """A round so far.

    Attributes:
        number: of the event with which it began.
        plan: what was drawn for it, see `draw`.
        answers: the answers by the ids of their prompts.
        tries: what was done in the coding part, in order.
        used: seconds at prompts, by part.
        closed: the parts that were ended before all was asked.
        overtime: the parts that went on when their time was over, and ROUND if the whole round did.
        drafts: what was written and not sent, by prompt.
        file: what is kept of the file in which code is written; empty before it is there.
        ended: why the round is over; empty while it is not.
    """

    number: int
    at: datetime
    plan: dict
    answers: dict[str, dict] = field(default_factory=dict)
    tries: list[dict] = field(default_factory=list)
    used: Counter = field(default_factory=Counter)
    closed: set[str] = field(default_factory=set)
    overtime: set[str] = field(default_factory=set)
    drafts: dict[str, str] = field(default_factory=dict)
    file: dict = field(default_factory=dict)
    pauses: int = 0
    ended: str = ""

    @property
    def led(self) -> bool:
        """Whether another person leads the round and marks it."""
        return bool(self.plan.get("interviewer"))

    @property
    def marker(self) -> str:
        """Who marks what the course cannot: "self" or "partner"."""
        return "partner" if self.led else "self"

    def left(self, part: str | None = None) -> float:
        """The seconds that a part, or the round, has left. Negative once they are over."""
        if part:
            return self.plan["parts"][part] * 60 - self.used[part]
        return self.plan["minutes"] * 60 - sum(self.used.values())


def fold(events: Iterable[Event]) -> dict[int, State]:
    """The rounds by their numbers, the oldest first. Events of other kinds and of unknown rounds change nothing."""
    rounds: dict[int, State] = {}
    for event in events:
        if event.kind == "round":
            rounds[event.number] = State(event.number, event.at, event.content)
        elif event.kind in KINDS and event.content.get("round") in rounds:
            apply(rounds[event.content["round"]], event.kind, event.content)
    return rounds


def apply(state: State, kind: str, told: dict) -> None:
    """Let one event change the state."""
    if "part" in told:
        state.used[told["part"]] += told.get("seconds", 0)
    match kind, told.get("what"):
        case "round-answer", _:
            state.drafts.pop(told["prompt"], None)
            state.answers[told["prompt"]] = told
            if told["part"] == "coding":
                state.tries.append(told)
        case "round-end", _:
            state.ended = told["why"]
        case "round-part", "closed":
            state.closed.add(told["part"])
        case "round-part", "overtime":
            state.overtime.add(told["part"])
        case "round-part", "round-closed":
            state.closed |= state.plan["parts"].keys() - {"close"}
        case "round-part", "round-overtime":
            state.overtime.add(ROUND)
        case "round-part", "draft":
            state.drafts[told["prompt"]] = told["text"]
        case "round-part", "file":
            state.file = told
        case "round-part", "pause":
            state.pauses += 1
