"""`python -m coach interview`: begins a round or goes on with one, in the terminal or in the browser; writes the debrief."""

import argparse
import sys
from datetime import timedelta
from random import SystemRandom

from coach.interview import table
from quiz import bank, keyless, store
from quiz.terminal import Terminal

LATELY = timedelta(days=14)  # an answer that was told since then is remembered, and shows nothing
BEGINS = ("minutes", "round", "topic", "seed", "coding", "interviewer", "candidate")  # what a round is begun with


def main(arguments: list[str]) -> int:
    options = _read(arguments[1:])
    if not (bank.has_questions() and bank.has_keys()):
        why = "A mock interview needs the keys to the questions, and this copy of the course has none."
        raise ValueError(f"{why} {keyless.WHO}")
    from coach.interview import session as sessions

    terminal, kept = Terminal(), store.Store()
    if kept.note:
        print(kept.note, file=sys.stderr)
    if options.debrief:
        return _debrief_again(terminal, kept)
    left = sessions.unfinished(kept)
    if options.resume and left is None:
        terminal.say("No round was left. Begin one with: python -m coach interview")
        return 0
    if options.resume:
        session = left
        session.keep_attempts()  # a kill may have come between an answer and what the quiz keeps of it
    else:
        if left:
            day = left.state().at.astimezone()
            terminal.say(f"The round of {day.day} {day:%B, %H:%M} was left and stays as it is. This is a new one.")
        session = sessions.begin(kept, _plan(kept, options))
    _opening(terminal, session.state(), options)
    if options.browser:
        from coach.interview.server import serve

        if not serve(session, terminal):
            return 1
    else:
        from coach.interview.terminal import run

        if not run(terminal, session):
            return 1
    _tell(terminal, session)
    return 0


def _read(arguments: list[str]) -> argparse.Namespace:
    parser = _parser()
    options = parser.parse_args(arguments)
    asked = [name for name in BEGINS if getattr(options, name) != parser.get_default(name)]
    if (options.resume or options.debrief) and asked:
        names = ", ".join("--no-coding" if name == "coding" else f"--{name}" for name in asked)
        parser.error(f"a round stays as it was begun: leave out {names}, or begin a new one without --resume and --debrief")
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m coach interview",
        description="A round as companies hold it: questions with follow-ups, a whiteboard, a code review, a coding problem, "
        "with a clock, and a debrief at its end. It may be left at any moment; all that was answered is kept.",
    )
    parser.add_argument("--minutes", type=int, choices=table.LENGTHS, default=45, help="how long (default %(default)s)")
    parser.add_argument("--round", choices=bank.LEVELS, default="on-site", help="which round (default %(default)s)")
    topics = [topic for topic in bank.TOPICS if topic != "code"]
    parser.add_argument("--topic", choices=topics, help="questions on one topic alone")
    parser.add_argument("--seed", type=int, metavar="N", help="the same seed, the same round")
    parser.add_argument("--no-coding", dest="coding", action="store_false", help="no code is written")
    parser.add_argument("--resume", action="store_true", help="go on with the round that was left")
    parser.add_argument("--browser", action="store_true", help="in the browser instead of the terminal")
    parser.add_argument(
        "--interviewer", action="store_true",
        help="you lead the round and mark it: the screen shows answers, rubrics and hints, for your eyes alone",
    )  # fmt: skip
    parser.add_argument("--candidate", metavar="NAME", help="with --interviewer: who is asked")
    parser.add_argument("--debrief", action="store_true", help="write the debrief of the latest round again")
    return parser


def _plan(kept: store.Store, options) -> dict:
    from coach.interview.draw import draw
    from coach.interview.session import rounds

    before, known = [], set()
    if options.seed is None:
        before = [state.plan for state in rounds(kept).values()]
        known = {attempt.item for attempt in kept.attempts() if store.now() - attempt.at < LATELY}
    seed = SystemRandom().randrange(10**6) if options.seed is None else options.seed
    plan = draw(seed, options.minutes, options.round, options.topic, options.coding, before, known)
    if options.interviewer or options.candidate:
        plan |= {"interviewer": True, "candidate": (options.candidate or "").strip() or None}
    return plan


def _opening(terminal: Terminal, state, options) -> None:
    plan = state.plan
    about = f", on {bank.TOPICS[plan['topic']]}" if plan["topic"] else ""
    terminal.say()
    terminal.say(f"Mock interview: {plan['minutes']} minutes, {plan['level']}{about}. Seed {plan['seed']}.", "bold")
    if options.resume:
        terminal.say("You go on with the round that you left. The clock stood meanwhile.")
    if state.led:
        terminal.say("You lead this round. Ask aloud, and mark what the candidate says. The screen is for your eyes alone.")
    else:
        terminal.say("What was right is told in the debrief at the end. Until then you are asked on, as an interviewer would.")
    if not options.browser:
        terminal.say("At any prompt: “skip”, “pause”, “end”, “quit” or “help”.")


def _tell(terminal: Terminal, session) -> None:
    """Writes the debrief, and says in a few lines what stands in it."""
    from coach.interview.debrief import debrief
    from coach.interview.written import write_debrief

    markdown, page = write_debrief(session)
    terminal.say()
    terminal.say("The debrief", "bold")
    for one in debrief(session.state()).competences:
        terminal.say(one.verdict, label=f"{one.title}: ")
    terminal.say()
    terminal.say("What was asked, what was answered, and what to study:")
    for path in (page, markdown):
        terminal.say(str(path), indent="   ")


def _debrief_again(terminal: Terminal, kept: store.Store) -> int:
    from coach.interview.session import Session, rounds

    found = rounds(kept)
    if not found:
        terminal.say("There was no round yet. Begin one with: python -m coach interview")
        return 0
    _tell(terminal, Session(kept, list(found)[-1]))
    return 0
