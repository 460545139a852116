"""What a copy without solutions keeps of the references: what the checks see in them, and the blank stubs.

There is one file for each problem, `Problem.recorded`, in the format of `grader.wire`. It holds

    {"seed": 2021,
     "observations": {check: {"value": …, "asked": [names]}},
     "blank": {the first stub of a cell: the cell's source}}

The folder is made for the copies that students get; see `classroom.handout.release`. Where it is missing, the references are there.
"""

from functools import cache

from grader.problems import Problem
from grader.submission import SubmissionError


@cache
def read(problem: Problem) -> dict | None:
    """What is recorded for a problem. None if there is nothing, since the reference is there.

    Raises:
        SubmissionError: the file is damaged.
    """
    if not problem.recorded.exists():
        return None
    from grader import wire  # here, since it imports torch

    try:
        return wire.loads(problem.recorded.read_bytes())
    except (OSError, wire.Unreadable):
        raise SubmissionError(
            f"cannot be graded: grader/recorded/{problem.recorded.name} is damaged. Take it from your copy of the course again."
        ) from None
