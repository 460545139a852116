"""The commands as a user types them."""

import json
import subprocess
import sys

import jupytext
import pytest

from grader import stubs
from grader.__main__ import main
from grader.problems import PROBLEMS, ROOT
from tests.conftest import most_points, write


@pytest.fixture
def course(tmp_path):
    """A folder with a copy of the notebooks, both halves."""
    for problem in PROBLEMS.values():
        for suffix in (".md", ".ipynb"):
            path = problem.notebook_path(suffix)
            write(tmp_path, path.name, path.read_text(encoding="utf-8"))
    return tmp_path


def fill(problem, folder, source_of=stubs.solved):
    notebook = jupytext.read(problem.notebook_path(".ipynb", folder))
    stubs.put(notebook, problem, source_of)
    for suffix in (".md", ".ipynb"):
        jupytext.write(notebook, problem.notebook_path(suffix, folder))


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A store that the tests share, so that what one has graded no other grades again."""
    return tmp_path_factory.mktemp("store")


def make_check(folder, kept):
    command = [
        sys.executable,
        "-m",
        "pytest",
        "tests/problems",
        "-qq",
        "--no-header",
        "--tb=no",
        "-rN",
        "--disable-plugin-autoload",
    ]
    places = ["--store", str(kept), "--notebooks", str(folder)]
    return subprocess.run([*command, *places], cwd=ROOT, capture_output=True, text=True, encoding="utf-8")


# --- python -m grader ---------------------------------------------------------------------------


def test_json_is_the_object_of_the_contract(lora, capsys):
    assert main(["lora", str(lora.reference), "--json", "--seed", "5"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert list(printed) == ["problem", "score", "max_score", "checks"]
    assert printed["problem"] == "lora" and printed["score"] == printed["max_score"] > 0
    assert all(list(c) == ["id", "stub", "status", "points", "message", "diagnosis"] for c in printed["checks"])
    assert sum(c["points"] for c in printed["checks"]) == printed["score"]


def test_failures_end_with_status_1_and_are_diagnosed(lora, tmp_path, capsys):
    source = lora.reference.read_text().replace(
        "alpha / rank\n        self.dropout", "rank / alpha\n        self.dropout"
    )
    path = write(tmp_path, "mine.py", source)
    assert main(["lora", str(path), "--json"]) == 1
    failed = [check for check in json.loads(capsys.readouterr().out)["checks"] if check["status"] != "passed"]
    assert {check["diagnosis"] for check in failed} == {"scaling_inverted"}
    assert all(check["points"] == 0 and check["message"] for check in failed)
    assert main(["lora", str(path)]) == 1
    assert "The scaling is rank / alpha instead of alpha / rank." in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
def test_stubs_are_to_do(problem, course, capsys):
    assert main([problem.id, str(problem.notebook_path(".ipynb", course)), "--json"]) == 1
    checks = json.loads(capsys.readouterr().out)["checks"]
    assert {check["status"] for check in checks} == {"todo"} and {check["diagnosis"] for check in checks} == {None}


def test_a_file_that_cannot_be_graded_ends_with_status_2(tmp_path, capsys):
    assert main(["lora", str(tmp_path / "no.ipynb")]) == 2
    captured = capsys.readouterr()
    assert "does not exist" in captured.err and captured.out == ""


@pytest.mark.skipif(not (ROOT / ".venv").exists(), reason="there is no .venv to go on with")
@pytest.mark.parametrize("package", ["coach", "quiz", "grader"])
def test_a_command_of_another_python_goes_on_with_that_of_the_course(package):
    command = [sys.executable, "-S", "-m", package, "--help"]  # without its packages, as a Python of the system
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and "usage: " in done.stdout, done.stderr


def test_a_python_without_the_packages_says_what_to_type(tmp_path):
    (tmp_path / "desk").mkdir()
    write(tmp_path / "desk", "python.py", (ROOT / "desk" / "python.py").read_text(encoding="utf-8"))
    command = [sys.executable, "-S", "-c", "from desk import python; python.right_one('coach')"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1 and "make check" in done.stderr and "Traceback" not in done.stderr


def test_an_unknown_problem_is_refused(capsys):
    with pytest.raises(SystemExit) as end:
        main(["lore", "x.py"])
    assert end.value.code == 2 and "choose from" in capsys.readouterr().err


# --- make check ---------------------------------------------------------------------------------


def test_make_check_before_anything_is_solved(course, kept):
    done = make_check(course, kept)
    assert done.returncode == 0
    assert f" 0 of {most_points()} points in all" in done.stdout
    assert f"Next: write SequenceClassifier in {course / '06_problem_sft.ipynb'}." in " ".join(done.stdout.split())
    assert "fail" not in done.stdout.lower() and "skipped" not in done.stdout and done.stderr == ""


def test_make_check_when_all_is_solved(course, kept):
    for problem in PROBLEMS.values():
        fill(problem, course)
    done = make_check(course, kept)
    assert done.returncode == 0 and f"{most_points()} of {most_points()} points in all" in done.stdout and "All problems are solved" in done.stdout
    assert all(f"✓ {problem.title} " in done.stdout for problem in PROBLEMS.values())


def test_make_check_grades_again_only_what_was_changed(lora, course, kept):
    for problem in PROBLEMS.values():
        fill(problem, course)
    first = make_check(course, kept).stdout
    before = {path.name: path.stat().st_mtime_ns for path in kept.glob("verdict-*")}
    assert make_check(course, kept).stdout == first
    fill(lora, course, lambda problem, cell: stubs.solved(problem, cell).replace("if not self.merged:", "if 1:"))
    assert "A second merge() adds the update a second time." in " ".join(make_check(course, kept).stdout.split())
    now = {path.name: path.stat().st_mtime_ns for path in kept.glob("verdict-*")}
    (new,) = now.keys() - before
    assert before.items() < now.items() and new.startswith("verdict-lora-")


def test_make_check_goes_on_with_what_was_begun(lora, course, kept):
    def first_two(problem, cell):
        return stubs.solved(problem, cell) if problem.cells.index(cell) < 2 else stubs.blank(problem, cell)

    fill(lora, course, first_two)
    text = make_check(course, kept).stdout
    assert "✓ LoRALinear.delta_weight" in text and "· LoRALinear.merge" in text  # listed, since it was begun
    assert "· Supervised fine-tuning" in text and "sft_loss" not in text  # one line, since it was not
    assert f"Next: write LoRALinear.merge in {course / '08_problem_lora.ipynb'}." in " ".join(text.split())


def test_make_check_names_the_mistake_and_gives_the_next_hint_each_time(lora, course, kept):
    def wrong(problem, cell):
        return stubs.solved(problem, cell).replace("if not self.merged:", "if True:")

    fill(lora, course, wrong)
    (kept / "hints.json").unlink(missing_ok=True)
    texts = [" ".join(make_check(course, kept).stdout.split()) for _ in range(4)]
    assert all("A second merge() adds the update a second time." in text for text in texts)
    assert [next(n for n in "123" if f"Hint {n} of 3" in text) for text in texts] == ["1", "2", "3", "3"]
    assert make_check(course, kept).returncode == 1


def test_make_check_speaks_of_a_broken_notebook_in_a_sentence(lora, course, kept):
    for suffix in (".md", ".ipynb"):
        lora.notebook_path(suffix, course).write_text("")
    done = make_check(course, kept)
    assert done.returncode == 1 and "is empty" in done.stdout and "Traceback" not in done.stdout + done.stderr
    assert "Next: write SequenceClassifier" in done.stdout  # the other problems are graded all the same
