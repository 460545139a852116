"""`make watch` grades on save, and `q` ends it."""

import io

import pytest
from rich.console import Console

from grader import watch
from grader.problems import PROBLEMS


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A folder of notebooks, and a list of the gradings so far."""
    monkeypatch.setattr(watch, "PAUSE", 0)
    graded = []
    monkeypatch.setattr(watch, "grade_course", lambda notebooks, kept: graded.append(1) or {})
    monkeypatch.setattr(watch, "print_reports", lambda found, console, kept: console.print(f"grading {len(graded)}"))
    for problem in PROBLEMS.values():
        problem.notebook_path(".ipynb", tmp_path).write_text("{}")
    return tmp_path, graded


def run(folder, *moments) -> str:
    """Watch a folder. Each moment is what happens until the next look: a text that is typed, or a change to the folder."""
    left = list(moments)

    def pressed():
        moment = left.pop(0)
        return moment(folder) or "" if callable(moment) else moment

    screen = io.StringIO()
    watch.watch(folder, folder, Console(file=screen, width=100), pressed)
    assert not left
    return screen.getvalue()


def save(folder):
    (folder / "08_problem_lora.ipynb").write_text("{} ")


def save_other(folder):
    (folder / "notes.txt").write_text("x")


def test_it_grades_at_the_start_and_at_each_save_until_q(course):
    folder, graded = course
    text = run(folder, "", "", save, "", save_other, "", "q")
    assert len(graded) == 2 and "grading 2" in text and text.endswith("Stopped.\n")


@pytest.mark.parametrize("key", ["q", "Q", "xq", None])
def test_keys_that_end_it(course, key):
    folder, graded = course
    run(folder, key)
    assert len(graded) == 1


def test_enter_grades_again_and_other_keys_do_nothing(course):
    folder, graded = course
    run(folder, "x", "\n", "", "q")
    assert len(graded) == 2


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path, capsys):
    assert watch.main(["--notebooks", str(tmp_path / "no")]) == 2
    assert "is no folder" in capsys.readouterr().err
