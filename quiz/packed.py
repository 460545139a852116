"""The questions in one packed file, for the copies that students get.

The quiz grades on the spot, so it needs its keys in every copy. Packed, they do not show in an editor or in a search.
That keeps them from the eye, and not from a determined reader: `unpack` is all it takes.
"""

import base64
import binascii
import json
import tomllib
import zlib
from collections.abc import Iterable
from pathlib import Path

NAME = "questions.packed"


class Damaged(ValueError):
    """The packed file cannot be read."""


def pack(files: Iterable[Path]) -> str:
    """The content of TOML files as one text of letters and digits, in lines of 120."""
    contents = {path.name: tomllib.loads(path.read_text(encoding="utf-8")) for path in sorted(files)}
    data = zlib.compress(json.dumps(contents, ensure_ascii=False).encode("utf-8"), 9)
    text = base64.b64encode(data).decode("ascii")
    return "".join(f"{text[start : start + 120]}\n" for start in range(0, len(text), 120))


def unpack(text: str) -> dict[str, dict]:
    """The content of each file by its name. Damaged if the text is not one of `pack`."""
    try:
        return json.loads(zlib.decompress(base64.b64decode(text)))
    except (binascii.Error, zlib.error, ValueError):
        raise Damaged(f"{NAME} is damaged; take it from your copy of the course again") from None


def holds(path: Path) -> bool:
    """Whether a file of the bank is not there, but a packed file beside its place is."""
    return not path.exists() and path.with_name(NAME).exists()


def content(path: Path) -> dict:
    """What a file of the bank holds, out of the packed file beside its place. Damaged if that cannot be read."""
    files = unpack(path.with_name(NAME).read_text(encoding="utf-8"))
    if path.name not in files:
        raise Damaged(f"{NAME} does not hold it")
    return files[path.name]
