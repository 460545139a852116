"""A live round as a state machine: what has happened so far, and what may happen next. No clock, no network, no file.

A round is the sum of its events, so the same events give the same round again:

    {"event": "join", "phone": "p1"}
    {"event": "ask", "question": "lora-start"}
    {"event": "answer", "phone": "p1", "question": "lora-start", "vote": 1, "answer": "a c"}
    {"event": "close"}            and discuss, vote, show, reopen, end

The phases of a question are those of peer instruction: a first vote, a discussion, a second vote, and only then the answers.
An answer is what the phone's owner would type in the terminal: `quiz.asking` reads it, and `quiz.grading` grades it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from classroom.grading.answers import beliefs_of
from quiz import asking
from quiz.grading import Grade, grade

# By phase, what may happen, and the phase that follows. The first one is the usual one.
STEPS = {
    "lobby": {"ask": "first"},
    "first": {"close": "closed"},
    "closed": {"discuss": "discussion", "show": "shown", "reopen": "first"},
    "discussion": {"vote": "second", "show": "shown"},
    "second": {"close": "shown"},
    "shown": {"ask": "first", "end": "over"},
    "over": {"ask": "first"},
}
VOTES = {"first": 1, "second": 2}
# Discussing pays if some know the answer and some do not: these shares of right answers are those of the method's author.
FEW, MANY = 0.3, 0.7


class Refused(ValueError):
    """This may not happen now. The message says why."""


@dataclass(frozen=True)
class Answer:
    """One phone's answer in one vote.

    text: what was sent.
    data: the same in the form of `quiz.grade`.
    beliefs: what someone who answers so believes, where the bank knows it.
    """

    text: str
    data: object
    result: Grade
    beliefs: tuple[str, ...]


class Round:
    """What has happened. Changed by `apply` alone.

    Attributes:
        asked: the questions that can be asked, by id, in their order.
        played: the ids of those that were asked, the last one is on the screen.
        phones: the number of each phone, in the order of joining.
        votes: by question and vote, the answer of each phone that has voted.
        step: how often the phase has changed: two presses of a key are told apart by it.
    """

    def __init__(self, asked: Sequence[asking.Question]):
        self.asked = {one.item.id: one for one in asked}
        self.played: list[str] = []
        self.phones: dict[str, int] = {}
        self.votes: dict[tuple[str, int], dict[str, Answer]] = {}
        self.phase = "lobby"
        self.step = 0

    @property
    def current(self) -> asking.Question | None:
        return self.asked[self.played[-1]] if self.played else None

    @property
    def vote(self) -> int:
        """The vote that is open: 1 or 2, or 0 while none is."""
        return VOTES.get(self.phase, 0)

    @property
    def left(self) -> list[str]:
        """The ids of the questions that were not asked yet."""
        return [name for name in self.asked if name not in self.played]

    @property
    def actions(self) -> list[str]:
        """What the presenter may do now, the proposed one first."""
        found = [action for action in STEPS[self.phase] if action != "ask" or self.left]
        if self.phase == "closed" and not self._is_worth_a_discussion():
            found.sort(key="show".__ne__)
        return found

    def answers(self, vote: int, question: str = "") -> dict[str, Answer]:
        """The answers of a vote by phone, on the current question or on another one."""
        return self.votes.get((question or (self.played[-1] if self.played else ""), vote), {})

    def right(self, vote: int, question: str = "") -> int:
        """How many phones are right in a vote."""
        return sum(answer.result.right for answer in self.answers(vote, question).values())

    def _is_worth_a_discussion(self) -> bool:
        return bool(self.answers(1)) and self.right(1) <= MANY * len(self.answers(1))

    def apply(self, event: dict) -> None:
        """Take one event in.

        Raises:
            Refused: it may not happen now.
            quiz.grading.BadAnswer: it is no answer to the question.
        """
        match event["event"]:
            case "join":
                self.phones.setdefault(event["phone"], len(self.phones) + 1)
            case "answer":
                self._answer(event)
            case action:
                self._act(action, event)

    def _answer(self, event: dict) -> None:
        if event["phone"] not in self.phones:
            raise Refused("This phone has not joined.")
        if not self.vote or (event["question"], event["vote"]) != (self.played[-1], self.vote):
            raise Refused("The answer came too late: the vote is closed.")
        item, text = self.current.item, event["answer"]
        data = asking.understand(self.current, text)
        result = grade(item, data)
        answer = Answer(text, data, result, beliefs_of(item, data, result))
        self.votes.setdefault((item.id, self.vote), {})[event["phone"]] = answer

    def _act(self, action: str, event: dict) -> None:
        if action not in self.actions:
            raise Refused(f"“{action}” does not fit here: the round is at “{self.phase}”.")
        if action == "ask":
            if event.get("question") not in self.left:
                raise Refused("This question was asked already, or is none of this round.")
            self.played.append(event["question"])
        self.phase = STEPS[self.phase][action]
        self.step += 1
