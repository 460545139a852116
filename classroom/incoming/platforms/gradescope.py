"""Gradescope's export of all submissions: a folder each, and submission_metadata.yml, which says whose they are.

Several submitters of one submission are a group: it counts for each of them.
"""

import os
import re

import yaml

from classroom.incoming.archives import File, Refused
from classroom.incoming.errors import CollectError
from classroom.incoming.platforms.claim import Claim, Claims, Listing, Who
from classroom.incoming.roster import Roster
from classroom.incoming.times import label, parsed

NAME = "gradescope"
_METADATA = "submission_metadata.yml"
_SUBMISSION = re.compile(r"submission_[0-9]+")
_EXPORT = re.compile(r"assignment_[0-9]+_export")


def recognise(listing: Listing, roster: Roster | None) -> Claims | None:
    """None if there are neither the metadata nor an export's folders."""
    shared = os.path.commonprefix([file.path[:-1] for file in listing.files])
    metadata = [file for file in listing.files if file.path == (*shared, _METADATA)]  # a student may hand in one as well
    tops = {part for file in listing.files for part in file.path[:1]}
    if not metadata and not any(map(_EXPORT.fullmatch, tops)) and not all(map(_SUBMISSION.fullmatch, tops)):
        return None
    if not metadata:
        raise CollectError(
            f"{listing.label} has submissions of Gradescope, but no {_METADATA}, which says whose they are. Choose “Export "
            "Submissions” at the assignment's “Review Grades”, and give that zip as it comes."
        )
    known = {key: entry for file in metadata for key, entry in _read(file, listing.label).items()}

    def claim(path: tuple[str, ...]) -> Claim | None:
        if path[-1] == _METADATA:
            return Claim((), ())
        for index, part in enumerate(path[:-1]):
            if part in known:
                return _claim(known[part], path[index + 1 :], part)
        return None

    return claim


def _read(file: File, where: str) -> dict[str, dict]:
    """The metadata by the submission's folder. All values are texts: no tag of Ruby is obeyed."""
    loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
    try:
        found = yaml.load(file.read(), Loader=loader)
    except (yaml.YAMLError, Refused, UnicodeError, RecursionError):
        raise CollectError(f"{_METADATA} in {where} cannot be read. Export the submissions from Gradescope again.") from None
    entries = found if isinstance(found, dict) else {}
    return {str(key): entry for key, entry in entries.items() if isinstance(entry, dict) and _submitters(entry)}


def _submitters(entry: dict) -> tuple[Who, ...]:
    found = entry.get(":submitters") or []
    people = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    texts = [[str(one.get(key) or "").strip() for key in (":name", ":sid", ":email")] for one in people]
    return tuple(Who(name or email or sid, sid or email, email=email) for name, sid, email in texts if name or sid or email)


def _claim(entry: dict, own: tuple[str, ...], submission: str) -> Claim:
    when = parsed(str(entry.get(":created_at") or ""))
    return Claim(_submitters(entry), own, submitted=when, attempt=f"{label(when)} {submission}" if when else submission)
