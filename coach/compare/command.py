"""`python -m coach compare PROBLEM`: the comparison in a terminal, or as a page."""

import argparse
from pathlib import Path

from coach.compare.sides import Compared, Comparison, compared
from desk.files import write
from grader.problems import PROBLEMS
from quiz.terminal import INDENT, Terminal

SIDE_BY_SIDE = 100  # columns from which two texts stand side by side
WIDEST = 200  # columns; wider tables are hard to read
STYLES = {" ": "", "|": "yellow", "<": "red", ">": "green"}


def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments[1:])
    terminal = Terminal()
    found = compared(options.problem, options.function, tell=terminal.say)
    if options.html:
        from coach.compare.page import page

        write(options.html, page(found).encode())
        terminal.say(f"Written: {options.html}. Open it in a browser.")
    else:
        show(terminal, found)
    return 0 if found.stubs else 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m coach compare",
        description="Your code beside the reference, function by function, for what you have solved; with the reference's "
        "reasons and other right ways.",
    )
    parser.add_argument("problem", metavar="PROBLEM", help=f"{', '.join(PROBLEMS)}; or the name of one function")
    parser.add_argument("--function", metavar="NAME", help="only this function, class or method")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page instead")
    return parser


def show(terminal: Terminal, found: Comparison) -> None:
    """The comparison, side by side where there is room."""
    terminal.say(found.title, "bold")
    if found.stubs and terminal.console.width >= SIDE_BY_SIDE:
        terminal.say("| lines that differ, < in your code alone, > in the reference alone", "dim")
    for one in found.stubs:
        _stub(terminal, one)
    if found.note:
        terminal.say()
        terminal.say(found.note)
    if found.left:
        terminal.say()
        terminal.say("Not shown, since it is not solved:", "bold")
    for sentence in found.left:
        terminal.say(sentence, indent=INDENT, label="- ")


def _stub(terminal: Terminal, one: Compared) -> None:
    terminal.say()
    terminal.say(f"{one.stub}: {in_words(one)}", "bold")
    if terminal.console.width >= SIDE_BY_SIDE:
        _side_by_side(terminal, one)
    else:
        _below(terminal, "Your code (- where it differs):", "-", [row.yours for row in one.rows], one, "red")
        _below(terminal, "The reference (+ where it differs):", "+", [row.reference for row in one.rows], one, "green")
    if one.contract:
        terminal.say("The contract:", "bold")
        for line in one.contract.splitlines():
            terminal.say(line.strip(), indent=INDENT + " " * (len(line) - len(line.lstrip())))
    if one.reasons:
        terminal.say("The reference's reasons:", "bold")
    for code, reason in one.reasons:
        terminal.say(code, indent=INDENT)
        terminal.say(reason, indent=INDENT * 2)
    for number, way in enumerate(one.ways, 1):
        terminal.say(f"Another right way ({number} of {len(one.ways)}): {way.title}", "bold")
        _code(terminal, way.code)


def in_words(one: Compared) -> str:
    """`12 lines are the same, 3 differ.`"""
    same = sum(row.sign == " " for row in one.rows)
    if same == len(one.rows):
        return "line by line the same as the reference."
    count = len(one.rows) - same
    return f"{same} {'line is' if same == 1 else 'lines are'} the same, {count} {'differs' if count == 1 else 'differ'}."


def _side_by_side(terminal: Terminal, one: Compared) -> None:
    from rich.table import Table
    from rich.text import Text

    width = (min(terminal.console.width, WIDEST) - 5) // 2
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="")
    table.add_column(" ", width=1)
    table.add_column("Your code", width=width, overflow="fold")
    table.add_column("The reference", width=width, overflow="fold")
    for row in one.rows:
        table.add_row(*(Text(text or "", style=STYLES[row.sign]) for text in (row.sign, row.yours, row.reference)))
    terminal.console.print(table)


def _below(terminal: Terminal, heading: str, sign: str, lines: list[str | None], one: Compared, style: str) -> None:
    from rich.text import Text

    terminal.say(heading, "bold")
    for line, row in zip(lines, one.rows):
        if line is not None:
            mark, colour = (" ", "") if row.sign == " " else (sign, style)
            terminal.console.print(Text(f"{mark} {line}".rstrip(), style=colour), soft_wrap=True)


def _code(terminal: Terminal, code: str) -> None:
    from rich.text import Text

    for line in code.splitlines():
        terminal.console.print(Text(f"    {line}".rstrip()), soft_wrap=True)
