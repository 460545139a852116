"""A lecture hall: 300 phones hear of a question, answer at once, and answer again while the server is killed.

    .venv/bin/python -m tests.benchmarks.live [PHONES]

The phones are connections of this process, which shares the machine with the server: each listens on one, and sends on
new ones until its answer is confirmed. In the end, every answer in the round's file must be the one of which its phone was
told that it is kept.
"""

import asyncio
import csv
import json
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from classroom.live import journal
from classroom.live.command import ROUND
from classroom.live.report import ANSWERS

HOST, QUESTION = "127.0.0.1", "lora-start"
WITHIN = 2  # seconds, in which the second vote is cast


class Server:
    """The command, in a process of its own, that can be killed and started again."""

    def __init__(self, out: Path):
        self.out = out
        with socket.create_server((HOST, 0)) as free:
            self.port = free.getsockname()[1]

    async def start(self) -> float:
        """Seconds until it answers."""
        begin = time.perf_counter()
        command = [sys.executable, "-m", "classroom", "live", "--question", QUESTION, "--out", str(self.out)]
        command += ["--host", HOST, "--port", str(self.port)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while (await self.send("GET", "/"))[0] != 200:
            await asyncio.sleep(0.05)
        return time.perf_counter() - begin

    async def connect(self, method: str, path: str, cookie: str = "", data: dict | None = None):
        reader, writer = await asyncio.open_connection(HOST, self.port)
        body = json.dumps(data or {}).encode()
        headers = f"host: {HOST}\r\ncookie: {cookie}\r\nconnection: close\r\ncontent-type: application/json"
        head = f"{method} {path} HTTP/1.1\r\n{headers}\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        return reader, writer

    async def send(self, method: str, path: str, cookie: str = "", data: dict | None = None) -> tuple[int, str]:
        """The status, 0 if nobody answers, and the whole reply."""
        try:
            reader, writer = await self.connect(method, path, cookie, data)
            reply = (await reader.read()).decode()
            writer.close()
            return int(reply.split()[1]), reply
        except (OSError, IndexError):
            return 0, ""

    async def act(self, presenter: str, **data) -> None:
        status, reply = await self.send("POST", "/presenter/act", presenter, data)
        assert status == 200, reply


class Phone:
    def __init__(self, server: Server):
        self.server, self.heard, self.told = server, {}, {}

    async def join(self, code: str) -> None:
        status, reply = await self.server.send("POST", "/join", data={"code": code})
        assert status == 200, reply
        self.cookie = reply.partition("set-cookie: ")[2].partition(";")[0]
        self.listening = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        """Notes when it hears of each phase first. Connects again when the connection is lost."""
        while True:
            try:
                reader, _ = await self.server.connect("GET", "/events", self.cookie)
                while line := await reader.readline():
                    if line.startswith(b"data: {"):
                        self.heard.setdefault(json.loads(line[6:])["phase"], time.perf_counter())
            except OSError:
                pass
            await asyncio.sleep(0.5)

    async def answer(self, vote: int, text: str, delay: float = 0.0) -> float:
        """Send until it is confirmed. Seconds from the first try on."""
        await asyncio.sleep(delay)
        begin = time.perf_counter()
        data = {"question": QUESTION, "vote": vote, "answer": text}
        while (await self.server.send("POST", "/answer", self.cookie, data))[0] != 200:
            await asyncio.sleep(0.2)
        self.told[vote] = text
        return time.perf_counter() - begin


def told(title: str, seconds: list[float]) -> None:
    ordered = sorted(seconds)
    middle, most = statistics.median(ordered), ordered[int(0.99 * len(ordered))]
    print(f"{title:45} median {middle:6.3f} s, 99 % {most:6.3f} s, last {ordered[-1]:6.3f} s")


def counted(out: Path, phones: list[Phone]) -> None:
    """Every answer that was confirmed is in the file, and each phone once in each vote."""
    rows = list(csv.DictReader((out / ANSWERS).open(encoding="utf-8-sig")))
    letters: dict[str, dict[str, str]] = {}
    for event in journal.read(out / ROUND)[1]:
        if event["event"] == "answer":
            letters.setdefault(event["phone"], {})[event["vote"]] = event["answer"]
    kept = sorted(json.dumps(votes, sort_keys=True) for votes in letters.values())
    confirmed = sorted(json.dumps(phone.told, sort_keys=True) for phone in phones)
    pairs = {(row["vote"], row["phone"]) for row in rows}
    twice, state = len(rows) - len(pairs), "none" if kept == confirmed else "SOME"
    print(f"confirmed answers {2 * len(phones)}, counted {len(rows)}, of these twice {twice}, lost or changed: {state}")
    assert kept == confirmed and len(rows) == len(pairs) == 2 * len(phones)


async def rehearse(count: int, out: Path) -> None:
    server, chance = Server(out), random.Random(0)
    await server.start()
    header = journal.read(out / ROUND)[0]
    presenter = f"presenter={header['secret']}"
    phones = [Phone(server) for _ in range(count)]
    begin = time.perf_counter()
    await asyncio.gather(*(phone.join(header["code"]) for phone in phones))
    print(f"{count} phones have joined, all at once, in {time.perf_counter() - begin:.2f} s")
    await asyncio.sleep(1)

    begin = time.perf_counter()
    await server.act(presenter, action="ask", step=0, question=QUESTION)
    await asyncio.sleep(2)
    told("the question is on the phones after", [phone.heard["first"] - begin for phone in phones])

    used = sum(psutil.Process(server.process.pid).cpu_times()[:2])
    waited = await asyncio.gather(*(phone.answer(1, chance.choice("abcd")) for phone in phones))
    used = sum(psutil.Process(server.process.pid).cpu_times()[:2]) - used
    told("all answer at once; each is confirmed after", waited)
    print(f"the server computes {1000 * used / count:.1f} ms for each answer")

    for step, action in enumerate(("close", "discuss", "vote"), 1):
        await server.act(presenter, action=action, step=step)
    votes = [asyncio.create_task(phone.answer(2, chance.choice("abcd"), chance.uniform(0, WITHIN))) for phone in phones]
    await asyncio.sleep(WITHIN / 2)
    server.process.kill()
    server.process.wait()
    down = await server.start()
    before = sum(2 in phone.told for phone in phones)
    print(f"the server is killed after {before} answers of the second vote, and is back in {down:.1f} s")
    told("  each is confirmed after", await asyncio.gather(*votes))
    await server.act(presenter, action="close", step=4)
    counted(out, phones)
    for phone in phones:
        phone.listening.cancel()
    server.process.kill()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(rehearse(int(sys.argv[1]) if sys.argv[1:] else 300, Path(folder) / "round"))
