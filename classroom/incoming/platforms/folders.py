"""Folders and files that somebody has named after the students, in a zip or on the disk.

Only here is it not sure where the names stand: `hw3.zip` may hold `Anna Berg/lora.ipynb`, `submissions/Anna Berg/lora.ipynb` or
`section 1/Anna Berg/lora.ipynb`. The list of the class tells it, or the instructor does (--level). Otherwise the
names are taken from the first level, and what then looks like several students under one name is refused, by `people.py`.
"""

import re

from classroom.incoming.claims import NAMES, TOPICS, name_in
from classroom.incoming.platforms.claim import Claim, Claims, Listing, Who
from classroom.incoming.roster import Roster
from grader.problems import PROBLEMS

NAME = "folder"
_LOGIN = re.compile(r"(?P<name>.*[^\s(])\s*\((?P<login>(?=\S*[^\W\d_]|\d{4})[^()\s]+)\)")  # Sakai: `Berg, Anna(aberg01)`
_DEEPEST = 5  # levels at which names are looked for
# Words of which no student's name consists.
_NO_NAME = set(
    "submission submissions submitted homework homeworks hw assignment assignments exercise exercises class classroom course "
    "students student all my the of to late work working export download downloads files notebooks problem problems problemset ps week "
    "collected zip abgabe abgaben aufgabe aufgaben devoir devoirs rendus entregas tareas deberes compiti huiswerk".split()
)
_WORDS = _NO_NAME | set(PROBLEMS) | {word for topic in TOPICS for word in topic.split("_")}


def recognise(listing: Listing, roster: Roster | None) -> Claims:
    """It is never None: what is left is this."""
    paths = [file.path for file in listing.files]
    level = listing.level - 1 if listing.level else _level(paths, roster)
    is_sure = bool(listing.level)

    def named(path: tuple[str, ...]) -> Claim | None:
        for index, part in enumerate(path[level:], level):
            is_file = index == len(path) - 1
            if who := _who(part, is_file, roster, is_sure and index == level):
                own = path if is_file else (*path[:index], *path[index + 1 :])
                return Claim((who,), own, home=_home(path, index))
        return None

    alone = listing.stem or (listing.label if all(path[0] == "notebooks" for path in paths) else "")
    if not alone or is_sure or any(map(named, paths)):
        return named
    return lambda path: Claim((Who(alone),), path, home=_home(("", *path), 0))


def _who(part: str, is_file: bool, roster: Roster | None, is_sure: bool = False) -> Who | None:
    """The student whom a part of a path names: by the name, by a login behind it, or by a number that the list has."""
    if roster and not is_file and roster.match(part):
        return Who(part)
    name = name_in(part, is_file)
    if not name or not is_sure and _is_no_name(name) and (not is_file or name.isalpha()):
        return None
    if roster and not roster.match(name):
        for number in re.findall(r"[^\s_()-]*\d[^\s_()-]*", name):
            if roster.has(number):
                return Who(" ".join(re.findall(r"[^\s_()-]+", name.replace(number, ""))) or name, login=number)
    login = None if is_file else _LOGIN.fullmatch(name)
    return Who(login["name"], login=login["login"]) if login else Who(name)


def _home(path: tuple[str, ...], index: int) -> tuple[str, ...]:
    """The part with the student's name, and below it the folder of the file, or the name in the file's own name."""
    if index == len(path) - 1:
        return path[index:]
    below = path[index + 1] if len(path) > index + 2 else name_in(path[-1], is_file=True) or ("" if path[index] else path[-1])
    return path[index], below


def _level(paths: list[tuple[str, ...]], roster: Roster | None) -> int:
    """The level at which most students of the list are named; without a list, the first below what is surely no name."""
    if roster:
        found = [_people(paths, level, roster) for level in range(_DEEPEST)]
        if any(found):
            return found.index(max(found))
    level = 0
    while len({path[level] for path in paths if len(path) > level}) == 1 and all(
        len(path) > level + 2 and _is_no_name(path[level]) for path in paths
    ):
        level += 1
    return level


def _people(paths: list[tuple[str, ...]], level: int, roster: Roster) -> int:
    parts = {(path[level], level == len(path) - 1) for path in paths if len(path) > level}
    named = [who for part, is_file in parts if (who := _who(part, is_file, roster))]
    return len({person.row for who in named if (person := roster.find(who.name, login=who.login)[0])})


def _is_no_name(part: str) -> bool:
    if any(stem.search(part) for stem in NAMES):
        return True
    words = set(re.findall(r"[^\W\d_]+", part.casefold()))
    return bool(words) and words <= _WORDS and not re.search(r"student[\s_-]*\d", part.casefold())
