"""What a path in a platform's download says of a file, and what all paths together are."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from classroom.incoming.archives import File


@dataclass(frozen=True)
class Who:
    """A student or a team, as the platform names them. What it does not say is ""."""

    name: str
    id: str = ""
    login: str = ""
    email: str = ""


@dataclass(frozen=True)
class Claim:
    """What is known of a file from its place.

    who: those who handed it in.
    own: the path as the student named it; empty for a record of the platform itself, which is no part of a submission.
    late: the platform's own words.
    attempt: the submission of which the file is a part, if there may be several; sorts as time goes.
    upload: Canvas's number of the upload, else 0. A later upload has a higher one.
    typed: whether the student typed a text on the platform instead of uploading a file.
    home: where the name of the student stands, and what lies below it. Files of two homes may be of two students of one name.
    """

    who: tuple[Who, ...]
    own: tuple[str, ...]
    late: str = ""
    late_seconds: int | None = None
    submitted: datetime | None = None
    attempt: str = ""
    upload: int = 0
    typed: bool = False
    home: tuple[str, ...] = ()


Claims = Callable[[tuple[str, ...]], Claim | None]


@dataclass(frozen=True)
class Listing:
    """All files of an archive.

    label: what messages call it.
    stem: the name of the zip without its ending; "" for a folder.
    level: at which level of the path the students' names stand, counted from 1; 0 if the instructor has not said so.
    """

    files: list[File]
    label: str
    stem: str
    level: int = 0
