"""In this copy of the course nothing is graded: the instructor does that. This module stands in for the grader's judge."""

from grader.submission import SubmissionError

PUBLIC_SEED = 2021
BY_THE_INSTRUCTOR = "This copy of the course is graded by your instructor. Save the notebook and hand it in."


class Result:
    """The verdict on one check. There is none here."""


class Report:
    """The verdicts on one submission. There is none here."""


def grade(submission, problem, **options) -> Report:
    """Always raises SubmissionError, whose sentence says who grades."""
    raise SubmissionError(BY_THE_INSTRUCTOR)


def reference_observations(problem, seed: int) -> dict:
    return {}


def mistake_observations(problem, seed: int) -> dict:
    return {}
