"""What the suite leaves out on a machine that lacks something, it says at its end."""

import subprocess
import sys

from grader.problems import ROOT

SUITE = """
import pytest

@pytest.mark.skipif(True, reason="There is no cluster. Install one.")
@pytest.mark.parametrize("number", range(3))
def test_of_a_cluster(number): ...

def test_of_a_sandbox():
    pytest.skip("There is no sandbox. Install one.")

def test_of_nothing(): ...
"""


def test_what_is_left_out_is_told_with_its_reason(tmp_path):
    (tmp_path / "test_suite.py").write_text(SUITE)
    command = [sys.executable, "-m", "pytest", "-q", "-n", "1", "-p", "no:cacheprovider", "-p", "tests.conftest", str(tmp_path)]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    told = printed.partition("left out on this machine")[2].splitlines()[1:3]
    assert told == ["3 tests: There is no cluster. Install one.", "1 test: There is no sandbox. Install one."]
