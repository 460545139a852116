"""What the download of each platform looks like: a module for each platform.

Such a module has a NAME and a function `recognise`. It looks at the whole listing of an archive, and returns None if
that is not this platform's, else a function that tells of a path whose it is. The next platform is one more
module in PLATFORMS; if it has a list of the class of its own, that is one more entry in `incoming/columns.py`.
"""

from classroom.incoming.errors import CollectError
from classroom.incoming.platforms import blackboard, brightspace, canvas, folders, github, google, gradescope, moodle
from classroom.incoming.platforms.claim import Claim, Claims, Listing, Who
from classroom.incoming.roster import Roster

__all__ = ["NAMES", "Claim", "Claims", "Listing", "Who", "recognise"]

# The surest signs come first. What no platform has made is a folder that somebody has put in order.
PLATFORMS = (moodle, gradescope, blackboard, brightspace, canvas, google, github, folders)
NAMES = tuple(platform.NAME for platform in PLATFORMS)


def recognise(listing: Listing, roster: Roster | None, wanted: str = "") -> tuple[str, Claims]:
    """The platform from which an archive comes, and whose each path is.

    Args:
        wanted: the name of the platform that the instructor has named, if any.
    """
    for platform in PLATFORMS:
        if wanted in ("", platform.NAME) and (claims := platform.recognise(listing, roster)):
            return platform.NAME, claims
    raise CollectError(
        f"{listing.label} is not laid out as {wanted.title()} does it. Leave --platform out, or give the download as it came."
    )
