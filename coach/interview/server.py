"""A round in the browser: one page on 127.0.0.1, under an address that holds a random word. The rules are the terminal's.

The clock runs while the page says that it is open. A page that is closed, or a lid, stops it within a minute.
"""

import json
import secrets
import sys
import time
import webbrowser
from dataclasses import asdict
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Lock, Thread

from coach.interview import table
from coach.interview.session import Session
from coach.interview.written import write_debrief
from quiz.grading import BadAnswer
from quiz.terminal import Terminal

STATIC = Path(__file__).parent / "static"
FILES = {"": ("page.html", "text/html"), "page.js": ("page.js", "text/javascript"), "page.css": ("page.css", "text/css")}
MOST_BYTES = 200_000  # of a request
GAP = 75  # seconds between two signs of the page that count as presence; a hidden page gives one a minute
CLOSED = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
PAGE = f"{CLOSED}; script-src 'self'; style-src 'self'; connect-src 'self'"
DEBRIEF = f"{CLOSED}; style-src 'unsafe-inline'"


class Stopwatch:
    """The seconds at one prompt, counted from sign to sign of the page."""

    def __init__(self, clock=time.monotonic):
        self.clock, self.seconds, self.last, self.prompt = clock, 0.0, None, None

    def beat(self, prompt: str | None) -> float:
        """The page is there, with this prompt. Returns the prompt's seconds."""
        now = self.clock()
        if prompt != self.prompt:
            self.seconds, self.prompt = 0.0, prompt
        elif self.last is not None:
            self.seconds += min(now - self.last, GAP)
        self.last = now
        return self.seconds

    def stop(self) -> float:
        """The clock stands. Returns the seconds so far, and begins again from zero."""
        seconds, self.seconds, self.last, self.prompt = self.seconds, 0.0, None, None
        return seconds


class Face:
    """What the page may ask for. One request at a time."""

    def __init__(self, session: Session):
        self.session, self.watch, self.lock, self.over = session, Stopwatch(), Lock(), Event()

    def view(self) -> dict:
        """The step as the page draws it."""
        prompt, state = self.session.prompt(), self.session.state()
        title = f"Mock interview, {state.plan['minutes']} minutes"
        if prompt is None:
            page = write_debrief(self.session)[1]
            self.over.set()
            return {"done": True, "title": title, "path": str(page)}
        spent = self.watch.beat(prompt.id)
        return {
            **asdict(prompt), "title": title, "led": state.led, "part": table.PARTS[prompt.part], "partners": prompt.left,
            "draft": state.drafts.get(prompt.id, ""),
            "left": round(state.left() - spent), "part_left": round(state.left(prompt.part) - spent),
        }  # fmt: skip

    def answer(self, told: dict) -> dict:
        """Takes an answer. BadAnswer: it cannot be taken, and the page says why."""
        prompt = self.session.prompt()
        if prompt is not None and prompt.id == told["prompt"]:
            self.session.answer(prompt, told["text"], self.watch.beat(prompt.id))
            self.watch.stop()
        return self.view()  # an answer to a step that is past is not taken twice: the page shows what comes next

    def draft(self, told: dict) -> dict:
        prompt = self.session.prompt()
        if prompt is not None and prompt.id == told["prompt"] and prompt.kind == "text":
            self.session.draft(prompt, told["text"])
        return {}

    def pause(self, told: dict) -> dict:
        prompt = self.session.prompt()
        if prompt is not None:
            self.session.pause(prompt, self.watch.stop())
        return {}

    def leave(self) -> None:
        """Keeps the seconds of the prompt that is open."""
        prompt = self.session.prompt()
        if prompt is not None:
            self.session.spent(prompt, self.watch.stop())


