"""In this copy of the course nothing is graded: the instructor does that. This module stands in for the grader's judge."""

from grader.submission import SubmissionError

BY_THE_INSTRUCTOR = "This copy of the course is graded by your instructor. Save the notebook and hand it in."


def grade(submission, problem, **options):
    """Always raises SubmissionError, whose sentence says who grades."""
    raise SubmissionError(BY_THE_INSTRUCTOR)


def prepare(problem) -> None:
    """There is nothing to prepare."""
