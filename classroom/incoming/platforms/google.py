"""A folder of Google Classroom, as Google Drive zips it.

`LoRA homework/Anna Berg - lora.ipynb` stands in `LoRA homework-20251120T120000Z-1-001.zip`. A large
folder comes in several zips; they are read as one. `Copy of lora.ipynb` does not say whose it is.
"""

import re

from classroom.incoming.claims import name_in
from classroom.incoming.platforms.claim import Claim, Claims, Listing, Who
from classroom.incoming.roster import Roster

NAME = "google"
DOWNLOAD = re.compile(r"(?P<folder>.+)-\d{8}T\d{6}Z(?:-\d+)*")


def recognise(listing: Listing, roster: Roster | None) -> Claims | None:
    """None unless the zip is named as Drive names it, or the list of the class is Google's and names most of the files."""
    paths = [file.path for file in listing.files]
    shared = len({path[0] for path in paths}) == 1 and all(len(path) > 1 for path in paths)
    skip = int(bool(shared))
    named = [path for path in paths if " - " in path[min(skip, len(path) - 1)]]
    of_class = roster is not None and roster.kind == NAME and 2 * len(named) > len(paths)
    if not named or not (DOWNLOAD.fullmatch(listing.stem) or of_class):
        return None

    def claim(path: tuple[str, ...]) -> Claim | None:
        part = path[min(skip, len(path) - 1)]
        name, _, rest = part.partition(" - ")
        if not rest and roster and roster.match(found := name_in(part, is_file=skip == len(path) - 1)):
            name, rest = found, part
        if not rest or not (name := name_in(name, is_file=False)):
            return None
        return Claim((Who(name),), (rest, *path[skip + 1 :]), home=path[skip:])

    return claim
