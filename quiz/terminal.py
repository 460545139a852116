"""The quiz in a terminal: plain lines, in any width, where words carry what colours show."""

import signal
from collections import defaultdict
from contextlib import contextmanager
from datetime import datetime
from random import Random, SystemRandom

from rich.console import Console
from rich.text import Text

from quiz import asking, bank, store
from quiz.grading import BadAnswer, Grade, grade

LEAVE = ("quit", "exit")
INDENT = "   "


class Terminal:
    """Reads and writes lines. Everything printed is plain text: brackets of an item are no markup."""

    def __init__(self, console: Console | None = None):
        self.console = console or Console(highlight=False)

    def say(self, text: str = "", style: str = "", indent: str = "", label: str = "") -> None:
        """A paragraph, wrapped, with a hanging indent behind its label."""
        width = max(20, min(self.console.width, 100) - len(indent) - len(label))
        lines = Text(text, style=style).wrap(self.console, width) or [Text("")]
        for number, line in enumerate(lines):
            line.rstrip()
            self.console.print(Text(indent + (label if number == 0 else " " * len(label))) + line, soft_wrap=True)

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


def plan(topic: str | None, level: str | None, count: int, seed: int | None, exam: bool, attempts) -> dict:
    """Which items are asked, in which order. With a seed it depends on the seed alone; without, unanswered ones come first.

    Raises:
        ValueError: no item is of this topic and level.
    """
    found = [item.id for item in bank.items(topic, level)]
    if not found:
        raise ValueError(f"there is no question of topic {topic!r} and level {level!r}")
    answered = set() if seed is not None else {attempt.item for attempt in attempts}
    seed = SystemRandom().randrange(10**6) if seed is None else seed
    Random(seed).shuffle(found)
    found.sort(key=answered.__contains__)
    return {"items": found[:count], "seed": seed, "exam": exam}


def review_plan(attempts, count: int, at: datetime) -> dict:
    """The items that are due, the longest overdue first. Items that are gone from the bank are left out."""
    known = {item.id for item in bank.items()}
    found = [name for name in store.due(attempts, at) if name in known]
    return {"items": found[:count], "seed": SystemRandom().randrange(10**6), "exam": False}


# --- asking -------------------------------------------------------------------------------------


def run(terminal: Terminal, kept: store.Store, session: int, planned: dict) -> None:
    """Asks what is left of a session. Each answer is stored before the next question is shown."""
    known = {item.id for item in bank.items()}
    answered = {attempt.item for attempt in kept.attempts(session)}
    names = [name for name in planned["items"] if name in known]
    try:
        for number, name in enumerate(names, 1):
            if name not in answered:
                asked = asking.question(bank.item(name), planned["seed"])
                result, answer = pose(terminal, asked, f"Question {number} of {len(names)}")
                with _unbroken():
                    kept.add(asked.item, result.score, answer, store.now(), session)
                if not planned["exam"]:
                    feedback(terminal, asked, result)
    except (KeyboardInterrupt, EOFError):
        terminal.say()
        terminal.say("Stopped. What you answered is kept; go on with: python -m quiz --resume")
        if not planned["exam"]:
            summary(terminal, kept.attempts(session))
        return
    kept.end(session)
    if planned["exam"]:
        for attempt in (a for a in kept.attempts(session) if a.item in known):
            item = bank.item(attempt.item)
            show(terminal, asking.question(item, planned["seed"]), "Exam")
            terminal.say(f"Your answer: {_in_words(item, attempt.answer)}")
            feedback(terminal, asking.question(item, planned["seed"]), grade(item, attempt.answer))
    summary(terminal, kept.attempts(session))


@contextmanager
def _unbroken():
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
    terminal.say(f"{heading}. {bank.TOPICS[item.topic]}, {item.level}.", "bold")
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


