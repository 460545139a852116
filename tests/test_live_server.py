"""The server of a live round: whom it lets in, what it refuses, and that a crash loses no answer."""

import asyncio
import csv
import json
import signal
import socket
import subprocess
import sys
import time
from contextlib import asynccontextmanager

import httpx
import pytest

from classroom import __main__ as classroom
from classroom.live import journal, news, report
from classroom.live.errors import LiveError
from classroom.live.round import Round
from quiz import asking, bank

LEFT_OUT = "Live questions are not installed: pip install -r requirements-live.txt -c constraints.txt."
uvicorn, command, guard, server = (
    pytest.importorskip(name, reason=LEFT_OUT)
    for name in ("uvicorn", "classroom.live.command", "classroom.live.guard", "classroom.live.server")
)
CODE, SECRET = "BCDFGH", "the presenter's secret"


@pytest.fixture
def room(tmp_path):
    journal.begin(tmp_path / "round.jsonl", {})
    live = Round([asking.question(bank.item(name), 7) for name in ("lora-start", "lora-first-gradients")])
    room = server.Room(live, journal.Journal(tmp_path / "round.jsonl"), CODE, SECRET, "http://192.168.1.5:8000")
    room.tries.clock = room.requests.clock = lambda: 0.0  # however slow the machine is, no time passes
    return room


def visiting(room, visit, **client_options) -> None:
    """Run a visit: a function of a maker of browsers, each with cookies of its own."""

    async def run():
        transport = httpx.ASGITransport(server.application(room, ["192.168.1.5"]), **client_options)
        await visit(lambda: httpx.AsyncClient(transport=transport, base_url="http://192.168.1.5:8000"))

    asyncio.run(run())


async def joined(browser) -> httpx.AsyncClient:
    phone = browser()
    assert (await phone.post("/join", json={"code": CODE})).status_code == 200
    return phone


async def presenting(browser) -> httpx.AsyncClient:
    presenter = browser()
    assert (await presenter.get("/presenter", params={"key": SECRET})).status_code == 303
    return presenter


def answer(text: str = "a", vote: int = 1) -> dict:
    return {"question": "lora-start", "vote": vote, "answer": text}


def test_a_phone_with_the_code_answers_and_one_without_does_not(room):
    async def visit(browser):
        phone, stranger = await joined(browser), browser()
        room.live.apply({"event": "ask", "question": "lora-start"})
        assert (await phone.post("/answer", json=answer())).json() == {"said": "a"}
        assert (await stranger.post("/answer", json=answer())).status_code == 401
        assert (await stranger.get("/events")).status_code == 401
        assert (await stranger.post("/join", json={"code": "WRONG2"})).status_code == 403
        assert (await stranger.post("/join", json={"code": "bcd-fgh "})).status_code == 200

    visiting(room, visit)
    assert len(room.live.answers(1)) == 1


def test_an_answer_that_is_sent_twice_is_written_once(room, tmp_path):
    async def visit(browser):
        phone = await joined(browser)
        room.live.apply({"event": "ask", "question": "lora-start"})
        for _ in range(3):
            assert (await phone.post("/answer", json=answer())).status_code == 200

    visiting(room, visit)
    assert [event["event"] for event in journal.read(tmp_path / "round.jsonl")[1]] == ["join", "answer"]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (json.dumps(answer("many letters" * 30)), 413), ("x" * 5000, 413), ("[" * 2000, 400), ("[1]", 400),
        ('{"answer": 3}', 400), ('{"vote": "1"}', 400), ("\xff", 400), ("{}", 409), (json.dumps(answer(vote=2)), 409),
        (json.dumps(answer("z")), 422), (json.dumps(answer("\ud800")), 422),
    ],
)  # fmt: skip
def test_nothing_but_answers_is_taken(room, content, status):
    async def visit(browser):
        phone = await joined(browser)
        room.live.apply({"event": "ask", "question": "lora-start"})
        found = await phone.post("/answer", content=content.encode("latin-1"), headers={"content-type": "application/json"})
        assert (found.status_code, bool(found.json()["problem"])) == (status, True)
        assert (await phone.post("/answer", json=answer(), headers={"content-type": "text/plain"})).status_code == 415

    visiting(room, visit)
    assert not room.live.answers(1)


