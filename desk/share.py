"""`python -m desk share`: make an installation ready for a class. Its owner runs this once, and again after a change."""

import compileall
import os
import stat
import subprocess
import sys
from pathlib import Path

from desk import edition, pair, place

READABLE, PASSABLE, WRITABLE = stat.S_IRGRP | stat.S_IROTH, stat.S_IXGRP | stat.S_IXOTH, stat.S_IWGRP | stat.S_IWOTH
PREPARE = "from grader.judge import prepare; from grader.problems import PROBLEMS; [prepare(one) for one in PROBLEMS.values()]"


def share() -> list[str]:
    """Have the grader ready, and let everybody read the course and nobody else write it. Returns sentences for its owner.

    Raises:
        OSError: the course belongs to somebody else.
    """
    subprocess.run([sys.executable, "-c", PREPARE], cwd=place.COURSE)
    for package in place.COURSE.glob("*/__init__.py"):
        compileall.compile_dir(package.parent, quiet=1)
    _open(place.COURSE)
    said = [f"{folder} is closed to other users, and the course needs it: chmod go+x {folder}" for folder in _closed()]
    for name, count in _own_cells().items():
        said.append(f"{name}: {count} cells are not the course's, and students will get them. `make reset` blanks stubs.")
    if (place.COURSE / "solutions" / "lora.py").exists() and (place.COURSE / "classroom").exists():
        said.append(
            "Students can read the solutions and the keys of the quiz here. To keep them back, share what `make release` makes."
        )
    program = Path(sys.prefix, "bin", "course")
    command = program if program.exists() else f"{sys.executable} -m desk"
    return [
        *said,
        f"Each student types, once: {command} start",
        f'In jupyterhub_config.py: c.Spawner.cmd = ["{sys.executable}", "-m", "desk", "hub"]',
    ]


def _open(course: Path) -> None:
    for folder, _, files in os.walk(course):
        for path in (Path(folder), *(Path(folder, name) for name in files)):
            if path.is_symlink():
                continue
            mode = path.stat().st_mode
            runs = path.is_dir() or mode & stat.S_IXUSR
            path.chmod((mode | READABLE | (PASSABLE if runs else 0)) & ~WRITABLE)


def _closed() -> list[Path]:
    """The folders above the course and its Python through which others cannot pass."""
    places = {above for path in (place.COURSE, Path(sys.prefix), Path(sys.base_prefix)) for above in (path, *path.parents)}
    return sorted(folder for folder in places if not folder.stat().st_mode & stat.S_IXOTH)


def _own_cells() -> dict[str, int]:
    """By notebook of the course, how many of its cells are not as they were published."""
    found = {}
    for path in sorted((place.COURSE / "notebooks").glob("[0-9]*.ipynb")):
        try:
            own = len(edition.own_cells(path.stem, pair.read(path).cells))
        except pair.Unreadable:
            continue  # whoever opens it is told
        if own:
            found[path.stem] = own
    return found
