"""The cheat sheets as pages of the site, each with a page beside it that is made for paper."""

from pathlib import Path

from markupsafe import Markup

from coach.cheatsheet import page, sheets
from quiz.register import claims
from web import links, words

NAMES = (sheets.ALL, *sheets.TOPICS)


def document(topic: str) -> str:
    """The sheet as a MyST page in the folder cheatsheets."""
    text = [
        f"# {page.title(topic)}: cheat sheet",
        f'<p class="get"><a href="print/{topic}.html">The same to print, on two pages at most</a>. GB are 10⁹ bytes; nb 03 is the cell of notebook 03 that proves it.</p>',
    ]
    for part in page.sections(topic):
        items = Markup("").join(_item(entry, topic == sheets.ALL) for entry in part.entries)
        text += [f"## {part.title}", f'<ul class="sheet">{items}</ul>']
    return "\n\n".join(text) + "\n"


def _item(entry: sheets.Entry, is_all: bool) -> Markup:
    math = Markup('<span class="math">{}</span> ').format(page.math(entry.math)) if entry.math else ""
    trap = Markup("<strong>Trap:</strong> ") if is_all and entry.kind == "trap" else ""
    cell = ""
    if entry.cell in claims():
        cell = Markup('<a href="{}" title="{}">{}</a>').format(
            links.claim(entry.cell, "../"), page.section(entry.cell), page.place(entry.cell)
        )
    cited = words.cited(entry.sources, "../")
    where = Markup("; ").join(part for part in (cited, cell) if part)
    text = Markup('<li>{}{}{} <span class="from">[{}]</span></li>').format(math, trap, page.prose(entry.said), where)
    return Markup(str(text).replace("\n", " "))


def write_printed(folder: Path) -> None:
    """The sheets as they are printed, files that need nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    for topic in NAMES:
        (folder / f"{topic}.html").write_text(page.page(topic, "a4"), encoding="utf-8")