def test_half_a_sign_is_an_answer_that_the_csv_can_hold(room, tmp_path):
    async def visit(browser):
        phone = await joined(browser)
        room.live.apply({"event": "ask", "question": "lora-first-gradients"})
        half = {"question": "lora-first-gradients", "vote": 1, "answer": "True \ud800"}
        found = await phone.post("/answer", content=json.dumps(half), headers={"content-type": "application/json"})
        assert found.status_code == 200

    visiting(room, visit)
    report.write(room.live, tmp_path, "2026-05-01 09:00")
    assert "True ?" in (tmp_path / report.ANSWERS).read_text(encoding="utf-8-sig")


def test_only_the_presenter_leads_the_round_and_a_second_press_does_nothing(room):
    async def visit(browser):
        phone, presenter = await joined(browser), await presenting(browser)
        first = {"action": "ask", "step": 0, "question": "lora-start"}
        for path in ("/presenter", "/presenter/events", "/presenter/code.svg"):
            assert (await phone.get(path)).status_code == 403
        assert (await phone.post("/presenter/act", json=first)).status_code == 403
        wrong = browser()
        await wrong.get("/presenter", params={"key": "a guess"})
        assert (await wrong.post("/presenter/act", json=first)).status_code == 403
        assert (await presenter.post("/presenter/act", json=first)).status_code == 200
        assert (await presenter.post("/presenter/act", json={"action": "close", "step": 0})).status_code == 409
        assert (await presenter.post("/presenter/act", json={"action": "answer", "step": 1})).status_code == 409
        assert (await presenter.get("/presenter/code.svg")).text.startswith("<?xml")

    visiting(room, visit)
    assert room.live.phase == "first"


def test_only_its_own_files_are_served_to_its_own_name_with_headers_that_shut_strangers_out(room):
    async def visit(browser):
        stranger = browser()
        for path in ("/round.jsonl", "/static/live.css", "/..%2fround.py", "/live.js/x"):
            assert (await stranger.get(path)).status_code == 404, path
        found = await stranger.get("/")
        policy = found.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert found.headers["x-content-type-options"] == "nosniff" and "access-control-allow-origin" not in found.headers
        assert (await stranger.get("/", headers={"host": "rebound.example"})).status_code == 400

    visiting(room, visit)


def test_cookies_go_to_no_other_site_and_no_script(room):
    async def visit(browser):
        phone, presenter = browser(), browser()
        of_phone = await phone.post("/join", json={"code": CODE})
        for found in (of_phone, await presenter.get("/presenter", params={"key": SECRET})):
            cookie = found.headers["set-cookie"].lower()
            assert "httponly" in cookie and "samesite=strict" in cookie

    visiting(room, visit)


def test_codes_cannot_be_tried_out_and_those_who_are_in_stay_in(room):
    async def visit(browser):
        phone, stranger = await joined(browser), browser()
        room.live.apply({"event": "ask", "question": "lora-start"})
        tries = [(await stranger.post("/join", json={"code": f"GUESS{n}"})).status_code for n in range(70)]
        assert tries == [403] * 60 + [429] * 10
        assert (await stranger.post("/join", json={"code": CODE})).status_code == 429
        assert (await phone.post("/answer", json=answer())).status_code == 200

    visiting(room, visit)


def test_one_phone_cannot_fill_the_disk_and_one_script_not_the_room(room, monkeypatch):
    monkeypatch.setattr(guard, "PHONES", 2)

    async def visit(browser):
        phone = await joined(browser)
        room.live.apply({"event": "ask", "question": "lora-start"})
        found = [(await phone.post("/answer", json=answer("ab"[n % 2]))).status_code for n in range(50)]
        assert found == [200] * 30 + [429] * 20
        await joined(browser)
        assert "full" in (await browser().post("/join", json={"code": CODE})).json()["problem"]

    visiting(room, visit)


