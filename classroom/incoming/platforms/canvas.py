"""Canvas's zip of all submissions: `mullerjorg_LATE_12345_67890_lora-1.ipynb`.

The number after the name is of the person, also where the name is a group's (then of the one who uploaded), the next of the
upload. An anonymous one has `anon_` and letters in place of name and number. `_text.html` is a text, `_link.html` an address.
"""

import re

from classroom.incoming.claims import NAMES
from classroom.incoming.platforms.claim import Claim, Claims, Listing, Who
from classroom.incoming.roster import Roster

NAME = "canvas"
_FILE = re.compile(
    r"(?:(?P<anon_late>LATE_)?(?P<anon>anon_[A-Za-z0-9]+)|(?P<name>[^\s/.,()-]+?)_(?P<late>LATE_)?(?P<id>[0-9]+))_"
    r"(?:(?P<attachment>[0-9]+)_(?P<rest>.+)|(?P<typed>(?:text|link)\.html))"
)


def recognise(listing: Listing, roster: Roster | None) -> Claims | None:
    """None unless most files are named so: one alone may look so by chance."""
    named = sum(_found(file.path) is not None for file in listing.files)
    if not named or 2 * named <= len(listing.files):
        return None

    def claim(path: tuple[str, ...]) -> Claim | None:
        if (at := _found(path)) is None:
            return None
        index, found = at
        late = "late" if found["late"] or found["anon_late"] else ""
        who = Who(found["name"] or found["anon"], found["id"] or found["anon"])
        own = (found["rest"] or found["typed"], *path[index + 1 :])
        upload = int(found["attachment"] or 0)
        return Claim((who,), own, late, None if late else 0, upload=upload, typed=bool(found["typed"]))

    return claim


def _found(path: tuple[str, ...]) -> tuple[int, re.Match] | None:
    for index, part in enumerate(path[:3]):
        if (found := _FILE.fullmatch(part)) and not _is_chance(found):
            return index, found
    return None


def _is_chance(found: re.Match) -> bool:
    """Whether a name only looks like Canvas's, since a notebook's name is where Canvas has the student or a number."""
    before_rest = found.start("attachment") if found["attachment"] else 0
    return any(stem.search(found["name"] or "") or stem.match(found.string, before_rest) for stem in NAMES)
