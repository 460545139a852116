"""Attempts: kept through kills, two writers and damage; the schedule that follows from them."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from grader.problems import ROOT
from quiz import bank, store
from quiz.store import FILE, Store

ITEM = bank.items("lora")[0]
DAY = datetime(2026, 5, 4, 9, tzinfo=UTC)


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("QUIZ_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def answers(*scores, item=ITEM):
    """Attempts on one item, each when it was due."""
    given = []
    for score in scores:
        at = store.schedule(given)[item.id] if given else DAY
        given.append(store.Attempt(item.id, item.topic, score, 0, at))
    return given


def interval(*scores) -> timedelta:
    given = answers(*scores)
    return store.schedule(given)[ITEM.id] - given[-1].at


# --- keeping ------------------------------------------------------------------------------------


def test_what_is_added_is_read_back(home):
    kept = Store()
    session = kept.begin({"items": [ITEM.id], "seed": 1, "exam": False}, DAY)
    kept.add(ITEM, 0.5, {2, 0}, DAY, session)
    kept.add(ITEM, 1.0, "§ ½", DAY)
    assert [(a.score, a.answer, a.session) for a in Store().attempts()] == [(0.5, [0, 2], session), (1.0, "§ ½", None)]
    assert [a.answer for a in kept.attempts(session)] == [[0, 2]]
    assert kept.unfinished() == (session, {"items": [ITEM.id], "seed": 1, "exam": False})
    kept.end(session)
    assert kept.unfinished() is None


def test_nothing_is_made_by_looking(home):
    assert store.existing() is None and not home.exists()


@pytest.mark.parametrize("damage", ["text", "half", "other", "hole"])
def test_a_damaged_file_is_set_aside_whole(home, damage):
    kept = Store()
    for _ in range(200):
        kept.add(ITEM, 1.0, "x" * 100, DAY)
    path = home / FILE
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    whole = path.read_bytes()
    if damage == "other":
        path.unlink()
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE attempts (something TEXT)")
        connection.close()
    else:
        broken = {"text": b"not a database, but mine", "half": whole[: len(whole) // 2]}
        path.write_bytes(broken.get(damage, whole[:8192] + bytes(4096) + whole[12288:]))
    before = path.read_bytes()
    fresh = Store()
    aside = [p for p in home.iterdir() if p.name.startswith(f"{FILE}.damaged-") and not p.name.endswith(("-wal", "-shm"))]
    assert fresh.attempts() == [] and aside[0].name in fresh.note
    assert aside[0].read_bytes() == before
    fresh.add(ITEM, 1.0, 0, DAY)
    assert len(Store().attempts()) == 1 and Store().note == ""


def test_a_second_damage_does_not_overwrite_the_first(home):
    for text in (b"first", b"second"):
        home.mkdir(exist_ok=True)
        (home / FILE).write_bytes(text * 400)
        Store()
        (home / FILE).unlink()
    assert len(list(home.glob("*.damaged-*"))) == 2


def test_a_folder_that_cannot_be_made_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("QUIZ_HOME", str(tmp_path / "file"))
    with pytest.raises(OSError, match="cannot keep answers in .*file.*QUIZ_HOME"):
        Store()


def test_a_locked_file_is_no_damaged_file(home, monkeypatch):
    kept = Store()
    kept.add(ITEM, 1.0, 0, DAY)
    monkeypatch.setattr(store, "WAIT_S", 0.05)
    other = sqlite3.connect(home / FILE, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(OSError, match="could not be kept in .*locked"):
        kept.add(ITEM, 1.0, 0, DAY)
    other.execute("ROLLBACK")
    other.close()
    assert len(Store().attempts()) == 1 and not list(home.glob("*damaged*"))


WRITER = """
import sys
from random import Random
from quiz import bank, store, terminal

class Screen(terminal.Terminal):
    def say(self, *words, **looks): pass
    def code(self, text): pass
    def ask(self, prompt):
        count = chance.randrange(1, 9)
        letters = " ".join(chance.sample("abcdefgh"[:count], count))
        return chance.choice([letters] * 40 + ["0.5", "7 GB", "", "nonsense", "0"] * 4 + ["quit"])

