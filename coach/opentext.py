"""An answer in one's own words: several lines, then its key points one by one beside it.

The text is written in the editor that VISUAL or EDITOR names. Where there is none, or where input is no terminal, it is typed
line by line.
"""

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from quiz.asking import LETTERS
from quiz.store import folder
from quiz.terminal import INDENT, Terminal

NOTHING = "-"  # typed by whoever has no answer
CUT = "=" * 20 + " write above this line " + "=" * 20
TWO_COLUMNS = 100  # characters from which two texts stand side by side
WIDEST = 160  # characters; longer lines are hard to read
YES, NO = ("y", "yes", "1"), ("n", "no", "0")


@dataclass(frozen=True)
class OpenAnswer:
    """An answer in one's own words.

    marked: the indices of the key points that it held, by whoever marked it.
    seconds: from the question to the end of the text.
    """

    text: str
    marked: tuple[int, ...]
    seconds: float


def ask_open(
    terminal: Terminal,
    heading: str,
    task: str,
    rubric: Sequence[str],
    *,
    clock: bool,
    previous: OpenAnswer | None = None,
    keep: Callable[[str, float], object] | None = None,
) -> OpenAnswer:
    """Asks for a text, shows the key points beside it, and asks for each whether the text holds it.

    Args:
        clock: say how long the text took.
        previous: an earlier answer, shown beside the new one once that is written.
        keep: called with the text and its seconds before the first key point is shown, so that a kill loses nothing.

    Raises:
        EOFError, KeyboardInterrupt: at the end of input, at Ctrl-C and at “quit”.
    """
    text, seconds = write(terminal, heading, task, clock=clock)
    if keep:
        keep(text, seconds)
    discard_draft(task)
    return OpenAnswer(text, mark(terminal, text, rubric, previous=previous), seconds)


def write(terminal: Terminal, heading: str, task: str, *, clock: bool, commands: Sequence[str] = ()) -> tuple[str, float]:
    """Asks for a text. Returns it, and the seconds that it took. The draft of an editor stays until `discard_draft`.

    commands: words that are no text: one of them alone comes back as it was typed.
    """
    terminal.say()
    terminal.say(f"{heading}.", "bold")
    terminal.say(task)
    terminal.say()
    terminal.say(f"Answer in your own words, in as many lines as you like. “{NOTHING}” means that you have none.", "dim")
    started = time.monotonic()
    command = editor()
    text = _edited(terminal, command, heading, task, commands) if command else _typed(terminal, heading, task)
    seconds = time.monotonic() - started
    if clock:
        terminal.say(f"You took {in_minutes(seconds)}.")
    return "" if text.strip() == NOTHING else text.strip(), seconds


def mark(
    terminal: Terminal, text: str, rubric: Sequence[str], *, previous: OpenAnswer | None = None, whose: str = "Your text"
) -> tuple[int, ...]:
    """Shows a text with its key points, and asks for each point whether the text holds it. Returns the indices of those it holds.

    whose: what the text is called, for whoever marks another person's.
    """
    wide = terminal.console.width >= TWO_COLUMNS
    if previous:
        _beside(terminal, ("Your text before", previous.text), (f"{whose} now", text))
    if wide:
        points = "\n".join(f"{letter}  {point}" for letter, point in zip(LETTERS, rubric))
        _beside(terminal, (whose, text), ("Key points", points))
    elif not previous:
        _below(terminal, whose, text)
    terminal.say()
    terminal.say("Does the text hold this key point?", "bold")
    marked = tuple(index for index, point in enumerate(rubric) if _holds(terminal, index, point, previous))
    before = f", {len(previous.marked)} before" if previous else ""
    terminal.say(f"{len(marked)} of {len(rubric)} key points{before}.")
    return marked


def editor() -> list[str] | None:
    """The command of the person's editor. None if none is named, or if nobody sits at a terminal."""
    named = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not named or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    return shlex.split(named, posix=os.name != "nt") or None


