"""Brightspace's zip of an assignment: `123456-78901 - Anna Berg - Nov 20, 2025 1200 PM/lora.ipynb`, or flat.

An index.html stands beside. The numbers need not be of the person. Each attempt has its own date, in the language of the site.
"""

import re
from collections import defaultdict
from datetime import datetime

from classroom.incoming.platforms.claim import Claim, Claims, Listing, Who
from classroom.incoming.roster import Roster
from classroom.incoming.times import label

NAME = "brightspace"
_DAY = r"[^\W\d_]+\.? \d{1,2}, \d{4}|\d{1,2}\.? [^\W\d_]+\.? \d{4},?|\d{4}-\d\d-\d\d"
_WHEN = rf"(?:{_DAY}) \d{{1,4}}(?: [AP]M)?"
_PART = re.compile(rf"(?P<number>[0-9]+-[0-9]+) - (?P<name>.+?) - (?P<date>{_WHEN})(?: - (?P<rest>.+))?", re.IGNORECASE)
_MONTHS = (
    "jan ene gen janv", "feb fév fev", "mar mär mrt", "apr avr abr", "may mai mag mei", "jun juin giu", "jul juil lug",
    "aug août ago", "sep set", "oct okt ott out", "nov", "dec dez déc dic",
)  # fmt: skip


def recognise(listing: Listing, roster: Roster | None) -> Claims | None:
    """None unless most paths have numbers, a name and a date between hyphens."""
    found = [next(filter(None, map(_PART.fullmatch, file.path[:3])), None) for file in listing.files]
    parts = list(filter(None, found))
    if not parts or 2 * len(parts) < len(listing.files):
        return None
    numbers = defaultdict(set)
    for found in parts:
        numbers[found["number"]].add(found["name"])
    of_persons = all(len(names) == 1 for names in numbers.values())

    def claim(path: tuple[str, ...]) -> Claim | None:
        for index, part in enumerate(path[:3]):
            if found := _PART.fullmatch(part):
                when = _time(found["date"])
                own = (*filter(None, [found["rest"]]), *path[index + 1 :]) or (part,)
                home = (found["number"] if of_persons else "", found["name"])
                return Claim(
                    (Who(found["name"]),), own, submitted=when, attempt=label(when) if when else f"?{found['date']}", home=home
                )
        return Claim((), ()) if path[-1].casefold() == "index.html" and len(path) < 3 else None

    return claim


def _time(text: str) -> datetime | None:
    """The date, with the hour and no colon: `Nov 20, 2025 1200 PM`, `20 nov. 2025 905`. None if it is not understood."""
    if iso := re.fullmatch(r"(\d{4})-(\d\d)-(\d\d) (.+)", text):
        year, month, day, clock = int(iso[1]), int(iso[2]), int(iso[3]), iso[4]
    elif words := re.fullmatch(r"(?:(\d+)\.? )?([^\W\d_]+)\.? (?:(\d+), )?(\d{4}),? (.+)", text):
        year, month, day, clock = int(words[4]), _month(words[2]), int(words[1] or words[3] or 0), words[5]
    else:
        return None
    hours, half = int(re.match(r"\d+", clock)[0]), clock.upper()[-2:]
    hour = hours // 100 % 12 + 12 * (half == "PM") if half in ("AM", "PM") else hours // 100
    try:
        return datetime(year, month, day, hour, hours % 100)
    except ValueError:
        return None


def _month(word: str) -> int:
    """The number of a month by the beginning of its name. 0 if it is not known."""
    known = [
        (len(start), number)
        for number, starts in enumerate(_MONTHS, 1)
        for start in starts.split()
        if word.casefold().startswith(start)
    ]
    return max(known, default=(0, 0))[1]
