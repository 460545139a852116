"""The two halves of a notebook: whatever other editors, tools and clocks do, no typed text is lost."""

import itertools
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import nbformat
import pytest

from desk import backups, edition, pair
from desk.server import install
from grader.problems import PROBLEMS, ROOT

NAME = "08_problem_lora"
LORA = PROBLEMS["lora"]


def add(path, text: str, stub: str = "merge_lora") -> None:
    """Type into a stub's cell with an editor that knows nothing of pairs."""
    if path.suffix == ".ipynb":
        notebook = nbformat.read(path, 4)
        cell = next(cell for cell in notebook.cells if f"stub:{stub}" in cell.metadata.get("tags", []))
        cell.source += f"\n    {text}"
        nbformat.write(notebook, path)
    else:
        lines = path.read_text(encoding="utf-8").split("\n")
        start = next(i for i, line in enumerate(lines) if line.startswith("```python") and f'"stub:{stub}"' in line)
        lines.insert(next(i for i in range(start, len(lines)) if lines[i] == "```"), f"    {text}")
        path.write_text("\n".join(lines), encoding="utf-8")


def aged(path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


class Course:
    """A folder with one notebook of the course, as it is published."""

    def __init__(self, root):
        self.folder = root / "notebooks"
        self.folder.mkdir(parents=True)
        self.ipynb, self.md = (self.folder / f"{NAME}{suffix}" for suffix in (".ipynb", ".md"))
        self.fresh(self.ipynb)
        self.fresh(self.md)

    def fresh(self, path) -> None:
        """The course's own file, as a checkout brings it."""
        path.write_bytes((ROOT / "notebooks" / path.name).read_bytes())

    def kept(self) -> str:
        """All backups, as one text."""
        return "\n".join(path.read_text(encoding="utf-8") for path in backups.every(self.folder))

    def names(self) -> list[str]:
        return [path.name for path in backups.every(self.folder)]


# Each sequence is what happens to the files between two openings. It names the text that must be on the screen then,
# and the text that must be in a backup of which the person is told.


def only_the_ipynb(course):
    aged(course.md, 3600)
    add(course.ipynb, "# WORK")
    return ["# WORK"], []


def only_the_md(course):
    aged(course.ipynb, 3600)
    add(course.md, "# WORK")
    return ["# WORK"], []


def the_ipynb_then_times_scrambled_by_a_checkout(course):
    add(course.ipynb, "# WORK")
    aged(course.ipynb, 3600)
    return ["# WORK"], []


def the_ipynb_then_no_times_at_all(course):
    add(course.ipynb, "# WORK")
    for path in (course.ipynb, course.md):
        os.utime(path, (0, 0))
    return ["# WORK"], []


def the_md_then_times_scrambled_by_a_checkout(course):
    add(course.md, "# WORK")
    aged(course.md, 3600)
    return ["# WORK"], []


def a_fresh_md_beside_an_old_ipynb(course):
    add(course.ipynb, "# WORK")
    aged(course.ipynb, 86400)
    course.fresh(course.md)
    return ["# WORK"], []


def both_another_stub(course):
    add(course.md, "# OTHER", stub="inject_lora")
    aged(course.md, 3600)
    add(course.ipynb, "# WORK")
    return ["# WORK"], ["# OTHER"]


def both_another_stub_and_the_md_is_newer(course):
    add(course.ipynb, "# OTHER", stub="inject_lora")
    aged(course.ipynb, 3600)
    add(course.md, "# WORK")
    return ["# WORK"], ["# OTHER"]


def both_the_same_stub(course):
    add(course.md, "# OTHER")
    aged(course.md, 3600)
    add(course.ipynb, "# WORK")
    return ["# WORK"], ["# OTHER"]


def the_md_is_gone(course):
    add(course.ipynb, "# WORK")
    course.md.unlink()
    return ["# WORK"], []


def the_ipynb_is_gone(course):
    add(course.md, "# WORK")
    course.ipynb.unlink()
    return ["# WORK"], []


def the_ipynb_is_broken(course):
    add(course.md, "# WORK")
    course.ipynb.write_text("<<<<<<< HEAD\n# OTHER")
    return ["# WORK"], ["# OTHER"]


def the_ipynb_was_saved_by_colab(course):
    add(course.ipynb, "# WORK")
    notebook = nbformat.read(course.ipynb, 4)
    notebook.metadata = nbformat.from_dict({"colab": {"provenance": []}, "widgets": {"x": {}}})
    nbformat.write(notebook, course.ipynb)
    aged(course.ipynb, 60)
    return ["# WORK"], []


def the_md_lost_its_head(course):
    add(course.md, "# WORK")
    course.md.write_text(course.md.read_text(encoding="utf-8").split("\n---\n", 1)[1], encoding="utf-8")
    return ["# WORK"], []


def a_note_in_markdown(course):
    notebook = nbformat.read(course.ipynb, 4)
    notebook.cells.insert(3, nbformat.v4.new_markdown_cell("WORK of mine"))
    nbformat.write(notebook, course.ipynb)
    aged(course.ipynb, 3600)
    return ["WORK of mine"], []


def an_experiment_of_ones_own_in_each(course):
    for path, text in ((course.ipynb, "other = 1"), (course.md, "work = 2")):
        notebook = pair.read(path)
        notebook.cells.append(nbformat.v4.new_code_cell(text))
        pair.save_half(notebook, path)
    aged(course.ipynb, 60)
    return ["work = 2"], ["other = 1"]


SEQUENCES = [
    only_the_ipynb, only_the_md, the_ipynb_then_times_scrambled_by_a_checkout, the_ipynb_then_no_times_at_all,
    the_md_then_times_scrambled_by_a_checkout, a_fresh_md_beside_an_old_ipynb, both_another_stub,
    both_another_stub_and_the_md_is_newer, both_the_same_stub, the_md_is_gone, the_ipynb_is_gone, the_ipynb_is_broken,
    the_ipynb_was_saved_by_colab, the_md_lost_its_head, a_note_in_markdown, an_experiment_of_ones_own_in_each,
]  # fmt: skip
each_sequence = pytest.mark.parametrize("sequence", SEQUENCES, ids=lambda sequence: sequence.__name__)


# --- a real server ------------------------------------------------------------------------------


class Server:
    """JupyterLab, and what its page asks of it."""

    def __init__(self, root, environment):
        self.root = root
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={self.port}",
                   "--IdentityProvider.token=x", f"--ServerApp.root_dir={root}", "--ServerApp.port_retries=0"]  # fmt: skip
        settings = {**os.environ, "JUPYTER_CONFIG_PATH": str(install(environment).parent)}
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=settings)
        for _ in range(600):
            try:
                self._ask("api")
                return
            except OSError:
                time.sleep(0.1)
        raise TimeoutError("the server does not answer")

    def _ask(self, path: str, method: str = "GET", body=None):
        url = f"http://127.0.0.1:{self.port}/{path}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            url, data=data, method=method, headers={"Authorization": "token x", "Content-Type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def open(self, path) -> dict:
        """What the page gets when a notebook is opened."""
        return self._ask(f"api/contents/{path.relative_to(self.root).as_posix()}?content=1&hash=1")["content"]

    def save(self, path, content) -> None:
        body = {"type": "notebook", "format": "json", "content": content}
        self._ask(f"api/contents/{path.relative_to(self.root).as_posix()}", "PUT", body)

    def listed(self, folder) -> set[str]:
        found = self._ask(f"api/contents/{folder.relative_to(self.root).as_posix()}?content=1")["content"]
        return {entry["name"] for entry in found if not entry["name"].startswith(".")}

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    started = Server(tmp_path_factory.mktemp("lab"), tmp_path_factory.mktemp("environment"))
    yield started
    started.stop()


