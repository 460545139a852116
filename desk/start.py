"""A student's folder, beside a course that a class shares. `desk.place` tells what is in it."""

import json
import shlex
import sys
from pathlib import Path

from desk import pair, place, update
from desk.files import write

HEAD = "# Written by the course: its commands, for the notebooks in this folder. Without make: course check\n"
MAKEFILE = """\
export {variable} := $(CURDIR)
.DEFAULT_GOAL := help
.PHONY: help check watch quiz lab real reset update plan interview cheatsheet progress
help check watch quiz lab real reset update:
	@{python} -m desk $@ $(PROBLEM) $(STUB) $(if $(BACK),--back "$(BACK)") $(ARGS)
plan interview cheatsheet progress:
	@{python} -m desk coach $@ $(ARGS)
"""


def begin(folder: Path) -> list[str]:
    """Make a student's folder. If it is there already, its notebooks come to the edition of the course.

    Returns what was done, in sentences; nothing if there was nothing to do.

    Raises:
        update.NoUpdate: there are other notebooks in the folder, or the course has none.
        OSError: a file cannot be written.
    """
    if folder == place.COURSE or (folder / "desk" / "edition.json").exists():
        raise update.NoUpdate(
            f"{folder} is a copy of the course, with commands of its own. Name another folder: course start FOLDER"
        )
    known = place.edition_file(folder)
    is_new = not known.exists()
    if is_new:
        _check(folder)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # the work of others is not to be read
        write(known, json.dumps({}).encode())
    _makefile(folder / "Makefile")
    said = update.from_shared(folder)
    return (
        [f"Your folder is {folder}. It holds your own notebooks. The commands of the course work there: make help"]
        if is_new
        else said
    )


def _check(folder: Path) -> None:
    """Refuse a folder whose notebooks would be taken for a student's of this course."""
    if not any((place.COURSE / "notebooks").glob("[0-9]*.ipynb")):
        raise update.NoUpdate(f"The course in {place.COURSE} has no notebooks. Put yours into {folder / 'notebooks'}.")
    for path in (folder / "notebooks").glob("[0-9]*"):
        if path.suffix in pair.SUFFIXES and not update.same(path, place.COURSE / "notebooks" / path.name):
            raise update.NoUpdate(f"{folder / 'notebooks'} holds notebooks already. Name another folder: course start FOLDER")


def _makefile(path: Path) -> None:
    """The commands of the course. They name the Python that runs now. A Makefile of somebody else stays."""
    text = HEAD + MAKEFILE.format(variable=place.VARIABLE, python=shlex.quote(sys.executable).replace("$", "$$"))
    if not path.exists() or (path.read_text(encoding="utf-8", errors="replace").startswith(HEAD) and path.read_text() != text):
        write(path, text.encode())
