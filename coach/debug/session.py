"""The dialogue at one file. Each step is stored before the next prompt is shown."""

import ast
import re
import time

from coach.debug import files, kept
from coach.debug.exercises import explained, reference
from coach.debug.judging import Verdict, judge
from desk.files import write
from grader.problems import PROBLEMS
from grader.submission import SubmissionError, read
from quiz.store import Store
from quiz.terminal import INDENT, Terminal, unbroken

PROMPT = "Line, check, hint, give up or help: "
HELP = (
    ("a number", "names the line at fault, as the file was written: 57, or 57 58"),
    ("check", "grades the file as you have saved it"),
    ("hint", "tells what must hold and does not; each time a little more"),
    ("give up", "shows what is wrong"),
    ("quit", "leaves; the same command goes on"),
)
LONGEST = 1800.0  # seconds that one prompt can count: who is away longer is not at work
RUNGS = 4  # of help for one check: its title and three hints


def run(terminal: Terminal, memory: Store, running: kept.Running) -> int:
    """Ask until the file is mended, given up or left. Exit status 1 if it was left."""
    _opening(terminal, running)
    try:
        while True:
            start = time.monotonic()
            try:
                typed = terminal.ask(PROMPT).strip().lower()
            except (KeyboardInterrupt, EOFError):
                kept.step(memory, running, "left", min(time.monotonic() - start, LONGEST))
                raise
            seconds = min(time.monotonic() - start, LONGEST)
            if _answered(terminal, memory, running, typed, seconds):
                return 0
    except (KeyboardInterrupt, EOFError):
        terminal.say()
        terminal.say(f"Stopped. Your file is kept: {running.path}. Go on with: python -m coach debug {running.exercise.problem}")
        return 1


def minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def _opening(terminal: Terminal, running: kept.Running) -> None:
    _there(terminal, running)
    terminal.say()
    terminal.say(f"One thing is wrong in this file ({running.exercise.level}). What was seen:", "bold")
    terminal.say(running.exercise.symptom, indent=INDENT)
    terminal.say()
    terminal.say(f"The file: {running.path}")
    terminal.say("Open it in your editor. Which line is at fault? Mend it, save the file, and type: check")
    terminal.say()


def _answered(terminal: Terminal, memory: Store, running: kept.Running, typed: str, seconds: float) -> bool:
    """Do what was typed. True if that ends the exercise."""
    if re.fullmatch(r"(line\s*)?\d+([\s,]+\d+)*", typed):
        _lines(terminal, memory, running, [int(number) for number in re.findall(r"\d+", typed)], seconds)
    elif typed == "check":
        return _check(terminal, memory, running, seconds)
    elif typed == "hint":
        _hint(terminal, memory, running, seconds)
    elif typed in ("give up", "giveup"):
        with unbroken():
            told = kept.end(memory, running, solved=False, seconds=seconds)
        _lesson(terminal, running, told)
        return True
    else:
        for word, meaning in HELP:
            terminal.say(meaning, indent=INDENT, label=f"{word:<10}")
    return False


def _lines(terminal: Terminal, memory: Store, running: kept.Running, numbers: list[int], seconds: float) -> None:
    last = len(running.exercise.source.splitlines())
    if unknown := [number for number in numbers if not 1 <= number <= last]:
        terminal.say(f"The file was written with {last} lines, so it has no line {unknown[0]}.")
        return
    found = bool(set(numbers) & set(running.exercise.faulty_lines))
    with unbroken():
        kept.step(memory, running, "line", seconds, lines=numbers, found=found)
    if found:
        terminal.say("Yes, the fault is there. Mend it, save the file, and type: check", "bold green")
    else:
        terminal.say("No, the fault lies elsewhere." if len(numbers) == 1 else "No, it is none of these.", "bold red")


def _check(terminal: Terminal, memory: Store, running: kept.Running, seconds: float) -> bool:
    verdict = _graded(terminal, running)
    with unbroken():
        kept.step(memory, running, "check", seconds, solved=verdict.solved)
        told = kept.end(memory, running, solved=True, seconds=0.0) if verdict.solved else {}
    terminal.say(verdict.message, "bold green" if verdict.solved else "")
    if verdict.solved:
        _lesson(terminal, running, told)
    return verdict.solved


def _hint(terminal: Terminal, memory: Store, running: kept.Running, seconds: float) -> None:
    verdict = _graded(terminal, running)
    if not verdict.check:
        terminal.say("Every check passes: type check." if verdict.solved else verdict.message)
        return
    given = sum(entry["step"] == "hint" and entry["check"] == verdict.check for entry in kept.steps(memory, running))
    rung = min(given, RUNGS - 1)
    with unbroken():
        kept.step(memory, running, "hint", seconds, check=verdict.check, rung=rung)
    if rung:
        terminal.say(verdict.hints[rung - 1], label=f"Hint {rung} of {RUNGS - 1}: ")
    else:
        terminal.say(verdict.check, label="This must hold, and does not: ")


def _graded(terminal: Terminal, running: kept.Running) -> Verdict:
    _there(terminal, running)
    terminal.say("The checks run; the first time takes some seconds more.", "dim")
    try:
        source = read(running.path).cells[0].source
        ast.parse(source)
    except SyntaxError as error:
        return Verdict(False, f"Line {error.lineno} of the file is no Python: {error.msg}.")
    except (SubmissionError, ValueError):
        return Verdict(False, "The file is empty, or no text. Delete it, and it is written anew, as it was at its beginning.")
    return judge(running.exercise, source)


def _there(terminal: Terminal, running: kept.Running) -> None:
    """A file that was deleted is written once more."""
    if not running.path.exists():
        write(running.path, running.exercise.source.encode())
        terminal.say("The file was not there, so it was written anew.")


def _lesson(terminal: Terminal, running: kept.Running, told: dict) -> None:
    """What was wrong and why, the difference, and how it went."""
    title, lesson = explained(running.exercise)
    lines = running.exercise.faulty_lines
    terminal.say()
    terminal.say(title, "bold")
    terminal.say(lesson)
    terminal.say(f"At fault: line{'s' * (len(lines) > 1)} {', '.join(map(str, lines))}.")
    terminal.say("The difference (- as it was, + the reference):")
    for line in files.difference(reference(PROBLEMS[running.exercise.problem]), _without_header(running.exercise.source)):
        if not line.startswith("@@"):
            terminal.code(line or " ")
    terminal.say()
    tries = told["lines_tried"]
    named = f"line named after {tries} {'try' if tries == 1 else 'tries'}" if told["line_found"] else "line not named"
    hints = f"{told['hints']} hint{'s' * (told['hints'] != 1)}"
    verdict = "Mended" if told["solved"] else "Given up"
    terminal.say(f"{verdict} after {minutes(told['seconds'])}; {named}, {hints}. The next one: the same command.")


def _without_header(source: str) -> str:
    """The file without the comment at its top, which the reference does not have."""
    lines = source.splitlines(keepends=True)
    first = next(number for number, line in enumerate(lines) if line.strip() and not line.startswith("#"))
    return "".join(lines[first:])
