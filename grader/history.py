"""What was graded when: one line of JSON for each grading, in the student's folder. Needs no torch.

Lines are only ever added. The coach reads from them which mistakes were made and mended, and how long that took.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from desk import clock
from grader.store import FOLDER
from grader.verdict import Report

NAME = "history.jsonl"


@dataclass(frozen=True)
class Graded:
    """One grading.

    Attributes:
        stubs: by the stub that was looked at, its points and the most there are.
        mistakes: by the stub, the known mistakes that were named in it.
    """

    at: datetime
    problem: str
    stubs: dict[str, tuple[int, int]]
    mistakes: dict[str, list[str]]

    def is_solved(self, stub: str) -> bool:
        points, most = self.stubs.get(stub, (0, 1))
        return points == most


def note(report: Report, at: datetime | None = None, folder: Path = FOLDER) -> None:
    """Add a grading. One in which nothing was tried yet adds nothing. A folder that cannot be written is no one's trouble."""
    if all(result.status == "todo" for result in report.results):
        return
    stubs, mistakes = {}, {}
    for result in report.results:
        stub = result.check.stub
        points, most = stubs.get(stub, (0, 0))
        stubs[stub] = points + result.points, most + result.check.points
        if result.diagnosis and result.diagnosis.id not in mistakes.setdefault(stub, []):
            mistakes[stub].append(result.diagnosis.id)
    with suppress(OSError, ValueError):
        entry = {"at": (at or clock.now()).isoformat(timespec="seconds"), "problem": report.problem.id}
        line = json.dumps(entry | {"stubs": stubs, "mistakes": {stub: names for stub, names in mistakes.items() if names}})
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / NAME, "a", encoding="utf-8") as file:
            file.write(line + "\n")


def gradings(folder: Path = FOLDER) -> list[Graded]:
    """All gradings, the oldest first. Lines that are damaged are left out."""
    try:
        lines = (folder / NAME).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return list(_read(lines))


def _read(lines: list[str]) -> Iterator[Graded]:
    for line in lines:
        with suppress(ValueError, LookupError, TypeError, AttributeError):
            told = json.loads(line)
            stubs = {stub: (int(points), int(most)) for stub, (points, most) in told["stubs"].items()}
            yield Graded(datetime.fromisoformat(told["at"]), told["problem"], stubs, dict(told["mistakes"]))
