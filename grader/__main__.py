"""Grade one file: `python -m grader PROBLEM PATH [--json] [--seed N]`. What a problem lacks: `python -m grader lint PROBLEM`.

Exit status 0: all checks pass; 1: some do not; 2: the file cannot be graded.
"""

from desk import python
from grader.children import warm_up

if __name__ == "__main__":
    python.right_one("grader")
    warm_up()  # before torch is imported, so that both go on at once

import argparse  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

from rich.console import Console  # noqa: E402
from rich.progress import Progress  # noqa: E402

from grader import lint  # noqa: E402
from grader.judge import grade  # noqa: E402
from grader.problems import PROBLEMS  # noqa: E402
from grader.report import as_json, print_report  # noqa: E402
from grader.submission import SubmissionError, read_path  # noqa: E402
from grader.verdict import PUBLIC_SEED, Report  # noqa: E402


def main(arguments: list[str] | None = None) -> int:
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["lint"]:
        return lint.main(given[1:])
    parser = argparse.ArgumentParser(
        prog="python -m grader",
        description="Grade the code of one file for one problem.",
        epilog="Exit status 0: all checks pass; 1: some do not; 2: the file cannot be graded.",
    )
    parser.add_argument("problem", metavar="PROBLEM", choices=PROBLEMS, help=", ".join(PROBLEMS))
    parser.add_argument("path", metavar="PATH", type=Path, help="a .py, .ipynb or .md file")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--seed", type=int, default=PUBLIC_SEED, help="of the inputs (default %(default)s)")
    options = parser.parse_args(given)
    try:
        report = _grade(options)
    except SubmissionError as error:
        print(error, file=sys.stderr)
        return 2
    if options.json:
        print(as_json(report))
    else:
        print_report(report, Console(highlight=False))
    return 0 if report.score == report.max_score else 1


def _grade(options) -> Report:
    problem = PROBLEMS[options.problem]
    submission = read_path(options.path)
    with Progress(console=Console(stderr=True), transient=True, disable=options.json) as progress:
        task = progress.add_task(f"Checking {problem.title}", total=None)
        return grade(
            submission,
            problem,
            seed=options.seed,
            tell=lambda done, total: progress.update(task, completed=done, total=total),
        )


if __name__ == "__main__":
    sys.exit(main())
