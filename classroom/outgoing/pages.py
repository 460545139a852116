"""What the class reads: a page for each student, one about the class for the instructor, and what looks copied, side by side.

A page is one HTML file. It needs no network. Only the page about the class has a script, to filter and to sort, and can be read
without it.
"""

from collections.abc import Iterator
from pathlib import Path

from classroom.likeness.report import View
from classroom.outgoing.class_page import class_page, view_name
from classroom.outgoing.markup import page
from classroom.outgoing.shown import Shown
from classroom.outgoing.student_page import student_page
from desk.files import write


def write_pages(out: Path, shown: Shown) -> Path:
    """Write index.html, students/FOLDER.html and likeness/….html, each at once: who reads a page never sees half of it.

    Returns:
        The path of index.html.

    Raises:
        ValueError: a student's folder is no plain name. Nothing was written.
    """
    for student in shown.students:
        if not _plain_name(student["folder"]):
            raise ValueError(f"The student's folder {student['folder']!r} is no plain name. Rename it and grade again.")
    for student in shown.students:
        write(out / "students" / f"{student['folder']}.html", student_page(shown, student["folder"]).encode())
    written = set(_likeness_pages(out / "likeness", shown))
    for path in (out / "likeness").glob("*.html"):
        if path not in written:  # of an earlier run
            path.unlink()
    index = out / "index.html"
    write(index, class_page(shown).encode())
    return index


def _likeness_pages(folder: Path, shown: Shown) -> Iterator[Path]:
    names = {student["folder"]: student["name"] or student["folder"] for student in shown.students}
    for view in shown.alike.views():
        path = folder / view_name(view.problem, view.one, view.other)
        write(path, likeness_page(view, shown.titles[view.problem], names).encode())
        yield path


def likeness_page(view: View, title: str, names: dict[str, str]) -> str:
    """Two codes beside each other, as HTML.

    Args:
        title: the problem's.
        names: of the students, by folder.
    """
    matched = [row for row in view.rows if row.one and row.other]
    return page(
        "beside.html",
        title=title,
        view=view,
        one=names.get(view.one, view.one),
        other=view.other if view.known else names.get(view.other, view.other),
        matched=matched,
        alone=[("one", row.one) if row.one else ("other", row.other) for row in view.rows if row not in matched],
    )


def _plain_name(folder: str) -> bool:
    return folder.isprintable() and folder not in ("", ".", "..") and not set(folder) & set("/\\:")