def pose(terminal: Terminal, asked: asking.Question, heading: str) -> tuple[Grade, object]:
    """Shows a question and asks until the answer can be graded."""
    show(terminal, asked, heading)
    terminal.say()
    terminal.say(asked.how, "dim")
    while True:
        try:
            answer = asking.understand(asked, terminal.ask("Your answer: "))
            if asked.item.kind == "open":
                answer = _marked(terminal, asked)
            return grade(asked.item, answer), answer
        except BadAnswer as error:
            words = str(error)
            terminal.say(words[:1].upper() + words[1:].rstrip(".") + ". (“quit” stops; your answers are kept.)")


def _marked(terminal: Terminal, asked: asking.Question) -> list[int]:
    terminal.say("Key points:")
    for letter, point in zip(asking.LETTERS, asked.item.rubric):
        terminal.say(point, indent=INDENT, label=f"{letter}  ")
    while True:
        try:
            return asking.marks(asked, terminal.ask("Which of them did you say? Letters, or 0 for none: "))
        except BadAnswer as error:
            terminal.say(str(error))


STYLES = {"right": "bold green", "partly right": "bold yellow", "not right": "bold red"}


def feedback(terminal: Terminal, asked: asking.Question, result: Grade) -> None:
    """The verdict in words, what the answer reveals, the key, why, and where it is proved."""
    terminal.say()
    partly = f" ({result.score:.0%})" if 0 < result.score < 1 else ""
    terminal.say(result.verdict.capitalize() + partly + ".", STYLES[result.verdict])
    for reply in result.replies:
        terminal.say(reply)
    if not result.right and asked.item.kind != "open":
        terminal.say(f"Answer: {result.key}")
    terminal.say(asked.item.explanation)
    terminal.say(f"Proof: {asking.reading(asked.item)}", "dim")


def _in_words(item, answer) -> str:
    match item.kind:
        case "single":
            return item.options[answer].text
        case "multiple":
            return "; ".join(item.options[index].text for index in answer)
        case "ordering":
            return "; ".join(item.steps[index] for index in answer)
        case "matching":
            return "; ".join(f"{left}: {item.pairs[index][1]}" for (left, _), index in zip(item.pairs, answer))
        case "open":
            return f"{len(answer)} of {len(item.rubric)} key points"
    return str(answer)


# --- summaries ----------------------------------------------------------------------------------


def summary(terminal: Terminal, attempts) -> None:
    """The score by topic, and what to read again."""
    if not attempts:
        return
    terminal.say()
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
    """Progress by topic: what was right at the last attempt, as bars and in numbers."""
    if not attempts:
        terminal.say("Nothing was answered yet. Begin with: python -m quiz")
        return
    last = {attempt.item: attempt for attempt in attempts}
    waiting = set(store.due(attempts, at))
    width = max(map(len, bank.TOPICS.values()))
    terminal.say("Right at the last attempt (#), answered otherwise (-), not yet asked (.)", "bold")
    for topic, title in bank.TOPICS.items():
        items = bank.items(topic)
        met = [last[item.id] for item in items if item.id in last]
        right = sum(attempt.score == 1 for attempt in met)
        bar = "#" * right + "-" * (len(met) - right) + "." * (len(items) - len(met))
        ready = sum(item.id in waiting for item in items)
        terminal.say(f"{title:<{width}}  {bar}")
        terminal.say(f"{right} right, {len(met)} answered, {len(items)} in all; {ready} due today", indent=" " * (width + 2))
    days = len({attempt.at.astimezone().date() for attempt in attempts})
    terminal.say(f"{len(attempts)} answer{'s' * (len(attempts) > 1)} on {days} day{'s' * (days > 1)}.")


def line(attempts, at: datetime) -> str:
    """The quiz in one line."""
    total = len(bank.items())
    known = {item.id for item in bank.items()}
    last = {attempt.item: attempt for attempt in attempts if attempt.item in known}
    if not last:
        return f"Quiz: none of {total} questions answered yet. Begin with make quiz."
    right = sum(attempt.score == 1 for attempt in last.values())
    waiting = sum(name in last for name in store.due(attempts, at))
    return f"Quiz: {len(last)} of {total} questions answered, {right} right, {waiting} due today."
