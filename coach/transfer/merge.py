"""Taking data in beside what is there, nothing twice.

What is there keeps its numbers. What is new gets numbers of its own, and what names it by a number is changed with it.
"""

import json
import sqlite3
from collections import Counter, defaultdict
from datetime import UTC

from coach.transfer.file import Data
from grader.history import Graded

TABLES = ("attempts", "answers")
ANSWERED = ("item", "topic", "score", "answer", "at", "session")


def held(connection: sqlite3.Connection) -> dict[str, list[dict]]:
    """What a store holds, as the fields of `Data`."""

    def rows(query: str):
        return connection.execute(query).fetchall()

    found = {}
    for table in TABLES:
        answered = [dict(zip(ANSWERED, row)) for row in rows(f"SELECT {', '.join(ANSWERED)} FROM {table} ORDER BY id")]
        found[table] = [row | {"answer": json.loads(row["answer"])} for row in answered]
    found["sessions"] = [
        {"number": number, "plan": json.loads(plan), "at": at, "ended": bool(ended)}
        for number, plan, at, ended in rows("SELECT id, plan, at, ended FROM sessions ORDER BY id")
    ]
    found["events"] = [
        {"number": number, "kind": kind, "content": json.loads(content), "at": at}
        for number, kind, content, at in rows("SELECT id, kind, content, at FROM events ORDER BY id")
    ]
    return found


def take_in(connection: sqlite3.Connection, data: Data) -> Counter:
    """Adds what is new. Returns how many answers, sessions and events that were."""
    before, added = held(connection), Counter()
    sessions = _sessions(connection, data, before, added)
    _events(connection, data, before, added, sessions)
    for table in TABLES:
        there = Counter(_key(row) for row in before[table])
        for one in getattr(data, table):
            row = one.model_dump() | {"session": sessions.get(one.session)}
            if there[_key(row)]:
                there[_key(row)] -= 1  # the same answer at the same moment stands here once for each time it was given
                continue
            values = [_text(row["answer"]) if name == "answer" else row[name] for name in ANSWERED]
            connection.execute(f"INSERT INTO {table} ({', '.join(ANSWERED)}) VALUES (?, ?, ?, ?, ?, ?)", values)
            added["answers"] += 1
    return added


def _sessions(connection, data: Data, before: dict, added: Counter) -> dict[int, int]:
    """By the number of a session in the data, its number here."""
    numbers, there = {}, defaultdict(list)
    for row in before["sessions"]:
        there[_key(row, "plan", "at")].append(row)
    for one in data.sessions:
        same = there[_key(one.model_dump(), "plan", "at")]
        if same:
            row = same.pop(0)
            numbers[one.number] = row["number"]
            if one.ended and not row["ended"]:
                connection.execute("UPDATE sessions SET ended = 1 WHERE id = ?", (row["number"],))
                added["sessions"] += 1
            continue
        values = (json.dumps(one.plan), one.at, one.ended)
        numbers[one.number] = connection.execute("INSERT INTO sessions (plan, at, ended) VALUES (?, ?, ?)", values).lastrowid
        added["sessions"] += 1
    return numbers


def _events(connection, data: Data, before: dict, added: Counter, sessions: dict[int, int]) -> None:
    numbers, there = {}, defaultdict(list)
    for row in before["events"]:
        there[_key(row, "kind", "content", "at")].append(row["number"])
    places = {"session": sessions, "round": numbers, "exercise": numbers}
    for one in sorted(data.events, key=lambda event: event.number):
        content = dict(one.content)
        for name, by_number in places.items():
            if type(content.get(name)) is int:
                content[name] = by_number.get(content[name], content[name])
        same = there[_key({"kind": one.kind, "content": content, "at": one.at})]
        if same:
            numbers[one.number] = same.pop(0)
            continue
        values = (one.kind, _text(content), one.at)
        numbers[one.number] = connection.execute("INSERT INTO events (kind, content, at) VALUES (?, ?, ?)", values).lastrowid
        added["events"] += 1


def new_gradings(there: list[Graded], data: Data) -> list[dict]:
    """The gradings that are not there yet, as lines of the history hold them."""
    known = Counter(_key(line(one)) for one in there)
    new = []
    for one in data.gradings:
        row = one.model_dump(mode="json")
        if known[_key(row)]:
            known[_key(row)] -= 1
        else:
            new.append(row)
    return new


def line(graded: Graded) -> dict:
    """A grading as a line of the history holds it."""
    told = {"at": graded.at.astimezone(UTC).isoformat(), "problem": graded.problem}
    return told | {"stubs": {stub: list(points) for stub, points in graded.stubs.items()}, "mistakes": graded.mistakes}


def _key(row: dict, *names: str) -> str:
    """What makes a row the same as another."""
    return json.dumps({name: row[name] for name in names or row}, sort_keys=True)


def _text(value) -> str:
    return json.dumps(value, ensure_ascii=False)
