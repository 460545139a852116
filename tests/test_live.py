"""A live round: what may happen when, what is shown and what is not yet, what is kept, and what is left of it."""

import asyncio
import csv
import json
import os
import socket

import pytest

from classroom.live import addresses, journal, report, tally, views
from classroom.live.errors import LiveError
from classroom.live.round import Refused, Round
from quiz import asking, bank
from quiz.grading import BadAnswer

KINDS = {kind: next(item for item in bank.items() if item.kind == kind) for kind in ("single", "multiple", "numeric", "prints")}


def begun(*names: str, phones: int = 4) -> Round:
    live = Round([asking.question(bank.item(name), 7) for name in names])
    for number in range(phones):
        live.apply({"event": "join", "phone": f"phone {number}"})
    return live


def asked(item, phones: int = 4) -> Round:
    live = begun(item.id, phones=phones)
    live.apply({"event": "ask", "question": item.id})
    return live


def vote(live: Round, *texts: str) -> None:
    for number, text in enumerate(texts):
        event = {"event": "answer", "phone": f"phone {number}", "question": live.played[-1], "vote": live.vote, "answer": text}
        live.apply(event)


def act(live: Round, *actions: str) -> None:
    for action in actions:
        live.apply({"event": action})


def right(asked_: asking.Question) -> str:
    item = asked_.item
    if asked_.choices:
        return " ".join(asking.LETTERS[place] for place, index in enumerate(asked_.order) if item.options[index].right)
    return item.output if item.kind == "prints" else str(item.value)


def wrong(asked_: asking.Question) -> tuple[str, str]:
    """A wrong answer, and the belief behind it."""
    item = asked_.item
    if asked_.choices:
        place, option = next((place, item.options[i]) for place, i in enumerate(asked_.order) if not item.options[i].right)
        return asking.LETTERS[place], option.thought
    return item.slips[0].text if item.kind == "prints" else str(item.slips[0].value), item.slips[0].thought


# --- what may happen, and what is shown ---------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_two_votes_are_counted_with_the_beliefs_behind_them(kind):
    live = asked(KINDS[kind])
    text, belief = wrong(live.current)
    vote(live, text, text, right(live.current))
    act(live, "close", "discuss", "vote")
    vote(live, right(live.current), text, right(live.current), right(live.current))
    act(live, "close")
    rows = tally.histogram(live, live.played[-1])
    assert next(row.counts for row in rows if row.belief == belief) == [2, 1]
    assert next(row.counts for row in rows if row.right) == [1, 3]
    assert list(tally.changes(live, live.played[-1]).values()) == [1, 1, 0, 1]
    held = next(held for held in tally.beliefs(live) if held.belief == belief)
    assert (held.counts, held.totals) == ([2, 1], [3, 4])


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_tells_the_key_before_the_answers_are_shown(kind):
    live = asked(KINDS[kind])
    item, given = live.current.item, [right(live.current), wrong(live.current)[0]]
    telling = [item.explanation, wrong(live.current)[1]] + ([] if live.current.choices else [right(live.current)])
    for step in ("", "close", "discuss", "vote"):
        if step:
            act(live, step)
        if live.vote:
            vote(live, *given)
        screens = [views.presenter(live), views.phone(live, "phone 2")]  # this phone has not answered
        assert not [words for words in telling if words in json.dumps(screens, ensure_ascii=False)], step
        assert all(set(screen) <= PUBLIC for screen in screens), step
    act(live, "close")
    for screen in (views.presenter(live), views.phone(live, "phone 0")):
        assert item.explanation in json.dumps(screen, ensure_ascii=False)


PUBLIC = {
    "phase", "step", "vote", "phones", "actions", "left", "played", "question", "answered", "right", "advice", "words", "said",
}  # fmt: skip


