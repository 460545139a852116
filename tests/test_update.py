"""A new edition of the course arrives, and the learner's work is still there."""

import json
import shutil
import subprocess

import nbformat
import pytest

from desk import backups, edition, pair, update
from desk.__main__ import new_edition
from grader.problems import ROOT

NAME = "08_problem_lora"


def cell_of(notebook, tag):
    return next(cell for cell in notebook.cells if tag in cell.metadata.get("tags", []))


def git(folder, *words):
    return subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True, text=True).stdout


def publish(course) -> None:
    marks = edition.of_folder(course / "notebooks")
    (course / "desk").mkdir(exist_ok=True)
    (course / "desk" / "edition.json").write_text(json.dumps(marks))


def change(course, *changes) -> None:
    """Apply changes to the notebook, in both halves."""
    path = course / "notebooks" / f"{NAME}.ipynb"
    notebook = pair.read(path)
    for one in changes:
        one(notebook)
    for half in (path, path.with_suffix(".md")):
        pair.save_half(notebook, half)


def solve(notebook):
    cell_of(notebook, "stub:inject_lora").source += "\n    return []  # MINE"


def experiment(notebook):
    notebook.cells.insert(10, nbformat.v4.new_code_cell("mine = 'an experiment'"))


def note(notebook):
    notebook.cells.append(nbformat.v4.new_markdown_cell("A note of MINE"))


def other_rate(notebook):
    cell = next(cell for cell in notebook.cells if cell.source.startswith("full = copy"))
    cell.source = cell.source.replace("lr=3e-4", "lr=1e-3")


def new_text(notebook):
    notebook.cells[0].source += "\n\nNEW: a sentence."
    notebook.cells.insert(5, nbformat.v4.new_code_cell("new = 'a cell of the course'"))


def new_rate(notebook):
    cell = next(cell for cell in notebook.cells if cell.source.startswith("full = copy"))
    cell.source = cell.source.replace("lr=3e-4", "lr=5e-4")


def new_contract(notebook):
    cell = cell_of(notebook, "stub:inject_lora")
    cell.source = cell.source.replace("Freeze the model", "NEW: freeze the model")


@pytest.fixture
def published(tmp_path):
    """The course as its authors have it, in git."""
    course = tmp_path / "published"
    (course / "notebooks").mkdir(parents=True)
    shutil.copy(ROOT / "notebooks" / f"{NAME}.ipynb", course / "notebooks")
    pair.write_half(course / "notebooks" / f"{NAME}.ipynb", course / "notebooks" / f"{NAME}.md")
    (course / "lab.py").write_text("edition = 1\n")
    (course / ".gitignore").write_text(f"{backups.KEPT}/\n")
    publish(course)
    git(course, "init", "-q", "-b", "main")
    git(course, "config", "user.email", "a@example.org")
    git(course, "config", "user.name", "A")
    git(course, "add", ".")
    git(course, "commit", "-qm", "first edition")
    return course


@pytest.fixture
def clone(published, tmp_path):
    git(tmp_path, "clone", "-q", str(published), "mine")
    git(tmp_path / "mine", "config", "user.email", "b@example.org")
    git(tmp_path / "mine", "config", "user.name", "B")
    return tmp_path / "mine"


def next_edition(published, *changes) -> None:
    change(published, *changes)
    (published / "lab.py").write_text("edition = 2\n")
    publish(published)
    if (published / ".git").exists():
        git(published, "commit", "-qam", "second edition")


def text_of(course, suffix=".ipynb") -> str:
    return "\n".join(cell.source for cell in pair.read(course / "notebooks" / f"{NAME}{suffix}").cells)


@pytest.mark.parametrize("committed", [False, True], ids=["uncommitted", "committed"])
def test_stubs_experiments_and_notes_are_carried_into_the_new_edition(published, clone, committed):
    change(clone, solve, experiment, note, other_rate)
    mine = text_of(clone)
    if committed:
        git(clone, "commit", "-qam", "my work")
    next_edition(published, new_text)
    said = update.from_git(clone)
    for suffix in pair.SUFFIXES:
        text = text_of(clone, suffix)
        assert all(words in text for words in ("# MINE", "mine = 'an experiment'", "A note of MINE", "lr=1e-3"))
        assert all(words in text for words in ("NEW: a sentence.", "new = 'a cell of the course'"))
        assert text.count("def inject_lora(") == 1 and "lr=3e-4)" not in text.partition("full = copy")[2][:200]
    assert (clone / "lab.py").read_text() == "edition = 2\n"
    assert f"{NAME}: 4 cells of yours carried over." in said and not [line for line in said if "Look at" in line]
    assert any(mine.split("\n")[-1] in path.read_text() for path in backups.every(clone / "notebooks"))
    nbformat.validate(nbformat.read(clone / "notebooks" / f"{NAME}.ipynb", 4))
    assert update.from_git(clone) == ["This is the newest edition already."]


