"""`python -m coach progress`: one page, or the same in the terminal."""

import argparse
from functools import cache
from pathlib import Path

from coach.pages import template
from coach.plan import wish
from coach.progress.facts import Facts, Topic, Written, gather
from desk import place
from desk.backups import named
from desk.files import write
from grader import history
from quiz import keyless, store
from quiz.terminal import INDENT, Terminal

NAME = "progress.html"
ASSUMPTIONS = (
    "Recall is the chance that you would answer right today what you have answered before, as FSRS estimates it from when and "
    "how you answered, with parameters that were fitted to other people. It is a mean over the questions that you have answered; "
    "what you have not answered is not in it, neither as known nor as unknown.",
    "Right after an answer it is near 100 %, after a wrong one too, since you have just read what is right: then it falls faster.",
)
THEN = "The value on the interview's day supposes that you answer nothing until then."
TIME = (
    "Time is the sum of the gaps of at most ten minutes between two things that you did here: answers, steps, gradings. "
    "Reading alone leaves no trace."
)


def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments[1:])
    at = store.now()
    when = wish.when(options.when, store.study_day(at)) if options.when else ""
    told = gather(store.existing(), history.gradings(), at, when)
    terminal = Terminal()
    if options.text:
        _show(terminal, told)
        return 0
    path = options.out or place.own() / NAME
    try:
        write(path, page(told).encode())
    except OSError as error:
        raise OSError(f"cannot write {path} ({error.strerror}). Name another file with --out.") from None
    terminal.say(opening(told))
    terminal.say(f"Your progress: {named(path.absolute())}. It needs no network, and nobody else sees it.")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m coach progress",
        description="One page: topics by recall now and on the interview's day, problems, mistakes, practice, time.",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help=f"where to (default: {NAME})")
    parser.add_argument("--when", metavar="DAY", help=f"the interview: {wish.EXAMPLES} (default: the plan's)")
    parser.add_argument("--text", action="store_true", help="in the terminal instead")
    return parser


# --- words --------------------------------------------------------------------------------------


def opening(told: Facts) -> str:
    """How far it is to the interview, and what was done so far."""
    today = store.study_day(told.at).isoformat()
    answered, count = sum(topic.answered for topic in told.topics), sum(topic.count for topic in told.topics)
    words = f"{today}. {answered} of {count} questions answered, {sum(told.minutes.values())} minutes of work."
    if not told.interview:
        return f"{words} No interview is planned; --when names its day."
    return f"{words} Your interview {'is' if told.interview >= today else 'was'} on {told.interview}."


def assumptions(told: Facts) -> list[str]:
    if not told.graded:
        return [f"Recall is not known, since this copy of the course cannot grade. {keyless.WHO}"]
    has_day = any(topic.then is not None for topic in told.topics)
    return [*ASSUMPTIONS, THEN] if has_day else list(ASSUMPTIONS)


def answered(topic: Topic, graded: bool) -> str:
    if not topic.answered:
        return f"None of {topic.count} questions answered yet: not measured."
    right = f", {topic.right} right at the last attempt" if graded else ""
    return f"{topic.answered} of {topic.count} questions answered{right}."


def key_points(one: Written) -> str:
    return f"First {one.first}, last {one.last} of {one.points} key points; {times(one.times)}. You marked them yourself."


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


# --- showing ------------------------------------------------------------------------------------


def page(told: Facts) -> str:
    """The page, which needs nothing else."""
    return _template().render(
        told=told,
        opening=opening(told),
        assumptions=assumptions(told),
        longest=max(told.minutes.values(), default=1) or 1,
        time_words=TIME,
    )


@cache
def _template():
    return template(Path(__file__).with_name("page.html"), answered=answered, key_points=key_points, percent=percent, times=times)


def _show(terminal: Terminal, told: Facts) -> None:
    terminal.say(opening(told))
    _heading(terminal, "Topics")
    for topic in told.topics:
        terminal.say(topic.title, indent=INDENT)
        for label, share in (("now       ", topic.now), ("on the day", topic.then)):
            if share is not None:
                terminal.say(f"{label} {'#' * round(20 * share):.<20} {percent(share)}", indent=INDENT * 2)
        terminal.say(answered(topic, told.graded), indent=INDENT * 2)
    for words in assumptions(told):
        terminal.say(words, "dim")
    _heading(terminal, "Beliefs that your wrong answers name")
    _list(terminal, [f"“{one.claim}” ({times(one.times)})" for one in told.beliefs])
    _heading(terminal, "Problems")
    _list(terminal, [_problem(title, *stubs) for title, stubs in told.problems.items()])
    _heading(terminal, "Mistakes made and mended")
    _list(terminal, [f"{slip.title} ({slip.stub}, {slip.made}; mended: {slip.mended or 'not yet'})" for slip in told.slips])
    _heading(terminal, "Practice")
    _list(
        terminal,
        [
            *(f"In your own words: {one.stem} {key_points(one)}" for one in told.written),
            *(f"Bug, {day}: {title}, {words}" for day, title, words in told.exercises),
            *(f"Mock interview, {day}: {minutes} minutes" for day, minutes in told.rounds),
        ],
    )
    _heading(terminal, "Time spent")
    _list(terminal, [f"{day}: {minutes} minutes" for day, minutes in told.minutes.items()])
    terminal.say(TIME, "dim")


def _problem(title: str, count: int, stubs) -> str:
    words = [f"{title}: {sum(bool(stub.solved) for stub in stubs)} of {count} stubs were solved"]
    words += [f"{stub.name} {stub.points} of {stub.most} points" for stub in stubs if stub.points < stub.most]
    return "; ".join(words)


def _heading(terminal: Terminal, text: str) -> None:
    terminal.say()
    terminal.say(text, "bold")


def _list(terminal: Terminal, lines: list[str]) -> None:
    for line in lines or ["None yet."]:
        terminal.say(line, indent=INDENT, label="- ")
