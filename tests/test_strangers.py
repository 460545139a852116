"""Solutions as strangers write them: the right ones get all points, the wrong ones do not, whatever the seed.

Each is tried here on one of ten seeds. `python -m tests.trials PROBLEM --seeds 10` tries each on all of them.
"""

import pytest

from grader.problems import PROBLEMS
from tests.trials import SEEDS, alike, failures, solutions, variants

each_problem = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)


def failed(kind: str, problem) -> dict[str, list[str]]:
    """The checks that each solution of a kind fails, by its name."""
    found, all_of_them = {}, solutions(kind, problem) | (variants(problem) if kind == "right" else {})
    for index, seed in enumerate(SEEDS):
        part = {name: one for place, (name, one) in enumerate(all_of_them.items()) if place % len(SEEDS) == index}
        found |= failures(part, problem, seed) if part else {}
    return found


@each_problem
def test_right_solutions_get_all_points(problem):
    assert {name: checks for name, checks in failed("right", problem).items() if checks} == {}


@each_problem
def test_wrong_solutions_do_not(problem):
    assert [name for name, checks in failed("wrong", problem).items() if not checks] == []


@each_problem
def test_no_check_sees_the_same_on_two_seeds(problem):
    """So a table of what was right on one seed is wrong on every other one."""
    assert alike(problem, SEEDS) == []


def test_there_are_enough_solutions():
    for kind in ("right", "wrong"):
        assert all(len(solutions(kind, problem)) >= 20 for problem in PROBLEMS.values())
        assert sum(len(solutions(kind, problem)) for problem in PROBLEMS.values()) >= 60
