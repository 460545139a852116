"""Where the course is not installed: each notebook says where it can be opened, and its first cell installs the course."""

import importlib.util
import json
import re
import shutil

import nbformat
import pytest
from IPython.core.interactiveshell import InteractiveShell
from nbconvert import SlidesExporter
from traitlets.config import PyFileConfigLoader

from desk import __main__ as commands
from desk import edition, elsewhere, pair, update
from grader import stubs
from grader.problems import ROOT
from grader.program import select
from grader.submission import parse, read

NOTEBOOKS = sorted(ROOT.glob("notebooks/[0-9]*.ipynb"))
LORA = "08_problem_lora"
OTHER = "https://github.com/somebody/their-course"


def found_in(notebook) -> list:
    return [cell for cell in notebook.cells if elsewhere.is_one(cell)]


def sources(cells) -> list[str]:
    return [cell.source for cell in cells]


@pytest.fixture(scope="module")
def first_cell() -> str:
    return elsewhere.cells(LORA, elsewhere.published())[1].source


# --- one address --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_notebook_names_the_address_and_the_version_of_the_project(path):
    cells = elsewhere.cells(path.stem, elsewhere.published())
    for half in map(path.with_suffix, pair.SUFFIXES):
        notebook = pair.read(half)
        assert found_in(notebook) == notebook.cells[1:3] and sources(found_in(notebook)) == sources(cells)
        assert [cell.metadata.slideshow.slide_type for cell in found_in(notebook)] == ["skip", "skip"]


def test_no_other_file_names_the_address():
    places = ("*.*", "*/*.*", ".devcontainer/*", ".binder/*")
    files = {path for place in places for path in ROOT.glob(place) if path.is_file() and path.parent.name != "notebooks"}
    address = elsewhere.published().repository.encode()
    assert {path.name for path in files if address in path.read_bytes()} - {"PKG-INFO"} == {"pyproject.toml"}


@pytest.fixture
def course(tmp_path):
    """A course with two notebooks, in one of which somebody has worked."""
    (tmp_path / "desk").mkdir()
    (tmp_path / "notebooks").mkdir()
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for name in (LORA, "03_lora"):
        for suffix in pair.SUFFIXES:
            shutil.copy(ROOT / "notebooks" / f"{name}{suffix}", tmp_path / "notebooks")
    (tmp_path / "notebooks" / "03_lora.md").unlink()  # as in a copy for students
    notebook = pair.read(tmp_path / "notebooks" / f"{LORA}.ipynb")
    notebook.cells.append(nbformat.v4.new_code_cell("mine = 1"))
    for suffix in pair.SUFFIXES:
        pair.save_half(notebook, tmp_path / "notebooks" / f"{LORA}{suffix}")
    return tmp_path


@pytest.fixture
def moved(course, monkeypatch):
    monkeypatch.setattr(elsewhere.place, "COURSE", course)
    assert elsewhere.set_address(OTHER + ".git", course)[1] == "2 notebooks have new links and a new first cell."
    return course


def test_another_address_goes_into_the_project_and_all_notebooks(moved):
    assert elsewhere.published(moved) == elsewhere.Published("somebody/their-course", elsewhere.published().version)
    halves = sorted(path for path in (moved / "notebooks").glob("[0-9]*"))
    assert len(halves) == 3
    for half in halves:
        links, install = sources(found_in(pair.read(half)))
        assert links.count("somebody/their-course") == 3 and f"{half.stem}.ipynb" in links
        assert f'"{OTHER}/archive/refs/tags/v{elsewhere.published().version}.zip"' in install
        assert elsewhere.published().repository not in half.read_text(encoding="utf-8")
    assert json.loads((moved / "desk" / "edition.json").read_text()) == edition.of_folder(moved / "notebooks")


def test_what_somebody_has_written_stays_and_a_second_time_nothing_is_done(moved):
    paths = sorted((moved / "notebooks").glob("[0-9]*"))
    before = [path.read_bytes() for path in paths]
    assert "mine = 1" in sources(pair.read(moved / "notebooks" / f"{LORA}.md").cells)
    assert elsewhere.set_address(course=moved)[1] == "0 notebooks have new links and a new first cell."
    assert [path.read_bytes() for path in paths] == before


def test_a_notebook_without_the_cells_gets_them_under_its_title(course):
    path = course / "notebooks" / f"{LORA}.ipynb"
    notebook = pair.read(path)
    title, rest = notebook.cells[0], [cell for cell in notebook.cells[1:] if not elsewhere.is_one(cell)]
    notebook.cells = [title, *rest]
    assert elsewhere.put(notebook, elsewhere.cells(LORA, elsewhere.published()))
    assert notebook.cells[0] == title and notebook.cells[1:3] == found_in(notebook) and notebook.cells[3:] == rest


