"""The two halves of a notebook, .ipynb and .md: which one counts, and how both are brought in step.

Editors that know nothing of pairs change one half alone, and tools that copy files scramble their times. So the content
decides, and time only as the last resort:

1. A half with nothing but the course's own text never counts against one that holds a learner's work.
2. If one half alone was changed since both were last in step, that half counts.
3. If one half holds all that the learner has written in the other one, the fuller half counts.
4. Otherwise both hold work that the other one lacks. The newer file counts, and the other one is kept as well.

Before a half is overwritten that holds work which would be lost, it goes to the backups.
"""

import copy
import hashlib
import json
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from desk import backups, edition
from desk.files import write

SUFFIXES = (".ipynb", ".md")


class Unreadable(Exception):
    """A file is no notebook. The message says why."""


@dataclass(frozen=True)
class Choice:
    """Which half of a notebook counts.

    Attributes:
        counts: the file.
        other: the half that is not in step with it. None if both are, or if there is only one.
        why: a sentence that says which half counts and why. Empty if there is nothing to say.
        lost: the other half holds work that the counting one lacks, or cannot be read.
    """

    counts: Path
    other: Path | None = None
    why: str = ""
    lost: bool = False


def read(path: Path):
    """A notebook, from either half. Unreadable if the file is none."""
    import jupytext  # here, since it takes a second and most calls do without it

    try:
        text = path.read_text(encoding="utf-8-sig")
        with warnings.catch_warnings(action="ignore"):  # of ids that are missing or doubled: writing makes them anew
            return jupytext.reads(_whole(text) if path.suffix == ".ipynb" else text, fmt=path.suffix.lstrip("."))
    except Exception as error:  # nbformat, jupytext and YAML raise many kinds
        raise Unreadable(f"{path.name} cannot be read as a notebook: {' '.join(str(error).split())[:200]}") from None


def _whole(text: str) -> str:
    """The JSON of a notebook with the fields that some tools leave out."""
    content = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, **json.loads(text)}
    for cell in content.get("cells", []):
        cell.setdefault("metadata", {})
        if cell["cell_type"] == "code":
            cell.setdefault("outputs", [])
            cell.setdefault("execution_count", None)
    return json.dumps(content)


def choose(notebook: Path) -> Choice:
    """Decide which half of a notebook counts. Nothing is written.

    Args:
        notebook: the path of either half.

    Raises:
        FileNotFoundError: there is no such notebook.
        Unreadable: neither half can be read.
    """
    halves = [notebook.with_suffix(suffix) for suffix in SUFFIXES]
    present = [path for path in halves if path.exists()]
    if not present:
        raise FileNotFoundError(notebook)
    if len(present) == 1:
        return Choice(present[0])
    if _in_step_as_remembered(notebook):
        return Choice(halves[0])
    found, broken = {}, {}
    for path in halves:
        try:
            found[path] = _as_in_markdown(read(path)).cells
        except Unreadable as error:
            broken[path] = str(error)
    if not found:
        raise Unreadable(" ".join(broken.values()))
    if broken:
        (whole,), (other,) = found, broken
        return Choice(whole, other, f"{broken[other]} So {whole.name} counts.", lost=True)
    return _between(notebook, found)


def _as_in_markdown(notebook):
    """The notebook as it reads after a way through its .md, so that what Markdown cannot say is no difference."""
    import jupytext

    return jupytext.reads(jupytext.writes(notebook, fmt="md"), fmt="md")


def _between(notebook: Path, found: dict[Path, list]) -> Choice:
    """The choice between two halves that can be read."""
    one, two = found
    marks = {path: [edition.mark(cell) for cell in cells] for path, cells in found.items()}
    if marks[one] == marks[two]:
        return Choice(one)
    own = {path: _own(notebook, cells) for path, cells in found.items()}
    before = _memory(notebook).get("cells")
    changed = [path for path in found if before and _digest(marks[path]) != before]

    def choice(counts: Path, why: str, rewritten: bool = False) -> Choice:
        other = two if counts == one else one
        gone, new = (own[other] - own[counts]).total(), (own[counts] - own[other]).total()
        lost = gone > new if rewritten else gone > 0
        return Choice(counts, other, f"{counts.name} counts: {why.format(other=other.name)}", lost)

    working = [path for path in found if own[path]]
    if len(working) == 1 and edition.of_notebook(notebook):
        return choice(working[0], "{other} holds nothing but the text of the course.")
    if len(changed) == 1:  # a cell that was edited is an older form of the new one, and no loss
        return choice(changed[0], "{other} was not changed since both held the same.", rewritten=True)
    for path, other in ((one, two), (two, one)):
        if own[other] <= own[path] and not own[path] <= own[other]:
            return choice(path, "it holds all that {other} holds, and more.")
    newer = max(found, key=lambda path: path.stat().st_mtime)
    return choice(newer, "both halves hold work that the other one lacks, and it is newer than {other}.")


def bring_in_step(notebook: Path) -> str:
    """Make both halves of a notebook equal to the one that counts.

    Returns a sentence if a person should know what was done, else "". A half that is missing is made if the notebook is
    paired. A file that is no half of a pair is left alone.

    Raises:
        FileNotFoundError: there is no such notebook.
        Unreadable: neither half can be read.
        OSError: a file cannot be written.
    """
    choice = choose(notebook)
    missing = [path for path in map(notebook.with_suffix, SUFFIXES) if not path.exists()]
    if choice.other is None and not missing:
        if not _in_step_as_remembered(notebook):
            remember(notebook)
        return ""
    if not _is_paired(notebook):
        return ""
    other = choice.other or missing[0]
    if missing and other.suffix == ".md":
        return ""  # the .ipynb alone is a whole notebook
    kept = backups.keep(other) if choice.lost else None
    write_half(choice.counts, other)
    remember(notebook)
    if kept is None:
        return ""
    return f"{choice.why} What {other.name} held is kept as {backups.named(kept)}."


