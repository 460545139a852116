"""What was answered: one SQLite file in the user's data folder.

Attempts are only ever added. The schedule is not stored: it follows from the attempts, so no crash can part the two.
The file is in write-ahead mode, so two processes can write, and a process that is killed loses at most the answer
that it was just about to store.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from desk.clock import now
from quiz.register import has_keys

if TYPE_CHECKING:
    from fsrs import Card, Scheduler

T = TypeVar("T")
FILE = "quiz.sqlite3"
WAIT_S = 30  # for another process's write
NIGHT = timedelta(hours=4)  # how long after midnight an evening lasts
SCHEMA = """
CREATE TABLE IF NOT EXISTS attempts (
    id INTEGER PRIMARY KEY,
    item TEXT NOT NULL,
    topic TEXT NOT NULL,
    score REAL NOT NULL CHECK (score BETWEEN 0 AND 1),
    answer TEXT NOT NULL,     -- as JSON
    at TEXT NOT NULL,         -- UTC, ISO 8601
    session INTEGER REFERENCES sessions(id)
);
CREATE TABLE IF NOT EXISTS sessions (
    id INTEGER PRIMARY KEY,
    plan TEXT NOT NULL,       -- as JSON: the items in order, the seed, exam or not
    at TEXT NOT NULL,
    ended INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS by_item ON attempts (item, id);
CREATE TABLE IF NOT EXISTS answers (  -- the same without a score, of copies without keys
    id INTEGER PRIMARY KEY,
    item TEXT NOT NULL,
    topic TEXT NOT NULL,
    score REAL CHECK (score IS NULL),
    answer TEXT NOT NULL,
    at TEXT NOT NULL,
    session INTEGER REFERENCES sessions(id)
);
CREATE TABLE IF NOT EXISTS events (  -- what the coach keeps beside the answers: plans, rounds, texts, exercises
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    content TEXT NOT NULL,    -- as JSON
    at TEXT NOT NULL
);
"""


@dataclass(frozen=True)
class Attempt:
    """One answer. `score` is None in a copy without keys, `session` for those given in a notebook.

    drilled: it was given in a drill, which asks again on the same day.
    """

    item: str
    topic: str
    score: float | None
    answer: object
    at: datetime
    session: int | None = None
    drilled: bool = False


@dataclass(frozen=True)
class Event:
    """Something else that was done, with what belongs to it, by its kind."""

    number: int
    kind: str
    content: dict
    at: datetime


def folder() -> Path:
    """Where attempts are kept: QUIZ_HOME, or the user's data folder."""
    if os.environ.get("QUIZ_HOME"):
        return Path(os.environ["QUIZ_HOME"]).expanduser()
    import platformdirs

    return Path(platformdirs.user_data_dir("finetuning-course", appauthor=False))


class Store:
    """The attempts of one user. `note` tells what happened to a damaged file, if there was one.

    A copy without keys has a table of its own, so that what it keeps changes nothing for a copy that can grade.

    Raises:
        OSError: the folder cannot be written. The message names it and QUIZ_HOME.
    """

    def __init__(self, path: Path | None = None):
        self.path = Path(path) if path else folder() / FILE
        self.note = ""
        self.table = "attempts" if has_keys() else "answers"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(f"cannot keep answers in {self.path.parent} ({error.strerror}). Name another folder in QUIZ_HOME.") from None
        try:
            self._open()
        except sqlite3.DatabaseError as error:
            if _is_busy_or_forbidden(error):
                raise OSError(f"cannot write {self.path} ({error}). Name another folder in QUIZ_HOME.") from None
            self._set_aside()
            self._open()

    def _open(self) -> None:
        with closing(self._connect()) as connection:
            if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise sqlite3.DatabaseError("damaged")
            if connection.execute("SELECT 1 FROM sqlite_master").fetchone():  # not empty: is it ours?
                connection.execute("SELECT item, topic, score, answer, at, session FROM attempts LIMIT 1").fetchall()
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(SCHEMA)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=WAIT_S)
        connection.execute("PRAGMA synchronous = FULL")  # an answer that was acknowledged survives a loss of power
        return connection

    def _set_aside(self) -> None:
        """The damaged file gets another name, and so do its companions. Nothing is overwritten."""
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        base = self.path.with_name(f"{self.path.name}.damaged-{stamp}")
        count = 1
        while base.exists():
            count += 1
            base = self.path.with_name(f"{self.path.name}.damaged-{stamp}-{count}")
        for tail in ("", "-wal", "-shm"):
            old = self.path.with_name(self.path.name + tail)
            if old.exists():
                old.rename(base.with_name(base.name + tail))
        self.note = f"The file of your answers was damaged. It lies beside the new one as {base.name}."

    # --- attempts -------------------------------------------------------------------------------

    def add(self, item, score: float | None, answer, at: datetime | None = None, session: int | None = None) -> None:
        """Stores one answer. When this returns, it is on disk."""
        if isinstance(answer, (set, frozenset)):
            answer = sorted(answer)
        row = (item.id, item.topic, score, json.dumps(answer, ensure_ascii=False), _text(at or now()), session)
        self._write(f"INSERT INTO {self.table} (item, topic, score, answer, at, session) VALUES (?, ?, ?, ?, ?, ?)", row)

    def attempts(self, session: int | None = None) -> list[Attempt]:
        """All attempts, or those of a session, the oldest first."""
        query = f"SELECT item, topic, score, answer, at, session FROM {self.table}"
        rows = self._read(query + (" WHERE session = ?" if session else "") + " ORDER BY at, id", (session,) if session else ())
        drills = {number for number, plan in self._read("SELECT id, plan FROM sessions") if json.loads(plan).get("drill")}
        return [Attempt(i, t, s, json.loads(a), datetime.fromisoformat(at), n, n in drills) for i, t, s, a, at, n in rows]

    # --- sessions -------------------------------------------------------------------------------

    def begin(self, plan: dict, at: datetime | None = None) -> int:
        """Notes that a session has begun, so that it can be resumed. Returns its number."""
        plan = plan if self.table == "attempts" else plan | {"table": self.table}
        return self._write("INSERT INTO sessions (plan, at) VALUES (?, ?)", (json.dumps(plan), _text(at or now())))

    def end(self, session: int) -> None:
        self._write("UPDATE sessions SET ended = 1 WHERE id = ?", (session,))

    def unfinished(self) -> tuple[int, dict] | None:
        """The latest session that was not ended: its number and its plan. Another kind of copy has its own."""
        rows = self._read("SELECT id, plan FROM sessions WHERE ended = 0 ORDER BY at DESC, id DESC")
        plans = ((number, json.loads(plan)) for number, plan in rows)
        return next(((number, plan) for number, plan in plans if plan.get("table", "attempts") == self.table), None)

    # --- events ---------------------------------------------------------------------------------

    def log(self, kind: str, content: dict, at: datetime | None = None) -> int:
        """Stores an event, and returns its number. When this returns, it is on disk. Events are only ever added."""
        row = (kind, json.dumps(content, ensure_ascii=False), _text(at or now()))
        return self._write("INSERT INTO events (kind, content, at) VALUES (?, ?, ?)", row)

    def events(self, *kinds: str) -> list[Event]:
        """The events of these kinds, or all, the oldest first."""
        wanted = f" WHERE kind IN ({', '.join('?' * len(kinds))})" if kinds else ""
        rows = self._read(f"SELECT id, kind, content, at FROM events{wanted} ORDER BY at, id", kinds)
        return [Event(n, kind, json.loads(content), datetime.fromisoformat(at)) for n, kind, content, at in rows]

    def at_once(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """Runs what reads or changes several rows, as a whole or not at all, while no other process writes."""
        try:
            with closing(self._connect()) as connection, connection:
                connection.execute("BEGIN IMMEDIATE")
                return change(connection)
        except sqlite3.OperationalError as error:
            raise OSError(f"{self.path} could not be changed ({error}). Mend that, or set QUIZ_HOME.") from None

    def _write(self, statement: str, values: tuple) -> int:
        try:
            with closing(self._connect()) as connection, connection:
                return connection.execute(statement, values).lastrowid
        except sqlite3.OperationalError as error:  # locked for long, no space left, made read-only
            raise OSError(f"the answer could not be kept in {self.path} ({error}). Mend that, or set QUIZ_HOME.") from None

    def _read(self, query: str, values: tuple = ()) -> list[tuple]:
        with closing(self._connect()) as connection:
            return connection.execute(query, values).fetchall()


def existing() -> Store | None:
    """The store, if anything was ever answered. Does not make a file."""
    return Store() if (folder() / FILE).exists() else None


# --- the schedule -------------------------------------------------------------------------------


def schedule(attempts: list[Attempt]) -> dict[str, datetime]:
    """When each answered item is due again, by FSRS, from its attempts alone.

    Wrong is rated “again”, partly right “hard”, right “good”. There are no steps of minutes: a question that was
    missed comes back the next day at the earliest, since on the same day one remembers the reply and not the matter.
    For the same reason a drill counts only where it is the first answer of the day. Learning steps of FSRS would do this too,
    but they would move the dates of everyone, also of those who never drill.
    """
    _, cards = memory(attempts)
    return {item: card.due for item, card in cards.items()}


def memory(attempts: Iterable[Attempt]) -> tuple["Scheduler", dict[str, "Card"]]:
    """What FSRS supposes of the memory of each answered item, rated as `schedule` tells; and the scheduler that supposes it."""
    from fsrs import Card, Rating, Scheduler  # here, so that the start of the quiz does not pay for it

    scheduler = Scheduler(learning_steps=(), relearning_steps=(), enable_fuzzing=False)
    cards: dict[str, Card] = {}
    for attempt in spaced(attempts):
        card = cards.get(attempt.item) or Card(card_id=1, due=attempt.at)
        rating = Rating.Good if attempt.score == 1 else Rating.Hard if attempt.score >= 0.5 else Rating.Again
        cards[attempt.item], _ = scheduler.review_card(card, rating, attempt.at)
    return scheduler, cards


def spaced(attempts: Iterable[Attempt]) -> Iterator[Attempt]:
    """The attempts without those that a drill repeated on the same day, the oldest first."""
    days = {}
    for attempt in sorted(attempts, key=lambda attempt: attempt.at):
        day, before = study_day(attempt.at), days.get(attempt.item)
        days[attempt.item] = day
        if not (attempt.drilled and day == before):
            yield attempt


def study_day(moment: datetime) -> date:
    """The day to which a moment belongs. Work after midnight belongs to the evening before it."""
    return (moment.astimezone() - NIGHT).date()


def due(attempts: list[Attempt], at: datetime) -> list[str]:
    """The items that are due by the end of the study day, the longest overdue first."""
    dated = sorted((moment, item) for item, moment in schedule(attempts).items())
    return [item for moment, item in dated if study_day(moment) <= study_day(at)]


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()


def _is_busy_or_forbidden(error: sqlite3.DatabaseError) -> bool:
    """Trouble that is not damage: locked, read-only, no space, not a file."""
    names = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_FULL", "SQLITE_IOERR")
    return str(getattr(error, "sqlite_errorname", "")).startswith(names)
