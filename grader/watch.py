"""`make watch`: grade whenever a notebook is saved, and show what is next. `q` quits.

    python -m grader.watch [--notebooks FOLDER]
"""

import argparse
import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console

from desk import place
from grader import store
from grader.course import grade_course, print_reports
from grader.problems import PROBLEMS

PAUSE = 0.3  # seconds between two looks at the files and at the keyboard
FOOT = "Watching the notebooks: save one, and it is graded. q quits, Enter grades again with the next hint."


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m grader.watch", description="Grade whenever a notebook is saved.")
    parser.add_argument("--notebooks", type=Path, default=place.notebooks(), help="folder of the notebooks to grade")
    parser.add_argument("--store", type=Path, default=store.FOLDER, help="folder of what was graded before")
    options = parser.parse_args(arguments)
    if not options.notebooks.is_dir():
        print(f"{options.notebooks} is no folder. Name the folder of your notebooks.", file=sys.stderr)
        return 2
    with keys() as pressed:
        watch(options.notebooks, options.store, Console(highlight=False), pressed)
    return 0


def watch(notebooks: Path, kept: Path, console: Console, pressed) -> None:
    """Grade now, and at each change of a file, until `q` is pressed or the input ends.

    Args:
        pressed: pressed() gives the keys typed since it was called last, or None at the end of the input.
    """
    seen = None
    while True:
        now = _stamps(notebooks)
        if now != seen:
            _grade(notebooks, kept, console)
            seen = _stamps(notebooks)  # grading may have brought a half in step
        typed = pressed()
        if typed is None or "q" in typed.lower():
            console.print("Stopped.")
            return
        if "\n" in typed or "\r" in typed:
            seen = None
        time.sleep(PAUSE)


def _grade(notebooks: Path, kept: Path, console: Console) -> None:
    if console.is_terminal:
        console.clear()
    with console.status("Grading"):
        found = grade_course(notebooks, kept)
    print_reports(found, console, kept)
    console.print(f"\n{time.strftime('%H:%M:%S')}  {FOOT}", style="dim")


def _stamps(notebooks: Path) -> dict[str, tuple[int, int]]:
    """Time of change and size of each problem's files."""
    stamps = {}
    for problem in PROBLEMS.values():
        for suffix in (".ipynb", ".md"):
            with contextlib.suppress(OSError):
                found = problem.notebook_path(suffix, notebooks).stat()
                stamps[problem.notebook + suffix] = (found.st_mtime_ns, found.st_size)
    return stamps


# --- the keyboard -------------------------------------------------------------------------------


@contextlib.contextmanager
def keys() -> Iterator:
    """A function that gives the keys typed since it was called last, without waiting. Where nobody types, it gives ""."""
    if not sys.stdin.isatty():
        yield lambda: ""
    elif sys.platform == "win32":
        import msvcrt

        yield lambda: "".join(msvcrt.getwch() for _ in iter(msvcrt.kbhit, False))
    else:
        import os
        import select
        import termios
        import tty

        here = sys.stdin.fileno()
        before = termios.tcgetattr(here)

        def pressed() -> str | None:
            if not select.select([here], [], [], 0)[0]:
                return ""
            return os.read(here, 100).decode(errors="replace") or None

        try:
            tty.setcbreak(here)
            yield pressed
        finally:
            termios.tcsetattr(here, termios.TCSADRAIN, before)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("Stopped.")
