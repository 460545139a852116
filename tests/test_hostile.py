"""Hostile submissions: they get no point that they do not deserve, touch nothing, and are named.

Each file in tests/hostile is one. Its docstring says what it tries, and the comments below what comes of it:

    problem: lora, if no other is named.
    on: what stands in front of the code: the reference, or blank stubs. "files": it makes the files of a submission, FILES.
    costs: the checks that do not pass; "?" if that is left to chance, but then no check passes that would not without it;
    says: words (a regular expression) of the sentence that names it.
"""

import json
import re
import runpy
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import torch

from classroom.grading import runner, sandbox
from grader import observe, stubs, wire
from grader.problems import PROBLEMS, ROOT

REFERENCE = PROBLEMS["lora"].reference.read_text(encoding="utf-8")
CASES = sorted((Path(__file__).parent / "hostile").glob("*.py"))
SEED = 2021  # the public one: what the checks see in our own code is in the store


@dataclass
class Graded:
    """What came of all cases, by name.

    results: with the time at which grading began and ended.
    neighbours: the points of a right submission that was graded beside them, with these times.
    left: processes of the sandbox that were still there when all was graded.
    """

    results: dict[str, tuple[dict, float, float]]
    neighbours: list[tuple[int, float, float]]
    left: list[str]
    canary: Path


@pytest.fixture(scope="session")
def room(tmp_path_factory, sandboxed) -> Graded:
    """All cases graded, two at a time, beside a neighbour whose code is right."""
    canary = tmp_path_factory.mktemp("canary")
    (canary / "canary.txt").write_text("alive")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "LIMITS", observe.Limits(first=2.0, next=0.5, all=5.0))
        runner.grade_job(_job({"lora.py": REFERENCE}))  # prepares all
        try:
            with ThreadPoolExecutor(2) as pool, ThreadPoolExecutor(1) as next_door:
                attacks = {path.stem: pool.submit(_timed, _files(path, canary), _told(path, "problem") or "lora") for path in CASES}
                neighbours = next_door.submit(_neighbours, list(attacks.values()))
                results = {name: future.result() for name, future in attacks.items()}
                return Graded(results, neighbours.result(), _left(), canary)
        finally:
            runner.close()


def _files(path: Path, canary: Path) -> dict[str, str]:
    """The files of the submission, by name."""
    text, problem = path.read_text(encoding="utf-8"), PROBLEMS[_told(path, "problem") or "lora"]
    for word, meant in {"CANARY": canary, "SECRET_SEED": SEED, "HOST_PATH": ROOT}.items():
        text = text.replace(word, str(meant))
    reference = problem.reference.read_text(encoding="utf-8")
    match _told(path, "on"):
        case "reference":
            return {f"{problem.id}.py": f"{reference}\n\n{text}"}
        case "blank":
            imports = re.split(r"^(?=class |def )", reference, maxsplit=1, flags=re.MULTILINE)[0]
            blank = "\n\n".join(stubs.blank(problem, cell) for cell in problem.cells)
            return {f"{problem.id}.py": f"{imports}{blank}\n\n{text}"}
        case "files":
            return runpy.run_path(str(path))["FILES"]


