"""Export and import: everything comes over, nothing twice, and no file breaks what is here."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from coach import __main__ as coach
from coach.transfer import command, file
from grader import history
from grader import store as verdicts
from quiz import bank, store

DAY = datetime(2026, 5, 1, 18, tzinfo=UTC)
ITEM, OTHER = bank.items("lora")[:2]


class Place:
    """One computer: a store, a history, hints."""

    def __init__(self, path, monkeypatch):
        self.path, self.monkeypatch = path, monkeypatch

    def __enter__(self):
        self.monkeypatch.setenv("QUIZ_HOME", str(self.path / "quiz"))
        self.monkeypatch.setattr(command, "_folder", lambda: self.path / "grader")
        self.monkeypatch.setattr(history.gradings, "__defaults__", (self.path / "grader",))
        return store.Store()

    def __exit__(self, *_):
        pass

    def grade(self, at, mistake=""):
        mistakes = {"merge": [mistake]} if mistake else {}
        line = {"at": at.isoformat(), "problem": "lora", "stubs": {"merge": [0 if mistake else 2, 2]}, "mistakes": mistakes}
        (self.path / "grader").mkdir(parents=True, exist_ok=True)
        with open(self.path / "grader" / history.NAME, "a") as lines:
            lines.write(json.dumps(line) + "\n")


@pytest.fixture
def places(tmp_path, monkeypatch):
    return Place(tmp_path / "old", monkeypatch), Place(tmp_path / "new", monkeypatch)


def fill(place):
    with place as kept:
        session = kept.begin({"items": [ITEM.id], "seed": 1, "exam": False}, DAY)
        kept.add(ITEM, 1.0, [0], DAY, session)
        kept.add(ITEM, 0.0, [1], DAY, session)
        kept.add(ITEM, 0.0, [1], DAY, session)  # the same at the same moment, as a rehearsal has it
        kept.end(session)
        number = kept.log("round", {"session": session, "minutes": 45}, DAY)
        kept.log("round-part", {"round": number, "seconds": 5}, DAY)
        kept.log("round-part", {"round": number, "seconds": 5}, DAY)
        kept.log("plan-wish", {"round": "on-site"}, DAY)
        place.grade(DAY, "no_scale")
        (place.path / "grader" / "hints.json").write_text('{"lora": ["merge-1", 2]}')


def everything(kept):
    return kept.attempts(), [(e.kind, e.content, e.at) for e in kept.events()], history.gradings(), command._hints()


def export(place, tmp_path, name="me.json"):
    with place:
        assert coach.main(["export", str(tmp_path / name)]) == 0
    return tmp_path / name


def test_an_empty_computer_gets_everything_in_its_order(places, tmp_path, capsys):
    old, new = places
    fill(old)
    path = export(old, tmp_path)
    with old as kept:
        before = everything(kept)
    with new as kept:
        assert coach.main(["import", str(path), "--yes"]) == 0
        assert everything(kept) == before
        said = capsys.readouterr().out.splitlines()
        assert "   3 answers" in said and "   4 steps with the coach" in said and "   1 gradings" in said
        assert kept.unfinished() is None


def test_the_same_file_twice_changes_nothing(places, tmp_path, capsys):
    old, new = places
    fill(old)
    path = export(old, tmp_path)
    with new as kept:
        coach.main(["import", str(path), "--yes"])
        before, files = everything(kept), sorted(new.path.rglob("*before-import*"))
        capsys.readouterr()
        assert coach.main(["import", str(path), "--yes"]) == 0
        assert "here already" in capsys.readouterr().out
        assert everything(kept) == before and sorted(new.path.rglob("*before-import*")) == files
    with old as kept:
        assert coach.main(["import", str(path), "--yes"]) == 0 and len(kept.attempts()) == 3


def test_what_is_here_stays_and_what_is_named_by_a_number_stays_together(places, tmp_path):
    old, new = places
    fill(old)
    path = export(old, tmp_path)
    with new as kept:
        mine = kept.begin({"items": [OTHER.id], "seed": 9, "exam": False}, DAY + timedelta(days=1))
        kept.add(OTHER, 0.5, [2], DAY + timedelta(days=1), mine)
        kept.add(ITEM, 0.5, [2], DAY + timedelta(days=1), mine)
        kept.log("drill", {"session": mine}, DAY)
        kept.log("plan-wish", {"round": "expert"}, DAY + timedelta(days=1))
        new.grade(DAY + timedelta(days=2))
        assert coach.main(["import", str(path), "--yes"]) == 0
        attempts = kept.attempts()
        assert [(a.item, a.score) for a in attempts[-2:]] == [(OTHER.id, 0.5), (ITEM.id, 0.5)], "the last answer is the latest"
        assert len(attempts) == 5 and len({a.session for a in attempts}) == 2
        assert [a.item for a in kept.attempts(mine)] == [OTHER.id, ITEM.id]
        wishes = [event.content["round"] for event in kept.events("plan-wish")]
        assert wishes == ["on-site", "expert"], "the last wish is the latest"
        events = {event.kind: event for event in kept.events()}
        assert events["round-part"].content["round"] == events["round"].number
        assert events["round"].content["session"] == attempts[0].session != mine
        assert events["drill"].content["session"] == mine
        assert [graded.at for graded in history.gradings()] == [DAY, DAY + timedelta(days=2)]
        copies = [path.name for path in new.path.rglob("*before-import*")]
        assert any(name.startswith("quiz.sqlite3") for name in copies) and any(name.startswith("history") for name in copies)
        assert sorted(a.item for a in store.Store(next(new.path.rglob("quiz.sqlite3.before-import*"))).attempts()) == sorted(
            (ITEM.id, OTHER.id)
        )


def test_a_round_keeps_the_order_of_its_parts(places, tmp_path):
    old, new = places
    with old as kept:
        kept.log("round", {"parts": {"warmup": 10, "review": 5, "coding": 15}}, DAY)
    path = export(old, tmp_path)
    with new as kept:
        coach.main(["import", str(path), "--yes"])
        assert list(kept.events("round")[0].content["parts"]) == ["warmup", "review", "coding"]


def test_what_looks_the_same_is_counted(places, tmp_path):
    old, new = places
    fill(old)
    with old as kept:
        plan = {"items": [], "seed": 3, "exam": False}
        first, second = kept.begin(plan, DAY), kept.begin(plan, DAY)
        kept.add(OTHER, 1.0, [0], DAY, first)
        kept.add(ITEM, 1.0, [0], DAY, second)
    path = export(old, tmp_path)
    with new as kept:
        kept.add(ITEM, 0.0, [1], DAY, kept.begin({"items": [ITEM.id], "seed": 1, "exam": False}, DAY))
        for _ in range(2):
            assert coach.main(["import", str(path), "--yes"]) == 0
            attempts = kept.attempts()
            assert len([a for a in attempts if a.score == 0]) == 2 and len(attempts) == 5
            assert len({a.session for a in attempts}) == 3


def test_a_round_that_was_left_can_be_gone_on_with_until_it_is_known_to_be_over(places, tmp_path):
    old, new = places
    with old as kept:
        session = kept.begin({"items": [ITEM.id], "seed": 1, "exam": False}, DAY)
        kept.add(ITEM, 1.0, [0], DAY, session)
    left = export(old, tmp_path, "left.json")
    with old as kept:
        kept.end(session)
    over = export(old, tmp_path, "over.json")
    with new as kept:
        for path, is_left in ((left, True), (left, True), (over, False), (left, False)):
            assert coach.main(["import", str(path), "--yes"]) == 0
            assert bool(kept.unfinished()) == is_left and len(kept.attempts()) == 1


@pytest.mark.parametrize("answer, taken", [("y", True), ("n", False), ("", False), (EOFError, False)])
def test_it_asks_before_it_changes_anything(places, tmp_path, monkeypatch, answer, taken):
    old, new = places
    fill(old)
    path = export(old, tmp_path)

    def ask(self, prompt):
        if answer is EOFError:
            raise EOFError
        return answer

    monkeypatch.setattr("quiz.terminal.Terminal.ask", ask)
    with new as kept:
        assert coach.main(["import", str(path)]) == (0 if taken else 1)
        assert bool(kept.attempts()) == bool(history.gradings()) == taken
        assert bool(list(new.path.rglob("*before-import*"))) == taken


def test_a_fault_in_the_middle_changes_no_answer(places, tmp_path, monkeypatch):
    from coach.transfer import merge

    old, new = places
    fill(old)
    path = export(old, tmp_path)
    with new as kept:
        monkeypatch.setattr(command, "_added", lambda *_: {"attempts": 1})
        count, text = iter(range(9)), merge._text
        monkeypatch.setattr(merge, "_text", lambda value: 1 / 0 if next(count) == 5 else text(value))  # amid the answers
        with pytest.raises(ZeroDivisionError):
            coach.main(["import", str(path), "--yes"])
        assert not kept.attempts() and not kept.events()
        monkeypatch.undo()
    with new as kept:
        assert coach.main(["import", str(path), "--yes"]) == 0 and len(kept.attempts()) == 3


def test_a_kill_in_the_middle_loses_nothing(places, tmp_path):
    old, new = places
    fill(old)
    path = export(old, tmp_path)
    with new as kept:
        kept.add(OTHER, 0.5, [2], DAY)
    code = (
        "import os, signal; from coach.transfer import command, merge; from coach.__main__ import main\n"
        "command._added = lambda *_: {'attempts': 1}; command._take_gradings = command._take_hints = lambda *_: []\n"
        "count, text = iter(range(9)), merge._text\n"
        "merge._text = lambda value: os.kill(os.getpid(), signal.SIGKILL) if next(count) == 5 else text(value)\n"
        f"main(['import', {str(path)!r}, '--yes'])"
    )
    environment = os.environ | {"QUIZ_HOME": str(new.path / "quiz")}
    assert subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True).returncode == -signal.SIGKILL
    with new as kept:
        assert [attempt.item for attempt in kept.attempts()] == [OTHER.id] and not kept.events()
        assert coach.main(["import", str(path), "--yes"]) == 0 and len(kept.attempts()) == 4


def test_what_is_damaged_here_is_said_and_not_written(places, tmp_path, capsys):
    old, _ = places
    fill(old)
    with old as kept:
        kept.begin({"items": 5}, DAY)
        assert coach.main(["export", str(tmp_path / "me.json")]) == 2
    assert "sessions, 1" in capsys.readouterr().err and not (tmp_path / "me.json").exists()


def signed(**data):
    """A file with a digest that fits, whatever it holds."""
    whole = {name: [] for name in ("attempts", "answers", "sessions", "events", "gradings")} | {"hints": {}} | data
    digest = file._digest(json.dumps(whole, sort_keys=True, separators=(",", ":")))
    return json.dumps({"kind": file.KIND, "format": file.FORMAT, "digest": digest, "data": whole})


GOOD = {"item": "a", "topic": "lora", "score": 1.0, "answer": 0, "at": DAY.isoformat(), "session": None}
EVENT = {"number": 1, "kind": "plan", "content": {}, "at": DAY.isoformat()}
DEEP = "[" * 100_000 + "]" * 100_000


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"[]",
        b"{}",
        b'{"kind": "something else", "data": {}}',
        json.dumps({"kind": file.KIND, "format": 2, "digest": "", "data": {}}).encode(),
        json.dumps({"kind": file.KIND, "format": 1, "digest": "0", "data": {}}).encode(),
        DEEP.encode(),
        b'{"kind": "finetuning-course", "format": 1, "data": {"a": ' + b"9" * 5000 + b"}}",
        signed(attempts=[GOOD | {"answer": float("inf")}]).replace("Infinity", "1e999").encode(),
        signed(attempts=[GOOD | {"answer": float("nan")}]).encode(),
        signed(attempts=[GOOD | {"score": 2}]).encode(),
        signed(attempts=[GOOD | {"score": None}]).encode(),
        signed(attempts=[GOOD | {"score": "1"}]).encode(),
        signed(attempts=[GOOD | {"at": "2026-05-01"}]).encode(),
        signed(attempts=[GOOD | {"at": "9999-12-31T23:59:59-12:00"}]).encode(),
        signed(attempts=[GOOD | {"at": 5}]).encode(),
        signed(attempts=[GOOD | {"session": 7}]).encode(),
        signed(attempts=[GOOD | {"item": "\ud800"}]).encode(),
        signed(attempts=[GOOD | {"more": 1}]).encode(),
        signed(attempts={"a": 1}).encode(),
        signed(sessions=[{"number": 10**30, "plan": {}, "at": DAY.isoformat(), "ended": True}]).encode(),
        signed(sessions=[{"number": 1, "plan": {}, "at": DAY.isoformat(), "ended": False}]).encode(),
        signed(events=[EVENT, EVENT]).encode(),
        signed(events=[EVENT | {"content": []}]).encode(),
        signed(gradings=[{"at": DAY.isoformat(), "problem": "lora", "stubs": {"a": [1]}, "mistakes": {}}]).encode(),
        signed(hints={"lora": ["a", 9]}).encode(),
        signed(events=[EVENT | {"content": {"a": json.loads("[" * 300 + "]" * 300)}}]).encode(),
    ],
    ids=range(28),
)
def test_a_broken_or_foreign_file_is_refused_in_a_sentence(places, tmp_path, capsys, content):
    _, new = places
    path = tmp_path / "given.json"
    path.write_bytes(content)
    with new as kept:
        assert coach.main(["import", str(path), "--yes"]) == 2
        said = capsys.readouterr().err
        assert str(path) in said and "Traceback" not in said and len(said) < 600
        assert not kept.attempts() and not kept.events() and not list(new.path.rglob("*before-import*"))


def test_a_good_file_with_such_a_digest_is_taken(places, tmp_path):
    _, new = places
    path = tmp_path / "given.json"
    path.write_text(signed(attempts=[GOOD], events=[EVENT]))
    with new as kept:
        assert coach.main(["import", str(path), "--yes"]) == 0 and len(kept.attempts()) == 1


def test_one_letter_changed_is_seen(places, tmp_path, capsys):
    old, new = places
    fill(old)
    path = export(old, tmp_path)
    path.write_text(path.read_text().replace('"score": 0.0', '"score": 1.0', 1))
    with new:
        assert coach.main(["import", str(path), "--yes"]) == 2
        assert "was changed or cut" in capsys.readouterr().err


def test_nothing_is_overwritten_and_nothing_is_written_of_nothing(places, tmp_path, capsys):
    old, _ = places
    with old:
        assert coach.main(["export", str(tmp_path / "me.json")]) == 2 and not (tmp_path / "me.json").exists()
    fill(old)
    path = export(old, tmp_path)
    before = path.read_text()
    with old:
        assert coach.main(["export", str(path)]) == 2
        assert coach.main(["import", str(tmp_path / "none.json")]) == 2
        assert coach.main(["export", str(tmp_path / "none" / "\0")]) == 2
    assert path.read_text() == before and "there already" in capsys.readouterr().err


def test_the_folder_of_gradings_is_the_students():
    assert command._folder() == verdicts.FOLDER
