"""The coding problems as pages: what is asked, the stubs, the checks with their hints, and known mistakes to be found.

Each sentence about a problem is the notebook's, the reference's or the grader's own: a page only puts them together.
"""

import html
import re
import shutil
from itertools import groupby
from pathlib import Path

import nbformat

from coach.debug.exercises import LEVELS
from desk.elsewhere import LINKS
from desk.markup import marked
from grader.checks import checks_of
from grader.problems import PROBLEMS, Problem
from grader.stubs import tags
from grader.verdict import Check
from web import bundle, faults, links

SITE = Path(__file__).resolve().parent.parent
COLAB = re.compile(r"\[Colab\]\((https:[^)]+)\)")
SPOT = "Spot the fault"  # a heading, and spot-the-fault is its address
EXERCISE = re.compile(r"^## Exercise", re.MULTILINE)
OWN_WORDS = (
    "You write the code in the notebook, on your machine or in Colab; nothing on this page runs Python. There, `check` grades each "
    "stub by the checks below, and names the mistake that you have made. A hint opens the next one; the third is nearly the solution."
)
WHAT_FAULTS_ARE = (
    "Each file is the reference with one known mistake in it, so you see much of the solution. You read what was seen in practice, "
    "and find the line. In your own copy of the course, `python -m coach debug {id}` gives you the same files to mend."
)


def write(source: Path, static: Path) -> list[str]:
    """Write a page for each problem, and the scripts and data of all of them.

    Args:
        source: Sphinx's source folder.
        static: the folder that is served as _static/course.

    Returns:
        The names of the documents, in the order of the problems.
    """
    problems = [problem for problem in PROBLEMS.values() if not problem.is_own]
    (source / "practice").mkdir(parents=True, exist_ok=True)
    static.mkdir(parents=True, exist_ok=True)
    for problem in problems:
        (source / "practice" / f"{problem.id}.md").write_text(page(problem), encoding="utf-8")
        (static / f"faults-{problem.id}.js").write_text(faults.script(problem), encoding="utf-8")
    (static / "practice.js").write_text(bundle.script(SITE / "scripts" / "practice" / "practice.js"), encoding="utf-8")
    shutil.copyfile(SITE / "styles" / "practice.css", static / "practice.css")
    return [f"practice/{problem.id}" for problem in problems]


def page(problem: Problem) -> str:
    """The page of a problem, as MyST."""
    cells = nbformat.read(problem.notebook_path(".ipynb"), as_version=4).cells
    parts = [
        f"# Practice: {problem.title}",
        _statement(cells[0].source, problem),
        _raw(_buttons(problem, cells)),
        OWN_WORDS,
        *(part for cell in problem.cells for part in _exercise(problem, cell, cells)),
        f"## {SPOT}",
        WHAT_FAULTS_ARE.format(id=problem.id),
        _raw(_desk(problem)),
    ]
    return "\n\n".join(parts) + "\n"


# --- what is asked ------------------------------------------------------------------------------


def _statement(first: str, problem: Problem) -> str:
    """The paragraphs of a notebook's first cell. Its title, and its list on how a notebook is worked through, are left out."""
    paragraphs = [part for part in first.split("\n\n") if not part.startswith(("# ", "- "))]
    return _linked("\n\n".join(paragraphs), problem)


def _exercise(problem: Problem, stubs: tuple[str, ...], cells: list) -> list[str]:
    """What the notebook says of an exercise, the code that it gives, the stubs, and what they are graded by."""
    place = next(number for number, cell in enumerate(cells) if set(tags(stubs)) <= set(cell.metadata.get("tags", [])))
    headings = [(number, EXERCISE.search(cell.source)) for number, cell in enumerate(cells[:place])]
    begin, heading = next((number, found) for number, found in reversed(headings) if found)
    told = [_linked(heading.string[heading.start() :], problem)]
    for cell in cells[begin + 1 : place + 1]:
        told.append(f"```python\n{cell.source}\n```" if cell.cell_type == "code" else _linked(cell.source, problem))
    return [*told, _raw(_checks(problem, stubs))]


def _linked(text: str, problem: Problem) -> str:
    """Markdown of the notebook, its links led to where the page sees them."""
    return links.markdown(text, f"notebooks/{problem.notebook}.ipynb", f"practice/{problem.id}")


def _raw(text: str) -> str:
    return f"``````{{raw}} html\n{text}\n``````"


def _buttons(problem: Problem, cells: list) -> str:
    notebook = f"../notebooks/{problem.notebook}"
    buttons = [
        f'<a href="{notebook}.html">Read the notebook</a>',
        f'<a href="{notebook}.ipynb" download>Download the notebook</a>',
        *(f'<a href="{link}" rel="noopener" target="_blank">Open in Colab</a>' for link in _colab(cells)),
        f'<a href="#spot-the-fault">{SPOT}</a>',
    ]
    return f'<p class="course-buttons">{" ".join(buttons)}</p>'


def _colab(cells: list) -> list[str]:
    """Where Colab opens the notebook, if the notebook tells it."""
    told = "".join(cell.source for cell in cells if LINKS in cell.metadata.get("tags", []))
    return COLAB.findall(told)


# --- the checks ---------------------------------------------------------------------------------


def _checks(problem: Problem, stubs: tuple[str, ...]) -> str:
    checks = [check for check in checks_of(problem.id).values() if check.stub in stubs]
    return "\n".join(_of_stub(stub, list(found)) for stub, found in groupby(checks, key=lambda check: check.stub))


def _of_stub(stub: str, checks: list[Check]) -> str:
    points = sum(check.points for check in checks)
    items = "\n".join(_check(check) for check in checks)
    head = f'<p class="head"><code>{html.escape(stub)}</code>: {_points(points)}</p>'
    return f'<div class="course-checks">{head}\n<ul>\n{items}\n</ul></div>'


def _check(check: Check) -> str:
    words = f"{marked(check.title)} <span>{_points(check.points)}</span>"
    return f'<li id="check-{check.id}"><p>{words}</p>{_hints(check.hints)}</li>'


def _hints(hints: tuple[str, ...], number: int = 1) -> str:
    """Each hint holds the next one, so they are read one after another, also without scripts."""
    if number > len(hints):
        return ""
    more = _hints(hints, number + 1)
    return f"<details><summary>Hint {number} of {len(hints)}</summary><p>{marked(hints[number - 1])}</p>{more}</details>"


def _points(points: int) -> str:
    return f"{points} point{'s' * (points != 1)}"


# --- known mistakes to be found -----------------------------------------------------------------


def _desk(problem: Problem) -> str:
    levels = [one.level for one in faults.exercises(problem)]
    counts = ", ".join(f"{levels.count(level)} {level}" for level in LEVELS)
    return (
        f'<div class="course-practice" data-problem="{problem.id}" data-total="{len(levels)}">'
        f"<p>There are {len(levels)} exercises: {counts}. They need JavaScript, which is off here.</p></div>"
    )