def test_a_cell_that_both_have_changed_is_kept_in_both_versions_and_named(published, clone):
    change(clone, solve, other_rate)
    next_edition(published, new_rate, new_contract)
    said = "\n".join(update.from_git(clone))
    text = text_of(clone)
    assert "lr=1e-3" in text and "lr=5e-4" in text and "full = copy" in said
    assert "# MINE" in text and "NEW: freeze the model" in text and "inject_lora" in said
    notebook = pair.read(clone / "notebooks" / f"{NAME}.ipynb")
    assert "# MINE" in cell_of(notebook, "stub:inject_lora").source  # the learner's code is what counts


def test_an_untouched_notebook_is_simply_new(published, clone):
    next_edition(published, new_text)
    update.from_git(clone)
    for suffix in pair.SUFFIXES:
        path = f"notebooks/{NAME}{suffix}"
        assert (clone / path).read_bytes() == (published / path).read_bytes()
    assert git(clone, "status", "--porcelain") == ""


@pytest.mark.parametrize("form", ["zip", "folder"])
def test_an_edition_from_a_zip_or_a_folder(published, clone, tmp_path, form):
    shutil.rmtree(clone / ".git")  # a copy that was handed out
    change(clone, solve, experiment)
    (clone / "helper.py").write_text("mine = 1\n")
    shutil.rmtree(published / ".git")
    next_edition(published, new_text)
    source = published
    if form == "zip":
        source = tmp_path / "new.zip"
        shutil.make_archive(str(source.with_suffix("")), "zip", published.parent, published.name)
    said = update.from_copy(clone, source)
    text = text_of(clone)
    assert "# MINE" in text and "mine = 'an experiment'" in text and "NEW: a sentence." in text
    assert (clone / "lab.py").read_text() == "edition = 2\n" and (clone / "helper.py").exists()
    assert (clone / backups.KEPT / "before-update" / "lab.py").read_text() == "edition = 1\n"
    assert f"{NAME}: 2 cells of yours carried over." in said
    before = text_of(clone)
    assert update.from_copy(clone, source) == ["This is the edition that you have already."]
    assert text_of(clone) == before


def test_what_cannot_be_updated_is_a_sentence_and_changes_nothing(published, clone, tmp_path):
    change(clone, solve)
    (clone / "lab.py").write_text("edition = 'of mine'\n")

    def files():
        return {path: path.read_bytes() for path in clone.glob("*/*.*") if path.is_file()}

    before = files()
    next_edition(published, new_text)
    with pytest.raises(update.NoUpdate, match="lab.py"):
        update.from_git(clone)
    git(clone, "commit", "-qam", "mine")
    with pytest.raises(update.NoUpdate, match="the same lines of lab.py"):
        update.from_git(clone)
    with pytest.raises(update.NoUpdate, match="There is no branch origin/none"):
        update.from_git(clone, "origin/none")
    git(clone, "remote", "set-url", "origin", str(tmp_path / "gone"))
    with pytest.raises(update.NoUpdate, match="cannot be fetched"):
        update.from_git(clone)
    (tmp_path / "empty").mkdir()
    for source, words in ((tmp_path / "no.zip", "does not exist"), (tmp_path / "empty", "is no copy of the course")):
        with pytest.raises(update.NoUpdate, match=words):
            update.from_copy(clone, source)
    (tmp_path / "bad.zip").write_text("no zip")
    with pytest.raises(update.NoUpdate, match="cannot be unpacked"):
        update.from_copy(clone, tmp_path / "bad.zip")
    assert files() == before


def test_the_command_says_what_is_wrong(capsys):
    assert new_edition("no.zip") == 2
    assert "no.zip does not exist" in capsys.readouterr().err


# --- nbgitpuller --------------------------------------------------------------------------------


def pull_as_nbgitpuller_does(clone) -> None:
    git(clone, "commit", "-qam", "Automatic commit by nbgitpuller", "--allow-empty")
    git(clone, "fetch", "-q")
    git(clone, "merge", "-q", "-Xours", "--no-edit", "origin/main")


def test_what_nbgitpuller_has_left_out_of_the_notebooks_comes_by_an_update(published, clone):
    """It takes the learner's lines where both have changed the same ones, and says nothing of the others."""
    change(clone, solve, note)
    next_edition(published, lambda notebook: notebook.cells.append(nbformat.v4.new_markdown_cell("NEW: a last word.")))
    pull_as_nbgitpuller_does(clone)
    assert "A note of MINE" in text_of(clone) and "NEW: a last word." not in text_of(clone)
    said = update.from_git(clone)
    for suffix in pair.SUFFIXES:
        text = text_of(clone, suffix)
        assert all(text.count(words) == 1 for words in ("# MINE", "A note of MINE", "NEW: a last word."))
    assert said[0].startswith("nbgitpuller had left out") and not [line for line in said if "Look at" in line]
    assert update.from_git(clone) == ["This is the newest edition already."]


def test_cells_that_a_learner_has_deleted_stay_deleted_where_nbgitpuller_has_merged_nothing(clone):
    change(clone, solve, lambda notebook: notebook.cells.pop(3))
    before = text_of(clone)
    assert update.from_git(clone) == ["This is the newest edition already."] and text_of(clone) == before
