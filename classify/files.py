"""The folder of a training: what may lie in it, and how a file comes into it as a whole or not at all."""

import json
import os
from collections.abc import Callable
from pathlib import Path

from classify import ClassifyError

STATE, LOCK, CONFIG, WEIGHTS, ENCODER = "state.pt", ".lock", "classifier.json", "weights.safetensors", "encoder"
REPORT_TEXT, REPORT = "report.txt", "report.json"  # REPORT is written last: a folder that holds it is complete
PARTIAL = ".partial"


def is_complete(folder: Path) -> bool:
    """Whether the training in this folder came to its end."""
    return (folder / REPORT).is_file()


def check_target(folder: Path, *, resume: bool) -> None:
    """ClassifyError if a training may not write into this folder: it must be new, or hold one to be resumed."""
    if folder.exists() and not folder.is_dir():
        raise ClassifyError(f"--out: {folder} is a file. Name a folder.")
    if is_complete(folder):
        if not resume:
            raise ClassifyError(f"--out: {folder} holds a finished training, which is not written over. Name a new folder.")
    elif (folder / STATE).exists():
        if not resume:
            raise ClassifyError(
                f"--out: {folder} holds a training that was not finished. Add --resume to go on with it, or name a new folder."
            )
    elif others := sorted(path.name for path in folder.glob("*") if path.name not in (LOCK, STATE + PARTIAL)):
        raise ClassifyError(f"--out: {folder} holds other files, such as {others[0]}. Name a new folder.")


def write(path: Path, action: Callable[[Path], object]) -> None:
    """Let the action write a file beside this one, and put it into its place at once. So a kill leaves the old file or the new one."""
    partial = path.with_name(path.name + PARTIAL)
    try:
        action(partial)
    except Exception as error:  # torch and safetensors raise kinds of their own when the disk is full
        partial.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise
        raise ClassifyError(f"{path} cannot be written ({str(error)[:200]}). Is the disk full? Make room, and try again.") from None
    with open(partial, "rb+") as file:
        os.fsync(file.fileno())
    os.replace(partial, path)


def write_text(path: Path, text: str, encoding: str = "utf-8") -> None:
    """Write a text as a whole or not at all."""
    write(path, lambda partial: partial.write_bytes(text.encode(encoding)))


def write_json(path: Path, content: dict) -> None:
    """Write JSON as a whole or not at all."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")
