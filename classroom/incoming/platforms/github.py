"""Clones of GitHub Classroom: a repository for each student, `lora-annaberg`, alone or in `lora-submissions`."""

import os
import re

from classroom.incoming.platforms.claim import Claim, Claims, Listing, Who
from classroom.incoming.roster import Roster
from grader.problems import PROBLEMS

NAME = "github"


def recognise(listing: Listing, roster: Roster | None) -> Claims | None:
    """None unless the folders look like repositories of one assignment."""
    if not all(len(file.path) > 1 for file in listing.files):
        return None
    tops = {file.path[0] for file in listing.files}
    gathered = (
        len(tops) == 1 and next(iter(tops)).endswith("-submissions") and all(len(file.path) > 2 for file in listing.files)
    )
    level = int(gathered)
    names = {file.path[level] for file in listing.files}
    logins = roster.logins if roster and roster.kind == NAME else []
    known = {name: login for name in names for login in reversed(logins) if name.casefold().endswith(f"-{login.casefold()}")}
    start = next(iter(tops)).removesuffix("submissions") if gathered else ""
    if not all(name.startswith(start) for name in names) or not start:
        start = _start(names)
    if 2 * len(known) < len(names) and not (start and all(map(_is_repository, names))) or not (known or start):
        return None

    def claim(path: tuple[str, ...]) -> Claim | None:
        if len(path) <= level + 1:
            return None
        login = known.get(path[level]) or path[level].removeprefix(start)
        return Claim((Who(login, login, login),), path[level + 1 :])

    return claim


def _start(names: set[str]) -> str:
    """`lora-` for `lora-annaberg` and `lora-bcarter`; "" where the common part is none of the course's words."""
    common = os.path.commonprefix(sorted(names)) if len(names) > 2 else ""
    common = common[: common.rfind("-") + 1]
    return common if set(re.split(r"[\W_]+", common.casefold())) & set(PROBLEMS) else ""


def _is_repository(name: str) -> bool:
    return bool(re.fullmatch(r"[A-Za-z0-9._-]+", name))
