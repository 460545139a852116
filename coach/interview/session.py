"""One round in the store: its state is read anew before each step, so that a terminal and a browser may take turns.

Whatever is answered is on the disk before the next prompt is shown.
"""

from pathlib import Path

from coach.interview import coding, engine
from coach.interview.draw import stub_instead
from coach.interview.prompts import Prompt
from coach.interview.state import KINDS, State, fold
from desk import place
from quiz import bank, store
from quiz.grading import BadAnswer

FOLDER = "interview"  # in the student's folder


class Session:
    """A round that goes on.

    Args:
        number: of its first event.
    """

    def __init__(self, kept: store.Store, number: int):
        self.kept, self.number = kept, number

    @property
    def folder(self) -> Path:
        """Where the file to work in and the debrief lie."""
        return place.own() / FOLDER / f"{self.state().at.astimezone():%Y-%m-%d-%H%M%S}"

    def state(self) -> State:
        return rounds(self.kept)[self.number]

    def prompt(self) -> Prompt | None:
        """The next step. None if there is none, and then the round is over.

        The file of the coding part is written when that is reached, and anew where it is not: on another computer, or when it
        was deleted. OSError if it cannot be.
        """
        state = self.state()
        found = engine.next_prompt(state)
        if found is None and not state.ended:
            self.kept.log("round-end", {"round": self.number, "why": "done"})
        is_lost = found is not None and found.kind == "code" and not Path(state.file.get("path", "")).exists()
        if found is not engine.BEFORE_FILE and not is_lost:
            return found
        self._log("file", **self._begin_coding(state.plan))
        return engine.next_prompt(self.state())

    def _begin_coding(self, plan: dict) -> dict:
        task, note = plan["coding"], {}
        path = self.folder / f"{task['problem']}.py"
        try:
            return coding.begin(path, task)
        except (ImportError, ValueError) as error:
            if task["sort"] != "bug":
                raise
            note = {"note": f"There is no bug to find in this copy of the course, so here is a function to write. ({error})"}
        return coding.begin(path, stub_instead(plan)) | note

    def answer(self, prompt: Prompt, text: str, seconds: float) -> None:
        """Takes an answer and keeps it.

        Raises:
            BadAnswer: it has not the form that is wanted, or the prompt was answered elsewhere. Nothing has changed.
        """
        verdict = coding.check(self.state().file) if engine.needs_check(prompt, text) else None
        state = self.state()  # checking takes a while
        now = engine.next_prompt(state)
        if now is None or now.id != prompt.id:
            raise BadAnswer("This was answered already, perhaps in another window. Here is what comes next.")
        for kind, told in engine.take(state, prompt, text, seconds, verdict):
            self.kept.log(kind, told)
        self.keep_attempts()

    def keep_attempts(self) -> None:
        """What was answered to questions of the bank counts in the quiz, nothing twice. A led round has no session there."""
        state = self.state()
        session = state.plan.get("session")
        if session is None:
            return
        there = {attempt.item for attempt in self.kept.attempts(session)}
        for prompt, told in state.answers.items():
            name = prompt.partition(":")[2].partition("/")[0]
            if prompt.startswith("q:") and "score" in told and name not in there:
                answer = told["answer"] if "answer" in told else told["marked"]
                self.kept.add(bank.item(name), told["score"], answer, store.now(), session)

    def spent(self, prompt: Prompt, seconds: float) -> None:
        """Keeps the seconds at a prompt that was left without an answer."""
        self._log("left", part=prompt.part, seconds=round(min(seconds, prompt.limit), 1))

    def pause(self, prompt: Prompt, seconds: float) -> None:
        self._log("pause", part=prompt.part, seconds=round(min(seconds, prompt.limit), 1))

    def draft(self, prompt: Prompt, text: str) -> None:
        """Keeps what was written and not sent yet."""
        if text != self.state().drafts.get(prompt.id, ""):
            self._log("draft", prompt=prompt.id, text=text[: engine.LAST])

    def _log(self, what: str, **told) -> None:
        self.kept.log("round-part", {"round": self.number, "what": what} | told)


def rounds(kept: store.Store) -> dict[int, State]:
    """All rounds by their numbers, the oldest first."""
    return fold(kept.events(*KINDS))


def begin(kept: store.Store, plan: dict) -> Session:
    """Begins a round, with a session of the quiz for the questions that it asks of the bank."""
    if not plan.get("interviewer"):
        plan = plan | {"session": kept.begin({"items": [], "seed": plan["seed"], "exam": False, "interview": True})}
        kept.end(plan["session"])  # “quiz --resume” goes on with rounds of the quiz alone
    return Session(kept, kept.log("round", plan))


def unfinished(kept: store.Store) -> Session | None:
    """The latest round that has not come to its end."""
    left = [number for number, state in rounds(kept).items() if not state.ended]
    return Session(kept, left[-1]) if left else None
