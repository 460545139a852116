"""The questions in one file, for the copies that students get: without their keys, or with the keys packed.

    {"files": {"lora.toml": …}}    the questions as `quiz.keyless` leaves them
    {"packed": "eNrt…"}            everything: the quiz of such a copy grades on the spot, so it needs its keys

Packed, keys do not show in an editor or in a search. That keeps them from the eye, and not from a determined reader:
`unpack` is all it takes.
"""

import base64
import binascii
import json
import zlib
from pathlib import Path

NAME = "questions.json"


class Damaged(ValueError):
    """The file cannot be read."""

    def __init__(self):
        super().__init__(f"{NAME} is damaged; take it from your copy of the course again")


def written(files: dict[str, dict], pack: bool) -> str:
    """The text of the file that holds these files of the bank: content by name, as TOML is read."""
    if not pack:
        return json.dumps({"files": files}, indent=1, ensure_ascii=False) + "\n"
    data = zlib.compress(json.dumps(files, ensure_ascii=False).encode("utf-8"), 9)
    return json.dumps({"packed": base64.b64encode(data).decode("ascii")}) + "\n"


def unpack(text: str) -> dict[str, dict]:
    """The content of each file by its name. Damaged if the text is not one of `written`."""
    data = _data(text)
    try:
        return data["files"] if "files" in data else json.loads(zlib.decompress(base64.b64decode(data["packed"])))
    except (binascii.Error, zlib.error, ValueError, TypeError, LookupError):
        raise Damaged from None


def _data(text: str) -> dict:
    try:
        data = json.loads(text)
    except ValueError:
        raise Damaged from None
    if not isinstance(data, dict):
        raise Damaged
    return data


def holds(path: Path) -> bool:
    """Whether a file of the bank is not there, but the one file of a copy is beside its place."""
    return not path.exists() and path.with_name(NAME).exists()


def content(path: Path) -> dict:
    """What a file of the bank holds, out of the one file beside its place. Damaged if that cannot be read."""
    files = unpack(path.with_name(NAME).read_text(encoding="utf-8"))
    if not isinstance(files, dict) or path.name not in files:
        raise Damaged
    return files[path.name]


def is_open(path: Path) -> bool:
    """Whether a copy has something in place of a file of the bank that is not packed: then no key is in it."""
    return holds(path) and "files" in _data(path.with_name(NAME).read_text(encoding="utf-8"))
