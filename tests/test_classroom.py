"""A room of submissions, graded in the sandbox: points, gradebooks, and runs that are killed."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from classroom import room
from classroom.__main__ import main
from classroom.grading import runner, sandbox
from classroom.incoming.collect import collect, load
from classroom.outgoing import pages
from grader import bank, judge, stubs
from grader.problems import PROBLEMS, ROOT
from grader.submission import Cell, Submission
from tests.conftest import needs_sandbox

LORA = PROBLEMS["lora"]
REFERENCE = LORA.reference.read_text(encoding="utf-8")
BLANK = "from collections.abc import Sequence\nimport torch\nfrom torch import nn\n" + "\n\n".join(stubs.blank(LORA, cell) for cell in LORA.cells)
WRONG = "a_from_a_standard_normal"
SEED = 2021  # the public one: what the checks see in our own code is in the store


@pytest.fixture(scope="module", autouse=True)
def no_sandbox_is_left():
    yield
    runner.close()


def job(text: str | bytes, name: str = "lora.py", student: str = "ada") -> runner.Job:
    content = text.encode() if isinstance(text, str) else text
    return runner.Job(student, "lora", ((name, 1, content),), SEED, f"{student} {name}")


def notebook(*cells: str) -> bytes:
    return json.dumps({"cells": [{"cell_type": "code", "source": cell} for cell in cells]}).encode()


# --- one submission -----------------------------------------------------------------------------


@needs_sandbox
@pytest.mark.parametrize(
    "text, name",
    [
        (REFERENCE, "lora.py"),
        (notebook(REFERENCE, "%matplotlib inline"), "08_problem_lora.ipynb"),
        (f"# LoRA\n\n```python\n{REFERENCE}\n```\n", "08_problem_lora.md"),
    ],
)
def test_a_right_submission_gets_all_points(text, name):
    result = runner.grade_job(job(text, name))
    assert result["score"] == result["max_score"] > 0 and result["refused"] == ""
    assert result["incidents"] == result["suspicions"] == result["notices"] == []


@needs_sandbox
def test_a_known_mistake_is_named_as_outside_of_the_sandbox():
    mistake = bank.known_mistakes(LORA)[WRONG]
    result = runner.grade_job(job(f"{REFERENCE}\n\n{mistake.source}"))
    report = judge.grade(Submission([Cell("lora.py", f"{REFERENCE}\n\n{mistake.source}")]), LORA, seed=SEED)
    assert [check["status"] for check in result["checks"]] == [r.status for r in report.results]
    assert [check["message"] for check in result["checks"]] == [r.message for r in report.results]
    assert {check["diagnosis"]["id"] for check in result["checks"] if check["diagnosis"]} == {WRONG}


@needs_sandbox
def test_what_only_the_instructor_should_look_at_is_not_on_the_students_page():
    result = runner.grade_job(job(f"{REFERENCE}\nimport sys\n\nLoRALinear.frame = lambda self: sys._getframe(1)\n"))
    assert result["score"] == result["max_score"] and result["incidents"] == []
    assert "`sys._getframe`" in result["suspicions"][0]
    student = {"folder": "ada", "name": "Ada", "id": "", "email": "", "late": False, "notes": []}
    assert "_getframe" not in pages.student_page(student, {"lora": result})
    assert "_getframe" in pages.teacher_page([student], {("ada", "lora"): result}, {"lora": "LoRA"}, [], [], [])


@needs_sandbox
def test_a_blank_submission_is_all_to_do():
    result = runner.grade_job(job(BLANK))
    assert result["score"] == 0 and {check["status"] for check in result["checks"]} == {"todo"}


@needs_sandbox
@pytest.mark.parametrize(
    "text, name, words",
    [
        ("x = 1", "lora.py", "It defines none of LoRALinear"),
        (b"{", "08_problem_lora.ipynb", "08_problem_lora.ipynb is not valid JSON"),
        (b"\xff\xfe\x00", "lora.py", "lora.py cannot be read as text"),
        (b"", "lora.py", "lora.py is empty"),
    ],
)
def test_what_cannot_be_graded_says_why(text, name, words):
    result = runner.grade_job(job(text, name))
    assert words in result["refused"] and result["score"] == 0 and result["max_score"] > 0


@needs_sandbox
def test_the_newer_half_of_a_notebook_counts():
    files = (("08_problem_lora.ipynb", 9, notebook(REFERENCE)), ("08_problem_lora.md", 5, f"```python\n{BLANK}\n```\n".encode()))
    result = runner.grade_job(runner.Job("ada", "lora", files, SEED, "x"))
    assert result["score"] == result["max_score"] and "08_problem_lora.ipynb counts" in result["notices"][0]


@needs_sandbox
def test_modules_that_are_handed_in_together_can_be_imported():
    files = (("08_problem_lora.py", 1, b"from engine import *\nfrom engine import LoRALinear"), ("engine.py", 1, REFERENCE.encode()))
    result = runner.grade_job(runner.Job("ada", "lora", files, SEED, "x"))
    assert result["score"] == result["max_score"]


@needs_sandbox
def test_the_schedules_of_transformers_can_be_imported_where_they_are_used(monkeypatch):
    monkeypatch.setattr(runner.bank, "mistake_observations", lambda *_: {})  # it is right: no mistake has to be known
    sft = PROBLEMS["sft"]
    source = sft.reference.read_text(encoding="utf-8").replace(
        "    history, best = [], None\n",
        "    from transformers import get_linear_schedule_with_warmup\n"
        "    steps = epochs * len(windows)\n"
        "    scheduler = get_linear_schedule_with_warmup(optimizer, math.ceil(warmup_ratio * steps), steps)\n"
        "    history, best = [], None\n",
    )
    assert "get_linear" in source
    result = runner.grade_job(runner.Job("ada", "sft", (("06_problem_sft.py", 1, source.encode()),), SEED, "x"))
    assert result["score"] == result["max_score"] and result["incidents"] == []


def test_ctrl_c_still_stops_whoever_grades():
    # Only the fork server does not hear it.
    assert "grader.uninterrupted" not in sys.modules


# --- a room -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def submissions(tmp_path_factory) -> Path:
    """Eight students: right, wrong, blank, broken, and some without a solution."""
    folder = tmp_path_factory.mktemp("in")
    mistakes = [mistake.source for mistake in list(bank.known_mistakes(LORA).values())[:3]]
    texts = [REFERENCE, *(f"{REFERENCE}\n\n{source}" for source in mistakes), BLANK, "def broken(:", "LoRALinear = 3", f"{REFERENCE}# mine"]
    for name, text in zip(("ada", "bob", "cleo", "dan", "eve", "fay", "gus", "hal"), texts):
        (folder / name).mkdir()
        (folder / name / "08_problem_lora.py").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def collected(submissions, tmp_path_factory):
    return collect([submissions], tmp_path_factory.mktemp("collected") / "all")


@pytest.fixture(scope="module")
def graded(collected, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("graded") / "out"
    room.grade(collected, out, seed=SEED, jobs=2)
    return out


def rows(out: Path) -> dict[str, dict]:
    with open(out / "gradebook.csv", encoding="utf-8", newline="") as file:
        return {row["folder"]: row for row in csv.DictReader(file)}


@needs_sandbox
def test_a_gradebook_has_a_row_for_each_student(graded):
    found = rows(graded)
    most = float(found["ada"]["maximum"])
    assert [name for name, row in found.items() if float(row["total"]) == most] == ["ada", "hal"]
    assert all(0 < float(found[name]["total"]) < most for name in ("bob", "cleo", "dan"))
    assert all(float(found[name]["total"]) == 0 for name in ("eve", "fay"))
    assert "Known mistake" in found["bob"]["note"]


@needs_sandbox
def test_pages_are_there_and_linked(graded):
    index = (graded / "index.html").read_text(encoding="utf-8")
    for name in rows(graded):
        assert f"students/{name}.html" in index and (graded / "students" / f"{name}.html").is_file()


@needs_sandbox
def test_who_hands_in_the_reference_is_named_on_the_page_and_in_the_terminal(graded, collected):
    lines = room.grade(collected, graded)
    index = (graded / "index.html").read_text(encoding="utf-8")
    assert "LoRA, equals the reference: ada, bob, cleo, dan, hal." in lines
    assert "LoRA, equals the handed-out stubs: eve." in lines
    assert "equals the reference" in index and "equals the handed-out stubs" in index


@needs_sandbox
def test_the_same_seed_gives_the_same_gradebook_and_nothing_is_graded_twice(graded, collected, tmp_path):
    again = tmp_path / "again"
    room.grade(collected, again, seed=SEED, jobs=1)
    assert (again / "gradebook.csv").read_bytes() == (graded / "gradebook.csv").read_bytes()
    before = (again / runner.RESULTS).read_bytes()
    room.grade(collected, again)
    assert (again / runner.RESULTS).read_bytes() == before
    assert [room._begin(again, seed) for seed in (None, SEED + 1, None)] == [SEED, SEED + 1, SEED + 1]  # a later run may take another


@needs_sandbox
def test_a_changed_submission_alone_is_graded_again(graded, collected, tmp_path):
    shutil.copytree(collected.folder, tmp_path / "all")
    shutil.copytree(graded, tmp_path / "out")
    (tmp_path / "all" / "eve" / "08_problem_lora.py").write_text(REFERENCE, encoding="utf-8")
    room.grade(load(tmp_path / "all"), tmp_path / "out")
    before, after = ((folder / runner.RESULTS).read_bytes() for folder in (graded, tmp_path / "out"))
    assert after.startswith(before) and after[len(before) :].count(b"\n") == 1
    assert float(rows(tmp_path / "out")["eve"]["total"]) > 0


def sandboxes() -> list[psutil.Process]:
    return [p for p in psutil.process_iter(["cmdline"]) if "classroom.grading.zygote" in (p.info["cmdline"] or [])]


@needs_sandbox
def test_a_run_that_is_killed_goes_on_where_it_was(collected, graded, tmp_path):
    runner.close()
    known = {process.pid for process in sandboxes()}
    out = tmp_path / "out"
    command = [sys.executable, "-m", "classroom", "grade", str(collected.folder), "--out", str(out), "--seed", str(SEED), "--jobs", "1"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    results = out / runner.RESULTS
    while process.poll() is None and not (results.exists() and results.read_bytes().count(b"\n") >= 3):
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    done = results.read_bytes()
    assert 3 <= done.count(b"\n") < 8
    while {process.pid for process in sandboxes()} - known:
        time.sleep(0.05)  # what it had started ends by itself; if it did not, this would never end
    results.write_bytes(done + b'{"student": "half a li')
    room.grade(collected, out)
    after = results.read_bytes()
    assert after.startswith(done) and len(runner.read_results(results)) == 8
    assert (out / "gradebook.csv").read_bytes() == (graded / "gradebook.csv").read_bytes()


# --- words of refusal ---------------------------------------------------------------------------


def test_without_bubblewrap_nothing_is_graded_unless_told(collected, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: None)
    command = ["grade", str(collected.folder), "--out", str(tmp_path / "out"), "--seed", str(SEED), "--jobs", "2"]
    assert main(command) == 2
    assert "bubblewrap is not installed" in capsys.readouterr().err and not (tmp_path / "out").exists()
    assert main([*command, "--unsafe-no-sandbox"]) == 0
    printed = capsys.readouterr()
    assert "may do what you may do" in printed.err
    assert float(rows(tmp_path / "out")["ada"]["total"]) == float(rows(tmp_path / "out")["ada"]["maximum"])


@needs_sandbox
def test_a_sandbox_that_is_not_ready_in_time_is_a_sentence_and_leaves_no_process(monkeypatch):
    known = {process.pid for process in sandboxes()}
    monkeypatch.setattr(sandbox, "START_LIMIT", 0.01)
    with pytest.raises(sandbox.NoSandbox, match="could not be prepared: it took more than"):
        sandbox.Sandbox()
    while {process.pid for process in sandboxes()} - known:
        time.sleep(0.05)  # it ends by itself; if it did not, this would never end


@pytest.mark.parametrize(
    "command, words",
    [
        (["grade", "nowhere", "--out", "x"], "nowhere is no collection"),
        (["collect", "nowhere.zip", "--out", "x"], "nowhere.zip does not exist"),
        (["collect", ".", "--out", "x", "--roster", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_a_wrong_name_is_a_sentence(command, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(command) == 2
    assert words in capsys.readouterr().err and not (tmp_path / "x").exists()


@needs_sandbox
def test_a_folder_that_is_no_run_is_left_alone(collected, tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    assert main(["grade", str(collected.folder), "--out", str(tmp_path)]) == 2
    assert "exists and is no folder of a run" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
