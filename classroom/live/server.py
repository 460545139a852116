"""Serves a round to the phones of a room and to the projector.

A phone gives the code of the room and gets a cookie of its own; then it may answer, and nothing else. The presenter's
cookie comes with the secret address that stands in the terminal. Only the files named here are served, and no page may
be read by another site.
"""

import asyncio
import hashlib
import io
import json
import secrets
from collections import defaultdict, deque
from datetime import datetime
from pathlib import Path

import segno
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

from classroom.live import guard, views
from classroom.live.journal import Journal
from classroom.live.news import News, stream
from classroom.live.round import Refused, Round
from quiz.grading import BadAnswer

STATIC = Path(__file__).parent / "static"
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
MOST_BYTES = 4096  # of a request
LONGEST_ANSWER = 300  # letters
TABS = 3  # of one phone that get news; a fourth one silences the oldest
ASKS_FOR_CODE = "Type the code that is on the screen."
LASTS = 24 * 3600  # seconds, of a phone's cookie
HEADERS = [
    (b"content-security-policy",
     b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
     b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
]  # fmt: skip


class Room:
    """A round that goes on: its events are kept, and those who wait hear of them.

    Args:
        live: the round so far.
        journal: where its events are kept.
        code: what a phone must know.
        secret: what the presenter must know.
        address: the page of the phones, as http://HOST:PORT.
        report: called when answers are shown, to write what is told of the round. OSError: it cannot be written.
    """

    def __init__(self, live: Round, journal: Journal, code: str, secret: str, address: str, report=lambda: None):
        self.live, self.journal, self.report = live, journal, report
        self.code, self.secret, self.address = code, secret, address
        self.to_phones, self.to_presenter = News(), News()
        self.tabs: dict[str, deque] = defaultdict(lambda: deque(maxlen=TABS))
        self.tries = guard.Allowance(burst=60, rate=1)  # of wrong codes, by address
        self.requests = guard.Allowance(burst=30, rate=2)  # answers, by phone
        self.trouble = ""

    async def happen(self, event: dict) -> None:
        """Let something happen, and return when it is on the disk.

        Raises:
            Refused, quiz.grading.BadAnswer: it may not.
            HTTPException: it cannot be written.
        """
        self.live.apply(event)
        self.journal.append(event | {"time": datetime.now().astimezone().isoformat(timespec="seconds")})
        await self.kept()

    async def kept(self) -> None:
        """Wait until all that has happened is on the disk, and tell it to those who wait."""
        try:
            await self.journal.sync()
            self.trouble = ""
        except OSError as error:
            self.trouble = f"The round cannot be written: {error.strerror}. Answers are not lost; phones send them again."
            raise HTTPException(503, "The answer could not be kept yet.") from None
        finally:
            self.to_presenter.tell()

    def phone(self, request: Request) -> str:
        """The phone that asks, by its cookie. 401 if it has not joined. The journal holds no cookie, only its digest."""
        name = hashlib.sha256(request.cookies.get("phone", "").encode()).hexdigest()[:16]
        if name not in self.live.phones:
            raise HTTPException(401, ASKS_FOR_CODE)
        return name

    def presents(self, request: Request) -> None:
        """403 unless the presenter asks."""
        if not _same(request.cookies.get("presenter", ""), self.secret):
            raise HTTPException(403, "This is the presenter's page. Its address stands in the terminal.")

    # --- phones ---------------------------------------------------------------------------------

    async def join(self, request: Request) -> Response:
        try:
            self.phone(request)
            return JSONResponse({})
        except HTTPException:
            pass
        address = request.client.host if request.client else ""
        if not self.tries.left(address):
            raise HTTPException(429, "Too many wrong codes came from here. Wait a minute.")
        said = (await _body(request)).get("code", "")
        if not _same("".join(filter(str.isalnum, said)).upper(), self.code):
            self.tries.take(address)
            raise HTTPException(403, "This is not the code that is on the screen." if said else ASKS_FOR_CODE)
        if len(self.live.phones) >= guard.PHONES:
            raise HTTPException(429, f"The room is full: {guard.PHONES} phones have joined.")
        token = secrets.token_urlsafe(16)
        await self.happen({"event": "join", "phone": hashlib.sha256(token.encode()).hexdigest()[:16]})
        response = JSONResponse({})
        response.set_cookie("phone", token, max_age=LASTS, httponly=True, samesite="strict")
        return response

    async def answer(self, request: Request) -> Response:
        name = self.phone(request)
        if not self.requests.take(name):
            raise HTTPException(429, "Not so fast. Wait a moment.")
        said = await _body(request)
        text = said.get("answer", "").encode("utf-8", "replace").decode()  # no file can hold the half signs of a stranger
        if len(text) > LONGEST_ANSWER:
            raise HTTPException(413, f"An answer has at most {LONGEST_ANSWER} letters.")
        question, vote = said.get("question", ""), said.get("vote", 0)
        event = {"event": "answer", "phone": name, "question": question, "vote": vote, "answer": text}
        before = self.live.answers(vote, question).get(name)
        if before and before.text == text:
            await self.kept()  # sent again, since no reply came: it counts once
        else:
            await self.happen(event)
        return JSONResponse({"said": text})

    async def phone_events(self, request: Request) -> Response:
        name, tab = self.phone(request), object()
        self.tabs[name].append(tab)

        def view() -> dict | None:
            return views.phone(self.live, name) | {"code": self.code} if tab in self.tabs[name] else None

        return _stream(self.to_phones, view)

    # --- the presenter --------------------------------------------------------------------------

    async def presenter(self, request: Request) -> Response:
        if key := request.query_params.get("key"):  # it leaves the address, which everybody sees on the projector
            response = RedirectResponse("/presenter", 303)
            response.set_cookie("presenter", key, path="/presenter", httponly=True, samesite="strict")
            return response
        self.presents(request)
        return _file("presenter.html")

    async def act(self, request: Request) -> Response:
        self.presents(request)
        said = await _body(request)
        action, question = said.get("action"), said.get("question", "")
        if said.get("step") != self.live.step or action not in views.ACTIONS:
            raise Refused("The round has gone on meanwhile.")
        event = {"event": action, "question": question} if action == "ask" else {"event": action}
        try:
            await self.happen(event)
        finally:
            self.to_phones.tell()
        if self.live.phase in ("shown", "over"):
            try:
                self.report()
            except OSError as error:
                self.trouble = f"{error.filename} cannot be written: {error.strerror}. The answers are kept."
        return JSONResponse({})

    async def presenter_events(self, request: Request) -> Response:
        self.presents(request)
        place = {"address": self.address.removeprefix("http://"), "code": self.code}
        return _stream(self.to_presenter, lambda: views.presenter(self.live) | place | {"trouble": self.trouble}, pause=0.2)

    async def picture(self, request: Request) -> Response:
        self.presents(request)
        buffer = io.BytesIO()
        segno.make(f"{self.address}/#{self.code}", micro=False).save(buffer, kind="svg", border=4, light="white", omitsize=True)
        return Response(buffer.getvalue(), media_type="image/svg+xml")


def application(room: Room, hosts: list[str]) -> Starlette:
    """The pages of a room. Requests for another host than these are refused: a name of a stranger may lead here."""
    files = {f"/{name}": name for name in ("live.js", "phone.js", "presenter.js", "live.css")} | {"/": "phone.html"}
    routes = [Route(path, _page(name)) for path, name in files.items()]
    routes += [
        Route("/join", room.join, methods=["POST"]),
        Route("/answer", room.answer, methods=["POST"]),
        Route("/events", room.phone_events),
        Route("/presenter", room.presenter),
        Route("/presenter/act", room.act, methods=["POST"]),
        Route("/presenter/events", room.presenter_events),
        Route("/presenter/code.svg", room.picture),
    ]
    return Starlette(
        routes=routes,
        middleware=[Middleware(_WithHeaders), Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False)],
        exception_handlers={HTTPException: _problem, Refused: _problem, BadAnswer: _problem},
    )


