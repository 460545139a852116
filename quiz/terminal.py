"""The quiz in a terminal: plain lines, in any width, where words carry what colours show."""

import shlex
import signal
import sys
import textwrap
from collections import defaultdict
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from random import Random, SystemRandom

from rich.console import Console
from rich.text import Text

from quiz import asking, bank, keyless, store
from quiz.grading import BadAnswer, Grade, grade, key_of

LEAVE = ("quit", "exit")
INDENT = "   "
_wrap = partial(textwrap.wrap, break_long_words=False, break_on_hyphens=False)


class Terminal:
    """Reads and writes lines. Everything printed is plain text: brackets of an item are no markup."""

    def __init__(self, console: Console | None = None):
        if console is None and hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="replace")  # a sign that this terminal lacks ends no round
        self.console = console or Console(highlight=False)

    def say(self, text: str = "", style: str = "", indent: str = "", label: str = "") -> None:
        """A paragraph, wrapped, with a hanging indent behind its label. No word is cut: a link must stay whole."""
        width = max(20, min(self.console.width, 100) - len(indent) - len(label))
        lines = [part for line in text.splitlines() for part in _wrap(line, width) or [""]]
        for number, line in enumerate(lines or [""]):
            start = indent + (label if number == 0 else " " * len(label))
            self.console.print(Text(start) + Text(line, style=style), soft_wrap=True)

    def code(self, text: str) -> None:
        for line in text.strip("\n").splitlines():
            self.console.print(Text("    " + line), soft_wrap=True)

    def ask(self, prompt: str) -> str:
        """One line from the person. EOFError at the end of input, KeyboardInterrupt at Ctrl-C or “quit”."""
        text = self.console.input(Text(prompt))
        if text.strip().lower() in LEAVE:
            raise KeyboardInterrupt
        return text


# --- choosing -----------------------------------------------------------------------------------


def plan(
    topic: str | None, level: str | None, count: int | None, seed: int | None, exam: bool, attempts, about: str = "interview"
) -> dict:
    """Which items are asked, in which order. With a seed it depends on the seed alone; without, unanswered ones come first.

    count: at most so many; None means all.

    Raises:
        ValueError: no item is of this topic, this level and this kind.
    """
    found = [item.id for item in bank.items(topic, level, about)]
    if not found:
        chosen = {"about the article": about == "article", f"of topic {topic}": topic, f"of level {level}": level}
        words = " and ".join(word for word, is_chosen in chosen.items() if is_chosen)
        raise ValueError(f"There is no question {words}. Leave out one of the choices.")
    answered = set() if seed is not None else {attempt.item for attempt in attempts}
    seed = SystemRandom().randrange(10**6) if seed is None else seed
    Random(seed).shuffle(found)
    found.sort(key=answered.__contains__)
    return {"items": found[:count], "seed": seed, "exam": exam}


def opening(planned: dict, count: int | None, attempts) -> str:
    """What is said before the first question: how many there are, if all or more were asked for, or that none is new."""
    names = planned["items"]
    one = len(names) == 1
    words = []
    if count is None or len(names) < count:
        words.append("There is 1 question of this kind." if one else f"There are {len(names)} questions of this kind.")
    if {attempt.item for attempt in attempts}.issuperset(names):
        words.append("You have answered it before." if one else "You have answered all of them before.")
    return " ".join(words)


def review_plan(attempts, count: int | None, at: datetime) -> dict:
    """The items that are due, the longest overdue first. Items that are gone from the bank are left out."""
    known = {item.id for item in bank.items()}
    found = [name for name in store.due(attempts, at) if name in known]
    return {"items": found[:count], "seed": SystemRandom().randrange(10**6), "exam": False, "due": len(found)}


# --- asking -------------------------------------------------------------------------------------