def test_a_phone_is_told_what_its_own_last_answer_is_worth():
    live = asked(KINDS["single"])
    vote(live, wrong(live.current)[0], right(live.current))
    act(live, "close", "show")
    verdicts = [views.phone(live, f"phone {number}")["feedback"][0] for number in range(3)]
    assert verdicts == ["Not right.", "Right.", "You have not answered."]


def test_what_a_phone_is_told_is_about_its_second_answer_if_it_has_given_one():
    live = asked(KINDS["single"])
    vote(live, wrong(live.current)[0], wrong(live.current)[0])
    act(live, "close", "discuss", "vote")
    vote(live, right(live.current))
    act(live, "close")
    assert [views.phone(live, f"phone {number}")["feedback"][0] for number in range(2)] == ["Right.", "Not right."]


def test_the_last_answer_counts_and_counts_once():
    live = asked(KINDS["single"])
    vote(live, "a")
    vote(live, "b")
    assert [answer.text for answer in live.answers(1).values()] == ["b"]


def test_a_vote_takes_answers_only_while_it_is_open():
    live = asked(KINDS["single"])
    late = {"event": "answer", "phone": "phone 0", "question": live.played[-1], "vote": 1, "answer": "a"}
    for change in ({"vote": 2}, {"question": "lora-start"}, {"phone": "a stranger"}):
        with pytest.raises(Refused):
            live.apply(late | change)
    act(live, "close")
    with pytest.raises(Refused, match="closed"):
        live.apply(late)
    act(live, "reopen")
    live.apply(late)
    act(live, "close", "discuss", "vote")
    with pytest.raises(Refused):
        live.apply(late)
    assert len(live.answers(1)) == 1 and not live.answers(2)


def test_what_is_no_answer_is_refused_and_changes_nothing():
    live = asked(KINDS["numeric"])
    with pytest.raises(BadAnswer, match="not a number"):
        vote(live, "many")
    assert not live.answers(1)


@pytest.mark.parametrize(("of_ten", "proposed"), [(0, "discuss"), (2, "discuss"), (5, "discuss"), (8, "show")])
def test_a_discussion_is_proposed_unless_most_know_it(of_ten, proposed):
    live = asked(KINDS["single"], phones=10)
    vote(live, *[right(live.current)] * of_ten, *[wrong(live.current)[0]] * (10 - of_ten))
    act(live, "close")
    assert live.actions[0] == proposed


def test_no_question_is_asked_twice_and_a_round_that_is_over_can_go_on():
    live = begun("lora-start", "lora-form")
    live.apply({"event": "ask", "question": "lora-form"})
    act(live, "close", "show")
    with pytest.raises(Refused):
        live.apply({"event": "ask", "question": "lora-form"})
    act(live, "end")
    live.apply({"event": "ask", "question": "lora-start"})
    act(live, "close", "show")
    assert live.actions == ["end"]


def test_words_of_a_stranger_are_not_on_the_projector():
    live = asked(KINDS["prints"])
    vote(live, "<b>rude</b>")
    act(live, "close", "show")
    assert "rude" not in json.dumps(views.presenter(live))
    assert tally.histogram(live, live.played[-1])[-1].counts == [1]


# --- what is kept -------------------------------------------------------------------------------


def written(path, *events) -> None:
    async def write():
        kept = journal.Journal(path)
        for event in events:
            kept.append(event)
        await asyncio.gather(*(kept.sync() for _ in events))
        kept.close()

    asyncio.run(write())


def test_a_round_is_the_same_after_it_is_read_again(tmp_path):
    events = [{"event": "join", "phone": "p"}, {"event": "ask", "question": "lora-start"}]
    events += [{"event": "answer", "phone": "p", "question": "lora-start", "vote": 1, "answer": "b"}]
    journal.begin(tmp_path / "round.jsonl", {"seed": 7})
    written(tmp_path / "round.jsonl", *events)
    header, found = journal.read(tmp_path / "round.jsonl")
    first, again = begun("lora-start", phones=0), begun("lora-start", phones=0)
    for one, other in zip(events, found, strict=True):
        first.apply(one)
        again.apply(other)
    assert header == {"seed": 7} and views.phone(again, "p") == views.phone(first, "p")


