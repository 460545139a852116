"""The child that runs one submission. All that it knows of the grader is public: the checks, but no expected value.

The submission shares this process with the checks, so it can try to speak in their place. What stands against that: what
counts as right is not here, and depends on the seed in all its parts; the checks cannot be looked at, or changed
(`classroom.grading.blindfold`); and nothing counts once the functions that observe were changed (`seal`).
"""

import base64
import builtins
import json
import os
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from operator import is_
from pathlib import Path

import jupytext  # noqa: F401  Markdown notebooks are read with it, and its import is slow
import torch
from torch import nn

from classroom.grading import blindfold, suspicion
from grader import checks, libraries, preload, wire, worker  # noqa: F401
from grader.checks import checks_of
from grader.problems import PROBLEMS, Problem
from grader.references import Finder
from grader.submission import Submission, SubmissionError, read, read_pair

MOST_BYTES = 2**17  # of one message; that of a right solution has 5 kB, that of a known mistake up to 50


class TooMuchReturned(Exception):
    """What the submission gives back does not fit into a message."""


class Channel:
    """Sends messages that begin with the token of this job. TooMuchReturned if one is too long."""

    def __init__(self, connection: Connection, token: bytes):
        def send_bytes(data: bytes) -> None:
            if len(token) + len(data) > MOST_BYTES:
                raise TooMuchReturned
            connection.send_bytes(token + data)

        self.send_bytes = send_bytes


def seal() -> Callable[[], str | None]:
    """A function that gives the name of the first thing, on which the observations rest, that is no longer what it was now.

    What these things are made of, `classroom.grading.blindfold` keeps from changes.
    """
    own = [module for name, module in sys.modules.items() if name.partition(".")[0] in ("grader", "classroom")]
    own += {value for owner in own for value in vars(owner).values() if _is_our_class(value)}
    theirs = [builtins, torch, nn, nn.functional, nn.init, torch.linalg, torch.optim, torch.autograd, json]
    classes = [torch.Tensor, nn.Module, nn.Parameter, nn.Linear, nn.Embedding, torch.optim.Optimizer]
    owners = own + theirs + classes
    only = len(own)  # of the first ones: nothing may come to these
    saved = [dict(vars(owner)) for owner in owners]

    def broken() -> str | None:
        for place, (owner, before) in enumerate(zip(owners, saved)):
            now = vars(owner)
            if len(now) == len(before) and all(map(is_, now.values(), before.values())):
                continue  # the common case, quickly: the same things in the same order
            now = dict(now)
            for name, value in before.items():
                if callable(value) and now.get(name) is not value:
                    return f"{owner.__name__}.{name}"
            for name, value in now.items():
                if place < only and name not in before and callable(value):  # it may hide a builtin function
                    return f"{owner.__name__}.{name}"
            saved[place] = now  # what is loaded late, and variables, may change
        return None

    return broken


def _is_our_class(value) -> bool:
    ours = isinstance(value, type) and value.__module__.partition(".")[0] in ("grader", "classroom")
    return ours and not issubclass(value, torch.optim.Optimizer)  # torch itself wraps the `step` of these


def warm_up() -> None:
    """Do once what each submission would have to do: the slow parts of torch. `grader.preload` has loaded the checks."""
    libraries.schedules()
    checks.forget_hints()
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
    problem, seeds = PROBLEMS[wanted["problem"]], wanted["seeds"]
    files = [(name, when, base64.b64decode(content)) for name, when, content in wanted["files"]]
    references = wanted["references"]
    del wanted, job
    worker.begin()
    worker.send(channel, {"value": "started"})
    try:
        submission = read_files(files, problem, folder)
        cells = submission.cells
        look = partial(suspicion.look, problem=problem, folder=folder)
        program = worker.read_and_tell(channel, cells, problem.id, submission.notices, look)
    except SubmissionError as error:
        return worker.send(channel, {"error": worker.describe(error, [])})
    except (TooMuchReturned, RecursionError, MemoryError, ValueError) as error:
        error = SubmissionError(f"The code cannot be read ({type(error).__name__}). Is it nested deeply, or very long?")
        return worker.send(channel, {"error": worker.describe(error, [])})
    sys.meta_path.append(Finder(references))
    libraries.prepare(cells, folder, references)
    probes = [checks_of(problem.id)[check_id].probe for check_id in seeds]
    observe, send, broken, *probes = blindfold.out_of_reach([worker.observe, worker.send, seal(), *probes])
    sys.path.insert(0, str(folder))  # from here on, the submission's own modules are found
    code = worker.load_and_tell(channel, program, cells)
    for probe, seed in zip(probes, seeds.values()) if code else ():
        message = observe(probe, code, cells, seed)
        changed = broken()
        try:
            send(channel, {"changed": changed} if changed else message)
        except TooMuchReturned:
            send(channel, {"flood": True})


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
