"""The grader tried on code whose worth is known: references, known mistakes, and right code in other words."""

from collections.abc import Iterable
from itertools import combinations

from grader import rules
from grader.bank import mistake_observations, reference_observations, wrong_checks
from grader.checks import checks_of
from grader.compare import same
from grader.judge import judge
from grader.observe import Observed, observe_trusted
from grader.problems import Problem
from grader.submission import Cell, Submission
from grader.verdict import Report


def variants(problem: Problem) -> dict[str, Submission]:
    """Right code for some stubs, each behind the reference."""
    reference = Cell("reference", problem.reference.read_text(encoding="utf-8"))
    paths = sorted(problem.variants.glob("*.py"))
    return {path.stem: Submission([reference, Cell(path.name, path.read_text(encoding="utf-8"))]) for path in paths}


def failures(submissions: dict[str, Submission], problem: Problem, seed: int) -> dict[str, list[str]]:
    """The checks that each of these solutions fails, without a word on why."""
    right, seen = reference_observations(problem, seed), _seen(submissions, problem, seed)
    return {name: [check for check in found if not same(found[check], right[check])] for name, found in seen.items()}


def reports(submissions: dict[str, Submission], problem: Problem, seed: int) -> dict[str, Report]:
    """The reports on solutions of our own, which neither hang nor crash, in few processes."""
    seen = _seen(submissions, problem, seed)
    return {name: _judged(seen[name], problem, seed, rules.found(one.cells, problem.id)) for name, one in submissions.items()}


def alike(problem: Problem, seeds: Iterable[int]) -> list[str]:
    """The checks that see the same in the reference on two seeds, with these. A recorded answer would pass there."""
    found = {}
    for one, other in combinations(seeds, 2):
        for check in checks_of(problem.id):
            if same(reference_observations(problem, one)[check], reference_observations(problem, other)[check]):
                found.setdefault(check, f"{check}, seeds {one} and {other}")
    return list(found.values())


def misnamed(problem: Problem, seed: int, wanted: set[str] | None = None) -> list[str]:
    """The known mistakes that pass, or are not named as themselves in all that they fail.

    Args:
        wanted: only those that fail one of these checks.
    """
    found = []
    for name, seen in mistake_observations(problem, seed).items():
        failures = [result for result in _judged(seen, problem, seed).results if result.status != "passed"]
        if wanted is not None and failures and not any(result.check.id in wanted for result in failures):
            continue
        named = {result.diagnosis.id if result.diagnosis else f"nothing in {result.check.id}" for result in failures}
        if named != {name}:
            found.append(f"{name}: {', '.join(sorted(named)) or 'passes'}")
    return found


def wrong(problem: Problem, seed: int) -> dict[str, frozenset[str]]:
    """The checks that each known mistake fails."""
    return {name: wrong_checks(name, problem, seed) for name in mistake_observations(problem, seed)}


def _seen(submissions: dict[str, Submission], problem: Problem, seed: int) -> dict[str, dict]:
    """What all checks see in each of these."""
    jobs = [(one, list(checks_of(problem.id))) for one in submissions.values()]
    return dict(zip(submissions, observe_trusted(jobs, problem, seed)))


def _judged(found: dict, problem: Problem, seed: int, shown: Iterable[dict] = ()) -> Report:
    return judge(Observed(found, {}, set(problem.parts), [], rules=list(shown)), problem, seed=seed)
