"""A room of submissions, graded in the sandbox: points, gradebooks, and runs that are killed."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from classroom import room, run
from classroom.__main__ import main
from classroom.assignment import Assignment, NotStated, of_problems
from classroom.grading import runner, sandbox
from classroom.incoming.collect import collect, load
from classroom.outgoing.class_page import class_page
from classroom.outgoing.student_page import student_page
from grader import bank, judge, stubs
from grader.problems import PROBLEMS, ROOT
from grader.submission import Cell, Submission
from grader.verdict import PUBLIC_SEED
from tests.conftest import needs_sandbox
from tests.test_pages import shown, student

LORA = PROBLEMS["lora"]
REFERENCE = LORA.reference.read_text(encoding="utf-8")
BLANK = "from collections.abc import Sequence\nimport torch\nfrom torch import nn\n" + "\n\n".join(stubs.blank(LORA, cell) for cell in LORA.cells)
WRONG = "a_from_a_standard_normal"
SEED = PUBLIC_SEED  # what the checks see in our own code is in the store
LORA_ALONE = room.Stated(["lora"], seed=SEED)


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
    run = shown([student("ada")], {("ada", "lora"): result})
    assert "_getframe" not in student_page(run, "ada")
    assert "_getframe" in class_page(run)


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
    room.grade(collected, out, LORA_ALONE, jobs=2)
    return out


def rows(out: Path) -> dict[str, dict]:
    with open(out / "gradebook.csv", encoding="utf-8-sig", newline="") as file:
        return {row["folder"]: row for row in csv.DictReader(file)}


@needs_sandbox
def test_a_gradebook_has_a_row_for_each_student(graded):
    found = rows(graded)
    most = float(found["ada"]["maximum"])
    assert [name for name, row in found.items() if row["total"] and float(row["total"]) == most] == ["ada", "hal"]
    assert all(0 < float(found[name]["total"]) < most for name in ("bob", "cleo", "dan"))
    assert [(found[name]["total"], found[name]["status"]) for name in ("eve", "fay")] == [("0", "graded"), ("", "by hand")]
    assert "Known mistake" in found["bob"]["note"]


@needs_sandbox
def test_pages_are_there_and_linked(graded):
    index = (graded / "index.html").read_text(encoding="utf-8")
    for name in rows(graded):
        assert f"students/{name}.html" in index and (graded / "students" / f"{name}.html").is_file()


@needs_sandbox
def test_who_hands_in_the_reference_is_named_on_the_page_and_in_the_terminal(graded, collected):
    lines = room.grade(collected, graded, room.Stated())  # what the folder remembers
    index = (graded / "index.html").read_text(encoding="utf-8")
    assert "LoRA, equals the reference: ada, bob, cleo, dan, hal." in lines
    assert "LoRA, equals the handed-out stubs: eve." in lines
    assert "equals the reference" in index and "equals the handed-out stubs" in index


@needs_sandbox
def test_the_same_seed_gives_the_same_gradebook_and_nothing_is_graded_twice(graded, collected, tmp_path):
    again = tmp_path / "again"
    room.grade(collected, again, LORA_ALONE, jobs=1)
    assert (again / "gradebook.csv").read_bytes() == (graded / "gradebook.csv").read_bytes()
    before = (again / runner.RESULTS).read_bytes()
    room.grade(collected, again, room.Stated())
    assert (again / runner.RESULTS).read_bytes() == before


@needs_sandbox
def test_a_changed_submission_alone_is_graded_again(graded, collected, tmp_path):
    shutil.copytree(collected.folder, tmp_path / "all")
    shutil.copytree(graded, tmp_path / "out")
    (tmp_path / "all" / "eve" / "08_problem_lora.py").write_text(REFERENCE, encoding="utf-8")
    room.grade(load(tmp_path / "all"), tmp_path / "out", room.Stated())
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
    command = [sys.executable, "-m", "classroom", "grade", str(collected.folder), "--out", str(out), "--seed", str(SEED), "--jobs", "1", "--problem", "lora"]
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
    room.grade(collected, out, room.Stated())
    after = results.read_bytes()
    assert after.startswith(done) and len(runner.read_results(results)) == 8
    assert (out / "gradebook.csv").read_bytes() == (graded / "gradebook.csv").read_bytes()


# --- what the instructor decides ----------------------------------------------------------------


@needs_sandbox
def test_gradebooks_pages_and_results_have_the_same_numbers(graded):
    results = {result["student"]: result for result in runner.read_results(graded / runner.RESULTS)}
    for name, row in rows(graded).items():
        if results[name]["refused"]:
            assert row["total"] == row["lora"] == ""
            continue
        assert row["total"] == row["lora"] == str(results[name]["score"]) and f"LoRA: {row['total']} of 59 points." in row["note"]
        assert f"{row['total']} of 59" in text_of(graded / "students" / f"{name}.html")


def text_of(page: Path) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page.read_text(encoding="utf-8")).split())


@pytest.fixture
def term(submissions, graded, tmp_path):
    """A room that is graded, and a function that grades it anew after an exchange and tells who was touched by it."""
    shutil.copytree(submissions, tmp_path / "in")
    shutil.copytree(graded, tmp_path / "out")
    count = iter(range(99))

    def again(*stated) -> set[str]:
        before = seen()
        room.grade(collect([tmp_path / "in"], tmp_path / f"all{next(count)}"), tmp_path / "out", room.Stated(*stated), jobs=1)
        after = seen()
        return {name for name in before | after if before.get(name) != after.get(name)}

    def seen() -> dict[str, tuple[bytes, bytes]]:
        pages = {path.stem: path.read_bytes() for path in (tmp_path / "out" / "students").iterdir()}
        lines = (tmp_path / "out" / "gradebook.csv").read_bytes().splitlines()[1:]
        return {name: (page, next(line for line in lines if line.startswith(f"{name},".encode()))) for name, page in pages.items()}

    return tmp_path, again


@needs_sandbox
def test_an_exchange_touches_one_student(term):
    place, again = term
    overrides = place / "out" / "overrides.csv"
    assert again() == set()

    (place / "in" / "ivy").mkdir()
    (place / "in" / "ivy" / "08_problem_lora.py").write_text(REFERENCE, encoding="utf-8")
    (place / "in" / "ivy" / "07_problem_peft.py").write_text("more than was asked", encoding="utf-8")
    assert again() == {"ivy"} and rows(place / "out")["ivy"]["total"] == "59"

    overrides.write_text("student,problem,points,comment,excused\nbob,lora,41.5,We talked.,\n")
    assert again() == {"bob"}
    assert (rows(place / "out")["bob"]["total"], rows(place / "out")["bob"]["note"][-10:]) == ("41.5", "We talked.")

    overrides.write_text("student,problem,points,comment,excused\nbob,lora,41.5,We talked.,\ncleo,,,Ill.,yes\n")
    assert again() == {"cleo"} and rows(place / "out")["cleo"]["total"] == "" and rows(place / "out")["cleo"]["status"] == "excused"

    (place / "in" / "eve" / "08_problem_lora.py").write_text(f"{REFERENCE}# again", encoding="utf-8")
    assert again() == {"eve"} and rows(place / "out")["eve"]["total"] == "59"


@needs_sandbox
def test_an_override_that_cannot_be_followed_stops_the_run_and_changes_nothing(term, capsys):
    place, again = term
    (place / "out" / "overrides.csv").write_text("student,problem,points\nbbo,lora,41\n")
    before = (place / "out" / "gradebook.csv").read_bytes()
    collect([place / "in"], place / "all")
    assert main(["grade", str(place / "all"), "--out", str(place / "out")]) == 2
    assert "there is no student “bbo”" in capsys.readouterr().err
    assert (place / "out" / "gradebook.csv").read_bytes() == before


def test_what_counts_is_asked_with_the_command_that_answers(submissions, tmp_path, capsys):
    shutil.copytree(submissions, tmp_path / "in")
    (tmp_path / "in" / "ada" / "07_problem_peft.py").write_text("an extra", encoding="utf-8")
    collection = collect([tmp_path / "in"], tmp_path / "all 1")
    assert main(["grade", str(tmp_path / "all 1"), "--out", str(tmp_path / "out")]) == 2
    told = capsys.readouterr().err
    assert "peft (1 of 8), lora (8 of 8)" in told and not (tmp_path / "out").exists()
    assert f"python -m classroom grade '{tmp_path / 'all 1'}' --out {tmp_path / 'out'} --problem lora\n" in told
    assert room._assignment(collection, run.Kept(), room.Stated(yes=True)) == of_problems(["lora"])
    (tmp_path / "all 1" / "assignment.toml").write_text("points = 100")
    with pytest.raises(NotStated):
        room._assignment(collection, run.Kept(), room.Stated())
    remembered = run.Kept(problems=["lora"])
    assert room._assignment(collection, remembered, room.Stated()) == Assignment(problems=["lora"], points=100)
    (tmp_path / "all 1" / "assignment.toml").write_text('problems = ["peft"]')  # it says it now, the run has it from before
    assert room._assignment(collection, remembered, room.Stated()) == of_problems(["peft"])


def test_what_was_stated_is_remembered_until_something_else_is(tmp_path):
    (tmp_path / "list.csv").write_text("name\nAda\n")
    kept = room._remembered(run.Kept(seed=1), room.Stated(["lora"], None, "HW3", tmp_path / "list.csv"))
    with run.alone(tmp_path / "out", kept):
        pass
    assert run.read(tmp_path / "out") == kept
    kept = room._remembered(run.read(tmp_path / "out"), room.Stated(["sft"]))
    assert (kept.problems, kept.column, kept.roster) == (["sft"], "HW3", str(tmp_path / "list.csv"))
    (tmp_path / "list.csv").unlink()
    with pytest.raises(runner.GradeError, match="list.csv does not exist"):
        room._remembered(run.read(tmp_path / "out"), room.Stated())


def test_the_seed_is_the_commands_else_the_assignments_else_the_runs():
    secret, fixed, public = (Assignment(problems=["lora"], seed=seed) for seed in ("secret", 7, "public"))
    assert room._seed(room.Stated(seed=5), fixed, 3) == 5 and room._seed(room.Stated(), fixed, 3) == 7
    assert room._seed(room.Stated(), public, 3) == PUBLIC_SEED and room._seed(room.Stated(), secret, 3) == 3
    assert len({room._seed(room.Stated(), secret, None) for _ in range(5)}) > 1


# --- accidents ----------------------------------------------------------------------------------


def test_two_runs_in_one_folder_are_refused_and_a_killed_one_leaves_it_free(tmp_path):
    code = "import sys, time\nfrom pathlib import Path\nfrom classroom import run\nwith run.alone(Path(sys.argv[1]), run.Kept(seed=1)):\n"
    code += "    print('in', flush=True)\n    time.sleep(600)"
    other = subprocess.Popen([sys.executable, "-c", code, tmp_path], cwd=ROOT, stdout=subprocess.PIPE)
    assert other.stdout.readline() == b"in\n"
    with pytest.raises(runner.GradeError, match="Another run is at work in"), run.alone(tmp_path, run.Kept(seed=2)):
        pass
    assert run.read(tmp_path).seed == 1
    other.kill()
    other.communicate()
    with run.alone(tmp_path, run.Kept(seed=2)):
        assert run.read(tmp_path).seed == 2


@needs_sandbox
def test_a_full_disk_is_a_sentence_and_what_is_graded_stays(collected, graded, tmp_path, monkeypatch):
    out = shutil.copytree(graded, tmp_path / "out")
    known = (graded / runner.RESULTS).read_bytes().splitlines(keepends=True)
    (out / runner.RESULTS).write_bytes(b"".join(known[:-2]))

    def full(descriptor):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(runner.os, "fsync", full)
        with pytest.raises(runner.GradeError, match="No space left on device. What was graded is kept"):
            room.grade(collected, out, room.Stated(), jobs=1)
    assert (out / runner.RESULTS).read_bytes().startswith(b"".join(known[:-2]))
    assert (out / "gradebook.csv").read_bytes() == (graded / "gradebook.csv").read_bytes()
    room.grade(collected, out, room.Stated(), jobs=1)
    assert len(runner.read_results(out / runner.RESULTS)) == len(known)


def test_a_folder_that_may_not_be_looked_into_is_a_sentence(collected, tmp_path, monkeypatch, capsys):
    exists = Path.exists

    def denied(path, **more):
        if path.is_relative_to(tmp_path):
            raise PermissionError(13, "Permission denied", str(path))
        return exists(path, **more)

    monkeypatch.setattr(sandbox, "check", lambda: None)
    monkeypatch.setattr(Path, "exists", denied)
    assert main(["grade", str(collected.folder), "--out", str(tmp_path / "x"), "--problem", "lora"]) == 2
    assert "cannot be used: Permission denied" in capsys.readouterr().err


def test_who_stops_listening_stops_nothing():
    code = "from classroom.__main__ import say\nimport sys\nfor _ in range(50_000): say('a line')\nprint('done', file=sys.stderr)"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b"done\n" and process.wait() == 0


# --- words of refusal ---------------------------------------------------------------------------


def test_without_bubblewrap_nothing_is_graded_unless_told(collected, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: None)
    command = ["grade", str(collected.folder), "--out", str(tmp_path / "out"), "--seed", str(SEED), "--jobs", "2", "--problem", "lora"]
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
    assert main(["grade", str(collected.folder), "--out", str(tmp_path), "--problem", "lora"]) == 2
    assert "exists and is no folder of a run" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
