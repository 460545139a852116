"""Which folder is the student's.

One installation can serve a class: the course lies where its owner alone may write, and each student has a folder of their
own, which `python -m desk start` makes:

    notebooks/              the student's notebooks, and in .course/backups what stood in them before
    .course/edition.json    the cells of the edition that these notebooks are of
    .course/grader/         what was graded, and which hint comes next
    Makefile                the commands of the course

In a copy of the course that one has for oneself, this folder is the copy.
"""

import os
from pathlib import Path

from desk.backups import KEPT

COURSE = Path(__file__).resolve().parent.parent
VARIABLE = "COURSE_HOME"


def own() -> Path:
    """The folder of whoever runs this process.

    The first of these that there is: what the variable COURSE_HOME names, the student's folder in which one stands, the
    course itself if it is a copy whose notebooks may be written, `finetuning` in the home folder.
    """
    if os.environ.get(VARIABLE):
        return Path(os.path.expanduser(os.environ[VARIABLE])).absolute()
    try:
        here = of(Path.cwd())
    except OSError:  # the folder in which one stands was deleted
        here = COURSE
    return here if here != COURSE or is_a_copy() and os.access(COURSE / "notebooks", os.W_OK) else usual()


def is_a_copy() -> bool:
    """Whether the course is a folder of its own. Where pip has put it, it lies among other packages."""
    return not any(COURSE.glob("finetuning_course-*.dist-info"))


def usual() -> Path:
    """Where a student's folder is made, unless they say otherwise."""
    return Path(os.path.expanduser("~"), "finetuning")


def of(path: Path) -> Path:
    """The student's folder in which a file or folder lies. The course, if it lies in none."""
    for folder in (path, *path.parents):
        if folder == COURSE:
            break
        if edition_file(folder).is_file():
            return folder
    return COURSE


def notebooks() -> Path:
    """The notebooks of whoever runs this process."""
    return own() / "notebooks"


def edition_file(folder: Path) -> Path:
    """The file that tells which cells of the notebooks in a student's folder, or in the course, are the course's."""
    return COURSE / "desk" / "edition.json" if folder == COURSE else folder / KEPT / "edition.json"
