"""One test for each check of each coding problem."""

import pytest

from grader.checks import checks_of
from grader.problems import PROBLEMS
from grader.submission import SubmissionError

CASES = [(problem, check) for problem in PROBLEMS for check in checks_of(problem)]


@pytest.mark.parametrize("problem, check", CASES)
def test_check(reports, problem, check):
    report = reports[problem]
    if isinstance(report, SubmissionError):
        pytest.fail(str(report), pytrace=False)
    result = next(result for result in report.results if result.check.id == check)
    if result.status == "todo":
        pytest.skip("to do")
    if result.status != "passed":
        pytest.fail(result.message, pytrace=False)
