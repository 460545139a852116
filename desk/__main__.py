"""`python -m desk lab [OPTIONS OF JUPYTERLAB]` and `python -m desk update [FROM]`.

lab     opens the course in JupyterLab, after bringing the halves of all notebooks in step
update  takes a new edition of the course and carries your work over. FROM is a folder, a zip, or a branch such as
        origin/main; without it, the branch that this clone follows

Exit status 0: done; 2: it cannot be done, and why.
"""

import os
import subprocess
import sys
from pathlib import Path

from desk import pair, server, update

COURSE = Path(__file__).resolve().parent.parent
START = "01_supervised_finetuning.ipynb"


def main(arguments: list[str]) -> int:
    match arguments:
        case ["lab", *options]:
            return lab(options)
        case ["update", *where] if len(where) < 2:
            return new_edition(*where)
    print(__doc__, file=sys.stderr)
    return 2


def lab(options: list[str]) -> int:
    """Start JupyterLab in the folder of the course."""
    for notebook in sorted({path.with_suffix(".ipynb") for path in (COURSE / "notebooks").glob("[0-9]*.*")}):
        try:
            said = pair.bring_in_step(notebook)
        except (pair.Unreadable, OSError) as error:
            said = f"{notebook.name}: {error}"
        if said:
            print(f"Note: {said}")
    server.install()
    command = [sys.executable, "-m", "jupyter", "lab", *options]
    if not any("default_url" in option for option in options):
        command.append(f"--LabApp.default_url=/lab/tree/notebooks/{START}")
    if hasattr(os, "geteuid") and os.geteuid() == 0 and "--allow-root" not in options:
        print("You are the user root, so JupyterLab is started with --allow-root: what runs in a notebook may change the whole system.")
        command.append("--allow-root")
    try:
        return subprocess.run(command, cwd=COURSE).returncode
    except KeyboardInterrupt:  # Ctrl-C reaches both, and JupyterLab has said what there is to say
        return 0


def new_edition(source: str = "") -> int:
    """Update the course, and tell what was done."""
    try:
        is_copy = source and (Path(source).exists() or source.endswith(".zip"))
        said = update.from_copy(COURSE, Path(source)) if is_copy else update.from_git(COURSE, source)
    except (update.NoUpdate, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    print("\n".join([*said, "If a notebook is open in JupyterLab, reload it from disk."]))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
