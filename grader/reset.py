"""Set stubs back to blank: `python -m grader.reset PROBLEM [STUB]`. Without a problem: list the backups.

What stood in the notebook goes to the backups first, and `--back NAME` brings one back.
"""

import argparse
import sys
from pathlib import Path

from desk import backups, pair, place
from desk.files import write
from grader import stubs
from grader.problems import PROBLEMS, Problem
from grader.submission import SubmissionError, read_pair


def reset(problem: Problem, folder: Path, stub: str | None = None) -> tuple[list[Path], list[str]]:
    """Blank one stub, or all, in the half of the notebook that counts; the other half follows.

    Returns the backups, and what was mended in the notebook, in sentences.

    Raises:
        SubmissionError: there is no notebook, or it cannot be read.
        ValueError: there is no such stub.
    """
    if stub is not None and stub not in problem.stubs:
        raise ValueError(f"There is no stub {stub!r} in {problem.id}; there are {', '.join(problem.stubs)}.")
    counts = Path(read_pair(problem.notebook_path(".ipynb", folder)).path)
    try:
        notebook = pair.read(counts)
    except pair.Unreadable as error:
        raise SubmissionError(str(error)) from None
    halves = [path for path in map(counts.with_suffix, pair.SUFFIXES) if path.exists()]
    kept = [backups.keep(path) for path in halves]
    if stub is None:
        said = stubs.put(notebook, problem, stubs.blank)
    else:
        cell = next(cell for cell in problem.cells if stub in cell)
        node, said = stubs.place(notebook, problem, cell)
        node.source = stubs.blanked(node.source, problem, cell, stub)
        node.outputs, node.execution_count = [], None
    for path in halves:
        pair.save_half(notebook, path)
    pair.remember(counts)
    return kept, said


def main(arguments: list[str] | None = None, folder: Path | None = None) -> int:
    options, folder = _parser().parse_args(arguments), folder or place.notebooks()
    try:
        if options.back:
            return _bring_back(options.back, folder)
        if options.problem is None:
            return _list(folder)
        return _reset(PROBLEMS[options.problem], options, folder)
    except (SubmissionError, ValueError) as error:
        print(error, file=sys.stderr)
    except OSError as error:
        print(f"Nothing was reset: {error.strerror}, at {error.filename}.", file=sys.stderr)
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m grader.reset",
        description="Set stubs back to blank, or bring a backup back. Without arguments: list the backups.",
    )
    parser.add_argument("problem", metavar="PROBLEM", nargs="?", choices=PROBLEMS, help=", ".join(PROBLEMS))
    parser.add_argument("stub", metavar="STUB", nargs="?", help="one stub of the problem, such as inject_lora")
    parser.add_argument("--back", metavar="NAME", help="the backup to bring back")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    return parser


def _reset(problem: Problem, options, folder: Path) -> int:
    what = f"`{options.stub}`" if options.stub else f"all stubs of {problem.title}"
    if options.stub is None and not options.yes:
        one = f"make reset PROBLEM={problem.id} STUB={problem.stubs[0]}"
        print(f"This blanks all {len(problem.stubs)} stubs of {problem.notebook}. One alone: {one}")
        if not _agreed("Your text goes to the backups. Go on? [y/N] "):
            print("Nothing was changed.")
            return 1
    kept, said = reset(problem, folder, options.stub)
    print(f"Blank again: {what}. What stood in the notebook is kept:")
    for backup in kept:
        print(f"  {backups.named(backup)}")
    print("\n".join([*said, "All other cells are as they were. Is the notebook open in JupyterLab? Then reload it from disk."]))
    return 0


def _list(folder: Path) -> int:
    found = backups.every(folder)
    print(f"Backups: {len(found)}. They lie in {backups.named(backups.folder(folder / 'any'))}.")
    for backup in found:
        print(f"  {backup.name}")
    if found:
        print(f"Bring one back: make reset BACK={found[-1].name}")
    print("Blank one stub:   make reset PROBLEM=lora STUB=inject_lora")
    print("Blank all stubs of a problem: make reset PROBLEM=lora")
    return 0


def _bring_back(name: str, folder: Path) -> int:
    backup = next((backup for backup in backups.every(folder) if backup.name == Path(name).name), None)
    if backup is None:
        raise ValueError(f"There is no backup {name!r}. `make reset` lists them.")
    path, other = folder / backups.original(backup), None
    kept = [backups.keep(half) for half in map(path.with_suffix, pair.SUFFIXES) if half.exists()]
    write(path, backup.read_bytes())
    for half in map(path.with_suffix, pair.SUFFIXES):
        if half != path and half.exists() and path.suffix in pair.SUFFIXES:
            pair.write_half(path, half)
            other = half
    pair.remember(path)
    print(f"{backups.named(path)} is as in {backup.name} again{f', and {other.name} as well' if other else ''}.")
    for old in kept:
        print(f"What stood there is kept: {backups.named(old)}")
    return 0


def _agreed(question: str) -> bool:
    try:
        return input(question).strip().lower() in ("y", "yes")
    except EOFError:  # nobody to ask
        print()
        return False


if __name__ == "__main__":
    sys.exit(main())
