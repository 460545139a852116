"""Who belongs to a team whose hand-in counts for all of its members."""

import re
from pathlib import Path

from classroom.incoming.columns import by_names
from classroom.incoming.platforms.claim import Who
from classroom.incoming.roster import Roster, RosterError, plain_letters, read_table


class Teams:
    """The members by the name of the team, as a list of teams or the list of the class tells them."""

    def __init__(self, roster: Roster | None = None, path: Path | None = None):
        self._members: dict[str, dict[Who, None]] = {}
        for person in roster.people if roster else ():
            if person.group:
                self._add(person.group, Who(person.name, person.id, email=person.email))
        if path:
            self._read(path)

    def _read(self, path: Path) -> None:
        header, rows, *_ = read_table(path)
        columns = by_names(header)
        if "group" not in columns or not {"name", "first", "id", "login", "email"} & set(columns):
            raise RosterError(
                f"{path} is no list of teams: it needs a column “group”, and one of “name”, “id” or “email” for each member."
            )
        self._members.clear()
        for row in rows:
            cell = {part: row[place].strip() for part, place in columns.items()}
            name = cell.get("name") or " ".join(filter(None, (cell.get("first"), cell.get("last"))))
            id, login, email = cell.get("id", ""), cell.get("login", ""), cell.get("email", "")
            if cell["group"] and (name or id or login or email):
                self._add(cell["group"], Who(name or email or login or id, id, login, email))

    def _add(self, team: str, member: Who) -> None:
        self._members.setdefault(_key(team), {})[member] = None

    def members(self, name: str) -> tuple[Who, ...]:
        """The members of the team of this name. Empty if there is no such team."""
        return tuple(self._members.get(_key(name) or None, ()))


def _key(team: str) -> str:
    """Platforms leave signs and blanks out of a team's name where it becomes a file's."""
    return re.sub(r"[\W_]+", "", plain_letters(team))