@pytest.mark.parametrize("wrong", ["https://gitlab.com/a/b", "github.com/a/b", "https://github.com/a"])
def test_an_address_that_nobody_could_open_is_refused(course, wrong, monkeypatch, capsys):
    monkeypatch.setattr(elsewhere.place, "COURSE", course)
    before = (course / "pyproject.toml").read_bytes()
    assert commands.main(["address", wrong]) == 2
    assert f"“{wrong}” is no address that Colab and Kaggle can open. Name a repository:" in capsys.readouterr().err
    assert (course / "pyproject.toml").read_bytes() == before


# --- the first cell -----------------------------------------------------------------------------


@pytest.fixture
def run(first_cell, monkeypatch, capsys):
    """Runs the first cell. Returns what pip was asked and what was printed.

    Args:
        missing: the packages that are not there. What pip is asked to install is there afterwards, unless pip fails.
    """

    def run(missing: set[str], times: int = 1, fails: bool = False) -> tuple[list[str], str]:
        shell, asked, find = InteractiveShell(), [], importlib.util.find_spec

        def pip(line):
            asked.append(line)
            if not fails and line.endswith(".zip"):
                missing.clear()

        shell.register_magic_function(pip, magic_name="pip")
        with monkeypatch.context() as patched:
            patched.setattr(importlib.util, "find_spec", lambda name: None if name in missing else find(name))
            for _ in range(times):
                shell.run_cell(first_cell).raise_error()
        return asked, capsys.readouterr().out

    return run


def test_where_the_course_is_installed_the_first_cell_does_nothing(run):
    assert run(missing=set()) == ([], "")


def test_elsewhere_it_installs_the_course_once_and_keeps_the_torch_that_is_there(run):
    archive = f"https://github.com/{elsewhere.published().repository}/archive/refs/tags/{elsewhere.published().tag}.zip"
    asked, said = run(missing={"grader"}, times=2)
    assert asked == ["install --quiet anywidget fsrs jupytext", f"install --quiet --no-deps {archive}"]
    assert said == f"Installed: the course, version {elsewhere.published().version}.\n"
    assert run(missing={"grader", "torch"})[0][1].split() == ["install", "--quiet", archive]


def test_if_pip_fails_a_sentence_says_so(run):
    assert run(missing={"grader"}, fails=True)[1] == "Not installed; pip says why. Kaggle: turn on Internet.\n"


def test_the_grader_reads_the_first_cell_and_takes_it_for_nobodys_work(lora, first_cell):
    assert parse(first_cell).body  # the lines of pip are no errors
    path = lora.notebook_path(".ipynb")
    assert edition.own_cells(path.stem, pair.read(path).cells) == []
    cells = read(path).cells
    assert cells[0].source == first_cell
    assert cells[0] not in [cell for cell, _ in select(cells, lora.parts).parts]


def test_slides_show_neither_cell():
    notebook = pair.read(ROOT / "notebooks" / "03_lora.ipynb")
    notebook.cells = notebook.cells[:4]
    config = PyFileConfigLoader("config.py", str(ROOT / "lab" / "slides")).load_config()
    page, _ = SlidesExporter(config=config).from_notebook_node(notebook)
    body = page.partition("<body")[2]
    assert "LoRA" in body
    assert "colab" not in body.lower() and "find_spec" not in body


def test_an_update_brings_the_cells_into_a_notebook_with_work_in_it(lora):
    new = pair.read(lora.notebook_path(".ipynb"))
    mine = pair.read(lora.notebook_path(".ipynb"))
    mine.cells = [cell for cell in mine.cells if not elsewhere.is_one(cell)]
    old = [edition.mark(cell) for cell in mine.cells]
    mine.cells.insert(1, nbformat.v4.new_markdown_cell("A note of mine, right under the title."))
    stubs.put(mine, lora, stubs.solved)
    carried = update.carry(mine, new, old)
    assert carried.conflicts == [] and len(found_in(carried.notebook)) == 2
    assert {"A note of mine, right under the title.", *(stubs.solved(lora, cell) for cell in lora.cells)} <= set(
        sources(carried.notebook.cells)
    )


def test_a_copy_for_students_leads_to_no_course_with_solutions(tmp_path):
    from classroom.handout.release import release

    release(tmp_path / "course", without=["grader", "quiz"])
    texts = [path.read_text(encoding="utf-8") for path in (tmp_path / "course" / "notebooks").glob("*.ipynb")]
    assert texts and not any(re.search(r"elsewhere:|colab\.research", text) for text in texts)
