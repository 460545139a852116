"""Files that others read while they are written."""

import os
from pathlib import Path


def put(path: Path, content: bytes) -> None:
    """Write a file at once: through another, which then takes its place. If it fails, what was there stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    other = path.with_name(f".{os.getpid()}.tmp")
    try:
        other.write_bytes(content)
        os.replace(other, path)
    finally:
        other.unlink(missing_ok=True)
