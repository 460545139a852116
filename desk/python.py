"""A command of the course that was typed with another Python than the course's goes on with the course's."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

COURSE = Path(__file__).resolve().parent.parent
PLACES = (".venv/bin/python", ".venv/Scripts/python.exe")


def right_one(package: str) -> None:
    """Runs `python -m package` again with the Python of .venv, if this one lacks what the course uses. Then it does not return."""
    if all(map(find_spec, ("pydantic", "rich", "numpy"))):
        return
    python = next((COURSE / place for place in PLACES if (COURSE / place).exists()), None)
    if python is None or Path(sys.prefix).resolve() == (COURSE / ".venv").resolve():
        sys.exit("The packages of the course are not installed here. Type “make check” once: it makes the environment .venv.")
    command = [str(python), "-m", package, *sys.argv[1:]]
    if os.name != "nt":
        os.execv(python, command)  # Ctrl-C then reaches the command alone
    sys.exit(subprocess.run(command).returncode)
