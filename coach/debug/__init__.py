"""Debugging as an exercise: a whole file with a known mistake, what is seen of it, and a verdict on its repair.

`exercise` draws one and `judge` grades a mended file; `python -m coach debug` does both in a terminal.
"""

from coach.debug.exercises import Exercise, exercise
from coach.debug.judging import Verdict, judge

__all__ = ["Exercise", "Verdict", "exercise", "judge", "main"]


def main(arguments: list[str]) -> int:
    from coach.debug.command import main

    return main(arguments)
