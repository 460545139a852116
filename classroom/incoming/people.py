"""One student out of several archives: whose the files are in the end."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from classroom.incoming import doubts
from classroom.incoming.claims import TEAM
from classroom.incoming.errors import CollectError
from classroom.incoming.reading import Candidate, Owner
from classroom.incoming.roster import Person, Roster, plain_letters, same_name, spellings

MOST = 5  # doubts that a message gives


@dataclass
class Group:
    """All that came from one student.

    how: by what the student was found in the roster, "" if not.
    """

    owners: list[Owner]
    roster: Roster | None
    person: Person | None
    how: str = ""
    notes: list[str] = field(default_factory=list)

    @property
    def platform(self) -> str:
        return next((owner.platform for owner in self.owners if owner.platform != "folder"), "folder")

    @property
    def name(self) -> str:
        return unicodedata.normalize("NFC", self.person.name if self.person else self.owners[0].who.name)

    @property
    def email(self) -> str:
        found = [self.person.email if self.person else "", *(owner.who.email for owner in self.owners)]
        return next(filter(None, found), "")

    @property
    def team(self) -> str:
        return next((owner.team for owner in self.owners if owner.team), "")

    @property
    def ids(self) -> list[str]:
        """The platform's numbers for this student. Moodle gives one for each assignment."""
        numbers = [owner.who.id for owner in self.owners if owner.platform == self.platform and owner.who.id]
        return list(dict.fromkeys(numbers))

    @property
    def id(self) -> str:
        if self.person and (self.roster.kind == self.platform or not self.ids):
            return self.person.id
        return self.ids[0] if self.ids else ""

    @property
    def candidates(self) -> list[Candidate]:
        return [candidate for owner in self.owners for candidate in owner.candidates]

    @property
    def is_somebody(self) -> bool:
        """Whether it is a student: a platform says so, or there is an answer."""
        return self.platform != "folder" or any(owner.candidates for owner in self.owners)


def grouped(owners: list[Owner], roster: Roster | None, label: str, level: int = 0) -> list[Group]:
    """The owners by student: by the person of the roster, else by name, unless several students have it.

    Args:
        label: what messages call the archives.
        level: that the instructor has named; then each name there is one student.

    Raises:
        CollectError: two students may have become one, or one two.
    """
    groups, strangers = _listed(owners, roster) if roster else ([], owners)
    if roster and owners and not groups:
        raise CollectError(_nobody_matches(owners, label))
    asked = []
    for alike in _alike(strangers):
        several = [alike] if _is_one_student(alike) else _by_number(alike)
        asked += [told for members in several if not level and (told := doubts.of_one_name(members))]
        made = [Group(members, roster, None) for members in several]
        groups += made
        if len(made) > 1 and len({owner.archive for owner in alike}) > 1:
            for group in made:
                group.notes.append(f"{len(made)} students may be called {group.name}; they were kept apart by number.")
    for group in groups:
        group.notes += _notes(group)
    asked += _asked(groups, level)
    if asked:
        more = f" There are {len(asked) - MOST} more such cases." if len(asked) > MOST else ""
        raise CollectError(" ".join(asked[:MOST]) + more + " Nothing was collected.")
    return groups


def _listed(owners: list[Owner], roster: Roster) -> tuple[list[Group], list[Owner]]:
    """Those whom the roster has, and the owners of whom it does not tell who they are."""
    groups: dict[int, Group] = {}
    strangers = []
    for owner in owners:
        who = owner.who
        person, how = roster.find(who.name, who.id, who.login, who.email, owner.platform)
        if person and (how != "number" or owner.team or _may_be(person, owner)):
            groups.setdefault(person.row, Group([], roster, person, how)).owners.append(owner)
        else:
            strangers.append(owner)
    for group in groups.values():
        if not _is_one_student(group.owners):  # of two students of one name, the roster may have only one
            strangers += [owner for owner in group.owners if owner.who.id != group.person.id]
            group.owners = [owner for owner in group.owners if owner.who.id == group.person.id]
    return [group for group in groups.values() if group.owners], strangers


