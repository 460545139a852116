"""Blackboard's zip of the Grade Center: `LoRA_aberg01_attempt_2025-11-20-12-00-00_lora.ipynb`, and for each attempt a .txt.

The .txt says `Name: Anna Berg (aberg01)`. The assignment and the login may have underscores, so the text decides where
one ends. The full export puts `gradebook_` and the course before it.
"""

import os
import re
from datetime import datetime

from classroom.incoming.archives import File, Refused
from classroom.incoming.errors import CollectError
from classroom.incoming.platforms.claim import Claim, Claims, Listing, Who
from classroom.incoming.roster import Roster

NAME = "blackboard"
_FILE = re.compile(r"(?P<before>.+?)_attempt_(?P<date>\d{4}(?:-\d\d){5})(?P<rest>[_.].+)?")
_NAMED = re.compile(r"^\ufeff?\s*[^\W\d_]+[ \t]*:[ \t]*(?P<name>.*?)[ \t]*\((?P<login>[^()\s]+)\)[ \t]*\r?$", re.MULTILINE)


def recognise(listing: Listing, roster: Roster | None) -> Claims | None:
    """None unless most files have the time of an attempt in their names."""
    found = {file.path: at for file in listing.files if (at := _found(file.path))}
    if 2 * len(found) < len(listing.files) or not found:
        return None
    before = {match["before"] for _, match in found.values()}
    names = dict(
        filter(None, (_person(file) for file in listing.files if file.path in found and _is_record(found[file.path][1])))
    )
    logins = {one: _login(one, names, roster, _start(before)) for one in before}
    if "" in logins.values():
        raise CollectError(
            f"In {listing.label}, the .txt files of Blackboard are missing, which say whose the submissions are. Download "
            "it again with them, or give the list of the class (--roster)."
        )

    def claim(path: tuple[str, ...]) -> Claim | None:
        if (at := _found(path)) is None:
            return None
        index, match = at
        login = logins.get(match["before"])
        if not login:  # inside a zip that was not looked into
            return None
        when = datetime.strptime(match["date"], "%Y-%m-%d-%H-%M-%S")
        own = () if _is_record(match) else ((match["rest"] or "").lstrip("_"), *path[index + 1 :])
        return Claim((Who(names.get(login, login), login, login),), own, submitted=when, attempt=f"{when}")

    return claim


def _found(path: tuple[str, ...]) -> tuple[int, re.Match] | None:
    return next(((index, found) for index, part in enumerate(path[:3]) if (found := _FILE.fullmatch(part))), None)


def _is_record(found: re.Match) -> bool:
    return found["rest"] in (".txt", ".TXT")


def _person(file: File) -> tuple[str, str] | None:
    """Login and name, as the text of an attempt has them."""
    try:
        found = _NAMED.search(file.read()[:2000].decode("utf-8", errors="replace"))
    except Refused:
        return None
    return (found["login"], found["name"] or found["login"]) if found else None


def _login(before: str, names: dict[str, str], roster: Roster | None, start: str) -> str:
    """What of `LoRA_aberg01` is the login: one that is known, else what follows the part that all have; "" if not sure."""
    ends = [before[found.end() :] for found in re.finditer("_", before)]
    for known in (names.__contains__, roster.has if roster else lambda login: False):
        if fitting := [end for end in ends if known(end)]:
            return fitting[0]
    return before[len(start) :] if before.startswith(start) and start else ""


def _start(before: set[str]) -> str:
    """`LoRA_` for `LoRA_aberg01` and `LoRA_bcarter`, and for one student all before the last word; "" if there is no such."""
    common = os.path.commonprefix(sorted(before))
    return common[: common.rfind("_") + 1]
