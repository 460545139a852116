"""What the course itself has put into the notebooks.

`edition.json` holds a short hash of each cell of each notebook as it was published. A cell that is not among them was
written or changed by a learner. `python -m desk.edition` makes the file anew after a notebook was changed.
"""

import hashlib
import json
from collections import Counter
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace

from desk import place

NOTEBOOKS = place.COURSE / "notebooks"
FILE = place.edition_file(place.COURSE)


def mark(cell) -> str:
    """A short hash of a cell's type and source."""
    text = f"{cell.cell_type}\n{plain(cell.source)}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def plain(source: str) -> str:
    """The source without what editors change by themselves: line ends and white space at the end of a line."""
    return "\n".join(line.rstrip() for line in source.splitlines()).strip("\n")


@lru_cache(maxsize=8)
def _published(file: Path, changed: int) -> dict[str, list[str]]:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # then every cell counts as the learner's, and more is kept than need be


def published(name: str, file: Path = FILE) -> list[str]:
    """The marks of a notebook's cells, as published. Empty for a notebook that is none of the course's."""
    changed = file.stat().st_mtime_ns if file.exists() else 0  # JupyterLab may run while a new edition comes
    return _published(file, changed).get(name, [])


def of_notebook(notebook: Path) -> list[str]:
    """The marks of a notebook's cells in the edition of the folder in which the notebook lies."""
    return published(notebook.stem, place.edition_file(place.of(notebook.absolute().parent)))


def own_cells(name: str, cells: list, marks: list[str] | None = None) -> list:
    """The cells that the course has not put there: a learner has written or changed them. Empty ones do not count.

    Args:
        marks: of the edition to compare with; None means the present one.
    """
    left = Counter(published(name) if marks is None else marks)
    found = []
    for cell in cells:
        left[mark(cell)] -= 1
        if left[mark(cell)] < 0 and cell.source.strip():
            found.append(cell)
    return found


def of_file(notebook: Path) -> list[str]:
    """The marks of the cells of an .ipynb, quickly. ValueError if it is none."""
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        return [mark(SimpleNamespace(cell_type=cell["cell_type"], source="".join(cell["source"]))) for cell in cells]
    except (ValueError, LookupError, TypeError):
        raise ValueError(f"{notebook} cannot be read as a notebook") from None


def of_folder(notebooks: Path = NOTEBOOKS) -> dict[str, list[str]]:
    """The edition of the notebooks as they are now."""
    from desk.pair import read

    return {path.stem: [mark(cell) for cell in read(path).cells] for path in sorted(notebooks.glob("[0-9]*.ipynb"))}


def as_text(notebooks: Path = NOTEBOOKS) -> str:
    """What `edition.json` holds for these notebooks."""
    return json.dumps(of_folder(notebooks), indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(as_text(), encoding="utf-8", newline="\n")
    print(f"{FILE.name}: the cells of {len(of_folder())} notebooks.")
