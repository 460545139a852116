"""The mock interview in the browser: the same rules, one secret address, nothing lost by a page that is closed."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import UTC, datetime
from threading import Thread

import pytest

from coach.interview import coding, draw, server, session
from grader.problems import ROOT
from quiz import store

SECRET = "word"


@pytest.fixture
def face(tmp_path, monkeypatch):
    monkeypatch.setenv("QUIZ_HOME", str(tmp_path / "quiz"))
    monkeypatch.setenv("COURSE_HOME", str(tmp_path / "own"))
    monkeypatch.setenv("QUIZ_NOW", datetime(2026, 5, 4, 18, tzinfo=UTC).isoformat())
    monkeypatch.setattr(coding, "check", lambda told: {"solved": True, "message": "All pass.", "passed": 2, "of": 2})
    return server.Face(session.begin(store.Store(), draw.draw(1, 45, "on-site", None, True)))


@pytest.fixture
def page(face):
    served = server.make_server(face, SECRET)
    Thread(target=served.serve_forever, args=(0.02,), daemon=True).start()

    def ask(path, body=None, host=None, secret=SECRET, raw=None):
        data = raw if raw is not None else json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(f"http://127.0.0.1:{served.server_port}/{secret}/{path}", data)
        if host:
            request.add_header("Host", host)
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                return reply.status, reply.headers, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()

    yield ask
    served.shutdown()
    served.server_close()


def view(page) -> dict:
    status, _, text = page("view")
    assert status == 200
    return json.loads(text)


def say(page, text, prompt=None):
    status, _, reply = page("answer", {"prompt": prompt or view(page)["id"], "text": text})
    return status, json.loads(reply)


def test_a_whole_round_in_the_browser(page, face):
    seen = set()
    while not (shown := view(page)).get("done"):
        seen.add(shown["kind"])
        text = {"text": "my <b>text</b>", "marks": "a", "code": "check"}.get(shown["kind"], "skip")
        status, after = say(page, text)
        assert status == 200 and after != shown
    assert {"line", "text", "marks", "code"} <= seen
    assert face.over.is_set() and face.session.state().ended == "done"
    status, headers, text = page("debrief")
    assert status == 200 and "Mock interview of 4 May 2026" in text and "<b>text" not in text
    assert "script-src" not in headers["Content-Security-Policy"]


def test_wrong_input_gets_a_sentence_and_nothing_changes(page):
    before = view(page)
    status, reply = say(page, "z z z")
    assert status == 422 and reply["problem"].endswith(".")
    assert view(page)["id"] == before["id"]


@pytest.mark.parametrize("body", [None, [], {}, {"prompt": 3, "text": "a"}, {"prompt": "q:x"}, {"text": "a"}])
def test_a_request_that_is_no_answer_is_refused_in_a_sentence(page, body):
    status, _, text = page("answer", body, raw=b"{" if body is None else None)
    assert status == 400 and json.loads(text)["problem"]


def test_too_much_is_refused(page):
    status, _, text = page("answer", raw=b"x" * (server.MOST_BYTES + 1))
    assert status == 400 and "too long" in text


@pytest.mark.parametrize("what", ["", "view", "debrief", "page.js", "answer"])
def test_nobody_comes_in_without_the_secret_or_from_another_site(page, what):
    assert page(what, secret="other")[0] == 404
    assert page(what, host="evil.example")[0] == 404
    assert page("../page.js")[0] == 404 and page("server.py")[0] == 404


def test_an_answer_that_is_sent_twice_is_taken_once(page, face):
    first = view(page)
    assert say(page, "skip", first["id"])[0] == 200
    status, after = say(page, "skip", first["id"])
    assert status == 200 and after["id"] != first["id"]
    assert len(face.session.state().answers) == 1


def test_a_page_that_is_closed_and_opened_again_shows_what_was_written(page, face):
    while view(page)["kind"] != "text":
        say(page, "skip")
    shown = view(page)
    page("draft", {"prompt": shown["id"], "text": "half a thought"})
    assert view(page)["draft"] == "half a thought"
    again = session.Session(store.Store(), face.session.number)  # and after a kill as well
    assert again.state().drafts[shown["id"]] == "half a thought"


def test_the_page_is_whole_and_needs_no_network(page):
    status, headers, text = page("")
    assert status == 200 and "default-src 'none'" in headers["Content-Security-Policy"]
    for name in re.findall(r'(?:src|href)="([^"]+)"', text):
        status, headers, body = page(name)
        assert status == 200 and body and not re.search(r"https?://", body)
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_clock_counts_while_the_page_is_open_and_stands_when_it_is_closed():
    now = [0.0]
    watch = server.Stopwatch(lambda: now[0])
    for moment in (0, 5, 10):
        now[0] = moment
        watch.beat("one")
    assert watch.seconds == 10
    now[0] = 10_000  # the lid was closed
    assert watch.beat("one") == 10 + server.GAP
    assert watch.beat("two") == 0
    now[0] += 3
    watch.beat("two")
    assert watch.stop() == 3 and watch.seconds == 0


def test_a_pause_is_kept_and_its_time_does_not_count(page, face):
    shown = view(page)
    face.watch.seconds = 30.0
    page("pause", {"prompt": shown["id"], "text": ""})
    state = face.session.state()
    assert state.pauses == 1 and 30 <= sum(state.used.values()) < 31
    face.watch.clock = lambda: 10**6
    assert view(page)["left"] <= 45 * 60 - 30 and face.watch.seconds == 0


def test_the_view_of_a_candidate_holds_no_answer(page, face):
    while not (shown := view(page)).get("done"):
        assert shown["aside"] == []
        say(page, "skip")


def test_who_leads_gets_the_answers_beside_the_question(face, page):
    led = {"interviewer": True, "candidate": "Ada"}
    face.session = session.begin(store.Store(), draw.draw(1, 45, "on-site", None, False) | led)
    shown = view(page)
    assert shown["led"] and shown["aside"] and [text for text, _ in shown["quick"]] == ["r", "p", "w"]
    assert say(page, "r")[0] == 200
    assert view(page)["kind"] == "marks"


def test_the_command_serves_and_a_kill_loses_nothing(tmp_path):
    places = {"QUIZ_HOME": str(tmp_path / "quiz"), "COURSE_HOME": str(tmp_path / "own"), "PYTHONUNBUFFERED": "1"}
    pipes = {"stdout": subprocess.PIPE, "stdin": subprocess.DEVNULL, "cwd": ROOT, "env": os.environ | places, "text": True}
    command = [sys.executable, "-m", "coach", "interview", "--browser"]
    process = subprocess.Popen([*command, "--seed", "5"], **pipes)
    address = next(line.strip() for line in process.stdout if "http://" in line)

    def ask(path, body=None):
        data = json.dumps(body).encode() if body else None
        with urllib.request.urlopen(address + path, data, timeout=20) as reply:
            return json.load(reply)

    first = ask("view")
    second = ask("answer", {"prompt": first["id"], "text": "skip"})
    process.send_signal(signal.SIGKILL)
    process.communicate()
    process = subprocess.Popen([*command, "--resume"], **pipes)
    address = next(line.strip() for line in process.stdout if "http://" in line)
    assert ask("view")["id"] == second["id"] != first["id"]
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 1 and "--resume --browser" in out