def run(terminal: Terminal, kept: store.Store, session: int, planned: dict) -> None:
    """Asks what is left of a session. Each answer is stored before the next question is shown."""
    known = {item.id for item in bank.items()}
    answered = {attempt.item for attempt in kept.attempts(session)}
    names = [name for name in planned["items"] if name in known]
    resume = "python -m quiz --resume" + (f" --bank {shlex.quote(planned['bank'])}" if planned.get("bank") else "")
    if planned.get("bank") and len(names) < len(planned["items"]):
        missing = len(planned["items"]) - len(names)
        terminal.say(f"{missing} questions of this round are from a bank of your own. Go on with: {resume}")
        return
    try:
        for number, name in enumerate(names, 1):
            if name not in answered:
                asked = asking.question(bank.item(name), planned["seed"])
                result, answer = pose(terminal, asked, f"Question {number} of {len(names)}")
                with unbroken():
                    kept.add(asked.item, *asking.record(asked.item, answer, result), store.now(), session)
                if not planned["exam"]:
                    feedback(terminal, asked, result)
    except (KeyboardInterrupt, EOFError):
        terminal.say()
        terminal.say(f"Stopped. What you answered is kept; go on with: {resume}")
        if not planned["exam"]:
            summary(terminal, kept.attempts(session))
        return
    kept.end(session)
    if planned["exam"] and bank.has_keys():
        for attempt in (a for a in kept.attempts(session) if a.item in known):
            item = bank.item(attempt.item)
            asked = asking.question(item, planned["seed"])
            show(terminal, asked, "Exam")
            knew = attempt.answer is not None
            _tell(terminal, "Your answer:", asking.in_words(asked, attempt.answer) if knew else [("", "I do not know")])
            feedback(terminal, asked, grade(item, attempt.answer) if knew else passed(asked))
    summary(terminal, kept.attempts(session))


