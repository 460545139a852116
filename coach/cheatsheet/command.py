"""`python -m coach cheatsheet`: writes the sheets as HTML, and with --pdf as PDF."""

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

from coach.cheatsheet.sheets import ALL, TOPICS
from desk import place
from desk.backups import named
from desk.files import write
from quiz import keyless
from quiz.register import has_keys
from quiz.terminal import Terminal

FOLDER = "cheatsheets"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "msedge")
BY_HAND = "Open the page in your browser, and print it to a file."
LONGEST = 120  # seconds for one PDF


def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments[1:])
    if not has_keys():
        raise ValueError(f"A cheat sheet needs the keys to the questions, and this copy of the course has none. {keyless.WHO}")
    from coach.cheatsheet import page

    terminal, folder = Terminal(), options.out or place.own() / FOLDER
    pages = []
    for topic in [options.topic] if options.topic else [*TOPICS, ALL]:
        path = folder / f"{topic}.html"
        _write(path, page.page(topic, options.paper).encode())
        pages.append(path)
        terminal.say(f"{page.title(topic)}: {named(path.absolute())}")
    if not options.pdf:
        terminal.say("Each prints on two pages at most. For a PDF: --pdf, or open the page in a browser and print it.")
        return 0
    return _print(terminal, pages)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m coach cheatsheet",
        description="Formulas, numbers, bills, recipes and traps, each with its source, on two pages to print.",
    )
    parser.add_argument("topic", nargs="?", choices=[*TOPICS, ALL], help="one topic, or all on one sheet (without it: each)")
    parser.add_argument("--out", type=Path, metavar="DIR", help=f"where to (default: the folder {FOLDER})")
    parser.add_argument("--pdf", action="store_true", help="PDF as well, by a Chromium or Chrome that is installed")
    parser.add_argument("--paper", choices=("a4", "letter"), default="a4", help="to print on (default %(default)s)")
    return parser


def _write(path: Path, data: bytes) -> None:
    try:
        write(path, data)
    except OSError as error:
        raise OSError(f"cannot write {path} ({error.strerror}). Name another folder with --out.") from None


def _print(terminal: Terminal, pages: list[Path]) -> int:
    """A PDF beside each page. 2 if no browser could make it."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        terminal.say(f"No PDF: there is no Chromium or Chrome here that could print. {BY_HAND}")
        return 2
    for path in pages:
        made = path.with_suffix(".pdf")
        if not _printed(browser, path, made):
            terminal.say(f"No PDF: {browser} could not print {path}. {BY_HAND}")
            return 2
        terminal.say(f"As PDF: {named(made.absolute())}")
    return 0


def _printed(browser: str, path: Path, made: Path) -> bool:
    made.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as profile:  # one's own browser may be open and hold its profile
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", "--no-pdf-header-footer"]
        command += [f"--print-to-pdf={made.absolute()}", path.absolute().as_uri()]
        try:
            subprocess.run(command, capture_output=True, timeout=LONGEST)
        except (OSError, subprocess.TimeoutExpired):
            return False
    return made.exists() and made.stat().st_size > 0
