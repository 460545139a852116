"""Tries the grader on many solutions and many seeds: `python -m tests.trials PROBLEM [--seeds N] [--stubs STUB …] [FILE …]`.

Without files: the reference, the known mistakes, the variants, and the right and wrong solutions of the tests. With files: each
of these, by its first line (`# RIGHT …` or `# WRONG …`).
"""

import argparse
from pathlib import Path

from grader.bank import known_mistakes
from grader.checks import checks_of
from grader.problems import PROBLEMS, Problem
from grader.submission import Submission, read
from grader.trials import alike, failures, misnamed, reports, variants
from grader.verdict import Result

__all__ = ["SEEDS", "alike", "failures", "misnamed", "reports", "solutions", "variants"]
HERE = Path(__file__).parent
SEEDS = range(100, 110)


def solutions(kind: str, problem: Problem) -> dict[str, Submission]:
    """Whole solutions that lie in the tests, by name. kind: "right" or "wrong"."""
    return {path.stem: read(path) for path in sorted((HERE / kind / problem.id).glob("*.py"))}


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