def _may_be(person: Person, owner: Owner) -> bool:
    """Whether a name may be that of the person who has the number.

    The number of Canvas's group is its uploader's, and that of Moodle's is its own, which may be a student's, too. Moodle's
    names are hidden in blind marking, and may have a group before them.
    """
    if same_name(person.name, owner.who.name) or owner.platform not in ("canvas", "moodle"):
        return True
    if owner.platform == "canvas":
        return False
    hidden = any(name.endswith(owner.who.id) for name in (person.name, owner.who.name))
    return hidden or bool(_words(owner.who.name) & _words(person.name))


def _words(name: str) -> set[str]:
    return set(re.findall(r"\w+", plain_letters(name)))


def _notes(group: Group) -> list[str]:
    """What the instructor should know of who this is."""
    name, other = group.name, None
    if group.person or group.team:
        return []
    if group.roster:
        found = [group.roster.match("", owner.who.id, owner.platform) for owner in group.owners if owner.who.id]
        other = next(filter(None, found), None)
    if other and not same_name(other.name, name):
        return [f"This number is {other.name}'s. If {name} is a team, say who is in it: --groups FILE.csv."]
    if TEAM.fullmatch(name):
        return ["This looks like a team. Say who is in it (--groups FILE.csv), so that each member gets the points."]
    return ["The roster has nobody of this name and number, or several of this name."] if group.roster else []


def _asked(groups: Sequence[Group], level: int) -> Iterator[str]:
    """What is to be asked of groups that only a name holds together. The roster's only one of a name is one."""
    below = Counter(home for group in groups for home in {one.claim.home[1:] for one in group.candidates})
    recurring = {home for home, count in below.items() if home and count > 1}
    for group in groups:
        if group.team or group.platform not in doubts.NAMES_ONLY:
            continue
        if group.platform == "brightspace":
            namesakes = group.roster.namesakes(group.name) if group.roster else []
            told = doubts.of_brightspace(group.name, group.candidates, group.person, namesakes)
        else:
            told = "" if group.person or level else doubts.of_places(group.name, group.candidates, recurring)
        if told:
            yield told


def _nobody_matches(owners: Sequence[Owner], label: str) -> str:
    names = "; ".join(dict.fromkeys(owner.who.name for owner in owners[:3]))
    if all(owner.who.name.startswith("anon_") for owner in owners):
        return (
            f"Canvas has hidden the names in {label}, so nobody is found in the roster. Switch off anonymous grading and "
            "download the submissions again, or collect without --roster."
        )
    if all(owner.platform == "moodle" and owner.who.name.endswith(owner.who.id or "?") for owner in owners):
        return (
            f"Moodle has hidden the names in {label}, so only this assignment's own grading worksheet tells who they are. Give that one "
            "as --roster."
        )
    return (
        f"None of the {len(owners)} names in {label} is in the roster; they are such as {names}. Is it the list of this "
        "class and this assignment? If these are teams, say who is in them: --groups FILE.csv. To collect without the list, "
        "leave --roster out."
    )


# --- several owners of one name -----------------------------------------------------------------


def _alike(owners: Sequence[Owner]) -> list[list[Owner]]:
    """For each name its owners. Two names are one if they differ in case, accents, blanks or order only."""
    by_spelling: dict[str, list[Owner]] = {}
    names: list[list[Owner]] = []
    for owner in owners:
        known = spellings(owner.who.name) or {owner.who.name}
        members = next((by_spelling[spelling] for spelling in sorted(known) if spelling in by_spelling), None)
        if members is None:
            names.append(members := [])
        members.append(owner)
        for spelling in known:
            by_spelling.setdefault(spelling, members)
    return names


def _is_one_student(owners: Sequence[Owner]) -> bool:
    """Whether owners of one name can be one student. Moodle's numbers are of the assignment, the others' of the person."""
    of_person = {(owner.platform, owner.who.id) for owner in owners if owner.who.id and owner.platform != "moodle"}
    platforms = Counter(platform for platform, _ in of_person)
    in_archive = Counter((owner.archive, owner.platform) for owner in owners if owner.who.id)
    return max(platforms.values(), default=1) == 1 and max(in_archive.values(), default=1) == 1


def _by_number(owners: Sequence[Owner]) -> list[list[Owner]]:
    found: dict[tuple, list[Owner]] = {}
    for owner in owners:
        found.setdefault((owner.platform, owner.who.id), []).append(owner)
    return list(found.values())
