"""Sphinx's source folder: every page of the site, made from the course's own files."""

import shutil
from pathlib import Path

import nbformat

from grader.problems import PROBLEMS, ROOT
from web import bundle, links, notebooks, practice, quizzes, references, sheets, start, tables

SITE = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"


def write(source: Path) -> None:
    """Writes all pages and static files.

    Args:
        source: an empty folder. Static files come into its folder _static.
    """
    static = source / "_static"
    course = static / "course"
    course.mkdir(parents=True)
    names = sorted(path.stem for path in NOTEBOOKS.glob("[0-9]*.ipynb"))
    for name in names:
        text = nbformat.writes(notebooks.page(NOTEBOOKS / f"{name}.ipynb", static))
        _write(source / "notebooks" / f"{name}.ipynb", text)
    for problem in PROBLEMS.values():
        _write(source / "references" / f"{problem.id}.md", references.document(problem))
    for topic in sheets.NAMES:
        _write(source / "cheatsheets" / f"{topic}.md", sheets.document(topic))
    for name in ("errata", "bibliography", "beliefs", "numbers"):
        _write(source / f"{name}.md", getattr(tables, name)())
    for path, document in links.PAGES.items():
        text = (ROOT / path).read_text(encoding="utf-8")
        _write(source / f"{document}.md", links.markdown(text, path, document))
    _write(source / "quiz.md", start.QUIZ)
    practised = practice.write(source, course)
    _write(source / "index.md", start.document(names, practised, list(PROBLEMS)))
    quizzes.write(course)
    _static(course)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def _static(course: Path) -> None:
    """The site's own style, script, font and pictures."""
    shutil.copy(SITE / "styles" / "site.css", course / "site.css")
    shutil.copy(SITE / "vendor" / "stix-two-math.woff2", course)
    shutil.copy(SITE / "vendor" / "stix-two-math.LICENSE.txt", course)
    _write(course / "site.js", bundle.script(SITE / "scripts" / "site" / "site.js"))
    for picture in sorted((SITE / "images").iterdir()):
        shutil.copy(picture, course)