def test_a_full_disk_is_told_to_the_presenter_and_the_phone_is_not_told_that_its_answer_is_kept(room, monkeypatch):
    async def visit(browser):
        phone = await joined(browser)
        room.live.apply({"event": "ask", "question": "lora-start"})
        with monkeypatch.context() as patched:
            patched.setattr(journal.os, "fsync", lambda handle: (_ for _ in ()).throw(OSError(28, "No space left on device")))
            for _ in range(2):
                assert (await phone.post("/answer", json=answer())).status_code == 503
            assert "No space left" in room.trouble
        assert (await phone.post("/answer", json=answer())).status_code == 200
        assert not room.trouble

    visiting(room, visit)


def test_a_stream_tells_what_is_new_and_else_gives_a_sign_of_life(monkeypatch):
    monkeypatch.setattr(news, "BEAT", 0.01)

    async def listen():
        told, state = news.News(), [{"n": 1}]
        stream = news.stream(told, lambda: state[0])
        assert json.loads((await anext(stream)).removeprefix("data: ")) == {"n": 1}
        assert (await anext(stream)).startswith("event: beat")
        state[0] = {"n": 2}
        told.tell()
        assert '"n": 2' in await anext(stream)
        state[0] = None
        assert [text async for text in stream] == []

    asyncio.run(listen())


def test_what_was_used_up_comes_back_with_time():
    now = [0.0]
    allowance = guard.Allowance(burst=2, rate=0.5, clock=lambda: now[0])
    assert [allowance.take("one") for _ in range(3)] == [True, True, False]
    assert allowance.take("other")
    now[0] = 2.0
    assert [allowance.take("one") for _ in range(2)] == [True, False]
    now[0] = 1000.0
    assert [allowance.take("one") for _ in range(3)] == [True, True, False]


# --- connections --------------------------------------------------------------------------------


@asynccontextmanager
async def serving():
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await asyncio.sleep(0.5)
        await send({"type": "http.response.body", "body": b"ok"})

    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(app, http=guard.Guarded, ws="none", lifespan="off", log_level="critical")
    running = uvicorn.Server(config)
    task = asyncio.create_task(running.serve([listener]))
    while not running.started:
        await asyncio.sleep(0.01)
    yield listener.getsockname()
    running.should_exit = True
    await task


async def cut_off(reader: asyncio.StreamReader) -> bool:
    """Whether the other side closes the connection without a word."""
    try:
        return await asyncio.wait_for(reader.read(), 5) == b""
    except ConnectionResetError:
        return True


def test_who_connects_and_says_nothing_is_cut_off_and_who_waits_for_an_answer_is_not(monkeypatch):
    monkeypatch.setattr(guard, "PATIENCE", 0.1)

    async def visit():
        async with serving() as place:
            silent, _ = await asyncio.open_connection(*place)
            slow, writer = await asyncio.open_connection(*place)
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nx-slow")
            asking_, other = await asyncio.open_connection(*place)
            other.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            for one in (silent, slow):
                assert await cut_off(one)
            assert (await asyncio.wait_for(asking_.readuntil(b"ok"), 5)).endswith(b"ok")

    asyncio.run(visit())


def test_one_address_has_so_many_connections_and_gets_them_back(monkeypatch):
    monkeypatch.setattr(guard, "FROM_ONE_ADDRESS", 2)

    async def visit():
        async with serving() as place:
            pairs = [await asyncio.open_connection(*place) for _ in range(3)]
            assert await cut_off(pairs[2][0])
            pairs[0][1].close()
            await asyncio.sleep(0.1)
            reader, writer = await asyncio.open_connection(*place)
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            assert (await asyncio.wait_for(reader.readuntil(b"ok"), 5)).endswith(b"ok")

    asyncio.run(visit())


