"""Tries the grader on many solutions and many seeds: `python -m tests.trials PROBLEM [--seeds N] [--stubs STUB …] [FILE …]`.

Without files: the reference, the known mistakes, the variants, and the right and wrong solutions of the tests. With files: each
of these, by its first line (`# RIGHT …` or `# WRONG …`).
"""

import argparse
from collections.abc import Iterable
from itertools import combinations
from pathlib import Path

from grader import rules
from grader.bank import known_mistakes, mistake_observations, reference_observations
from grader.checks import checks_of
from grader.compare import same
from grader.judge import judge
from grader.observe import Observed, observe_trusted
from grader.problems import PROBLEMS, Problem
from grader.submission import Cell, Submission, read
from grader.verdict import Report, Result

HERE = Path(__file__).parent
SEEDS = range(100, 110)


def solutions(kind: str, problem: Problem) -> dict[str, Submission]:
    """Whole solutions that lie in the tests, by name. kind: "right" or "wrong"."""
    return {path.stem: read(path) for path in sorted((HERE / kind / problem.id).glob("*.py"))}


def variants(problem: Problem) -> dict[str, Submission]:
    """Right code for some stubs, each behind the reference."""
    reference = Cell("reference", problem.reference.read_text(encoding="utf-8"))
    paths = sorted((HERE / "variants" / problem.id).glob("*.py"))
    return {path.stem: Submission([reference, Cell(path.name, path.read_text(encoding="utf-8"))]) for path in paths}


def failures(submissions: dict[str, Submission], problem: Problem, seed: int) -> dict[str, list[str]]:
    """The checks that each of these solutions fails, without a word on why."""
    right, seen = reference_observations(problem, seed), _seen(submissions, problem, seed)
    return {name: [check for check in found if not same(found[check], right[check])] for name, found in seen.items()}


def reports(submissions: dict[str, Submission], problem: Problem, seed: int) -> dict[str, Report]:
    """The reports on solutions of our own, which neither hang nor crash, in few processes."""
    seen = _seen(submissions, problem, seed)
    return {name: _judged(seen[name], problem, seed, rules.found(one.cells, problem.id)) for name, one in submissions.items()}


def _seen(submissions: dict[str, Submission], problem: Problem, seed: int) -> dict[str, dict]:
    """What all checks see in each of these."""
    jobs = [(one, list(checks_of(problem.id))) for one in submissions.values()]
    return dict(zip(submissions, observe_trusted(jobs, problem, seed)))


def _judged(found: dict, problem: Problem, seed: int, shown: Iterable[dict] = ()) -> Report:
    return judge(Observed(found, {}, set(problem.parts), [], rules=list(shown)), problem, seed=seed)


def alike(problem: Problem, seeds: Iterable[int]) -> list[str]:
    """The checks that see the same in the reference on two seeds. A recorded answer would pass there."""
    found = {}
    for one, other in combinations(seeds, 2):
        for check in checks_of(problem.id):
            if same(reference_observations(problem, one)[check], reference_observations(problem, other)[check]):
                found.setdefault(check, f"{check}, seeds {one} and {other}")
    return list(found.values())


def misnamed(problem: Problem, seed: int, wanted: set[str]) -> list[str]:
    """The known mistakes that pass, or are not named as themselves in all that they fail."""
    found = []
    for name, seen in mistake_observations(problem, seed).items():
        failures = [result for result in _judged(seen, problem, seed).results if result.status != "passed"]
        if failures and not any(result.check.id in wanted for result in failures):
            continue
        named = {result.diagnosis.id if result.diagnosis else f"nothing in {result.check.id}" for result in failures}
        if named != {name}:
            found.append(f"{name}: {', '.join(sorted(named)) or 'passes'}")
    return found


def _line(name: str, results: list[Result]) -> str:
    shown = [f"      {r.check.id} [{r.diagnosis.id if r.diagnosis else '-'}] {r.message[:150]}{r.fact and f' >> {r.fact}'}" for r in results]
    return "\n".join([f"  {name}", *shown])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("problem", choices=PROBLEMS)
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--stubs", nargs="*", default=[])
    arguments = parser.parse_intermixed_args()
    problem, seeds = PROBLEMS[arguments.problem], [SEEDS.start + n for n in range(arguments.seeds)]
    wanted = {check.id for check in checks_of(problem.id).values() if check.stub in (arguments.stubs or problem.stubs)}
    if arguments.files:
        named = {path.stem: (path.read_text(encoding="utf-8").splitlines()[0], read(path)) for path in arguments.files}
        right = {name: one for name, (line, one) in named.items() if "WRONG" not in line}
        wrong = {name: one for name, (line, one) in named.items() if "WRONG" in line}
    else:
        print("the same on two seeds:", *(line for line in alike(problem, seeds) if line.split(",")[0] in wanted), sep="\n  ")
        print(f"{len(known_mistakes(problem))} known mistakes, not named as themselves:")
        for seed in seeds:
            print(*(f"  seed {seed}: {line}\n" for line in misnamed(problem, seed, wanted)), sep="", end="")
        right = variants(problem) | solutions("right", problem)
        wrong = solutions("wrong", problem)
    for seed in seeds:
        print(f"seed {seed}: {len(right)} right, refused:")
        for name, report in reports(right, problem, seed).items():
            failures = [r for r in report.results if r.status != "passed" and r.check.id in wanted]
            print(*([_line(name, failures)] if failures else []), sep="\n", end="\n" if failures else "")
        print(f"seed {seed}: {len(wrong)} wrong, and what is said of each:")
        for name, report in reports(wrong, problem, seed).items():
            failures = [r for r in report.results if r.status != "passed" and r.check.id in wanted]
            print(_line(name if failures else f"{name}  PASSES", failures))


if __name__ == "__main__":
    main()
