"""A plan in the terminal: where one stands, today's steps, the next one, and what the time is too short for."""

from datetime import date

from coach.plan import catalog
from coach.plan.kept import Current, Planned
from coach.plan.standing import UNKNOWN
from quiz import bank
from quiz.terminal import INDENT, Terminal

NAMED = 5  # of what did not fit
STRONG = 0.76  # more than one right answer to a harder question gives, or two to others


def plan(terminal: Terminal, current: Current, today: date, everything: bool = False) -> None:
    """The plan: today in full, other days in one line each. With `everything`, all of it."""
    _head(terminal, current, today)
    numbers = {planned.step.id: number for number, planned in enumerate(current.steps, 1)}
    for day in current.days:
        steps = current.of(day)
        terminal.say()
        minutes = sum(planned.step.minutes for planned in steps)
        done = sum(planned.done for planned in steps)
        title = f"{'Today, ' if day == today.isoformat() else ''}{day_in_words(day)}"
        words = f"{title}: {_count(minutes, 'minute')}, {done} of {_count(len(steps), 'step')} done"
        if not everything and day != today.isoformat():
            topics = dict.fromkeys(bank.TOPICS[one.step.topic] if one.step.topic else one.step.title for one in steps)
            terminal.say(f"{words}. {'; '.join(topics)}.")
            continue
        terminal.say(words, "bold")
        for one in steps:
            _step(terminal, one, numbers[one.step.id])
    _out(terminal, current, everything, today)
    _next(terminal, current, numbers, today)


def changed(terminal: Terminal, said: list[str]) -> None:
    """What became of the steps of an earlier plan."""
    for sentence in said:
        terminal.say(sentence)
    if said:
        terminal.say()


def day_in_words(day: str) -> str:
    """“Fri 1 May” for 2026-05-01."""
    moment = date.fromisoformat(day)
    return f"{moment:%a} {moment.day} {moment:%b}"


def _head(terminal: Terminal, current: Current, today: date) -> None:
    told = current.wish
    left = (date.fromisoformat(told["when"]) - today).days
    far = {0: "today", 1: "tomorrow"}.get(left, f"in {left} days" if left > 0 else "over")
    coding = "with coding" if told["coding"] else "without coding"
    day = f"{day_in_words(told['when'])} {told['when'][:4]} ({far})"
    terminal.say(f"Your interview: {day}, {told['round']}, {coding}, {told['minutes']} minutes a day.", "bold")
    if left < 0:
        terminal.say("For the next one: python -m coach plan --new")
    terminal.say("What you know, by your answers when this plan was made:")
    width = max(map(len, bank.TOPICS.values()))
    for topic in sorted(catalog.table()["topics"], key=lambda topic: told["knowledge"].get(topic, UNKNOWN)):
        share = told["knowledge"].get(topic)
        bar = "" if share is None else "#" * round(10 * share)
        terminal.say(f"{bank.TOPICS[topic]:<{width}}  {bar:<10}  {_in_words(share)}", indent=INDENT)


def _in_words(share: float | None) -> str:
    if share is None:
        return "not asked yet"
    return "weak" if share < 0.45 else "in between" if share < STRONG else "strong"


def _step(terminal: Terminal, planned: Planned, number: int) -> None:
    step, mark = planned.step, "x" if planned.done else " "
    terminal.say(step.label, label=f"{number:>3} [{mark}] {step.minutes:>2} min  ")
    if not planned.done:
        terminal.say(step.do, "dim", indent=" " * 16)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"


def _out(terminal: Terminal, current: Current, everything: bool, today: date) -> None:
    if not current.out:
        return
    minutes = sum(step.minutes for step in current.out)
    count = len(current.out)
    terminal.say()
    why = "on the day of the interview" if current.wish["when"] == today.isoformat() else "since the time is too short"
    terminal.say(f"Left out, {why}: {_count(count, 'step')}, {_count(minutes, 'minute')}.", "bold")
    shown = current.out if everything else current.out[:NAMED]
    for step in shown:
        terminal.say(f"{step.label} ({_count(step.minutes, 'minute')})", indent=INDENT, label="- ")
    if len(shown) < count:
        terminal.say(f"and {count - len(shown)} more: python -m coach plan --all", indent=INDENT)


def _next(terminal: Terminal, current: Current, numbers: dict[str, int], today: date) -> None:
    terminal.say()
    if current.wish["when"] < today.isoformat():
        return
    left = [one for one in current.steps if not one.done and not (one.step.kind == "review" and one.day < today.isoformat())]
    if not left:
        terminal.say("All steps are done. Sleep well before the interview.")
        return
    planned, number = left[0], numbers[left[0].step.id]
    when = "" if planned.day <= today.isoformat() else f" ({day_in_words(planned.day)})"
    terminal.say(f"Next: step {number}{when}, {_count(planned.step.minutes, 'minute')}. {planned.step.label}", "bold")
    terminal.say(planned.step.do, indent=INDENT)
    if planned.step.do.startswith("notebooks"):
        terminal.say("To open it: make lab", indent=INDENT)
    if planned.step.stubs:
        terminal.say("Then: make check", indent=INDENT)
    if planned.step.kind in ("answers", "next", "read", "codereview", "cheatsheet"):
        terminal.say(f"When you have read it: python -m coach plan --done {number}", indent=INDENT)
