"""The debrief as files in the student's folder: Markdown to read and to keep, HTML to print."""

from pathlib import Path

from coach import opentext
from coach.interview.debrief import BY, Debrief, debrief
from coach.interview.session import Session, rounds
from coach.interview.table import COMPETENCES
from coach.pages import template
from desk.files import write
from desk.markup import marked

AGAIN = "What was missed of the questions comes again with: python -m coach drill"


def write_debrief(session: Session) -> tuple[Path, Path]:
    """Writes both files, and returns where they are. OSError if they cannot be written."""
    everything = rounds(session.kept)
    before = [state for number, state in everything.items() if number < session.number]
    told = debrief(everything[session.number], before)
    session.folder.mkdir(parents=True, exist_ok=True)
    paths = session.folder / "debrief.md", session.folder / "debrief.html"
    for path, text in zip(paths, (as_markdown(told), as_html(told))):
        write(path, text.encode("utf-8", "replace"))
    return paths


def address(link: str) -> str:
    """A link that a browser can open. A notebook is none of its pages: the title names the notebook and the section."""
    return link if "://" in link else ""


def lasted(minutes: float) -> str:
    return opentext.in_minutes(minutes * 60)


def as_markdown(told: Debrief) -> str:
    lines = [f"# {told.title}", "", *(part for words in told.opening for part in (words, ""))]
    for one in told.competences:
        lines += [f"## {one.title}", "", one.verdict, ""]
        for evidence in one.evidence:
            lines += _evidence(evidence)
    if told.study:
        lines += ["## What to study", "", *_places(told.near), ""]
        lines += [AGAIN, ""] if told.is_drilled else []
        lines += ["The sources, for another day:", "", *_places(told.far), ""] if told.far else []
    lines += ["## Time", "", "| part | minutes | used | |", "|---|---|---|---|"]
    lines += [f"| {title} | {minutes} | {took:.1f} | {words} |" for title, minutes, took, words in told.times]
    lines += ["", "## Compared with earlier rounds", ""]
    lines += _earlier(told) if told.earlier else ["There is no earlier round that was marked in the same way."]
    return "\n".join(lines) + "\n"


def _places(places) -> list[str]:
    return [f"- {_link(title, link)}, for: {'; '.join(one.short for one in seen)}" for title, link, seen in places]


def _evidence(one) -> list[str]:
    by = f" ({BY[one.by]})" if one.by else ""
    lines = ["**Asked:** " + _quoted(one.asked), "", "**Answered:** " + _quoted(one.answered), ""]
    lines += [f"**Measured:** {one.measured}{by}. Time: {lasted(one.minutes)}.", ""]
    lines += [f"**Note:** {one.note}", ""] if one.note else []
    lines += ["**A good answer:** " + _quoted(one.answer), ""] if one.answer else []
    return [*lines, "---", ""]


def _quoted(text: str) -> str:
    """A text of one line as it is, a longer one as a block whose lines stay as they are."""
    if "\n" not in text.strip("\n"):
        return text
    fence = "```" if "```" not in text else "~~~~"
    return f"\n\n{fence}text\n{text.strip(chr(10))}\n{fence}"


def _link(title: str, link: str) -> str:
    return f"[{title}](<{link}>)" if address(link) else title


def shares(one: dict[str, float]) -> str:
    """Shares in a cell of the table, with who marked them."""
    who = {"course": "graded", "self": "own marks", "partner": "partner"}
    return ", ".join(f"{share:.0%} {who[by]}" for by, share in one.items()) or "not seen"


def table_of(told: Debrief) -> list[tuple[str, list[str]]]:
    """By competence, what each earlier round and this one have shown."""
    now = {one.key: one.shares for one in told.competences}
    seen = [*(one for _, one in told.earlier), now]
    return [(title, [shares(one.get(key, {})) for one in seen]) for key, title in COMPETENCES.items()]


def _earlier(told: Debrief) -> list[str]:
    days = [day for day, _ in told.earlier] + ["this round"]
    rows = [f"| {title} | {' | '.join(cells)} |" for title, cells in table_of(told)]
    return [f"| | {' | '.join(days)} |", "|---" * (len(days) + 1) + "|", *rows]


def as_html(told: Debrief) -> str:
    """One page without network and scripts, to read and to print."""
    from markupsafe import Markup

    page = template(Path(__file__).with_name("debrief.html"), {"marked": lambda words: Markup(marked(words))})
    rows = table_of(told) if told.earlier else []
    return page.render(told=told, by=BY, address=address, lasted=lasted, again=AGAIN, rows=rows)
