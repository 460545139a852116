"""The child that runs one submission. All that it knows of the grader is public: the checks, but no expected value.

The submission shares this process with the checks, so it can try to speak in their place. Two things stand against that. What
counts as right is not here, and depends on the seed in all its parts. And nothing counts once the functions that observe were
changed (`Seal`).
"""

import base64
import builtins
import json
import os
import sys
import tempfile
from multiprocessing.connection import Connection
from operator import is_
from pathlib import Path
from types import FunctionType

import jupytext  # noqa: F401  Markdown notebooks are read with it, and its import is slow
import torch
from torch import nn

from grader import checks, preload, wire, worker  # noqa: F401
from grader.checks import checks_of
from grader.problems import PROBLEMS, Problem
from grader.submission import Submission, SubmissionError, read, read_pair

MOST_BYTES = 2**17  # of one message; that of a right solution has 5 kB, that of a known mistake up to 50


class Tampered(Exception):
    """The submission has changed what observes it."""


class TooMuchReturned(Exception):
    """What the submission gives back does not fit into a message."""


class Channel:
    """Sends messages that begin with the token of this job. TooMuchReturned if one is too long."""

    def __init__(self, connection: Connection, token: bytes):
        def send_bytes(data: bytes) -> None:
            if len(token) + len(data) > MOST_BYTES:
                raise TooMuchReturned(f"Your code gives back {len(data):,} bytes; at most {MOST_BYTES:,} are allowed")
            connection.send_bytes(token + data)

        self.send_bytes = send_bytes


class Seal:
    """Tells whether functions on which the observations rest were replaced."""

    def __init__(self):
        own = [module for name, module in sys.modules.items() if name.partition(".")[0] in ("grader", "classroom")]
        own += {value for owner in own for value in vars(owner).values() if _is_our_class(value)}
        theirs = [builtins, torch, nn, nn.functional, nn.init, torch.linalg, torch.optim, torch.autograd, json]
        classes = [torch.Tensor, nn.Module, nn.Parameter, nn.Linear, nn.Embedding, torch.optim.Optimizer]
        self.owners = own + theirs + classes
        self.own = len(own)  # the first ones: nothing may come to these
        self.saved = [dict(vars(owner)) for owner in self.owners]
        self.functions = [f for owner in own for f in vars(owner).values() if isinstance(f, FunctionType)]
        self.parts = _parts(self.functions)

    def broken(self, all=all, callable=callable, map=map, zip=zip) -> str | None:
        """The name of the first thing that is no longer what it was. (Its tools are held as defaults: they may be replaced, too.)"""
        for place, (owner, before) in enumerate(zip(self.owners, self.saved)):
            now = vars(owner)
            if len(now) == len(before) and all(map(is_, now.values(), before.values())):
                continue  # the common case, quickly: the same things in the same order
            now = dict(now)
            for name, value in before.items():
                if callable(value) and now.get(name) is not value:
                    return f"{owner.__name__}.{name}"
            for name, value in now.items():
                if place < self.own and name not in before and callable(value):  # it may hide a builtin function
                    return f"{owner.__name__}.{name}"
            self.saved[place] = now  # what is loaded late, and variables, may change
        if not all(map(is_, _parts(self.functions), self.parts)):
            return next(f"{f.__module__}.{f.__name__}" for f, *before in self._pairs() if not all(map(is_, _parts([f]), before)))
        return None

    def _pairs(self):
        """Each function with its code and defaults as they were."""
        return zip(self.functions, self.parts[0::3], self.parts[1::3], self.parts[2::3])


def _is_our_class(value) -> bool:
    ours = isinstance(value, type) and value.__module__.partition(".")[0] in ("grader", "classroom")
    return ours and not issubclass(value, torch.optim.Optimizer)  # torch itself wraps the `step` of these


def _parts(functions: list[FunctionType]) -> list:
    """What a function is made of and can be changed in place: its code and its defaults, three for each."""
    return [part for f in functions for part in (f.__code__, f.__defaults__, f.__kwdefaults__)]


def warm_up() -> None:
    """Do once what each submission would have to do: the slow parts of torch. `grader.preload` has loaded the checks."""
    layer = nn.Linear(3, 3, dtype=torch.float64)
    optimizer = torch.optim.AdamW(layer.parameters())
    nn.functional.cross_entropy(layer(torch.ones(2, 3, dtype=torch.float64)), torch.tensor([0, 1])).backward()
    nn.utils.clip_grad_norm_(layer.parameters(), 1.0)
    optimizer.step()
    torch.linalg.matrix_rank(layer.weight.detach())
    wire.loads(wire.dumps({"value": layer.weight.detach()}))


def serve(descriptor: int) -> None:
    """Read a job from a socket and do it."""
    connection = Connection(descriptor)
    work(connection, connection.recv_bytes())


def work(connection: Connection, job: bytes) -> None:
    """Load a submission, run its checks, send one message each. See `grader.worker.serve` for the messages."""
    with tempfile.TemporaryDirectory() as folder:
        _work(connection, job, Path(folder))


def _work(connection: Connection, job: bytes, folder: Path) -> None:
    wanted = json.loads(job)
    channel = Channel(connection, bytes.fromhex(wanted["token"]))
    problem, seed, check_ids = PROBLEMS[wanted["problem"]], wanted["seed"], wanted["checks"]
    files = [(name, when, base64.b64decode(content)) for name, when, content in wanted["files"]]
    del wanted, job
    worker.begin()
    probes = {check.id: check.probe for check in checks_of(problem.id).values()}  # now: the submission may change the register
    broken = Seal().broken
    worker.send(channel, {"value": "started"})
    try:
        submission = read_files(files, problem, folder)
        cells = submission.cells
        sys.path.insert(0, str(folder))
        worker.import_libraries(cells)
        worker.send(channel, {"value": "ready"})
        code = worker.load_and_tell(channel, cells, problem.id, submission.notices)
    except SubmissionError as error:
        return worker.send(channel, {"error": worker.describe(error, [])})
    except (TooMuchReturned, RecursionError, MemoryError, ValueError) as error:
        error = SubmissionError(f"The code cannot be read ({type(error).__name__}). Is it nested deeply, or very long?")
        return worker.send(channel, {"error": worker.describe(error, [])})
    for check_id in check_ids if code else ():
        message = worker.observe(probes[check_id], check_id, code, cells, seed)
        changed = broken()
        if changed:
            error = Tampered(f"Your code has replaced `{changed}`, on which the checks rest. Nothing after that counts.")
            message = {"error": worker.describe(error, cells)}
        try:
            worker.send(channel, message)
        except TooMuchReturned as error:
            worker.send(channel, {"error": worker.describe(error, cells)})


def read_files(files: list[tuple[str, float, bytes]], problem: Problem, folder: Path) -> Submission:
    """The submission in these files: one, or the two halves of a notebook. The others are modules that it may import.

    Args:
        files: name, time of change and content of each.
        folder: where they are put.

    Raises:
        SubmissionError: it cannot be read.
    """
    paths = []
    for name, when, content in files:
        path = folder / Path(name).name
        try:
            path.write_bytes(content)
        except OSError:
            raise SubmissionError(f"{path.name} is too large to be graded: {len(content):,} bytes.") from None
        os.utime(path, (when, when))
        paths.append(path)
    answers = [path for path in paths if path.stem == problem.notebook] or paths
    notebooks = [path for path in answers if path.suffix != ".py"]
    try:
        return read_pair(notebooks[0]) if notebooks else read(answers[0])
    except SubmissionError as error:
        raise SubmissionError(str(error).replace(f"{folder}/", "")) from None
