"""The command: which questions, which folder, which address; then the server, until it is stopped."""

import asyncio
import hashlib
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path
from random import SystemRandom

import filelock
import uvicorn

from classroom.live import addresses, guard, journal, report
from classroom.live.errors import LiveError
from classroom.live.round import Refused, Round
from classroom.live.server import Room, application
from quiz import asking, bank, keyless

FORMAT = 1
ROUND, LOCK = "round.jsonl", ".lock"
FITS = ("single", "multiple", "numeric", "prints")  # what is answered on a phone in a minute
CODE_LETTERS = "BCDFGHJKMNPQRSTVWXZ23456789"  # none is taken for another, and they make no words
OTHER_FOLDER = "Name a new folder: --out DIR."


def chosen(topic: str | None, level: str | None, names: Sequence[str]) -> list[bank.Item]:
    """The questions of a topic and a level, or those with these ids. LiveError if there are none."""
    if not bank.has_questions():
        raise LiveError(bank.NO_QUESTIONS)
    if not bank.has_keys():
        raise LiveError(f"Live questions need the keys, and this copy of the course has none. {keyless.WHO}")
    if names and (topic or level):
        raise LiveError("Name questions, or a topic and a level, not both.")
    known = [item.id for item in bank.items()]
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, 3)
            hint = f"Do you mean {' or '.join(near)}?" if near else "The ids stand in quiz/bank, in brackets."
            raise LiveError(f"There is no question {name!r}. {hint}")
    try:
        found = [bank.item(name) for name in dict.fromkeys(names)] or bank.items(topic, level, "interview")
    except ValueError as error:
        raise LiveError(f"{str(error).capitalize()}.") from None
    if not any(item.kind in FITS for item in found):
        raise LiveError("None of these questions can be answered on a phone. Name others.")
    return found


def run(
    topic: str | None, level: str | None, names: Sequence[str], out: Path | None, host: str, port: int, say: Callable[..., None]
) -> None:
    """Serve a round until it is stopped. A round that was stopped, or has crashed, goes on in its folder.

    Args:
        topic, level, names: which questions; all if none of them is given.
        out: the folder of the round, or None for one that is named after the day and the topic.
        host: the address that the phones use, or "" for the likeliest of this machine.

    Raises:
        LiveError: it cannot begin.
    """
    items = chosen(topic, level, names)
    out = out or _folder("-".join(filter(None, (topic or "questions", level))))
    near = addresses.candidates()
    host = host or next(iter(near), addresses.LOOPBACK)
    with _alone(out):
        sockets = addresses.listen(host, port)
        header, live = _opened(out, items, bool(topic or level or names))
        say(*_opening(header, live, items, out))
        say(*_where(host, port, header, [one for one in near if one != host]))
        try:
            asyncio.run(_serve(header, live, out, host, port, sockets))
        finally:
            if live.played:
                report.write(live, out, header["began"])
                say(f"\nWhat the room believed: {out / report.PAGE}", f"Every answer: {out / report.ANSWERS}")


# --- the folder ---------------------------------------------------------------------------------


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Make the folder, while no other round is at work in it. LiveError if one is."""
    lock = filelock.FileLock(out / LOCK)
    try:
        if out.exists() and not (out / ROUND).exists() and any(one.name != LOCK for one in out.iterdir()):
            raise LiveError(f"{out} exists and holds no live round. {OTHER_FOLDER}")
        out.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=False)
    except filelock.Timeout:
        raise LiveError(f"A live round is at work in {out}. {OTHER_FOLDER}") from None
    except OSError as error:
        raise LiveError(f"{out} cannot be used: {error.strerror}. {OTHER_FOLDER}") from None
    try:
        yield
    finally:
        lock.release()


def _folder(topic: str) -> Path:
    """Today's folder for the topic. A round in it goes on, unless it has ended: then there is another folder."""
    name, number = f"{datetime.now():%Y-%m-%d}-{topic}", 1
    while _has_ended(folder := Path("live") / (name if number == 1 else f"{name}-{number}")):
        number += 1
    return folder


def _has_ended(folder: Path) -> bool:
    found = journal.read(folder / ROUND)
    steps = [event["event"] for event in found[1] if event.get("event") not in ("join", "answer")] if found else []
    return steps[-1:] == ["end"]