def make_server(face: Face, secret: str, port: int = 0) -> ThreadingHTTPServer:
    """The server, bound to 127.0.0.1 and not yet running."""

    class Handler(BaseHTTPRequestHandler):
        server_version, sys_version = "coach", ""

        def do_GET(self):
            path = self._path()
            if path in FILES:
                name, kind = FILES[path]
                self._send(HTTPStatus.OK, (STATIC / name).read_bytes(), kind)
            elif path == "view":
                self._tell(lambda told: face.view())
            elif path == "debrief":
                with face.lock:
                    page = write_debrief(face.session)[1]
                self._send(HTTPStatus.OK, page.read_bytes(), "text/html", DEBRIEF)
            else:
                self._refuse()

        def do_POST(self):
            actions = {"answer": face.answer, "draft": face.draft, "pause": face.pause}
            action = actions.get(self._path())
            if action:
                self._tell(action, self._body)
            else:
                self._refuse()

        def _path(self) -> str | None:
            """What is asked for behind the secret; None for all who do not know it, and for pages of other sites."""
            local = {f"{host}:{self.server.server_port}" for host in ("127.0.0.1", "localhost")}
            start = f"/{secret}/"
            knows = secrets.compare_digest(self.path[: len(start)].encode(), start.encode())
            return self.path[len(start) :] if knows and self.headers.get("Host") in local else None

        def _body(self) -> dict:
            length = self.headers.get("Content-Length", "")
            if not length.isdecimal() or int(length) > MOST_BYTES:
                raise ValueError("The request is too long.")
            told = json.loads(self.rfile.read(int(length)))
            if not isinstance(told, dict) or not all(isinstance(told.get(key), str) for key in ("prompt", "text")):
                raise ValueError("A prompt and a text are wanted.")
            return told

        def _tell(self, action, body=dict) -> None:
            try:
                told = body()
                with face.lock:
                    status, reply = HTTPStatus.OK, action(told)
            except BadAnswer as error:
                status, reply = HTTPStatus.UNPROCESSABLE_ENTITY, {"problem": _sentence(error)}
            except ValueError as error:
                status, reply = HTTPStatus.BAD_REQUEST, {"problem": _sentence(error)}
                self.close_connection = True
            except OSError as error:
                status, reply = HTTPStatus.SERVICE_UNAVAILABLE, {"problem": _sentence(error)}
            self._send(status, json.dumps(reply).encode(), "application/json")

        def _refuse(self) -> None:
            self._send(HTTPStatus.NOT_FOUND, b"Nothing is here. The whole address stands in the terminal.", "text/plain")

        def _send(self, status: HTTPStatus, body: bytes, kind: str, policy: str = PAGE) -> None:
            self.send_response(status)
            headers = {
                "Content-Type": f"{kind}; charset=utf-8", "Content-Length": str(len(body)), "Content-Security-Policy": policy,
                "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store",
                "Cross-Origin-Resource-Policy": "same-origin",
            }  # fmt: skip
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    return server


def _sentence(error: Exception) -> str:
    words = str(error)
    return f"{words[:1].upper()}{words[1:].rstrip('.')}."


def serve(session: Session, terminal: Terminal) -> bool:
    """Serves a round until Ctrl-C. False if the round was left before its end."""
    face, secret = Face(session), secrets.token_urlsafe(16)
    server = make_server(face, secret)
    address = f"http://127.0.0.1:{server.server_port}/{secret}/"
    Thread(target=server.serve_forever, daemon=True).start()
    terminal.say("The round is in your browser. Closing the page loses nothing: open the address again.")
    terminal.console.print(f"   {address}", soft_wrap=True, markup=False)
    terminal.say("Ctrl-C here stops it, and the clock.")
    if sys.stdout.isatty():
        webbrowser.open(address)
    try:
        while not face.over.wait(1):
            pass
        terminal.say("The round is over. The page shows the debrief until you press Ctrl-C here.")
        while True:
            time.sleep(1)
    except KeyboardInterrupt:
        pass
    server.shutdown()
    with face.lock:
        if session.state().ended:
            return True
        face.leave()
    terminal.say()
    terminal.say("Stopped, and so is the clock. All of it is kept; go on with: python -m coach interview --resume --browser")
    return False
