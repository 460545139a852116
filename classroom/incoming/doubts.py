"""Where nothing tells whether one name stands for one student or for several. There, nothing is guessed: a sentence asks."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from classroom.incoming.reading import Candidate, Owner
from classroom.incoming.roster import Person

NAMES_ONLY = ("folder", "google", "brightspace")  # what has no number or login of the student
_LIST = "Give the list of the class (--roster)"


def of_one_name(owners: Sequence[Owner]) -> str:
    """A sentence if strangers of one name may be one student or several; else "". Their numbers do not part them."""
    spelled = Counter(owner.archive for owner in owners if not owner.who.id)
    names = "” and “".join(dict.fromkeys(owner.who.name for owner in owners))
    if max(spelled.values(), default=1) > 1:
        return f"“{names}” may be one student or several. {_LIST}, or name both in the same way."
    numbers = {owner.who.id for owner in owners}
    if _again(owners) and (len(numbers) > 1 or "" in numbers):
        return f"The same problem stands under “{names}” in several archives. {_LIST} to tell whether this is one student."
    return ""


def _again(owners: Sequence[Owner]) -> bool:
    """Whether two archives have a problem, and not the same files for it."""
    digests: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
    for owner in owners:
        for one in owner.candidates:
            digests[one.problem][owner.archive].add(one.digest)
    return any(len({frozenset(found) for found in archives.values()}) > 1 for archives in digests.values())


def of_brightspace(name: str, files: Sequence[Candidate], person: Person | None, namesakes: Sequence[Person]) -> str:
    """A sentence if the attempts under one name may be of several students; else ""."""
    numbers = {one.claim.home[0] for one in files if one.claim.home[0]}
    if len(numbers) > 1 and not person:
        return f"“{name}” stands with several numbers. {_LIST} to tell whether this is one student."
    if len(namesakes) > 1 and not person and len({one.claim.attempt for one in files}) > 1:
        return (
            f"The roster has {len(namesakes)} students called {name}, and Brightspace does not tell whose each hand-in is. "
            "Put each into a folder with the student's number as its name."
        )
    return ""


def of_places(name: str, files: Sequence[Candidate], recurring: set[tuple[str, ...]]) -> str:
    """A sentence if the places of the files under one name look like those of several students; else "".

    Args:
        recurring: what stands below the names of several students, as `attempt 1` does; so it is no name.
    """
    for rivals in _rivals(files):
        homes = {one.claim.home for one in rivals}
        is_directly_there = any(len(home) > 1 and home[-1] == "" for home in homes)
        is_usual = len({home[0] for home in homes}) == 1 and {home[1:] for home in homes} <= recurring
        if len(homes) > 1 and not is_directly_there and not is_usual:
            places = "; ".join(sorted(one.where for one in rivals)[:3])
            return (
                f"“{name}” may be one student or several: {places}. If the names stand one level deeper, say --level 2; "
                "if all of it is one student's, say --level 1. The list of the class (--roster) tells it too."
            )
    return ""


def _rivals(files: Sequence[Candidate]) -> Iterator[list[Candidate]]:
    """The files of one archive for one problem that cannot all count: of one kind, and different."""
    found: dict[tuple, list[Candidate]] = defaultdict(list)
    for one in files:
        found[one.archive, one.problem, one.suffix].append(one)
    yield from (rivals for rivals in found.values() if len({one.digest for one in rivals}) > 1)