def in_minutes(seconds: float) -> str:
    """A time as a person says it: “50 s” or “3 min 20 s”."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def discard_draft(task: str) -> None:
    """Forget what an editor holds of the answer to this task, once it is kept elsewhere."""
    _draft(task).unlink(missing_ok=True)


# --- writing ------------------------------------------------------------------------------------


def lines(
    terminal: Terminal,
    begun: str,
    keep: Callable[[str], object],
    *,
    prompt: str = "Your answer: ",
    words: Sequence[str] = (),
    first: str = "",
) -> str:
    """A text line by line, up to an empty line or the end of input. An end before the first line is an end.

    Args:
        begun: what was written before; it is shown, and gone on with.
        keep: called with all that is written after each line, so that a kill loses none.
        words: one of them as the first line is no text, and comes back alone.
        first: a line that was typed already.
    """
    written = begun.splitlines()
    if written:
        terminal.say("You have written so far:", "dim")
        terminal.code(begun)
    while not (first.strip() or written):
        first = terminal.ask(prompt)
        if first.strip().lower() in words:
            return first
    written += [first] if first.strip() else []
    keep("\n".join(written))
    try:
        while (line := terminal.ask("More, or Enter to end: ")).strip():
            written.append(line)
            keep("\n".join(written))
    except EOFError:
        pass
    return "\n".join(written)


def _typed(terminal: Terminal, heading: str, task: str, first: str = "") -> str:
    return lines(terminal, _begun(task), lambda text: _keep(heading, task, text), words=(NOTHING,), first=first)


def _edited(terminal: Terminal, command: list[str], heading: str, task: str, commands: Sequence[str]) -> str:
    """A text from the person's editor, or from here if they type instead. What a killed editor has saved is there again."""
    draft = _draft(task)
    if not draft.exists():
        _keep(heading, task, "")
    while True:
        typed = terminal.ask(f"Enter opens {Path(command[0]).name}. Or type your answer here: ")
        if typed.strip().lower() in (*commands, NOTHING):
            return typed
        if typed.strip():
            return _typed(terminal, heading, task, typed)
        try:
            subprocess.run([*command, str(draft)], check=False)
            text = _begun(task)
        except OSError as error:
            terminal.say(f"{command[0]} cannot be started ({error.strerror}). Name another editor in EDITOR, or type here.")
            return _typed(terminal, heading, task)
        if text.strip():
            return text
        terminal.say("Nothing was saved. If your editor is still open, name it so that it is waited for, such as “code --wait”.")


def _keep(heading: str, task: str, text: str) -> None:
    draft = _draft(task)
    draft.parent.mkdir(parents=True, exist_ok=True)
    draft.write_text(f"{text}\n\n{CUT}\n{heading}\n\n{task}\n", encoding="utf-8")


def _begun(task: str) -> str:
    """What was written of the answer so far, and not sent."""
    draft = _draft(task)
    return draft.read_text(encoding="utf-8", errors="replace").split(CUT)[0].strip("\n") if draft.exists() else ""


def _draft(task: str) -> Path:
    return folder() / "drafts" / f"{sha256(task.encode('utf-8', 'replace')).hexdigest()[:12]}.md"


# --- marking ------------------------------------------------------------------------------------


def _holds(terminal: Terminal, index: int, point: str, previous: OpenAnswer | None) -> bool:
    terminal.say(point, indent=INDENT, label=f"{LETTERS[index]}  ")
    before = "" if previous is None else " You said it before." if index in previous.marked else " You did not say it before."
    while True:
        said = terminal.ask(f"{INDENT}   Yes or no?{before} (y/n) ").strip().lower()
        if said in YES + NO:
            return said in YES
        terminal.say("Type y or n. (“quit” stops; your text is kept.)", indent=INDENT * 2)


def _beside(terminal: Terminal, *columns: tuple[str, str]) -> None:
    """Texts side by side with their headings, or one below the other where the terminal is narrow."""
    if terminal.console.width < TWO_COLUMNS:
        for heading, text in columns:
            _below(terminal, heading, text)
        return
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, width=min(terminal.console.width, WIDEST), padding=(0, 4, 0, 0), header_style="bold")
    for heading, _ in columns:
        table.add_column(heading, ratio=1)
    table.add_row(*(Text(text or "(nothing)") for _, text in columns))
    terminal.say()
    terminal.console.print(table)


def _below(terminal: Terminal, heading: str, text: str) -> None:
    terminal.say()
    terminal.say(f"{heading}:", "bold")
    terminal.say(text or "(nothing)", indent=INDENT)
