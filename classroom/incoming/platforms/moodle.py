"""Moodle's zip of all submissions, in folders or flat.

Since Moodle 4.1, a folder is called `Full Name_1234567_assignsubmission_file`; before, an underscore came last. Flat, the
name of the file follows. Blind marking has `Participant` in place of the name, and in a team's hand-in name and number are
the group's. In Moodle's group mode, the older ones put the group and a hyphen before the name. Names have no underscore:
Moodle takes it out.
"""

import re
from collections import Counter
from pathlib import Path

from classroom.incoming.claims import TEAM
from classroom.incoming.platforms.claim import Claim, Claims, Listing, Who
from classroom.incoming.roster import Roster

NAME = "moodle"
_PART = re.compile(r"(?P<name>.+?)(?:_(?P<id>[0-9]+))?_assignsubmission_(?P<kind>[a-z0-9]+)(?:_(?P<rest>.*))?")
_FILES = (".ipynb", ".md", ".py", ".json", ".zip")


def recognise(listing: Listing, roster: Roster | None) -> Claims | None:
    """None unless most paths have the name of one of Moodle's submission plug-ins in them."""
    found = [next(filter(_PART.fullmatch, file.path), None) for file in listing.files]
    parts = set(filter(None, found))
    if not parts or 2 * (len(found) - found.count(None)) < len(found):
        return None
    names = {_PART.fullmatch(part)["name"] for part in parts}
    groups = _groups(names)
    hidden = len(names) == 1 < len({_PART.fullmatch(part)["id"] for part in parts}) and " " not in next(iter(names))

    def claim(path: tuple[str, ...]) -> Claim | None:
        for index, part in enumerate(path):
            if found := _PART.fullmatch(part):
                own = (*filter(None, [found["rest"]]), *path[index + 1 :]) or (part,)
                name, number = _without(found["name"], groups), found["id"] or ""
                name = f"{name} {number}" if hidden else name  # blind marking calls everybody a participant
                typed = found["kind"] != "file" and Path(own[-1]).suffix.lower() not in _FILES
                return Claim((Who(name, number),), own, typed=typed)
        return None

    return claim


def _groups(names: set[str]) -> set[str]:
    """The groups before the names, each with its hyphen. None, unless every name has one that several share, or that says so."""
    starts = Counter(start for name in names for start in _starts(name))
    shared = {name: [start for start in _starts(name) if starts[start] > 1 or TEAM.fullmatch(start[:-1])] for name in names}
    if not all(shared.values()):
        return {""} if not all(name.startswith("-") for name in names) else {"-"}
    return {max(found, key=len) for found in shared.values()}


def _starts(name: str) -> list[str]:
    """What may be a group: all up to a hyphen. `Anne-Marie` has no blank or digit before it, as most groups have."""
    starts = [name[: found.end()] for found in re.finditer("-", name[:-1])]
    return [start for start in starts if re.search(r"[\s\d]", start)]


def _without(name: str, groups: set[str]) -> str:
    start = max((group for group in groups if name.startswith(group)), key=len, default="")
    return name[len(start) :]