def keep_unseen(notebook: Path, shown, seen: set[str]) -> list[Path]:
    """Before a notebook is overwritten by `shown`: back up each half that holds work which is not in it.

    Args:
        seen: the `content` of all that whoever saves has seen. Who has seen a text may delete from it.

    Returns the backups.
    """
    if _in_step_as_remembered(notebook) and _memory(notebook).get("cells") in seen:
        return []
    own_shown = _own(notebook, _as_in_markdown(shown).cells)
    kept = []
    for path in filter(Path.exists, map(notebook.with_suffix, SUFFIXES)):
        try:
            there = read(path)
        except Unreadable:
            if path.suffix == ".ipynb" or _is_paired(notebook):
                kept.append(backups.keep(path))
            continue
        if content(there) not in seen and _own(notebook, _as_in_markdown(there).cells) - own_shown:
            kept.append(backups.keep(path))
    return kept


def content(notebook) -> str:
    """A hash of what a notebook holds: types and sources of its cells."""
    return _digest(list(map(edition.mark, _as_in_markdown(notebook).cells)))


def _own(notebook: Path, cells: list) -> Counter:
    """The learner's cells, as marks."""
    return Counter(map(edition.mark, edition.own_cells(notebook.stem, cells, edition.of_notebook(notebook))))


def write_half(source: Path, target: Path) -> None:
    """Write one half from the other. Outputs and ids of cells that are the same in both are kept.

    Raises:
        Unreadable: the source cannot be read.
    """
    save_half(read(source), target)


def save_half(notebook, target: Path) -> None:
    """Write a notebook into one of its halves. An .ipynb keeps the outputs and ids of cells that are in it already."""
    import jupytext
    import nbformat
    from jupytext.combine import combine_inputs_with_outputs

    notebook = nbformat.from_dict(copy.deepcopy(notebook))
    if target.with_suffix(".md").exists():  # a notebook alone stays alone
        notebook.metadata.setdefault("jupytext", {}).setdefault("formats", "ipynb,md")
    if target.suffix == ".md":
        return write(target, jupytext.writes(notebook, fmt="md").encode("utf-8"))
    has_outputs = any(cell.get("outputs") for cell in notebook.cells)
    if target.exists() and not has_outputs:
        try:
            notebook = combine_inputs_with_outputs(notebook, read(target), fmt="md")
        except Unreadable:
            pass
    notebook.metadata.get("jupytext", {}).pop("text_representation", None)
    notebook.nbformat, notebook.nbformat_minor = 4, max(5, notebook.nbformat_minor)
    with warnings.catch_warnings(action="ignore"):
        _, notebook = nbformat.validator.normalize(notebook)
    nbformat.validate(notebook)
    write(target, (nbformat.writes(notebook, version=4) + "\n").encode("utf-8"))


def _is_paired(notebook: Path) -> bool:
    """Whether the two files are halves of one notebook: the head of the .md says so, or the metadata of the .ipynb."""
    markdown, ipynb = notebook.with_suffix(".md"), notebook.with_suffix(".ipynb")
    try:
        if markdown.exists():
            head = markdown.read_text(encoding="utf-8-sig", errors="replace")[:2000]
            if head.startswith("---") and "jupytext:" in head.partition("\n---")[0]:
                return True
        return "md" in str(json.loads(ipynb.read_text(encoding="utf-8-sig"))["metadata"]["jupytext"]["formats"])
    except (OSError, ValueError, LookupError, TypeError):
        return False


# --- what both halves held when they were last in step ------------------------------------------


def remember(notebook: Path) -> None:
    """Note that both halves are in step now, and what they hold."""
    path = notebook.with_suffix(".ipynb")
    try:
        known = {"cells": content(read(path)), "files": _files(notebook)}
        write(_memory_file(notebook), json.dumps({**_memories(notebook), notebook.stem: known}, indent=1).encode())
    except (OSError, Unreadable):
        pass  # a folder that cannot be written to: then the content and the times decide


def _in_step_as_remembered(notebook: Path) -> bool:
    """Whether both files are, byte for byte, those that were in step. That needs no parsing."""
    files = _files(notebook)
    return files is not None and _memory(notebook).get("files") == files


def _memory(notebook: Path) -> dict:
    found = _memories(notebook).get(notebook.stem, {})
    return found if isinstance(found, dict) else {}


def _memories(notebook: Path) -> dict:
    try:
        found = json.loads(_memory_file(notebook).read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError):
        return {}


def _memory_file(notebook: Path) -> Path:
    return notebook.parent / backups.KEPT / "in_step.json"


def _files(notebook: Path) -> str | None:
    """A hash of the bytes of both halves. None if one is missing."""
    try:
        return hashlib.sha256(b"\0".join(notebook.with_suffix(suffix).read_bytes() for suffix in SUFFIXES)).hexdigest()
    except OSError:
        return None


def _digest(marks: list[str]) -> str:
    return hashlib.sha256("".join(marks).encode()).hexdigest()
