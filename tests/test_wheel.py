"""The course as pip installs it: used from a folder of one's own, in an environment that knows nothing of this checkout."""

import json
import os
import shutil
import site
import subprocess
import sys
import tarfile
import zipfile
from email import message_from_string
from pathlib import Path

import nbformat
import pytest

from grader import stubs
from grader.problems import ROOT

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the environment is put together from links, as on Linux and macOS")
pytest.importorskip("build", reason="build is not installed: pip install -r requirements.txt -c constraints.txt")
FOLDERS = ("lab", "desk", "grader", "quiz", "solutions", "classify", "classroom", "coach", "notebooks", "tests/problems")
HIDDEN = (".", "__pycache__")
OURS = ("PYTHON", "PYTEST", "COURSE_", "QUIZ_", "XDG_", "JUPYTER")  # variables that would lead back here


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """The folder with the sdist, and the wheel that was made from it."""
    out = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return out


@pytest.fixture(scope="module")
def wheel(built) -> Path:
    (path,) = built.glob("*.whl")
    return path


class Reader:
    """Somebody with the course from pip, an empty home and no copy of the repository."""

    def __init__(self, wheel: Path, folder: Path):
        self.home, environment = folder / "home", folder / "environment"
        self.home.mkdir()
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True)
        self.bin = environment / "bin"
        pip = [sys.executable, "-m", "pip", "--python", str(self.bin / "python"), "--quiet", "install"]
        subprocess.run([*pip, "--no-deps", "--no-index", "--no-compile", str(wheel)], check=True)
        (self.packages,) = environment.glob("lib/python*/site-packages")
        self._borrow(folder / "borrowed")

    def _borrow(self, folder: Path) -> None:
        """Give the environment the packages of this one, without the course."""
        folder.mkdir()
        for place in (Path(path) for path in site.getsitepackages()):
            for path in place.iterdir():
                if not path.name.startswith(("__editable__", "finetuning_course", "__pycache__")) and path.suffix != ".pth":
                    (folder / path.name).symlink_to(path)
        (self.packages / "borrowed.pth").write_text(f"{folder}\n")

    def installed(self) -> dict[Path, int]:
        """When each file was written, but for what Python compiles."""
        return {path: path.stat().st_mtime_ns for path in self.packages.rglob("*") if path.is_file() and path.suffix != ".pyc"}

    def run(self, *words: str, typed: str = "", here: Path | None = None) -> str:
        """What a command says."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        mine = {"HOME": str(self.home), "OMP_NUM_THREADS": "1", "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}"}
        command = [str(self.bin / words[0]), *words[1:]]
        done = subprocess.run(
            command, cwd=here or self.home, env=kept | mine, input=typed, capture_output=True, text=True, encoding="utf-8"
        )
        assert "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def reader(wheel, tmp_path_factory):
    """Nothing that a reader does may change what pip has installed."""
    reader = Reader(wheel, tmp_path_factory.mktemp("reader"))
    before = reader.installed()
    yield reader
    assert reader.installed() == before


@pytest.fixture(scope="module")
def folder(reader) -> Path:
    """The folder that `course start` makes."""
    said = reader.run("course", "start")
    assert f"Your folder is {reader.home / 'finetuning'}." in said
    return reader.home / "finetuning"


# --- what is in it ------------------------------------------------------------------------------


def test_the_wheel_holds_every_file_of_the_course_and_nothing_that_python_leaves_behind(wheel):
    files = [path for name in FOLDERS for path in (ROOT / name).rglob("*") if path.is_file()]
    wanted = {path.relative_to(ROOT).as_posix() for path in files}
    wanted = {name for name in wanted if not any(part.startswith(HIDDEN) for part in name.split("/"))}
    held = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert held == wanted


def test_the_sdist_can_be_built_again(built):
    (path,) = built.glob("*.tar.gz")
    names = {name.partition("/")[2] for name in tarfile.open(path).getnames()}
    requirements = {path.name for path in ROOT.glob("requirements*.txt")}
    assert {"pyproject.toml", "setup.py", "constraints.txt", "LICENSE", "README.md", *requirements} <= names


def names(pins) -> set[str]:
    return {pin.partition("==")[0] for pin in pins}


def test_pip_brings_what_users_need_in_the_versions_of_the_requirements_and_the_rest_by_extras(wheel):
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    told = message_from_string(archive.read(name).decode())
    needs = told.get_all("Requires-Dist")
    lines = (line.partition("#")[0].strip() for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines())
    pins = {line for line in lines if line and not line.startswith("-")}
    plain = {need for need in needs if ";" not in need}
    assert plain < pins and {"torch", "jupyter", "pytest", "peft", "fsrs", "anywidget"} <= names(plain)
    assert {"ruff", "nbval", "build"} <= names(pins - plain)
    extras = {path.stem.removeprefix("requirements-") for path in ROOT.glob("requirements-*.txt")}
    assert set(told.get_all("Provides-Extra")) == extras and any(need.endswith('; extra == "live"') for need in needs)


# --- in a terminal ------------------------------------------------------------------------------


def test_the_code_comes_from_pip_and_the_folder_is_the_readers_own(reader):
    code = "import grader, quiz, coach, lab, solutions; from desk import place; print(grader.__file__); print(place.own())"
    assert reader.run("python", "-c", code).splitlines() == [
        str(reader.packages / "grader" / "__init__.py"),
        str(reader.home / "finetuning"),
    ]


def test_start_makes_a_folder_in_which_check_grades(reader, folder, lora):
    names = {path.name for path in (ROOT / "notebooks").glob("[0-9]*")}
    assert {path.name for path in (folder / "notebooks").glob("[0-9]*")} == names
    path = lora.notebook_path(".ipynb", folder / "notebooks")
    notebook = nbformat.read(path, 4)
    solved = ("LoRALinear",)
    stubs.put(notebook, lora, lambda problem, cell: (stubs.solved if cell == solved else stubs.blank)(problem, cell))
    nbformat.write(notebook, path)
    said = " ".join(reader.run("course", "check", here=folder).split())
    assert "LoRA 26 of " in said and "Next: write LoRALinear.delta_weight in notebooks/08_problem_lora.ipynb" in said, said
    assert "Quiz:" in said and list((folder / ".course" / "grader").glob("verdict-lora-*"))


def test_the_quiz_the_coach_and_backups_work_and_progress_is_kept_in_the_home(reader, folder):
    typed = ["quiz", "--topic", "lora", "--level", "screening", "--count", "1", "--seed", "3"]
    assert "Question 1 of 1" in reader.run("course", *typed, typed="a\n", here=folder)
    assert "When is your interview?" in reader.run("python", "-m", "coach", "plan")
    assert "1 of " in reader.run("course", "coach", "progress", here=folder)
    assert "Backups: " in reader.run("course", "reset", here=folder)
    assert list(reader.home.rglob("quiz.sqlite3"))


# --- a notebook alone ---------------------------------------------------------------------------

EXECUTE = """
import nbclient, nbformat
notebook = nbformat.read("notebook.ipynb", 4)
nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
nbformat.write(notebook, "notebook.ipynb")
"""


def test_a_notebook_alone_in_a_folder_checks_hints_and_asks(reader, tmp_path, lora):
    """As in Colab: no other half beside it, no folder of a reader's, and the kernel's folder is any."""
    notebook = nbformat.read(ROOT / "notebooks" / "08_problem_lora.ipynb", 4)
    install, imports = [cell for cell in notebook.cells if cell.cell_type == "code"][:2]
    code = [
        stubs.solved(lora, ("LoRALinear",)),
        'check("LoRALinear")',
        'hint("inject_lora")',
        'import quiz\nquiz.show(topic="lora", count=1)',
        "base, tokenizer = checkpoint.load()\nprint(type(base).__name__)",
    ]
    notebook.cells = [install, imports, *map(nbformat.v4.new_code_cell, code)]
    nbformat.write(notebook, tmp_path / "notebook.ipynb")
    reader.run("python", "-c", EXECUTE, here=tmp_path)
    cells = json.loads((tmp_path / "notebook.ipynb").read_text())["cells"]
    said = ["".join(_text(output) for output in cell["outputs"]) for cell in cells]
    assert said[:3] == ["", "", ""]
    for text, words in zip(said[3:], ["26 of 26 points", "Hint 1 of 3:", "Question 1 of 1", "CausalLM"]):
        assert words in text, text
    assert [path.name for path in tmp_path.iterdir()] == ["notebook.ipynb"]


def _text(output: dict) -> str:
    return "".join(output.get("text", output.get("data", {}).get("text/plain", output.get("traceback", ""))))


def test_the_course_command_is_told_apart_from_a_copy_of_the_repository(reader):
    said = reader.run("course", "address", "https://github.com/a/b")
    assert said == "The address is set in a copy of the course, not where pip has installed it.\n"
    assert shutil.which("course", path=str(reader.bin))