@contextmanager
def unbroken():
    """Ctrl-C waits for the end of the block: an answer that was given is an answer that is kept."""
    pressed = []
    before = signal.signal(signal.SIGINT, lambda number, frame: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt


def show(terminal: Terminal, asked: asking.Question, heading: str) -> None:
    item = asked.item
    terminal.say()
    terminal.say(f"{heading}. {asked.sort}.", "bold")
    terminal.say(item.stem)
    if item.code:
        terminal.say()
        terminal.code(item.code)
    if asked.left or asked.choices:
        terminal.say()
    for number, text in enumerate(asked.left, 1):
        terminal.say(text, indent=INDENT, label=f"{number}  ")
    if asked.left:
        terminal.say()
    for letter, text in zip(asking.LETTERS, asked.choices):
        terminal.say(text, indent=INDENT, label=f"{letter}  ")


def pose(terminal: Terminal, asked: asking.Question, heading: str) -> tuple[Grade | None, object]:
    """Shows a question and asks until the answer can be graded, or without a key until it has the right form."""
    show(terminal, asked, heading)
    terminal.say()
    may_pass = bank.has_keys() and asked.item.kind != "open"
    terminal.say(f"{asked.how} {PASS} means that you do not know." if may_pass else asked.how, "dim")
    while True:
        try:
            typed = _typed(terminal, asked)
            if may_pass and typed.strip() == PASS:
                return passed(asked), None
            answer = asking.understand(asked, typed)
            if asked.rubric:
                answer = _marked(terminal, asked)
            return grade(asked.item, answer), answer
        except BadAnswer as error:
            words = str(error)
            terminal.say(words[:1].upper() + words[1:].rstrip(".") + ". (“quit” stops; your answers are kept.)")


def passed(asked: asking.Question) -> Grade:
    """What it is worth to say that one does not know: nothing, and nobody guesses at a belief behind it."""
    return Grade(0.0, (), key_of(asked.item))


def _typed(terminal: Terminal, asked: asking.Question) -> str:
    """What the person answers: a line, and for an open question more lines, up to an empty one or the end of input."""
    lines = [terminal.ask("Your answer: ")]
    try:
        while asked.item.kind == "open" and lines[-1].strip():
            lines.append(terminal.ask("More, or Enter to end: "))
    except EOFError:
        pass
    return "\n".join(lines)


def _marked(terminal: Terminal, asked: asking.Question) -> list[int]:
    terminal.say("Key points:")
    for letter, point in zip(asking.LETTERS, asked.rubric):
        terminal.say(point, indent=INDENT, label=f"{letter}  ")
    while True:
        try:
            return asking.marks(asked, terminal.ask("Which of them did you say? Letters, or 0 for none: "))
        except BadAnswer as error:
            terminal.say(str(error))


PASS = "?"
STYLES = {"right": "bold green", "partly right": "bold yellow", "not right": "bold red"}


def feedback(terminal: Terminal, asked: asking.Question, result: Grade | None) -> None:
    """The verdict in words, what the answer reveals, the key, why, and where it is proved. Or who has the key."""
    terminal.say()
    if result is None:
        terminal.say(keyless.KEPT)
        return
    terminal.say(asking.verdict(result), STYLES[result.verdict])
    for letter, reply in asking.replies(asked, result):
        terminal.say(reply, label=f"{letter}  " if letter else "")
    if not result.right and asked.item.kind != "open":
        _tell(terminal, "Answer:", asking.key(asked))
    terminal.say(asked.item.explanation)
    terminal.say(f"Proof: {asking.reading(asked.item)}", "dim")


def _tell(terminal: Terminal, heading: str, rows: list[tuple[str, str]]) -> None:
    """An answer behind its heading; below it, if it has several rows. The letters are those of the question."""
    if len(rows) > 1:
        terminal.say(heading)
    for label, text in rows:
        start = INDENT if len(rows) > 1 else f"{heading} "
        terminal.say(text, label=start + (f"{label}  " if label else ""))


# --- summaries ----------------------------------------------------------------------------------


def summary(terminal: Terminal, attempts) -> None:
    """The score by topic, and what to read again."""
    if not attempts:
        return
    terminal.say()
    if not bank.has_keys():
        count = len(attempts)
        terminal.say(f"{count} answer{'s are' if count > 1 else ' is'} kept. {keyless.WHO} {keyless.HAND_IN}")
        return
    terminal.say(f"Score: {sum(a.score for a in attempts):.3g} of {len(attempts)}", "bold")
    by_topic = defaultdict(list)
    for attempt in attempts:
        by_topic[attempt.topic].append(attempt.score)
    for topic, title in bank.TOPICS.items():
        if topic in by_topic:
            terminal.say(f"{title}: {sum(by_topic[topic]):.3g} of {len(by_topic[topic])}", indent=INDENT)
    known = {item.id for item in bank.items()}
    missed = [bank.item(a.item) for a in attempts if a.score < 1 and a.item in known]
    if missed:
        terminal.say("Read again:", "bold")
        for place in dict.fromkeys(asking.reading(item) for item in missed):
            terminal.say(place, indent=INDENT, label="- ")


def stats(terminal: Terminal, attempts, at: datetime) -> None:
    """Progress by topic: what was right at the last attempt, as bars and in numbers.

    Questions about the article have a line of their own, once one of them was answered.
    """
    if not attempts:
        terminal.say("Nothing was answered yet. Begin with: python -m quiz")
        return
    last = {attempt.item: attempt for attempt in attempts}
    graded = bank.has_keys()
    waiting = set(store.due(attempts, at)) if graded else set()
    groups = {title: bank.items(topic, about="interview") for topic, title in bank.TOPICS.items()}
    if any(item.id in last for item in bank.items(about="article")):
        groups["About the article"] = bank.items(about="article")
    width = max(map(len, groups))
    dash = "Right at the last attempt (#), answered otherwise (-)" if graded else "Answered (-)"
    terminal.say(f"{dash}, not yet asked (.)", "bold")
    for title, items in groups.items():
        met = [last[item.id] for item in items if item.id in last]
        right = sum(attempt.score == 1 for attempt in met)
        bar = "#" * right + "-" * (len(met) - right) + "." * (len(items) - len(met))
        ready = sum(item.id in waiting for item in items)
        terminal.say(f"{title:<{width}}  {bar}")
        words = f"{len(met)} answered, {len(items)} in all"
        terminal.say(f"{right} right, {words}; {ready} due today" if graded else words, indent=" " * (width + 2))
    days = len({attempt.at.astimezone().date() for attempt in attempts})
    terminal.say(f"{len(attempts)} answer{'s' * (len(attempts) > 1)} on {days} day{'s' * (days > 1)}.")
    if not graded:
        terminal.say(f"{keyless.WHO} {keyless.HAND_IN}")


def line(attempts, at: datetime) -> str:
    """The quiz in one line: the interview questions, and what a review would ask today."""
    served = {item.id for item in bank.items(about="interview")}
    last = {attempt.item: attempt for attempt in attempts if attempt.item in served}
    graded = bank.has_keys()
    waiting = len(review_plan(attempts, len(attempts), at)["items"]) if attempts and graded else 0
    right = sum(attempt.score == 1 for attempt in last.values())
    if not last and not waiting:
        return f"Quiz: none of {len(served)} questions answered yet. Begin with make quiz."
    if not graded:
        return f"Quiz: {len(last)} of {len(served)} questions answered. {keyless.WHO}"
    return f"Quiz: {len(last)} of {len(served)} questions answered, {right} right, {waiting} due today."
