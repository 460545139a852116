"""Whether a file is mended. torch is loaded when the first one is graded."""

from dataclasses import dataclass

from coach.debug.exercises import Exercise, told_of
from grader.problems import PROBLEMS


@dataclass(frozen=True)
class Verdict:
    """What the checks say of a file.

    Attributes:
        solved: all checks pass.
        message: what was seen, without a diagnosis.
        check: the title of a check that fails, of the one that sees the exercise's fault if it does: what must hold.
        hints: three for that check, from a nudge to nearly the solution.
    """

    solved: bool
    message: str
    check: str = ""
    hints: tuple[str, ...] = ()


def judge(exercise: Exercise, source: str) -> Verdict:
    """Grade a file that was meant to mend an exercise, with the problem's own checks.

    Args:
        source: the text of the file as the candidate has it now.
    """
    from grader.judge import grade
    from grader.submission import Cell, Submission, SubmissionError

    problem = PROBLEMS[exercise.problem]
    try:
        report = grade(Submission([Cell("your file", source)]), problem, explained=False)
    except SubmissionError as error:
        return Verdict(False, str(error))
    open_results = [result for result in report.results if result.status != "passed"]
    if not open_results:
        return Verdict(True, f"All {len(report.results)} checks pass.")
    own = told_of(exercise.problem).get(exercise.mistake, {}).get("check")  # that which sees the fault: its hints lead there
    first = next((result for result in open_results if result.check.id == own), None) or report.first_failure or open_results[0]
    count = f"{len(open_results)} of {len(report.results)} checks {'fails' if len(open_results) == 1 else 'fail'}."
    return Verdict(False, f"{count} One of them: {first.message}", first.check.title, first.check.hints)
