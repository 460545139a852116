"""What the cells of the problem notebooks give when the stubs hold the references: `python site/solved.py`, some minutes.

The committed notebooks have blank stubs, so the cells that need them only say so. The site shows what they give, from the files
in site/solved, one a notebook: for each such cell the hash of its code and its outputs. A test says when they are out of date.
"""

import hashlib
import json
import sys
from pathlib import Path

import nbformat

SITE = Path(__file__).resolve().parent
FOLDER = SITE / "solved"


def waits(cell) -> bool:
    """Whether a cell only says which stub it needs."""
    from grader.problems import WAITS

    return any(WAITS in output.get("text", "") for output in cell.get("outputs", []))


def key(cell) -> str:
    return hashlib.sha256(cell.source.encode()).hexdigest()[:16]


def outputs(name: str) -> dict[str, list]:
    """By the key of a cell its outputs; empty for a notebook of which nothing was recorded."""
    path = FOLDER / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def record(problem) -> int:
    """Runs the solved notebook, and writes down what its waiting cells give. Returns how many these are."""
    import nbclient

    from grader import stubs

    blank = nbformat.read(problem.notebook_path(".ipynb"), as_version=4)
    copy = nbformat.read(problem.notebook_path(".ipynb"), as_version=4)
    stubs.put(copy, problem, stubs.solved)
    folder = {"metadata": {"path": problem.notebook_path(".ipynb").parent}}
    nbclient.NotebookClient(copy, timeout=900, kernel_name="python3", resources=folder).execute()
    found = {key(cell): [_plain(output) for output in run.outputs] for cell, run in zip(blank.cells, copy.cells) if waits(cell)}
    FOLDER.mkdir(exist_ok=True)
    text = json.dumps(found, indent=1, ensure_ascii=False) + "\n"
    (FOLDER / f"{problem.notebook}.json").write_text(text, encoding="utf-8", newline="\n")
    return len(found)


def _plain(output) -> dict:
    """An output without what changes from run to run."""
    kept = {name: value for name, value in output.items() if name != "transient"}
    return kept | ({"execution_count": None} if "execution_count" in kept else {})


if __name__ == "__main__":
    sys.path.insert(0, str(SITE.parent))
    from grader.problems import PROBLEMS

    for problem in PROBLEMS.values():
        print(f"{problem.notebook}: {record(problem)} cells", flush=True)