def _opened(out: Path, items: list[bank.Item], are_named: bool) -> tuple[dict, Round]:
    """The round of the folder, which goes on, or a new one."""
    path = out / ROUND
    if (found := journal.read(path)) is None:
        header = {
            "format": FORMAT,
            "began": f"{datetime.now():%Y-%m-%d %H:%M}",
            "code": "".join(secrets.choice(CODE_LETTERS) for _ in range(6)),
            "secret": secrets.token_urlsafe(16),
            "seed": SystemRandom().randrange(10**6),
            "questions": {item.id: _digest(item) for item in items if item.kind in FITS},
        }
        journal.begin(path, header)
        found = header, []
    header, events = found
    known = {item.id: item for item in bank.items()}
    try:
        if header["format"] != FORMAT:
            raise LiveError(f"{path} is of another edition of the course. {OTHER_FOLDER}")
        for name, digest in header["questions"].items():
            if name not in known or _digest(known[name]) != digest:
                raise LiveError(f"The question {name} has changed since the round in {out} began. {OTHER_FOLDER}")
        if are_named and list(header["questions"]) != [item.id for item in items if item.kind in FITS]:
            raise LiveError(f"{out} holds a round of other questions. {OTHER_FOLDER}")
        live = Round([asking.question(known[name], header["seed"]) for name in header["questions"]])
        for event in events:
            live.apply(event)
    except (Refused, ValueError, LookupError, TypeError, AttributeError):
        raise LiveError(f"{path} is broken. {OTHER_FOLDER}") from None
    return header, live


def _digest(item: bank.Item) -> str:
    """Of all that a question says: answers are kept by the letters of its options."""
    return hashlib.sha256(item.model_dump_json().encode()).hexdigest()[:16]


# --- what is said -------------------------------------------------------------------------------


def _opening(header: dict, live: Round, items: list[bank.Item], out: Path) -> list[str]:
    count = len(live.asked)
    lines = [f"{count} {'question' if count == 1 else 'questions'}."]
    left_out = [f"{item.id} ({item.kind})" for item in items if item.kind not in FITS]
    if left_out:
        lines.append(f"Left out, since they take more than a phone: {', '.join(left_out)}.")
    if live.phones:
        asked = f"{len(live.played)} of {count} asked, {len(live.phones)} phones"
        lines.append(f"The round of {header['began']} goes on: {asked}. For a new one, name a new folder: --out DIR.")
    return [*lines, f"The round is kept in {out}. Ctrl-C stops it, and the same command goes on."]


def _where(host: str, port: int, header: dict, others: list[str]) -> list[str]:
    lines = [
        "",
        f"Projector:  http://{addresses.LOOPBACK}:{port}/presenter?key={header['secret']}",
        f"Phones:     http://{host}:{port}   code {header['code']}",
        "",
        "Open the projector's address in a browser here; F11 fills the screen. The space bar does the next step.",
        "Keep that address to yourself: whoever has it leads the round.",
    ]
    if host == addresses.LOOPBACK:
        lines.append(f"No phone can reach {host}: it is this machine alone. Join a network, or open a hotspot.")
    else:
        lines.append("If a phone does not get the page: is it in the same network, with mobile data and VPN off?")
        lines.append("Does the firewall of this machine let Python in?")
        lines.append("Some networks keep phones apart from computers. Then open a hotspot, join it with all, and start again.")
    if others:
        lines.append(f"Other addresses of this machine, for --host: {', '.join(others)}.")
    return lines


# --- the server ---------------------------------------------------------------------------------


async def _serve(header: dict, live: Round, out: Path, host: str, port: int, sockets: list) -> None:
    _allow_many_connections()
    kept = journal.Journal(out / ROUND)
    address = f"http://{host}:{port}"
    room = Room(live, kept, header["code"], header["secret"], address, lambda: report.write(live, out, header["began"]))
    config = uvicorn.Config(
        application(room, [host, addresses.LOOPBACK, "localhost"]),
        http=guard.Guarded,
        ws="none",
        lifespan="off",
        loop="asyncio",
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=guard.CONNECTIONS,
        timeout_graceful_shutdown=1,
    )
    try:
        await uvicorn.Server(config).serve(sockets)
    finally:
        kept.close()
    raise KeyboardInterrupt  # a server ends by a signal alone; where signals are ignored, uvicorn does not pass it on


def _allow_many_connections() -> None:
    """A system may allow a program few open files; each phone needs one or two."""
    if sys.platform != "win32":
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = guard.CONNECTIONS + 200
        with suppress(ValueError, OSError):  # the system knows why it allows no more
            most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))