class Kept(store.Store):
    def add(self, item, score, answer, at=None, session=None):
        super().add(item, score, answer, at, session)
        print(session, item.id, flush=True)  # acknowledged

first, last = int(sys.argv[1]), int(sys.argv[2])
kept = Kept()
for number in range(first, last):
    chance = Random(number)
    plan = terminal.plan(None, None, 3, number, number % 2 == 0, [])
    terminal.run(Screen(), kept, kept.begin(plan), plan)
    print("done", number, flush=True)
"""


def _work(first: int, last: int, chance: Random, acknowledged: list) -> None:
    """Runs these sessions in a process that is killed again and again, and goes on behind the last whole one."""
    while first < last:
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(first), str(last)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        left = chance.randrange(20, 400)  # lines until it is killed
        for line in process.stdout:
            name, rest = line.split()
            if name == "done":
                first = int(rest) + 1
            else:
                acknowledged.append((int(name), rest))
            left -= 1
            if left == 0:
                os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        first += left <= 0  # the session that was cut off


@pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
def test_a_thousand_sessions_with_kills_and_two_writers_lose_nothing(home):
    acknowledged = [[], []]
    writers = [
        threading.Thread(target=_work, args=(500 * n, 500 * (n + 1), Random(n), acknowledged[n])) for n in range(2)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    stored = [(attempt.session, attempt.item) for attempt in Store().attempts()]
    told = acknowledged[0] + acknowledged[1]
    assert len(told) > 1500 and set(told) <= set(stored)
    assert len(stored) == len(set(stored))  # and none twice
    assert not list(home.glob("*damaged*"))


# --- the schedule -------------------------------------------------------------------------------


def test_what_was_missed_comes_back_sooner_than_what_was_right():
    assert timedelta(hours=12) < interval(0.0) < interval(1.0)
    assert interval(1.0, 1.0, 0.0) < interval(1.0, 1.0, 0.5) < interval(1.0, 1.0, 1.0)


def test_intervals_grow_with_success_and_shrink_after_a_miss():
    growing = [interval(*[1.0] * count) for count in range(1, 5)]
    assert growing == sorted(growing) and growing[-1] > timedelta(days=30)
    assert interval(1.0, 1.0, 0.0) < interval(1.0, 1.0)


def test_an_evening_ends_at_four():
    """What was missed in the evening is not due after midnight, while one is still at it."""
    evening = datetime(2026, 11, 26, 18).astimezone()
    given = [store.Attempt(ITEM.id, ITEM.topic, 0.0, 0, evening)]
    assert [bool(store.due(given, evening + timedelta(hours=hours))) for hours in (6.5, 9.9, 10, 24)] == [False, False, True, True]


def test_due_are_those_of_the_day_the_longest_overdue_first():
    other = bank.items("lora")[1]
    given = answers(0.0) + [store.Attempt(other.id, "lora", 1.0, 0, DAY)]
    assert store.due(given, DAY) == []
    assert store.due(given, DAY + timedelta(days=1)) == [ITEM.id]
    assert store.due(given, DAY + timedelta(days=60)) == [ITEM.id, other.id]


def test_the_order_in_which_two_processes_wrote_does_not_matter():
    given = answers(1.0, 0.0, 1.0)
    assert store.schedule(given) == store.schedule(given[::-1])


def test_the_clock_can_be_given_and_a_bad_one_is_named(monkeypatch):
    monkeypatch.setenv("QUIZ_NOW", "2026-05-04T09:00+00:00")
    assert store.now() == DAY
    monkeypatch.setenv("QUIZ_NOW", "yesterday")
    with pytest.raises(ValueError, match="QUIZ_NOW is 'yesterday'; a date such as"):
        store.now()


def test_answers_are_stored_as_json(home):
    Store().add(ITEM, 1.0, [2, 0], DAY)
    with sqlite3.connect(home / FILE) as connection:
        assert json.loads(connection.execute("SELECT answer FROM attempts").fetchone()[0]) == [2, 0]
    connection.close()