# --- the command --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--topic", "lorra"], "There is no topic 'lorra'; there are sft"),
        (["--level", "easy"], "There is no level 'easy'"),
        (["--question", "lora-strat"], "Do you mean lora-start"),
        (["--question", "lora-whiteboard"], "None of these questions"),
        (["--question", "lora-start", "--topic", "lora"], "not both"),
    ],
)
def test_what_cannot_be_asked_is_told_in_a_sentence(tmp_path, capsys, arguments, words):
    assert classroom.main(["live", *arguments, "--out", str(tmp_path / "out")]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_is_asked_for_its_own_round_only(tmp_path):
    def opened(*names):
        return command._opened(tmp_path, [bank.item(name) for name in names], True)

    header, live = opened("lora-start", "lora-life")
    assert live.asked["lora-start"] == asking.question(bank.item("lora-start"), header["seed"])  # after a crash, too
    assert list(header["questions"]) == ["lora-start"]  # an ordering does not fit a room
    assert opened("lora-start")[0] == header
    with pytest.raises(LiveError, match="other questions"):
        opened("lora-form")
    path = tmp_path / command.ROUND
    path.write_text(path.read_text().replace(header["questions"]["lora-start"], "another"))
    with pytest.raises(LiveError, match="has changed"):
        opened("lora-start")


def test_a_folder_of_something_else_is_left_as_it_was(tmp_path, capsys):
    (tmp_path / "thesis.txt").touch()
    assert classroom.main(["live", "--topic", "lora", "--out", str(tmp_path)]) == 2
    assert "holds no live round" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_round_without_a_folder_goes_on_until_it_has_ended(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = command._folder("lora")
    journal.begin(folder / command.ROUND, {})
    assert command._folder("lora") == folder
    with (folder / command.ROUND).open("a") as file:
        file.write('{"event": "end"}\n{"event": "join", "phone": "late"}\n')
    assert command._folder("lora").name == f"{folder.name}-2"


def test_a_missing_package_is_named(monkeypatch, capsys):
    for name in [name for name in sys.modules if name.startswith("classroom.live.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("classroom.live.command", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert classroom.main(["live", "--topic", "lora"]) == 2
    assert "pip install -r requirements-live.txt" in capsys.readouterr().err


def test_a_server_that_is_killed_goes_on_where_it_was(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    begin = [sys.executable, "-m", "classroom", "live", "--question", "lora-start", "--out", str(tmp_path / "out")]
    begin += ["--host", "127.0.0.1", "--port", str(port)]

    def started() -> subprocess.Popen:
        process = subprocess.Popen(begin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for _ in range(1200):
            try:
                httpx.get(f"http://127.0.0.1:{port}/")
                return process
            except httpx.TransportError:
                time.sleep(0.1)
        raise AssertionError("the server has not started")

    def client() -> httpx.Client:
        return httpx.Client(base_url=f"http://127.0.0.1:{port}")

    def seen(browser, path: str) -> dict:
        with browser.stream("GET", path) as events:
            return json.loads(next(line for line in events.iter_lines() if line.startswith("data: ")).removeprefix("data: "))

    process = started()
    try:
        header = json.loads((tmp_path / "out" / command.ROUND).read_text().splitlines()[0])
        presenter, phones = client(), [client() for _ in range(3)]
        presenter.get("/presenter", params={"key": header["secret"]})
        for phone in phones:
            phone.post("/join", json={"code": header["code"]})
        presenter.post("/presenter/act", json={"action": "ask", "step": 0, "question": "lora-start"})
        for phone in phones[:2]:
            assert phone.post("/answer", json=answer("b")).status_code == 200
        process.kill()
        process.wait()
        process = started()
        assert seen(phones[0], "/events")["said"] == ["b", ""]
        for phone in phones:
            assert phone.post("/answer", json=answer("b")).status_code == 200
        assert seen(presenter, "/presenter/events")["answered"] == [3, 0]
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=20)
    finally:
        process.kill()
    assert process.returncode == 1 and "goes on" in output and "Traceback" not in output
    rows = list(csv.DictReader((tmp_path / "out" / "answers.csv").open(encoding="utf-8-sig")))
    assert [(row["phone"], row["vote"]) for row in rows] == [("1", "1"), ("2", "1"), ("3", "1")]
