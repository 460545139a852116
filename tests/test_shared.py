"""One installation serves a class: it can only be read, and each student has a folder in which everything works."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from classroom.handout.release import release
from desk import __main__ as commands
from desk import backups, edition, pair, place, server, start, update
from desk import share as sharing
from grader import stubs
from grader.problems import PROBLEMS, ROOT

LORA, SFT = PROBLEMS["lora"], PROBLEMS["sft"]
# Root may write everywhere, so it gives up this right.
LIMITED = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.name == "posix" and os.geteuid() == 0 else []
pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="a folder is closed by its mode, as on Linux and macOS"),
    pytest.mark.skipif(
        bool(LIMITED) and not shutil.which("setpriv"), reason="root needs setpriv (util-linux) to be kept from writing"
    ),
]


def full(course: Path) -> None:
    """What students use of the whole course."""
    nothing_made = shutil.ignore_patterns("__pycache__", backups.KEPT, ".ipynb_checkpoints")
    for name in ("desk", "grader", "lab", "notebooks", "quiz", "solutions", "tests/problems"):
        shutil.copytree(ROOT / name, course / name, ignore=nothing_made)
    shutil.copy(ROOT / "pyproject.toml", course)


def close(course: Path, closed: bool = True) -> None:
    """Let nobody write into a course, or let its owner write again."""
    for path in [course, *course.rglob("*")]:
        path.chmod(path.stat().st_mode & ~0o222 if closed else path.stat().st_mode | 0o200)


def closed(course: Path, make):
    """A course that `make` makes and into which nobody may write, for as long as a fixture lasts."""
    make(course)
    close(course)
    yield course
    close(course, closed=False)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The course as its authors have it."""
    yield from closed(tmp_path_factory.mktemp("opt") / "whole", full)


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A copy for students."""
    yield from closed(tmp_path_factory.mktemp("opt") / "released", release)


class Student:
    """Someone with a home folder of their own, at a terminal."""

    def __init__(self, home: Path, course: Path):
        self.home, self.course = home, course
        home.mkdir()
        self.folder = home / "finetuning"
        self.notebooks = self.folder / "notebooks"

    def python(self, *words: str, here: Path | None = None, typed: str = "", **settings: str) -> subprocess.CompletedProcess:
        """Run the Python of the course, which takes its modules from there."""
        kept = {name: value for name, value in os.environ.items() if name not in (place.VARIABLE, "QUIZ_HOME", "XDG_DATA_HOME")}
        environment = kept | {"HOME": str(self.home), "PYTHONPATH": str(self.course), "PYTHONDONTWRITEBYTECODE": "1"} | settings
        command = [*LIMITED, sys.executable, *words]
        return subprocess.run(
            command, cwd=here or self.home, env=environment, input=typed, capture_output=True, text=True, encoding="utf-8"
        )

    def course_command(self, *words: str, **options) -> str:
        done = self.python("-m", "desk", *words, **options)
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout + done.stderr

    def write(self, problem, source_of) -> None:
        path = problem.notebook_path(".ipynb", self.notebooks)
        notebook = pair.read(path)
        stubs.put(notebook, problem, source_of)
        for half in filter(Path.exists, map(path.with_suffix, pair.SUFFIXES)):
            pair.save_half(notebook, half)

    def files(self) -> dict[str, bytes]:
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes() for path in self.folder.rglob("*") if path.is_file()
        }


def stamps(course: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in [course, *course.rglob("*")]}


def only(name: str, source: str):
    """For `Student.write`: this source for one stub, and blanks for the others."""
    return lambda problem, cell: source if cell == (name,) else stubs.blank(problem, cell)


# --- two students -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["whole", "released"])
def test_each_student_gets_a_folder_and_nothing_is_written_into_the_course(request, kind, tmp_path):
    course = request.getfixturevalue(kind)
    anna, ben = Student(tmp_path / "anna", course), Student(tmp_path / "ben", course)
    before = stamps(course)
    assert "Permission denied" in anna.python("-c", f"open({str(course / 'notebooks' / 'x')!r}, 'w')").stderr
    said = anna.course_command("start")
    assert f"Your folder is {anna.folder}." in said
    ben.course_command("reset")  # any command makes it
    names = {path.name for path in (course / "notebooks").glob("[0-9]*")}
    for student in (anna, ben):
        assert {path.name for path in student.notebooks.glob("[0-9]*")} == names
        assert all(os.access(path, os.W_OK) for path in student.notebooks.iterdir())
        assert student.folder.stat().st_mode & 0o077 == 0  # nobody else may look
    anna.write(LORA, stubs.solved)
    bens, mine = ben.files(), LORA.notebook_path(".ipynb", anna.notebooks).read_bytes()
    said = anna.course_command("reset", "lora", "inject_lora", here=anna.notebooks)
    assert "Blank again: `inject_lora`" in said
    assert mine in [path.read_bytes() for path in backups.every(anna.notebooks)]
    assert "Backups: 0." in ben.course_command("reset", here=course / "notebooks")
    assert ben.files() == bens
    assert stamps(course) == before


def test_make_says_the_same_in_the_students_folder(whole, tmp_path):
    anna = Student(tmp_path / "anna", whole)
    anna.course_command("start")
    make = ["make", "--no-print-directory", "-C", str(anna.folder)]
    environment = os.environ | {"PYTHONPATH": str(anna.course), "HOME": str(anna.home)}
    anna.write(LORA, stubs.solved)

    def said(*words):
        return subprocess.run([*make, *words], env=environment, capture_output=True, text=True).stdout

    assert said() == commands.__doc__ + "\n"
    assert "Blank again: `inject_lora`" in said("reset", "PROBLEM=lora", "STUB=inject_lora")
    backup = backups.every(anna.notebooks)[0].name
    assert f"is as in {backup} again" in said("reset", f"BACK={backup}")


def test_checks_hints_and_grades_are_the_students_own(released, tmp_path):
    anna = Student(tmp_path / "anna", released)
    anna.course_command("start")
    anna.write(SFT, only("collate", "def collate(examples, pad_id):\n    return {}"))
    before = stamps(released)
    for number in (1, 2):
        said = " ".join(anna.course_command("check").split())
        assert f"Hint {number} of 3:" in said and "mend collate in notebooks/06_problem_sft.ipynb" in said, said
    assert {path.name.partition("-")[0] for path in (anna.folder / ".course" / "grader").glob("*.json")} == {
        "verdict",
        "code",
        "hints.json",
    }
    assert stamps(released) == before


TOPIC = """
from solutions.sft import collate
print(collate([{"input_ids": [1], "labels": [1]}], pad_id=0))
from grader import store
print(store.FOLDER)
from quiz import register
print(register.NOTEBOOKS)
"""


def test_topics_and_the_quiz_use_the_students_own_code_and_folder(released, tmp_path):
    anna, ben = Student(tmp_path / "anna", released), Student(tmp_path / "ben", released)
    for student in (anna, ben):
        student.course_command("start")
    anna.write(SFT, only("collate", "def collate(examples, pad_id):\n    return 'what Anna wrote'"))
    done = anna.python("-c", TOPIC, here=anna.notebooks)
    assert done.stdout.splitlines() == ["what Anna wrote", str(anna.folder / ".course" / "grader"), str(anna.notebooks)], (
        done.stderr
    )
    assert "NotImplementedError: collate" in ben.python("-c", TOPIC, here=ben.notebooks).stderr
    ask = ["quiz", "--topic", "lora", "--level", "screening", "--count", "1", "--seed", "3"]
    assert "Your answer is kept." in anna.course_command(*ask, typed="a\n")
    assert "holds your latest answers to 1 of" in anna.course_command("quiz", "hand-in")
    assert (anna.notebooks / "quiz_answers.json").exists()
    assert "No question was answered yet." in ben.course_command("quiz", "hand-in")


def test_what_the_owner_had_observed_serves_all(tmp_path, monkeypatch):
    from grader import store

    monkeypatch.setattr(store, "SHARED", tmp_path)
    monkeypatch.setattr(store, "FOLDER", tmp_path / "own")
    store.keep_observed("x", store.PUBLIC_SEED, b"seen", tmp_path)
    assert store.observed("x", store.PUBLIC_SEED, bytes, store.FOLDER) == b"seen"
    assert store.observed("x", store.PUBLIC_SEED + 1, bytes, store.FOLDER) is None
    assert store.observed("x", store.PUBLIC_SEED, bytes, tmp_path / "another") is None


# --- whose folder -------------------------------------------------------------------------------


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A course of one's own in `course`, a student's folder in `mine`, a home folder in `home`."""
    monkeypatch.delenv(place.VARIABLE, raising=False)
    monkeypatch.setattr(place, "COURSE", tmp_path / "course")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("course/notebooks", "course/desk", "mine/notebooks/.course", "mine/.course", "elsewhere"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("course/desk/edition.json", "mine/.course/edition.json"):
        (tmp_path / name).write_text("{}")
    return tmp_path


def test_the_folder_is_the_named_one_or_the_one_in_which_one_stands_or_the_course(here, monkeypatch):
    for stand, expected in {
        "elsewhere": "course",
        "course/notebooks": "course",
        "mine": "mine",
        "mine/notebooks": "mine",
    }.items():
        monkeypatch.chdir(here / stand)
        assert place.own() == here / expected
    monkeypatch.setattr(place.os, "access", lambda path, mode: False)  # the course is somebody else's
    assert place.own() == here / "mine"
    monkeypatch.chdir(here / "elsewhere")
    assert place.own() == here / "home" / "finetuning"
    monkeypatch.setenv(place.VARIABLE, "~/named")
    assert place.own() == here / "home" / "named"


def test_a_folder_that_was_deleted_under_ones_feet_is_no_trouble(here, monkeypatch):
    monkeypatch.chdir(here / "elsewhere")
    (here / "elsewhere").rmdir()
    assert place.own() == here / "course"


def test_start_refuses_other_notebooks_and_copies_of_the_course(tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "08_problem_lora.ipynb").write_text("mine")
    with pytest.raises(update.NoUpdate, match="holds notebooks already. Name another folder"):
        start.begin(tmp_path)
    with pytest.raises(update.NoUpdate, match="is a copy of the course"):
        start.begin(ROOT)
    assert [path.name for path in tmp_path.iterdir()] == ["notebooks"]


def test_an_option_is_no_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert commands.main(["start", "--help"]) == 0 and "course start" not in capsys.readouterr().err
    assert commands.main(["start", "--where"]) == 2 and list(tmp_path.iterdir()) == []


def test_start_goes_on_where_it_was_stopped_and_leaves_a_makefile_of_somebody_else(tmp_path):
    name = "08_problem_lora.ipynb"
    (tmp_path / "notebooks").mkdir()
    shutil.copy(ROOT / "notebooks" / name, tmp_path / "notebooks")
    (tmp_path / "Makefile").write_text("all:\n")
    start.begin(tmp_path)
    for path in (ROOT / "notebooks").glob("[0-9]*.*"):
        assert (tmp_path / "notebooks" / path.name).read_bytes() == path.read_bytes()
    assert (tmp_path / "Makefile").read_text() == "all:\n"
    assert start.begin(tmp_path) == []


# --- a new edition ------------------------------------------------------------------------------


@pytest.fixture
def classes(here, monkeypatch):
    """A shared course with two notebooks, and a student's folder."""
    for name in ("06_problem_sft", "08_problem_lora"):
        shutil.copy(ROOT / "notebooks" / f"{name}.ipynb", here / "course" / "notebooks")
        pair.write_half(here / "course" / "notebooks" / f"{name}.ipynb", here / "course" / "notebooks" / f"{name}.md")
    monkeypatch.setattr(edition, "FILE", here / "course" / "desk" / "edition.json")
    publish(here)
    start.begin(here / "home" / "finetuning")
    return here


def publish(here) -> None:
    edition.FILE.write_text(json.dumps(edition.of_folder(here / "course" / "notebooks")))


def change(path: Path, words: str, tag: str = "") -> None:
    notebook = pair.read(path)
    cell = next(cell for cell in notebook.cells if not tag or tag in cell.metadata.get("tags", []))
    cell.source += words
    for half in map(path.with_suffix, pair.SUFFIXES):
        pair.save_half(notebook, half)


def test_a_new_edition_comes_with_the_students_work_carried_over(classes, monkeypatch, capsys):
    mine = classes / "home" / "finetuning"
    lora, sft = (mine / "notebooks" / f"{name}.ipynb" for name in ("08_problem_lora", "06_problem_sft"))
    change(lora, "\n    return []  # MINE", "stub:inject_lora")
    for name in (lora.name, sft.name):
        change(classes / "course" / "notebooks" / name, "\n\nNEW: a sentence.")
    publish(classes)
    monkeypatch.setenv(place.VARIABLE, str(mine))
    monkeypatch.setattr(commands, "_run", lambda folder, *words: 0)
    commands.main(["check"])  # tells, and changes nothing
    assert "There is a new edition of the course." in capsys.readouterr().out and "NEW: a" not in lora.read_text()
    assert commands.main(["update"]) == 0
    assert "08_problem_lora: 1 cell of yours carried over." in capsys.readouterr().out
    for half in map(lora.with_suffix, pair.SUFFIXES):
        assert "# MINE" in half.read_text() and "NEW: a sentence." in half.read_text()
    assert sft.read_bytes() == (classes / "course" / "notebooks" / sft.name).read_bytes()
    assert any("# MINE" in path.read_text() and "NEW: a" not in path.read_text() for path in backups.every(mine / "notebooks"))
    assert update.from_shared(mine) == [] and pair.choose(lora).other is None


def test_what_the_owner_has_put_into_the_course_is_not_taken_for_the_students_work(classes):
    """The folder notes what it was given, whatever the published edition says."""
    own, mine = classes / "course" / "notebooks" / "08_problem_lora.ipynb", classes / "second"
    change(own, "\n\nA word of the instructor.")
    start.begin(mine)
    assert "A word of the instructor." in (mine / "notebooks" / own.name).read_text()
    change(own, "\n\nAnother word.")
    assert update.from_shared(mine) == ["08_problem_lora: as in the course."] and not backups.every(mine / "notebooks")


def test_an_update_that_is_killed_goes_on_and_doubles_nothing(classes, monkeypatch):
    mine = classes / "home" / "finetuning"
    names = ("06_problem_sft", "08_problem_lora")
    for name in names:
        change(mine / "notebooks" / f"{name}.ipynb", "\n    return []  # MINE", "stub:" + PROBLEMS[name[11:]].stubs[0])
        change(classes / "course" / "notebooks" / f"{name}.ipynb", "\n\nNEW: a sentence.")
    publish(classes)
    whole = update.Work.carry_into

    def killed(self, name, new):
        if name == names[1]:
            raise KeyboardInterrupt
        return whole(self, name, new)

    monkeypatch.setattr(update.Work, "carry_into", killed)
    with pytest.raises(KeyboardInterrupt):
        update.from_shared(mine)
    monkeypatch.setattr(update.Work, "carry_into", whole)
    update.from_shared(mine)
    for name in names:
        text = (mine / "notebooks" / f"{name}.md").read_text()
        assert text.count("# MINE") == 1 and text.count("NEW: a sentence.") == 1


def test_the_edition_of_the_students_folder_tells_what_is_theirs(classes):
    """The course may have a newer one already. What it has changed would else count as the student's work."""
    mine = classes / "home" / "finetuning" / "notebooks" / "08_problem_lora.ipynb"
    change(classes / "course" / "notebooks" / mine.name, "\n\nNEW: a sentence.")
    publish(classes)
    notebook = pair.read(mine)
    notebook.cells[0].source += "\n\nMINE: a note."
    pair.save_half(notebook, mine)
    os.utime(mine.with_suffix(".md"))  # the other half is newer, and holds the old text of the course alone
    assert pair.choose(mine).counts == mine and not pair.choose(mine).lost


# --- JupyterLab, JupyterHub, the owner ----------------------------------------------------------


def test_jupyterlab_works_in_an_environment_that_cannot_be_written_to(classes, monkeypatch):
    started = []
    monkeypatch.setattr(commands, "_run", lambda folder, *words: started.append((folder, words)) or 0)
    monkeypatch.setattr(server, "install", lambda: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
    monkeypatch.setenv(place.VARIABLE, str(classes / "home" / "finetuning"))
    assert commands.main(["lab", "--no-browser"]) == 0
    ((folder, words),) = started
    assert folder == classes / "home" / "finetuning" and words[:2] == ("jupyter", "lab") and "--no-browser" in words
    assert "--ServerApp.contents_manager_class=desk.server.CourseContents" in words


def test_a_notebook_that_cannot_be_read_does_not_lock_its_owner_out(classes, monkeypatch, capsys):
    mine = classes / "home" / "finetuning"
    for half in map((mine / "notebooks" / "08_problem_lora.ipynb").with_suffix, pair.SUFFIXES):
        half.write_bytes(b"{\xff")
    change(classes / "course" / "notebooks" / "08_problem_lora.ipynb", "\n\nNEW: a sentence.")
    publish(classes)
    monkeypatch.setattr(commands, "_run", lambda folder, *words: 0)
    monkeypatch.setenv(place.VARIABLE, str(mine))
    assert commands.main(["lab"]) == 0 and "cannot be read as a notebook" in capsys.readouterr().out


def test_sharing_opens_the_course_and_names_what_is_closed_and_what_students_would_get(classes, monkeypatch, capsys):
    monkeypatch.setattr(sharing, "PREPARE", "")
    course = classes / "course"
    for path in (course, course / "desk" / "edition.json"):
        path.chmod(0o700 if path.is_dir() else 0o622)
    classes.chmod(0o700)
    change(course / "notebooks" / "08_problem_lora.ipynb", "\n    return []  # MINE", "stub:inject_lora")
    assert commands.main(["share"]) == 0
    said = capsys.readouterr().out
    assert oct((course / "desk" / "edition.json").stat().st_mode & 0o777) == "0o644" and course.stat().st_mode & 0o777 == 0o755
    assert f"{classes} is closed to other users" in said and "08_problem_lora: 1 cells are not the course's" in said
    assert "c.Spawner.cmd = [" in said
