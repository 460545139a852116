"""One test for each check of each coding problem."""

import pytest

from grader.submission import SubmissionError


def test_check(report, result):
    if isinstance(report, SubmissionError):
        pytest.fail(str(report), pytrace=False)
    if result.status == "todo":
        pytest.skip("to do")
    if result.status != "passed":
        pytest.fail(result.message, pytrace=False)
