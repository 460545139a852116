"""The events of a round in a file, one JSON line each, written as they happen: a crash loses nothing that was confirmed.

The first line tells what the round is made of. Many phones answer at once, so one write and one flush to the disk carry
everything that waits by then.
"""

import asyncio
import json
import os
from pathlib import Path

from classroom.live.errors import LiveError


class Journal:
    """Appends to a file. What was appended before `sync` returned is on the disk."""

    def __init__(self, path: Path):
        self._file = open(path, "ab", buffering=0)
        self._good = len(_whole(path.read_bytes()))  # behind it may lie a line that a crash has cut off: nobody relied on it
        self._file.truncate(self._good)
        self._waiting: list[str] = []
        self._appended = self._written = 0
        self._lock = asyncio.Lock()

    def append(self, event: dict) -> None:
        """Put an event in the queue. The order in the file is that of the calls."""
        self._waiting.append(json.dumps(event) + "\n")
        self._appended += 1

    async def sync(self) -> None:
        """Wait until all that was appended is on the disk. OSError if it cannot be written; it stays in the queue."""
        await asyncio.shield(asyncio.ensure_future(self._flush(self._appended)))

    async def _flush(self, goal: int) -> None:
        async with self._lock:
            if self._written >= goal:
                return  # whoever held the lock has written it along
            lines, self._waiting = self._waiting, []
            try:
                await asyncio.to_thread(self._write, "".join(lines).encode())
            except OSError:
                self._waiting = lines + self._waiting
                raise
            self._written += len(lines)

    def _write(self, data: bytes) -> None:
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
        except OSError:
            self._file.truncate(self._good)
            raise
        self._good += len(data)

    def close(self) -> None:
        """Write what still waits, and close the file."""
        with self._file:
            if self._waiting:
                self._write("".join(self._waiting).encode())


def begin(path: Path, header: dict) -> None:
    """Make the file with its first line. Only its owner may read it: it holds the presenter's secret."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(handle, "wb") as file:
        file.write(json.dumps(header).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def read(path: Path) -> tuple[dict, list[dict]] | None:
    """The first line and the events, without a last line that was cut off.

    Returns:
        None if there is no file, or a crash has left it empty.

    Raises:
        LiveError: a line is broken.
    """
    try:
        whole = _whole(path.read_bytes())
    except FileNotFoundError:
        return None
    lines = []
    for number, line in enumerate(whole.splitlines(), 1):
        try:
            lines.append(json.loads(line))
            if not isinstance(lines[-1], dict):
                raise ValueError
        except ValueError:
            raise LiveError(f"{path}, line {number} cannot be read. Mend it, or name a new folder: --out DIR.") from None
    return (lines[0], lines[1:]) if lines else None


def _whole(data: bytes) -> bytes:
    """The whole lines."""
    return data[: data.rfind(b"\n") + 1]
