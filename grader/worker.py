"""The child process: it runs a learner's code and sends back what the probes saw.

What it sends is data only (see `to_data` and `grader.wire`), so nothing of the learner's is ever run by the parent.
"""

import ast
import hashlib
import io
import os
import random
import signal
import sys
from collections.abc import Callable
from functools import partial
from numbers import Number
from pathlib import Path
from types import ModuleType

import torch
from torch.nn.modules.module import register_module_forward_hook

from grader import libraries, rules, wire
from grader.checks import Missing, Unusable, Waiting, checks_of
from grader.effects import FUNCTIONS, binds
from grader.problems import PROBLEMS
from grader.program import Program, module_of, run, select
from grader.references import references_for
from grader.remarks import remarks
from grader.submission import Cell

MOST_FAILURES = 100  # that are told: the last ones, of what the stubs are made
DEEPEST = 20  # lists and dicts in one another, in what a check returns; less than a message may have


class Sink(io.TextIOBase):
    """Standard output of the learner's code: thrown away."""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        return len(text)


class Code:
    """The learner's definitions as attributes, as the probes use them. It notes which ones were asked for."""

    def __init__(self, module: ModuleType):
        self._module = module
        self._asked: set[str] = set()

    def __getattr__(self, name: str):
        self._asked.add(name)
        if not hasattr(self._module, name):
            raise Missing(name)
        return getattr(self._module, name)


def serve(connection, cells: list[Cell], problem_id: str, seeds: dict[str, int], folder: str):
    """Load the code, run the checks in order, send one message each.

    A message is the dict `{"error": …}` or `{"value": …}`. The first says that the child has started, the second what was
    read in the code, and the third how loading went.

    Args:
        seeds: the checks to run, each with its seed. See `seed_of`.
        folder: where the modules beside the submission lie.
    """
    begin()
    send(connection, {"value": "started"})
    program = read_and_tell(connection, cells, problem_id)
    libraries.prepare(cells, Path(folder), references_for(PROBLEMS[problem_id]))
    sys.path.insert(0, folder)
    code = load_and_tell(connection, program, cells)
    checks = checks_of(problem_id)
    for check_id, seed in seeds.items() if code else ():
        send(connection, observe(checks[check_id].probe, code, cells, seed))


def read_and_tell(
    connection, cells: list[Cell], problem_id: str, notices: list[str] = (), look: Callable[[Program], list[dict]] | None = None
) -> Program:
    """Read the code and send a message on what it shows. No line of it has run yet, so this is our own word.

    Args:
        look: what else looks at the code. See `Observed.looked`.
    """
    names = PROBLEMS[problem_id].parts
    program = select(cells, names)
    broken = [vars(cell) | {"defines": sorted(cell.defines)} for cell in program.broken if not cell.mended]
    told = {"defined": sorted(program.defined), "broken": broken, "notices": list(notices), "looked": look(program) if look else []}
    send(connection, {"value": told | {"remarks": remarks(cells, names), "rules": rules.found(cells, problem_id)}})
    return program


def load_and_tell(connection, program: Program, cells: list[Cell]) -> "Code | None":
    """Load the code and send a message on what could not be defined. None if it took too long."""
    try:
        code, failures = load(program, cells)
    except KeyboardInterrupt as error:  # out of time
        send(connection, {"error": describe(error, cells)})
        return None
    send(connection, {"value": dict(list(failures.items())[-MOST_FAILURES:])})
    return code


def seed_of(seed: int, check_id: str) -> int:
    """The seed of one check. Nobody finds the grader's seed from it, or the seed of another check."""
    return int.from_bytes(hashlib.sha256(f"{seed} {check_id}".encode()).digest()[:7], "big")


def serve_trusted(connection, jobs: list[tuple[list[Cell], list[str]]], problem_id: str, seed: int):
    """Run checks on our own code and send one message for each job, a dict by check id.

    A job is the cells of one source, and the ids of the checks to run on it.
    """
    begin()
    checks = checks_of(problem_id)
    for cells, check_ids in jobs:
        code, _ = load(select(cells, PROBLEMS[problem_id].parts), cells)
        send(connection, {id: observe(checks[id].probe, code, cells, seed_of(seed, id)) for id in check_ids})


def begin() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the parent's way to ask for an end
    torch.set_num_threads(1)
    torch.compile = _as_written
    register_module_forward_hook(_plain_output)
    _silence()


def _as_written(model=None, **options):
    """Stands for `torch.compile`, which changes how fast code is and not what it gives, and takes longer than all checks."""
    return model if model is not None else lambda function: function


