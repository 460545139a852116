"""The figures of the class's page, as SVG that stands in the page itself.

A figure takes its colours from the page (`currentColor` and the page's variables), so one drawing serves light, dark
and print. It is narrow enough for a phone. The same numbers give the same bytes.
"""

import io
import re
import textwrap

import matplotlib
from markupsafe import Markup, escape
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

WIDTH = 4.8  # inches: a phone shows it whole, with letters that can be read
MOST_BARS = 15
INK, LINE, BAR = "#010203", "#040506", "#070809"  # stand-ins: the page's own colours take their places
PAGE_COLOURS = {INK: "currentColor", LINE: "var(--line)", BAR: "var(--bar)"}
STYLE = {
    "font.size": 9,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": LINE,
    "text.parse_math": False,  # a dollar sign in a label is a dollar sign
    "svg.fonttype": "none",  # letters stay text, which the browser draws
}


def columns(counts: dict[str, int], name: str, alt: str, *, x: str) -> Markup:
    """A number of students for each group, as columns from left to right.

    Args:
        counts: by the group's label.
        name: of the figure, its own on the page.
        alt: the figure in a sentence or two, for those who do not see it.
        x: the label of the axis.
    """
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": name}):
        figure = Figure(figsize=(WIDTH, 2.1), layout="constrained")
        axes = figure.subplots()
        drawn = axes.bar(range(len(counts)), list(counts.values()), color=BAR, width=0.8)
        axes.bar_label(drawn, labels=[str(count) if count else "" for count in counts.values()], padding=2)
        axes.set_xticks(range(len(counts)), list(counts), fontsize=8)
        axes.set(xlabel=x, ylabel="students", ylim=(0, 1.15 * max(1, *counts.values())), yticks=[])
        axes.tick_params(length=0)
        return _picture(figure, name, alt)


def bars(rows: list[tuple[str, float, str]], name: str, alt: str, *, most: float) -> Markup:
    """Horizontal bars, the first one on top, each with its label above it, so that long labels have room.

    Args:
        rows: label, size, and the text at the bar's end. At most MOST_BARS are drawn.
        name, alt: as in `columns`.
        most: the size that fills the width.
    """
    rows = [(textwrap.wrap(_plain(label), 62, max_lines=2, placeholder=" …"), *row) for label, *row in rows[:MOST_BARS]]
    height = sum(0.9 * len(lines) + 2 for lines, *_ in rows)  # in lines of text
    with matplotlib.rc_context(STYLE | {"svg.hashsalt": name}):
        figure = Figure(figsize=(WIDTH, 0.165 * height + 0.1))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set(xlim=(0, 1.35 * most), ylim=(height, 0))
        top = 0.3
        for lines, size, text in rows:
            axes.text(0, top, "\n".join(lines), va="top", linespacing=1.19)
            middle = top + 0.9 * len(lines) + 0.7
            axes.barh(middle, size, height=0.8, color=BAR)
            axes.text(size + 0.015 * most, middle, text, va="center", fontweight="bold")
            top += 0.9 * len(lines) + 2
        return _picture(figure, name, alt)


def _plain(label: str) -> str:
    return label.replace("`", "")


def _picture(figure: Figure, name: str, alt: str) -> Markup:
    """The figure as an element of a page: its colours are the page's, and its ids are its own."""
    buffer = io.StringIO()
    FigureCanvasSVG(figure).print_svg(buffer, metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    svg = re.sub(r" font-family: [^;]+;", "", svg)  # the page's
    for stand_in, colour in PAGE_COLOURS.items():
        svg = svg.replace(f": {stand_in}", f": {colour}")
    box = re.search(r'viewBox="[^"]+"', svg).group()
    head = (
        f'<svg class="figure" role="img" aria-label="{escape(alt)}" {box} xmlns:xlink="http://www.w3.org/1999/xlink">'
    )
    return Markup(head + svg[svg.index(">") + 1 :])