def test_a_line_that_a_crash_cut_off_is_dropped_and_the_next_one_is_whole(tmp_path):
    path = tmp_path / "round.jsonl"
    path.write_text('{"seed": 7}\n{"event": "join", "phone": "p"}\n{"event": "joi')
    assert len(journal.read(path)[1]) == 1
    written(path, {"event": "close"})
    assert journal.read(path)[1][-1] == {"event": "close"}


def test_what_a_full_disk_refuses_is_written_later(tmp_path, monkeypatch):
    path = tmp_path / "round.jsonl"
    journal.begin(path, {})

    async def write():
        kept = journal.Journal(path)
        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(28, "No space left on device")))
            kept.append({"event": "one"})
            with pytest.raises(OSError):
                await kept.sync()
            assert journal.read(path)[1] == []
        kept.append({"event": "two"})
        await kept.sync()
        kept.close()

    asyncio.run(write())
    assert [event["event"] for event in journal.read(path)[1]] == ["one", "two"]


def test_a_broken_line_is_named(tmp_path):
    (tmp_path / "round.jsonl").write_text('{"seed": 7}\nnonsense\n{"event": "close"}\n')
    with pytest.raises(LiveError, match="line 2"):
        journal.read(tmp_path / "round.jsonl")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions.")
def test_only_its_owner_reads_the_journal(tmp_path):
    journal.begin(tmp_path / "round.jsonl", {"secret": "s"})
    assert (tmp_path / "round.jsonl").stat().st_mode & 0o077 == 0


# --- what is left, and where it listens ---------------------------------------------------------


def test_the_page_and_the_csv_tell_what_was_believed(tmp_path):
    live = asked(KINDS["prints"])
    text, belief = wrong(live.current)
    vote(live, text, "=1+1", "<script>alert(1)</script>")
    act(live, "close", "discuss", "vote")
    vote(live, right(live.current))
    act(live, "close", "end")
    report.write(live, tmp_path, "2026-05-01 09:00")
    page = (tmp_path / report.PAGE).read_text(encoding="utf-8")
    assert belief in page and "<script>" not in page
    rows = list(csv.DictReader((tmp_path / report.ANSWERS).open(encoding="utf-8-sig")))
    told = [(row["vote"], row["phone"], row["points"], row["beliefs"]) for row in rows]
    assert told == [("1", "1", "0", belief), ("1", "2", "0", ""), ("1", "3", "0", ""), ("2", "1", "1", "")]
    assert rows[1]["answer"] == "’=1+1"


def test_a_port_in_use_and_an_unknown_host_are_named():
    with socket.socket() as other:
        other.bind((addresses.LOOPBACK, 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(LiveError, match=f"Port {port} is in use.*--port {port + 1}"):
            addresses.listen(addresses.LOOPBACK, port)
    with pytest.raises(LiveError, match="names.no..host"):
        addresses.listen("names.no..host", 0)


def test_an_address_that_phones_reach_comes_before_those_inside_this_machine(monkeypatch):
    networks = {"lo": "127.0.0.1", "docker0": "172.17.0.1", "tun0": "10.8.0.2", "wlan0": "192.168.1.5", "eth0": "169.254.3.4"}

    class Entry:
        def __init__(self, address):
            self.family, self.address = socket.AF_INET, address

    entries = {name: [Entry(address)] for name, address in networks.items()}
    stats = {name: type("Stats", (), {"isup": True}) for name in networks}
    monkeypatch.setattr(addresses.psutil, "net_if_addrs", lambda: entries)
    monkeypatch.setattr(addresses.psutil, "net_if_stats", lambda: stats)
    monkeypatch.setattr(addresses, "_of_the_usual_way", lambda: "10.8.0.2")  # a VPN is on
    assert addresses.candidates() == ["192.168.1.5", "10.8.0.2", "172.17.0.1"]
