"""Set the stubs of a problem back to blank: `python -m grader.reset PROBLEM`.

Both halves of the notebook are copied to backup files first, so nothing is lost.
"""

import argparse
import shutil
import sys
import time
from pathlib import Path

import jupytext

from grader import stubs
from grader.problems import PROBLEMS, ROOT, Problem
from grader.submission import SubmissionError, read_pair


def reset(problem: Problem, folder: Path) -> tuple[list[Path], list[str]]:
    """Blank the stubs in both files of the notebook. The rest of the newer one is kept.

    Returns the backup files, and the stubs whose cells were gone and are now at the end.

    Raises:
        SubmissionError: there is no notebook, or it cannot be read.
    """
    newest = Path(read_pair(problem.notebook_path(".ipynb", folder)).path)
    notebook = jupytext.read(newest)
    stamp = time.strftime("%Y%m%d-%H%M%S")
    backups = []
    for suffix in (".ipynb", ".md"):
        path = problem.notebook_path(suffix, folder)
        if path.exists():
            backups.append(path.with_name(f"{path.stem}.backup-{stamp}{suffix}"))
            shutil.copy2(path, backups[-1])
    lost = stubs.put(notebook, problem, stubs.blank)
    for suffix in (".md", ".ipynb"):
        jupytext.write(notebook, problem.notebook_path(suffix, folder))
    return backups, lost


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m grader.reset", description="Set the stubs of a problem back to blank."
    )
    parser.add_argument("problem", metavar="PROBLEM", choices=PROBLEMS, help=", ".join(PROBLEMS))
    parser.add_argument("--yes", action="store_true", help="do not ask")
    options = parser.parse_args(arguments)
    problem = PROBLEMS[options.problem]
    question = f"Blank the stubs of notebooks/{problem.notebook}? Your text goes into a backup file. [y/N] "
    if not options.yes and not _agreed(question):
        print("Nothing was changed.")
        return 1
    try:
        backups, lost = reset(problem, ROOT / "notebooks")
    except SubmissionError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"The stubs of {problem.title} are blank again. Your text is in:")
    for backup in backups:
        print(f"  {backup.relative_to(ROOT)}")
    if lost:
        print(f"These had no cell in the notebook and are now at its end: {', '.join(lost)}.")
    print("Cells that you added yourself are still there. If the notebook is open in JupyterLab, reload it from disk.")
    return 0


def _agreed(question: str) -> bool:
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:  # nobody to ask
        print()
        return False


if __name__ == "__main__":
    sys.exit(main())