def _plain_output(module, inputs, output):
    """What a module returns, as a plain tensor: one of the learner's own kind could lie in the probe's arithmetic."""
    own = isinstance(output, torch.Tensor) and type(output) not in (torch.Tensor, torch.nn.Parameter)
    return _plain(output) if own else output


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    with torch._C.DisableTorchFunctionSubclass():
        return torch.Tensor.as_subclass(tensor, torch.Tensor)


def load(program: Program, cells: list[Cell]) -> tuple[Code, dict]:
    """Run the definitions of a submission. Also returns what could not be defined, and why."""
    file_name = partial(_file_name, cells)
    module, failures = module_of(program, file_name), {}
    for _, statement, error in run(program, module, file_name):
        names = binds(statement) or {"?"}
        if error is None:
            for name in names:
                failures.pop(name, None)  # an earlier attempt may have failed
        elif isinstance(error, KeyboardInterrupt):
            raise error
        else:
            told = dict.fromkeys(names, describe(error, cells))
            defines = isinstance(statement, (*FUNCTIONS, ast.ClassDef))
            failures = failures | told if defines else told | failures  # `A.b = b` fails since `A` has failed
    return Code(module), failures


def observe(probe, code: Code, cells: list[Cell], seed: int) -> dict:
    """Run one probe, with its own seed. The message also says which names the probe has asked for."""
    code._asked.clear()
    torch.default_generator.manual_seed(seed)  # torch.manual_seed also prepares GPUs, which takes longer than a check
    random.seed(seed)
    sys.stdout = sys.stderr = Sink()
    try:
        with torch._C.DisableTorchFunctionSubclass():  # the learner's own kinds of tensors have no say in what is computed
            value = to_data(probe(code, torch.Generator().manual_seed(seed)))
        return {"value": value, "asked": sorted(code._asked)}
    except BaseException as error:
        return {"error": describe(error, cells), "asked": sorted(code._asked)}
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_grad_enabled(True)


def send(connection, message: dict) -> None:
    connection.send_bytes(wire.dumps(message))


def _silence() -> None:
    """Send what C code and subprocesses print to nowhere."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    sys.stdout = sys.stderr = Sink()
    sys.stdin = io.StringIO()


def _file_name(cells: list[Cell], cell: Cell) -> str:
    """A name for tracebacks. By place, since two cells may have the same label."""
    return f"<cell {cells.index(cell)}>"


def describe(error: BaseException, cells: list[Cell]) -> dict:
    """An exception as data: its kind, its message and the learner's own lines, innermost last."""
    sources = {_file_name(cells, cell): cell for cell in cells}
    lines, trace, raised_by_learner = [], error.__traceback__, False
    while trace is not None:
        code = trace.tb_frame.f_code
        cell = sources.get(code.co_filename)
        raised_by_learner = cell is not None
        if cell:
            text = cell.source.splitlines()[trace.tb_lineno - 1].strip()
            lines.append({"cell": cell.label, "line": trace.tb_lineno, "text": text, "function": code.co_name})
        trace = trace.tb_next
    return {
        "kind": _kind(error, raised_by_learner),
        "type": type(error).__name__,
        "message": _words(error)[:2000],
        "lines": lines[-8:],
        "raised_by_learner": raised_by_learner,
    }


def _kind(error: BaseException, raised_by_learner: bool) -> str:
    """What an exception means for a check, by its type and not by its name, which the learner's own kinds choose freely."""
    if raised_by_learner and isinstance(error, NotImplementedError):
        return "todo"
    return {Missing: "missing", Unusable: "unusable", Waiting: "waiting"}.get(type(error), "raised")


def _words(error: BaseException) -> str:
    """The message of an exception. The learner's own kinds may fail to give one."""
    try:
        return str(error)
    except Exception:
        return ""


def to_data(value, depth: int = 0):
    """A copy made of tensors, numbers, strings, None, lists and dicts only."""
    if depth > DEEPEST:
        raise ValueError(f"the result is nested more than {DEEPEST} deep")
    if isinstance(value, torch.Tensor):
        return _plain(value).detach().cpu().clone()
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, (int, float)):
        return _number(value)
    if isinstance(value, (torch.dtype, torch.device)):
        return str(value)
    if isinstance(value, dict):
        return {str(key): to_data(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_data(item, depth + 1) for item in value]
    if isinstance(value, Number):
        return complex(value) if isinstance(value, complex) else float(value)
    return f"an object of type {type(value).__name__}"


def _number(value: int | float) -> int | float | str:
    """A plain number, also for subclasses. One that no tensor can hold becomes words."""
    if isinstance(value, float):
        return float.__add__(value, 0.0)
    plain = int.__add__(value, 0)
    return plain if abs(plain) <= wire.LARGEST else f"a number of {plain.bit_length()} bits"
