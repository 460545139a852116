"""The folder of a run: one run at a time, its seed, and what was stated in it, so that later runs need not state it again."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import filelock

from classroom.grading.runner import RUN, GradeError
from desk.files import write

FORMAT = 1
LOCK = ".lock"


@dataclass
class Kept:
    """What a run's folder remembers. Files are named by their whole paths; what was not stated is None or empty."""

    seed: int | None = None
    problems: list[str] = field(default_factory=list)
    assignment: str | None = None
    column: str = ""
    roster: str | None = None
    overrides: str | None = None


def read(out: Path) -> Kept:
    """What was stated in the folder so far. GradeError if it is no folder of a run."""
    path = out / RUN
    try:
        if not path.exists():
            if out.exists() and (not out.is_dir() or any(one.name != LOCK for one in out.iterdir())):
                raise GradeError(f"{out} exists and is no folder of a run. Name a new folder.")
            return Kept()
        data = json.loads(path.read_text(encoding="utf-8"))
        kept = Kept(**{key: value for key, value in data.items() if key != "format"})
        if data["format"] != FORMAT or type(kept.seed) is not int:
            raise ValueError
        return kept
    except OSError as error:
        raise GradeError(f"{error.filename or out} cannot be used: {error.strerror}. Name another folder.") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise GradeError(f"{path} is broken. Name a new folder.") from None


@contextmanager
def alone(out: Path, kept: Kept) -> Iterator[None]:
    """Make the folder and keep what is stated, while no other run is at work in it. GradeError if one is.

    The lock belongs to the process: when that ends, however it ends, the folder is free.
    """
    lock = filelock.FileLock(out / LOCK)
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=False)
        write(out / RUN, (json.dumps({"format": FORMAT} | asdict(kept)) + "\n").encode())
    except filelock.Timeout:
        raise GradeError(f"Another run is at work in {out}. Wait until it has ended, or name another folder.") from None
    except OSError as error:
        lock.release()
        raise GradeError(f"{error.filename or out} cannot be used: {error.strerror}. Name another folder.") from None
    try:
        yield
    finally:
        lock.release()
