"""The sandbox: where strangers' code runs. Linux only, by `bubblewrap`.

One prepared process (`classroom.grading.zygote`) has imported torch and waits behind the walls of `classroom.grading.walls`. Each submission
is run by a fork of it, in namespaces of its own.
"""

import base64
import json
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence

from classroom.grading import walls
from classroom.grading.inside import MOST_BYTES
from grader import wire
from grader.observe import GRACE, NotStarted, Observation, observation
from grader.problems import PROBLEMS, ROOT
from grader.references import references_for

START_LIMIT = 120.0  # seconds until the prepared process waits for work


class NoSandbox(Exception):
    """There is no sandbox on this machine. The message says what to do."""


INSTALL = (
    "Install bubblewrap (Debian and Ubuntu: sudo apt install bubblewrap; Fedora: sudo dnf install bubblewrap), "
    "or see make setup-classroom. It is for Linux; elsewhere use a virtual machine or a container with Linux."
)


def check() -> None:
    """NoSandbox, with the reason, if strangers' code cannot be shut in here."""
    if sys.platform != "linux":
        raise NoSandbox(f"The sandbox works on Linux alone. {INSTALL}")
    if any(ROOT.is_relative_to(folder) for folder in walls.shown()):
        raise NoSandbox(f"The course lies in {ROOT}, which submissions could read. Move it to your home.")
    if not shutil.which("bwrap"):
        raise NoSandbox(f"bubblewrap is not installed. {INSTALL}")
    tried = subprocess.run([*walls.command(), "true"], capture_output=True, text=True)
    if tried.returncode:
        raise NoSandbox(f"bubblewrap does not work here: {tried.stderr.strip()[:300]}. Are user namespaces allowed?")


class Sandbox:
    """The prepared process. `start` gives a child for one submission; `close` ends all."""

    def __init__(self):
        check()
        ours, theirs = socket.socketpair()
        command = [*walls.command(), walls.PYTHON, "-s", "-P", "-m", "classroom.grading.zygote", str(theirs.fileno()), walls.filter_of_calls().hex(), "root" if walls.is_root() else "user"]
        self.process = subprocess.Popen(
            command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True, errors="replace",
        )  # fmt: skip
        theirs.close()
        self.control = ours
        self.turn = threading.Lock()  # many threads ask for children
        ours.settimeout(START_LIMIT)
        try:
            ready, reason = ours.recv(1) == b"r", ""
        except TimeoutError:
            ready, reason = False, f"it took more than {START_LIMIT:g} seconds"
        if not ready:
            ours.close()  # what is left inside sees that, and ends
            self.process.kill()
            said = self.process.communicate()[1].strip()[-500:]
            raise NoSandbox(f"The sandbox could not be prepared: {reason or said}")
        ours.settimeout(None)

    def start(self, files: Sequence[tuple[str, float, bytes]], problem_id: str, seeds: dict[str, int]) -> "Child":
        """Give a submission to a fork of the prepared process.

        Args:
            files: name, time of change and content of each file of the submission.
            seeds: the checks to run, each with its seed.
        """
        token = secrets.token_bytes(16)
        data, theirs = socket.socketpair()
        control, guards = socket.socketpair()
        with theirs, guards, self.turn:
            try:
                socket.send_fds(self.control, [b"j"], [theirs.fileno(), guards.fileno()])
            except OSError:
                pass  # the prepared process is gone; the child will say that it has not started
        return Child(data, control, token, job(files, problem_id, seeds, token))

    def close(self) -> None:
        """End the prepared process and all its forks."""
        self.control.close()
        self.process.kill()
        self.process.communicate()


def job(files: Sequence[tuple[str, float, bytes]], problem_id: str, seeds: dict[str, int], token: bytes) -> bytes:
    """What a child is to do, as JSON."""
    packed = [[name, time, base64.b64encode(content).decode()] for name, time, content in files]
    wanted = {"files": packed, "problem": problem_id, "seeds": seeds, "token": token.hex()}
    return json.dumps(wanted | {"references": references_for(PROBLEMS[problem_id])}).encode()


class Child:
    """A submission at work. What it sends is believed to be data, and nothing more."""

    def __init__(self, data: socket.socket, control: socket.socket, token: bytes, job: bytes):
        self.data = data
        self.control = control
        self.token = token
        try:
            data.settimeout(START_LIMIT)
            data.sendall(len(job).to_bytes(4, "big") + job)  # as `Connection.send_bytes` does
        except OSError:
            pass  # it has ended; `next` will say so

    def next(self, limit: float) -> Observation:
        """The next observation, or how the child has ended. NotStarted if not the child has ended, but the sandbox."""
        try:
            return self._receive(limit)
        except TimeoutError:
            pass
        try:
            self.control.send(b"i")  # interrupt, so that the learner's line can be named
            return Observation("timeout", error=self._receive(GRACE).error)
        except OSError:
            return Observation("timeout")

    def _receive(self, limit: float) -> Observation:
        """A message that is complete within the limit. TimeoutError if none is."""
        deadline = time.monotonic() + limit
        try:
            length = int.from_bytes(self._read(4, deadline), "big")
            if not len(self.token) <= length <= MOST_BYTES:
                return Observation("forged")
            message = self._read(length, deadline)
        except TimeoutError:
            raise
        except (EOFError, OSError):
            return self._ended()
        if not message.startswith(self.token):
            return Observation("forged")
        try:
            return observation(wire.loads(message[len(self.token) :]))
        except Exception:  # whatever is wrong with it, it is none of ours
            return Observation("forged")

    def _read(self, count: int, deadline: float) -> bytes:
        """So many bytes. TimeoutError, EOFError or OSError if they do not come: nobody can make the grader wait longer."""
        parts = []
        while count:
            self.data.settimeout(max(deadline - time.monotonic(), 0.001))
            part = self.data.recv(count)
            if not part:
                raise EOFError
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def _ended(self) -> Observation:
        """A crash, if the guard says so. If it is gone itself, the submission is not to blame."""
        try:
            self.control.settimeout(GRACE)
            if self.control.recv(1):
                return Observation("crash")
        except TimeoutError:
            return Observation("crash")  # the child has closed its end, and lives
        except OSError:
            pass
        raise NotStarted

    def stop(self) -> None:
        """End the child and whatever it has started."""
        self.control.close()  # its guard sees that and kills it
        self.data.close()
