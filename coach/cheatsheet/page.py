"""A sheet as an HTML page that needs nothing else and prints on two pages."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from markupsafe import Markup, escape

from coach.cheatsheet.sheets import ALL, KINDS, TOPICS, Entry, entries, short
from coach.pages import template
from quiz import bank
from quiz.register import claims, sources

PAPERS = {"a4": "A4", "letter": "letter"}


@dataclass(frozen=True)
class Section:
    title: str
    entries: tuple[Entry, ...]


def title(topic: str) -> str:
    """The heading of a sheet."""
    return "Fine-tuning on two pages" if topic == ALL else bank.TOPICS[topic]


def sections(topic: str) -> list[Section]:
    """The parts of a sheet: the kinds of a topic, or the topics of the sheet of all."""
    if topic == ALL:
        return [Section(bank.TOPICS[one], short(one)) for one in TOPICS]
    found = entries(topic)
    parts = [Section(words, tuple(entry for entry in found if entry.kind == kind)) for kind, words in KINDS.items()]
    return [part for part in parts if part.entries]


def page(topic: str, paper: str) -> str:
    """The page of a sheet.

    Args:
        topic: one of TOPICS, or ALL.
        paper: a key of PAPERS.
    """
    parts = sections(topic)
    keys = sorted({key for part in parts for entry in part.entries for key in entry.sources})
    cited = [(key, sources()[key]) for key in keys]
    return _template().render(title=title(topic), parts=parts, cited=cited, paper=PAPERS[paper], is_all=topic == ALL)


def place(claim: str) -> str:
    """Where a claim is proved, in few letters: the number of the notebook."""
    return f"nb {claims()[claim][0][:2]}" if claim in claims() else ""


def section(claim: str) -> str:
    """The notebook and the section of a claim, for whoever asks for more."""
    notebook, heading = claims().get(claim, ("", ""))
    return f"{notebook}, “{heading}”" if notebook else ""


_LOW_OR_HIGH = re.compile(r"([_^])(?:\{([^{}]*)\}|(\S))")


def math(text: str) -> Markup:
    """A formula as HTML. Its parts, with two blanks between them, stay whole where the line ends."""
    return Markup(" ").join(Markup("<span>{}</span>").format(_moved(part)) for part in text.split("  "))


def _moved(text: str) -> Markup:
    """What follows _ stands low, what follows ^ stands high."""

    def moved(found: re.Match) -> str:
        tag = "sub" if found[1] == "_" else "sup"
        return f"<{tag}>{escape(found[2] if found[2] is not None else found[3])}</{tag}>"

    whole, last = "", 0
    for found in _LOW_OR_HIGH.finditer(text):
        whole += escape(text[last : found.start()]) + Markup(moved(found))
        last = found.end()
    return Markup(whole + escape(text[last:]))


def prose(text: str) -> Markup:
    """A text as HTML: what stands between ` is code, and letters stand low and high as in a formula."""
    parts = enumerate(text.split("`"))
    return Markup("").join(Markup("<code>{}</code>").format(part) if number % 2 else _moved(part) for number, part in parts)


@cache
def _template():
    return template(Path(__file__).with_name("sheet.html"), {"math": math, "prose": prose, "place": place, "section": section})
