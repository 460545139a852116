"""What stood in a file before something of the course wrote into it.

Backups of `notebooks/x.ipynb` lie in `notebooks/.course/backups`, which a file browser does not show beside the notebook.
The course never deletes one.
"""

import re
import shutil
import time
from pathlib import Path

KEPT = ".course"  # the folder, beside a notebook, of what the course keeps for itself


def folder(path: Path) -> Path:
    """Where the backups of a file lie."""
    return path.parent / KEPT / "backups"


def keep(path: Path) -> Path | None:
    """Copy a file to the backups. Returns the copy, or None if there is no file. What is there already is not copied again."""
    if not path.exists():
        return None
    data = path.read_bytes()
    for backup in of(path):
        if backup.read_bytes() == data:
            return backup
    name = f"{path.stem}.{time.strftime('%Y-%m-%d_%H%M%S')}"
    number, backup = 1, folder(path) / f"{name}{path.suffix}"
    while backup.exists():  # two in one second
        number += 1
        backup = folder(path) / f"{name}-{number}{path.suffix}"
    backup.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(path, backup)
    return backup


def of(path: Path) -> list[Path]:
    """The backups of a file, the oldest first."""
    found = [backup for backup in folder(path).glob(f"*{path.suffix}") if original(backup) == path.name]
    return sorted(found, key=lambda backup: (backup.stat().st_mtime_ns, backup.name))


def every(notebooks: Path) -> list[Path]:
    """All backups of the files of a folder, the oldest first."""
    here = folder(notebooks / "any")
    return sorted((path for path in here.glob("*") if path.is_file()), key=lambda path: _STAMP.findall(path.name))


_STAMP = re.compile(r"\.\d{4}-\d\d-\d\d_\d{6}(?:-\d+)?(?=\.\w+$)")


def original(backup: Path) -> str:
    """The name of the file that a backup was made of: `x.2026-11-25_231501.md` is one of `x.md`."""
    return _STAMP.sub("", backup.name)


def named(path: Path, base: Path | None = None) -> str:
    """A path as a person should read it: from the folder where they are, if it lies under it."""
    base = base or Path.cwd()
    return path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path)
