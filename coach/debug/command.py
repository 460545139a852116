"""`python -m coach debug PROBLEM`: draws an exercise, or goes on with the one that was left; a dialogue at its file."""

import argparse
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path, PureWindowsPath
from random import SystemRandom

from coach.debug import kept, session
from coach.debug.exercises import LEVELS, NO_SOLUTIONS, exercise, problems, told_of
from desk import place
from desk.files import write
from quiz import store
from quiz import terminal as screen


def main(arguments: list[str]) -> int:
    if not problems():
        raise ValueError(NO_SOLUTIONS)
    options = _parser().parse_args(arguments[1:])
    terminal, memory = screen.Terminal(), store.Store()
    if memory.note:
        print(memory.note, file=sys.stderr)
    if options.list:
        _list(terminal, memory, [options.problem] if options.problem else problems())
        return 0
    if not options.problem:
        raise ValueError(f"Which problem? There are {', '.join(problems())}. For example: python -m coach debug {problems()[0]}")
    running = kept.running(memory, options.problem)
    if running and not options.new and options.seed is None:
        terminal.say("You go on with the file that you left. Another one: --new.")
        running = _found(running)
    else:
        if running:
            kept.end(memory, running, solved=False, seconds=0.0, left=True)
        running = _begin(memory, options)
    return session.run(terminal, memory, running)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m coach debug",
        description="Writes a whole file in which one thing is wrong, and tells what was seen. Find the line, mend the file in "
        "your own editor, and have it graded.",
    )
    parser.add_argument("problem", nargs="?", choices=problems(), metavar="PROBLEM", help=", ".join(problems()))
    parser.add_argument("--level", choices=LEVELS, help="easy, medium or hard; without it, any")
    parser.add_argument("--seed", type=int, metavar="N", help="the same file again for everyone who gives this number")
    parser.add_argument("--new", action="store_true", help="leave the file that you have not mended yet, and take another one")
    parser.add_argument("--list", action="store_true", help="how many there are, and what you have mended")
    return parser


def _begin(memory: store.Store, options) -> kept.Running:
    """Draw an exercise, note that it has begun, and write its file. A file that is there stays."""
    if options.seed is None:
        seed = SystemRandom().randrange(1000, 10000)
        one = exercise(options.problem, seed, options.level, leave_out=kept.met_lately(memory, options.problem))
    else:
        seed, one = options.seed, exercise(options.problem, options.seed, options.level)
    path = _free(place.own() / "debug", f"{options.problem}_{seed}")
    running = kept.begin(memory, one, path)
    write(path, one.source.encode())
    return running


def _found(running: kept.Running) -> kept.Running:
    """The exercise with its file where it lies here: it may have been begun on another computer, of any system."""
    if running.path.exists():
        return running
    return replace(running, path=place.own() / "debug" / PureWindowsPath(running.path).name)


def _free(folder: Path, name: str) -> Path:
    """A file that does not exist yet."""
    number, path = 1, folder / f"{name}.py"
    while path.exists():
        number, path = number + 1, folder / f"{name}_{number + 1}.py"
    return path


def _list(terminal: screen.Terminal, memory: store.Store, wanted: list[str]) -> None:
    met = kept.ended(memory)
    for problem in wanted:
        levels = Counter(told["level"] for told in told_of(problem).values())
        terminal.say(f"{problem}: {', '.join(f'{levels[level]} {level}' for level in LEVELS)}", "bold")
        for one in (one for one in met if one["problem"] == problem and one["mistake"] in told_of(problem)):
            verdict = "mended" if one["solved"] else "given up"
            how = f"({one['level']}, {session.minutes(one['seconds'])})"
            symptom = told_of(problem)[one["mistake"]]["symptom"]
            terminal.say(f"{symptom} {how}", indent=screen.INDENT, label=f"{verdict}: ")
        running = kept.running(memory, problem)
        if running:
            terminal.say(f"{running.exercise.symptom} ({running.path})", indent=screen.INDENT, label="begun: ")