@pytest.fixture
def course(server, request):
    return Course(server.root / request.node.name.replace("[", "-").replace("]", ""))


def shown(content) -> str:
    return "\n".join(cell["source"] for cell in content["cells"])


@each_sequence
@pytest.mark.parametrize("opened_before", [False, True], ids=["first", "again"])
def test_what_was_typed_elsewhere_is_shown_saved_and_kept(server, course, sequence, opened_before):
    if opened_before:
        server.save(course.ipynb, server.open(course.ipynb))
    on_screen, in_backups = sequence(course)
    content = server.open(course.ipynb)
    assert all(text in shown(content) for text in on_screen)
    assert all(text in course.kept() for text in in_backups)
    told = [cell["source"] for cell in content["cells"] if pair_notice(cell)]
    assert len(told) == bool(in_backups) and all(name in told[0] for name in course.names())
    server.save(course.ipynb, content)
    for path in filter(lambda half: half.exists(), (course.ipynb, course.md)):
        text = shown({"cells": pair.read(path).cells})
        assert all(words in text for words in on_screen) and "Note." not in text
        nbformat.validate(pair.read(path))
    assert server.listed(course.folder) <= {course.ipynb.name, course.md.name}  # no backup beside the notebook


def pair_notice(cell) -> bool:
    return "course:notice" in cell["metadata"].get("tags", [])


@pytest.mark.parametrize("changed", [[".ipynb"], [".md"], [".ipynb", ".md"]], ids="+".join)
def test_what_others_write_while_a_notebook_is_open_is_kept_when_it_is_saved(server, course, changed):
    content = server.open(course.ipynb)
    content["cells"][-1]["source"] += "\nmine = 1"
    for suffix in changed:
        add(course.ipynb.with_suffix(suffix), f"# OTHER{suffix}")
    server.save(course.ipynb, content)
    assert all(f"# OTHER{suffix}" in course.kept() for suffix in changed)
    assert "mine = 1" in course.ipynb.read_text() and "mine = 1" in course.md.read_text()
    told = [cell["source"] for cell in server.open(course.ipynb)["cells"] if pair_notice(cell)]
    assert len(told) == 1 and all(name in told[0] for name in course.names())
    assert not any(map(pair_notice, server.open(course.ipynb)["cells"]))  # it is told once