def _told(path: Path, what: str) -> str:
    found = re.search(rf"^# {what}: (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return found.group(1) if found else ""


def _job(files: dict[str, str], problem: str = "lora") -> runner.Job:
    return runner.Job("s", problem, tuple((name, 1, text.encode("utf-8")) for name, text in files.items()), SEED, "key")


def _timed(files: dict[str, str], problem: str = "lora") -> tuple[dict, float, float]:
    begin = time.monotonic()
    result = runner.grade_job(_job(files, problem))
    return result, begin, time.monotonic()


def _neighbours(others: list) -> list[tuple[int, float, float]]:
    """Grade a right submission again and again, as long as there are others."""
    graded = []
    while not all(future.done() for future in others):
        result, begin, end = _timed({"lora.py": REFERENCE})
        graded.append((result["score"], begin, end))
    return graded


def _left() -> list[str]:
    """Processes of submissions, after a moment in which they can end."""
    (prepared,) = runner._SANDBOXES
    for _ in range(50):
        processes = psutil.Process(prepared.process.pid).children(recursive=True)
        if len(processes) <= 2:  # the inner half of bubblewrap, and the prepared process
            return []
        time.sleep(0.1)
    return [str(process) for process in processes]


each_case = pytest.mark.parametrize("path", CASES, ids=[path.stem for path in CASES])


@each_case
def test_it_gets_what_it_deserves(room, path):
    result, _, _ = room.results[path.stem]
    failed = {check["id"] for check in result["checks"] if check["status"] != "passed"}
    match _told(path, "costs"):
        case "everything":
            assert result["score"] == 0
        case "nothing":
            assert result["score"] == result["max_score"] and not result["refused"]
        case "?":
            assert result["score"] <= (0 if _told(path, "on") == "blank" else result["max_score"])
        case checks:
            assert failed == set(checks.split())


@each_case
def test_the_result_names_it(room, path):
    result, _, _ = room.results[path.stem]
    messages = [check["message"] for check in result["checks"]]
    said = "\n".join([result["refused"], *result["incidents"], *map(str, result["suspicions"]), *result["notices"], *messages])
    assert re.search(_told(path, "says"), said), said[:3000]
    assert "The grader itself failed" not in said


@each_case
def test_a_neighbour_gets_all_points(room, path):
    result, begin, end = room.results[path.stem]
    beside = [score for score, first, last in room.neighbours if first < end and begin < last]
    assert set(beside) <= {59}


def test_nothing_is_left(room):
    assert room.left == []
    assert len(room.neighbours) > 10


def test_nothing_is_touched(room):
    assert [(path.name, path.read_text()) for path in room.canary.iterdir()] == [("canary.txt", "alive")]
    assert not (ROOT / "grader" / "left.py").exists() and not (Path(torch.__file__).parent / "left.py").exists()
    assert not (Path(torch.__file__).parent.parent / "sitecustomize.py").exists()


def test_nobody_takes_long(room):
    assert max(end - begin for _, begin, end in room.results.values()) < 20


def test_what_ends_with_the_sandbox_is_graded_again(room):
    code = f"{REFERENCE}\n\nimport time\n\nclass LoRALinear(LoRALinear):\n    time.sleep(1.5)\n"
    runner.grade_job(_job({"lora.py": REFERENCE}))
    try:
        with ThreadPoolExecutor(1) as pool:
            graded = pool.submit(runner.grade_job, _job({"lora.py": code}))
            time.sleep(0.7)
            for process in psutil.Process(runner._SANDBOXES[0].process.pid).children(recursive=True):
                process.kill()
            result = graded.result()
        assert result["score"] == result["max_score"] and not result["refused"]
    finally:
        runner.close()


# --- messages -----------------------------------------------------------------------------------

TOKEN = b"secret"
LINE = {"cell": "a", "line": 1, "text": "b", "function": "c"}
ERROR = {"kind": "raised", "type": "ValueError", "message": "d", "lines": [LINE], "raised_by_learner": True}


def _heard(data: bytes) -> str:
    """What the grader takes these bytes of a child for."""
    ours, theirs = socket.socketpair()
    control, guard = socket.socketpair()
    child = sandbox.Child(ours, control, TOKEN, b"job")
    theirs.sendall(data)
    kind = child.next(0.1).kind
    child.stop()
    theirs.close()
    guard.close()
    return kind


def _packed(message: bytes) -> bytes:
    return (len(TOKEN) + len(message)).to_bytes(4, "big") + TOKEN + message


def _with_text(text: str) -> bytes:
    header = json.dumps({"__metadata__": {"value": text}}).encode()
    return len(header).to_bytes(8, "little") + header


def test_a_right_message_is_heard():
    assert _heard(_packed(wire.dumps({"value": torch.ones(3), "asked": ["a"]}))) == "value"
    assert _heard(_packed(wire.dumps({"error": ERROR}))) == "error"


@pytest.mark.parametrize(
    "message",
    [
        [], None, 3, {}, {"value": 1, "asked": 5}, {"value": 1, "asked": torch.ones(2)}, {"value": 1, "asked": [1]},
        {"error": None}, {"error": ERROR | {"type": 1}}, {"error": ERROR | {"lines": "a"}}, {"error": ERROR | {"lines": [[]]}},
        {"error": ERROR | {"lines": [LINE | {"line": float("inf")}]}}, {"error": ERROR | {"raised_by_learner": "no"}},
        {"value": 10**30}, {"value": [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[0]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]},
    ],
    ids=str,
)  # fmt: skip
def test_a_message_of_other_fields_is_forged(message):
    assert _heard(_packed(wire.dumps(message))) == "forged"


@pytest.mark.parametrize(
    "data",
    [
        _packed(b""), _packed(b"x" * 100), (100).to_bytes(4, "big") + b"x" * 100, b"\xff" * 16, (2**30).to_bytes(4, "big"),
        _packed(_with_text("[" * 50_000)), _packed(_with_text('{"complex": [1e999, 1' + "0" * 400 + "]}")),
        _packed(_with_text('{"dict": [["value", {"tensor": []}]]}')), _packed(_with_text("1" * 5000)),
    ],
    ids=range(9),
)  # fmt: skip
def test_other_bytes_are_forged(data):
    assert _heard(data) == "forged"


def test_half_a_message_is_not_waited_for():
    begin = time.monotonic()
    assert _heard(_packed(wire.dumps({"value": 1}))[:-1]) == "timeout"
    assert time.monotonic() - begin < 5


def test_half_a_character_can_be_written():
    (heard,) = wire.loads(wire.dumps(["\ud800"]))
    heard.encode()
