"""A round in the terminal: plain lines, a clock before each prompt, an editor of one's own for longer texts."""

import math
import time
from contextlib import nullcontext

from coach import opentext
from coach.interview import engine, table
from coach.interview.prompts import Block, Prompt
from coach.interview.session import Session
from coach.interview.state import State
from quiz import terminal as screen
from quiz.grading import BadAnswer
from quiz.terminal import INDENT, Terminal

COMMANDS = ("skip", "end", "pause", "help")


def run(terminal: Terminal, session: Session) -> bool:
    """Asks what is left of a round. False if it was left before its end; all that was answered is kept."""
    part = None
    while prompt := session.prompt():
        state = session.state()
        if prompt.part != part and prompt.kind != "over":
            part = prompt.part
            terminal.say()
            terminal.say(f"--- {table.PARTS[part]}, {minutes(state.plan['parts'][part] * 60)} ---", "bold")
        show(terminal, state, prompt)
        try:
            _ask(terminal, session, prompt)
        except (KeyboardInterrupt, EOFError):
            terminal.say()
            terminal.say("Stopped, and so is the clock. All of it is kept; go on with: python -m coach interview --resume")
            return False
    return True


def _ask(terminal: Terminal, session: Session, prompt: Prompt) -> None:
    """Asks until an answer can be taken. A pause counts no time; the time at a prompt that is left does."""
    started = time.monotonic()
    while True:
        try:
            text = _typed(terminal, session, prompt)
        except (KeyboardInterrupt, EOFError):
            session.spent(prompt, time.monotonic() - started)
            raise
        command = text.strip().lower()
        if command == "help":
            terminal.say(engine.COMMANDS)
        elif command == "pause":
            session.pause(prompt, time.monotonic() - started)
            terminal.ask("The clock stands. Enter goes on. ")
            started = time.monotonic()
        else:
            is_check = engine.needs_check(prompt, text)
            if is_check:
                terminal.say("Your file is being checked. This takes some seconds.", "dim")
            try:
                with nullcontext() if is_check else screen.unbroken():  # a check may be broken off, an answer is kept
                    session.answer(prompt, text, time.monotonic() - started)
            except BadAnswer as error:
                words = str(error)
                terminal.say(f"{words[:1].upper()}{words[1:].rstrip('.')}. (“help” lists what else you can type.)")
                if words.startswith("This was answered"):
                    return
                continue
            if prompt.kind == "text":
                opentext.discard_draft(_task(prompt))
            return


def _typed(terminal: Terminal, session: Session, prompt: Prompt) -> str:
    if prompt.kind != "text":
        return terminal.ask("> ")
    if opentext.editor():
        text, _ = opentext.write(terminal, prompt.heading, _task(prompt), clock=False, commands=COMMANDS)
        return text or "skip"
    begun = session.state().drafts.get(prompt.id, "")
    return opentext.lines(terminal, begun, lambda text: session.draft(prompt, text), prompt="> ", words=COMMANDS)


def _task(prompt: Prompt) -> str:
    return "\n\n".join(block.text for block in prompt.say)


# --- showing ------------------------------------------------------------------------------------


def show(terminal: Terminal, state: State, prompt: Prompt) -> None:
    terminal.say()
    terminal.say(clock(state, prompt.part), "dim")
    if prompt.kind == "text" and opentext.editor():
        return  # which shows heading and task itself
    terminal.say(f"{prompt.heading}.", "bold")
    for block in prompt.say:
        block_of(terminal, block)
    if prompt.left or prompt.choices:
        terminal.say()
    for number, text in enumerate(prompt.left, 1):
        terminal.say(text, indent=INDENT, label=f"{number}  ")
    if prompt.left:
        terminal.say()
    for letter, text in prompt.choices:
        terminal.say(text, indent=INDENT, label=f"{letter}  ")
    if prompt.aside:
        terminal.say()
        terminal.say("For you alone:", "bold")
        for block in prompt.aside:
            block_of(terminal, block)
    terminal.say()
    terminal.say(prompt.how, "dim")


def block_of(terminal: Terminal, block: Block) -> None:
    if block.title:
        terminal.say()
        terminal.say(f"{block.title}:", "bold")
    if block.kind == "code":
        terminal.say() if not block.title else None
        terminal.code(block.text)
    elif block.text:
        terminal.say(block.text)


def clock(state: State, part: str) -> str:
    """The time that is left, in words."""
    return f"[the round: {left(state.left())}; this part: {left(state.left(part))}]"


def left(seconds: float) -> str:
    return f"{minutes(seconds)} left" if seconds > 0 else f"{minutes(-seconds)} over"


def minutes(seconds: float) -> str:
    """Minutes, begun ones counted as whole, or seconds below one minute."""
    return f"{math.ceil(seconds / 60)} min" if seconds >= 60 else f"{math.ceil(seconds)} s"