def test_a_person_who_deletes_what_is_on_the_screen_is_obeyed_without_a_backup(server, course):
    content = server.open(course.ipynb)
    content["cells"].append(nbformat.v4.new_code_cell("mine = 1"))
    server.save(course.ipynb, content)
    content["cells"].pop()
    server.save(course.ipynb, content)
    assert "mine = 1" not in course.ipynb.read_text() + course.md.read_text() and course.names() == []


def test_a_notebook_and_a_text_of_the_same_name_are_no_pair(server, course):
    alone, text = course.folder / "alone.ipynb", course.folder / "alone.md"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("a = 1")]), alone)
    text.write_text("# Notes\n")
    content = server.open(alone)
    content["cells"][0]["source"] = "a = 2"
    server.save(alone, content)
    assert text.read_text() == "# Notes\n" and "a = 2" in alone.read_text()


def test_a_notebook_alone_stays_alone(server, course):
    course.md.unlink()
    notebook = nbformat.read(course.ipynb, 4)
    del notebook.metadata["jupytext"]  # as in a copy for students
    nbformat.write(notebook, course.ipynb)
    content = server.open(course.ipynb)
    add(course.ipynb, "# OTHER")
    content["cells"][-1]["source"] += "\nmine = 1"
    server.save(course.ipynb, content)
    assert "mine = 1" in course.ipynb.read_text() and "# OTHER" in course.kept() and not course.md.exists()


# --- without a server ---------------------------------------------------------------------------


@each_sequence
def test_make_check_reads_the_same_half_and_brings_both_in_step(tmp_path, sequence):
    course = Course(tmp_path)
    on_screen, in_backups = sequence(course)
    said = pair.bring_in_step(course.ipynb)
    assert bool(said) == bool(in_backups) and all(name in said for name in course.names())
    assert all(text in course.kept() for text in in_backups)
    for path in filter(lambda half: half.exists(), (course.ipynb, course.md)):
        assert all(text in shown({"cells": pair.read(path).cells}) for text in on_screen)
    assert pair.bring_in_step(course.ipynb) == ""  # a second time there is nothing to do
    assert len(course.names()) == len(in_backups)


def test_outputs_survive_when_the_md_counts(tmp_path):
    course = Course(tmp_path)
    before = [cell.get("outputs") for cell in nbformat.read(course.ipynb, 4).cells]
    add(course.md, "# WORK")
    pair.bring_in_step(course.ipynb)
    after = [cell.get("outputs") for cell in nbformat.read(course.ipynb, 4).cells]
    assert sum(one == other for one, other in zip(before, after)) >= len(before) - 1 and any(after)


def test_changes_in_turn_never_bring_an_older_text_back(tmp_path):
    course = Course(tmp_path)
    for number, path in enumerate(itertools.islice(itertools.cycle((course.ipynb, course.md)), 6)):
        add(path, f"# WORK {number}")
        aged(path, 1000 - number)  # the other half always looks newer
        pair.bring_in_step(course.ipynb)
        text = course.md.read_text(encoding="utf-8")
        assert all(f"# WORK {n}" in text for n in range(number + 1))
    assert course.names() == []


def test_what_was_blanked_by_hand_stays_blank_if_the_rest_was_changed_last(tmp_path):
    course = Course(tmp_path)
    for stub in ("merge_lora", "inject_lora"):
        add(course.ipynb, f"# WORK {stub}", stub)
    pair.bring_in_step(course.ipynb)
    text = course.md.read_text(encoding="utf-8").replace("    # WORK merge_lora\n", "")
    course.md.write_text(text, encoding="utf-8")
    aged(course.md, 1000)
    said = pair.bring_in_step(course.ipynb)
    assert "# WORK merge_lora" not in course.ipynb.read_text() and "# WORK inject_lora" in course.ipynb.read_text()
    assert "# WORK merge_lora" in course.kept() and course.names()[0] in said


def test_neither_half_is_a_notebook(tmp_path):
    course = Course(tmp_path)
    course.ipynb.write_text("{")
    course.md.unlink()
    with pytest.raises(pair.Unreadable, match="cannot be read as a notebook"):
        pair.bring_in_step(course.ipynb.with_suffix(".ipynb")) or pair.read(course.ipynb)
    with pytest.raises(FileNotFoundError):
        pair.choose(tmp_path / "no.ipynb")


def test_the_edition_is_that_of_the_notebooks():
    # After a change of a notebook: python -m desk.edition
    assert edition.of_folder() == json.loads(edition.FILE.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["a.md", "my work.v2 (1).ipynb", "08.2026-01-01.md"])
def test_a_backup_is_made_once_and_never_overwritten(tmp_path, name):
    path = tmp_path / name
    assert backups.keep(path) is None
    for text in ("one", "two", "one"):
        path.write_text(text)
        backups.keep(path)
    found = backups.of(path)
    assert sorted(backup.read_text() for backup in found) == ["one", "two"]
    assert {backups.original(backup) for backup in found} == {name}
    shutil.copy(path, tmp_path / "b.md")
    assert backups.of(tmp_path / "b.md") == []
