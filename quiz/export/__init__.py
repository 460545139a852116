"""The questions for other systems, and as data. Each format is a module, and all read an item through `quiz.export.content`.

moodle   Moodle XML                           qti     QTI 1.2 in an IMS package (Canvas, Blackboard, Brightspace)
gift     Moodle's text format                 qti21   QTI 2.1 in an IMS package
anki     a package of Anki decks              csv     a table for a spreadsheet
json     everything, as data                  schema  what that JSON is made of
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from quiz.bank import Item
from quiz.export.data import as_json, schema
from quiz.export.notes import Notes

__all__ = ["FORMATS", "as_json", "save", "schema", "write"]


@dataclass(frozen=True)
class Format:
    """A format: the module that writes it, how its files end, and whether a terminal could show it."""

    module: str
    suffix: str
    is_text: bool = True


FORMATS = {
    "json": Format("data", ".json"),
    "moodle": Format("moodle", ".xml"),
    "qti": Format("qti12", ".zip", is_text=False),
    "qti21": Format("qti21", ".zip", is_text=False),
    "gift": Format("gift", ".txt"),
    "anki": Format("anki", ".apkg", is_text=False),
    "csv": Format("table", ".csv"),
}


def write(name: str, items: Sequence[Item]) -> tuple[str | bytes, list[str]]:
    """These items in a format: a text, or the bytes of a package. And what it cannot hold, a line a reason.

    Raises:
        Broken: the format needs a package that is not installed. The message says which.
    """
    notes = Notes()
    return import_module(f"quiz.export.{FORMATS[name].module}").write(items, notes), notes.lines()


def save(written: str | bytes, path: Path) -> None:
    """Write an export into a new file. OSError says what is wrong with its place, or that there is a file already."""
    try:
        file = path.open("xb")
    except FileExistsError:
        raise OSError(f"{path} exists already. Name another file, or move that one away.") from None
    except OSError as error:
        raise OSError(f"{path} cannot be written ({error.strerror}).") from None
    try:
        with file:
            file.write(written if isinstance(written, bytes) else written.encode("utf-8"))
    except OSError as error:
        path.unlink(missing_ok=True)  # half an export would look like a whole one
        raise OSError(f"{path} cannot be written ({error.strerror}).") from None