class _WithHeaders:
    """Adds the headers of security to every response."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send) -> None:
        async def send_with_headers(message):
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        await self.app(scope, receive, send_with_headers)


async def _problem(request: Request, error: HTTPException | Refused | BadAnswer) -> Response:
    """A refusal as a sentence: 409 if it does not fit the state of the round, 422 if it is no answer to the question."""
    if isinstance(error, HTTPException):
        return JSONResponse({"problem": error.detail}, error.status_code)
    return JSONResponse({"problem": _sentence(str(error))}, 409 if isinstance(error, Refused) else 422)


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", "!", "?")) else ".")


async def _body(request: Request) -> dict:
    """The JSON that a page has sent: names, texts and whole numbers. Nothing that is larger, slower or of another form."""
    if request.headers.get("content-type") != "application/json":  # which a page of another site may not send
        raise HTTPException(415, "This is not what the page sends.")
    data = b""
    try:
        async with asyncio.timeout(guard.PATIENCE):
            async for part in request.stream():
                data += part
                if len(data) > MOST_BYTES:
                    raise HTTPException(413, "This is too long.")
        said = json.loads(data)
    except TimeoutError:
        raise HTTPException(408, "This took too long.") from None
    except (ValueError, RecursionError):
        said = None
    texts = ("code", "answer", "question", "action")
    if not isinstance(said, dict) or not all(isinstance(value, str if name in texts else int) for name, value in said.items()):
        raise HTTPException(400, "This is not what the page sends.")
    return said


def _page(name: str):
    async def page(request: Request) -> Response:
        return _file(name)

    return page


def _file(name: str) -> Response:
    return Response((STATIC / name).read_bytes(), media_type=TYPES[Path(name).suffix])


def _stream(news: News, view, pause: float = 0.0) -> Response:
    return StreamingResponse(stream(news, view, pause), media_type="text/event-stream")


def _same(one: str, other: str) -> bool:
    return secrets.compare_digest(one.encode("utf-8", "replace"), other.encode())
