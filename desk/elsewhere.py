"""The course where it is not installed: Colab, Kaggle, Codespaces.

Under its title each notebook says where it can be opened, and its first cell of code installs the course where it is missing.
Both cells name the public address and the version of the course, whose one home is pyproject.toml.

    python -m desk address https://github.com/NAME/REPO    puts another address there, and into all notebooks
    python -m desk address                                 writes these cells anew, as a new version needs it
"""

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from desk import backups, edition, pair, place
from desk.files import write

LINKS, INSTALL = "elsewhere:links", "elsewhere:install"  # the tags of the two cells
ADDRESS = re.compile(r"https://github\.com/([\w.-]+/[\w.-]+?)(?:\.git)?/?")

LINKS_TEXT = """\
Open this notebook in [Colab](https://colab.research.google.com/github/{repository}/blob/{tag}/notebooks/{notebook}.ipynb),
[Kaggle](https://kaggle.com/kernels/welcome?src=https://github.com/{repository}/blob/{tag}/notebooks/{notebook}.ipynb) or
[Codespaces](https://codespaces.new/{repository}). The next cell installs the course where it is missing."""
INSTALL_TEXT = """\
# On Colab and Kaggle this installs the course. Where the course is there already, it does nothing.
from importlib.util import find_spec

if not find_spec("grader"):
    course = "https://github.com/{repository}/archive/refs/tags/{tag}.zip"
    keep = "--no-deps" if find_spec("torch") else ""  # the torch that is there stays
    %pip install --quiet anywidget fsrs jupytext
    %pip install --quiet {{keep}} {{course}}
    done = "Installed: the course, version {version}."
    print(done if find_spec("grader") else "Not installed; pip says why. Kaggle: turn on Internet.")"""


class NoAddress(Exception):
    """The address cannot be used. The message says why and what to do."""


@dataclass(frozen=True)
class Published:
    """Where the course is published: `repository` is NAME/REPO on GitHub, and each version has a tag there."""

    repository: str
    version: str

    @property
    def tag(self) -> str:
        return f"v{self.version}"


def published(course: Path = place.COURSE) -> Published:
    """What pyproject.toml says.

    Raises:
        NoAddress: it is not there, or its address is none on GitHub.
    """
    try:
        project = tomllib.loads((course / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    except FileNotFoundError:
        raise NoAddress("The address is set in a copy of the course, not where pip has installed it.") from None
    return Published(_repository(project["urls"]["Source"]), project["version"])


def _repository(address: str) -> str:
    found = ADDRESS.fullmatch(address)
    if not found:
        raise NoAddress(
            f"“{address}” is no address that Colab and Kaggle can open. Name a repository: https://github.com/NAME/REPO"
        )
    return found[1]


# --- the two cells ------------------------------------------------------------------------------


def cells(notebook: str, where: Published) -> list:
    """The two cells of a notebook, which is named without its ending."""
    import nbformat

    words = {"repository": where.repository, "version": where.version, "tag": where.tag, "notebook": notebook}
    made = [nbformat.v4.new_markdown_cell(LINKS_TEXT.format(**words)), nbformat.v4.new_code_cell(INSTALL_TEXT.format(**words))]
    for cell, tag in zip(made, (LINKS, INSTALL)):
        cell["id"] = tag.replace(":", "-")  # else each run draws new ones
        cell["metadata"] = nbformat.from_dict({"slideshow": {"slide_type": "skip"}, "tags": [tag]})
    return made


def is_one(cell) -> bool:
    """Whether a cell is one of the two."""
    return bool({LINKS, INSTALL} & set(cell["metadata"].get("tags", [])))


def put(notebook, made: list) -> bool:
    """Put the two cells into a notebook, under its title or where they stand. Returns whether that has changed it."""
    there = [cell for cell in notebook.cells if is_one(cell)]
    if [cell.source for cell in there] == [cell.source for cell in made]:
        return False
    if len(there) == len(made):
        for old, new in zip(there, made):
            old.source = new.source
    else:
        others = [cell for cell in notebook.cells if not is_one(cell)]
        notebook.cells = [*others[:1], *made, *others[1:]]
    return True


# --- all notebooks ------------------------------------------------------------------------------


def set_address(address: str = "", course: Path = place.COURSE) -> list[str]:
    """Put an address into pyproject.toml, and the cells into all notebooks. Returns what was done, in sentences.

    Args:
        address: of a repository on GitHub; empty for the one that is there.

    Raises:
        NoAddress: it cannot be used. Nothing was changed.
        pair.Unreadable: a notebook cannot be read. Those before it have the new cells.
    """
    where = published(course)
    if address:
        where = Published(_repository(address), where.version)
        _put_into_project(course / "pyproject.toml", f"https://github.com/{where.repository}")
    changed = 0
    for path in sorted((course / "notebooks").glob("[0-9]*.ipynb")):
        notebook = pair.read(pair.choose(path).counts)
        if put(notebook, cells(path.stem, where)):
            changed += 1
            for half in filter(Path.exists, map(path.with_suffix, pair.SUFFIXES)):
                backups.keep(half)
                pair.save_half(notebook, half)
    write(place.edition_file(course), edition.as_text(course / "notebooks").encode())
    return [
        f"The course is published at https://github.com/{where.repository}, and this version is its tag {where.tag}.",
        f"{changed} {'notebook has' if changed == 1 else 'notebooks have'} new links and a new first cell.",
    ]


def _put_into_project(project: Path, address: str) -> None:
    text = project.read_text(encoding="utf-8")
    write(project, re.sub(r'^(Source = )"[^"]*"', lambda found: found[1] + json.dumps(address), text, flags=re.M).encode())
