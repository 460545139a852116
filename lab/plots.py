"""The figures of the notebooks: one style, readable in print and for the colour-blind.

Curves differ by colour (Okabe and Ito's palette), by line and by marker, so none depends on colour alone.
Each function returns a picture with its alternative text, for a notebook to display.
"""

import base64
import html
import io
from itertools import pairwise

import matplotlib
import torch
from IPython.display import HTML
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import LogLocator

COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00"]
LINES = ["-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 3))]
HATCHES = ["", "//", "..", "\\\\"]
MARKERS = ["o", "s", "^", "D", "x", "v"]
STYLE = {
    "font.size": 11,
    "axes.grid": True,
    "grid.color": "#dddddd",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "figure.dpi": 110,
}


class Picture:
    """A PNG with its alternative text, as HTML: JupyterLab drops the alternative text of a plain image."""

    def __init__(self, png: bytes, alt: str):
        self.png, self.alt = png, alt

    def __repr__(self) -> str:
        return self.alt

    def _repr_html_(self) -> str:
        source = f"data:image/png;base64,{base64.b64encode(self.png).decode()}"
        return f'<img alt="{html.escape(self.alt)}" src="{source}" style="max-width: 100%">'


def training(
    curves: dict[str, dict],
    alt: str,
    *,
    x: str = "optimizer steps",
    loss: str = "training loss (nats per token)",
    accuracy: str = "right answers on unseen people (%)",
    log: bool = True,
) -> Picture:
    """Loss and accuracy over the steps of one or more runs.

    Args:
        curves: by name, a dict of the lists "step", "loss" (nats per token) and, if it is known, "accuracy" (0 to 1).
        alt: the figure in a sentence, for those who do not see it.
        x, loss, accuracy: the labels of the axes.
        log: the loss is drawn on a logarithmic scale, otherwise on one from zero.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(9, 3.4), layout="constrained")
        left, right = figure.subplots(1, 2)
        for index, (name, curve) in enumerate(curves.items()):
            look = {"color": COLOURS[index], "ls": LINES[index], "marker": MARKERS[index], "ms": 4, "label": name}
            left.plot(curve["step"], curve["loss"], **look)
            if "accuracy" in curve:
                right.plot(curve["step"], [100 * value for value in curve["accuracy"]], **look)
        left.set(xlabel=x, ylabel=loss)
        left.set(yscale="log") if log else left.set(ylim=(0, None))
        right.set(xlabel=x, ylabel=accuracy, ylim=(-3, 103))
        (right if all("accuracy" in curve for curve in curves.values()) else left).legend(loc="best")
        return _picture(figure, alt)


def spectra(matrices: dict[str, torch.Tensor], alt: str, *, floor: float = 1e-6) -> Picture:
    """Singular values of matrices, each relative to its largest one, on a logarithmic scale.

    Values below `floor` are rounding noise. They are drawn at the floor.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.5, 3.6), layout="constrained")
        axes = figure.subplots()
        for index, (name, matrix) in enumerate(matrices.items()):
            values = torch.linalg.svdvals(matrix.detach().float())
            values = (values / values[0]).clamp(min=floor).tolist()
            axes.plot(
                range(1, len(values) + 1),
                values,
                color=COLOURS[index],
                ls=LINES[index],
                marker=MARKERS[index],
                markevery=max(1, len(values) // 16),
                ms=4,
                label=name,
            )
        axes.set(xlabel="singular value, from the largest", ylabel="size relative to the largest", yscale="log")
        if axes.get_ylim()[0] < floor:
            note = {"transform": axes.transAxes, "ha": "right", "va": "bottom"}
            axes.text(0.98, 0.07, f"smaller than {floor:g}: drawn at {floor:g}", **note)
        axes.legend()
        return _picture(figure, alt)


def against(points: dict[str, tuple[list, list]], alt: str, *, x: str, y: str, percent: bool = True) -> Picture:
    """Values against a quantity on a logarithmic scale.

    Args:
        points: by name, the values on both axes. Several points are joined by a line.
        x, y: the labels of the axes.
        percent: the values are percentages. Otherwise they are positive, on a logarithmic scale, too.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(6.5, 3.8), layout="constrained")
        axes = figure.subplots()
        for index, (name, (across, up)) in enumerate(points.items()):
            look = {"color": COLOURS[index], "ls": LINES[index], "marker": MARKERS[index], "ms": 6}
            axes.plot(across, up, label=name, **look)
        axes.set(xlabel=x, ylabel=y, xscale="log")
        places = sorted({place for across, _ in points.values() for place in across})
        if all(high >= 2 * low for low, high in pairwise(places)):  # labels for the points themselves have room
            axes.set_xticks(places, [f"{place:g}" for place in places])
            axes.set_xticks([], minor=True)
        if percent:
            axes.set(ylim=(-3, 106))
        else:
            axes.set(yscale="log")
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_locator(LogLocator(subs=(2, 3, 5)))  # labels for all nine would overlap
            axes.yaxis.set_minor_formatter("{x:g}")
        axes.legend()
        return _picture(figure, alt)


def bars(values: dict[str, float], alt: str, *, x: str) -> Picture:
    """Percentages (0 to 100) as horizontal bars, the first one on top, each with its number."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.5, 0.5 * len(values) + 1.0), layout="constrained")
        axes = figure.subplots()
        drawn = axes.barh(list(values), list(values.values()), color=COLOURS[0], height=0.6)
        axes.bar_label(drawn, fmt="%.0f %%", padding=4)
        axes.invert_yaxis()
        axes.set_axisbelow(True)
        axes.grid(axis="y", visible=False)
        axes.set(xlabel=x, xlim=(0, max(110, 1.12 * max(values.values()))))
        return _picture(figure, alt)


def stacked(rows: dict[str, dict[str, float]], alt: str, *, x: str) -> Picture:
    """Sums as horizontal bars, the first one on top, split into their parts, each bar with its total."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.5, 0.5 * len(rows) + 1.4), layout="constrained")
        axes = figure.subplots()
        left = [0.0] * len(rows)
        for index, part in enumerate(next(iter(rows.values()))):
            sizes = [parts[part] for parts in rows.values()]
            look = {"color": COLOURS[index], "hatch": HATCHES[index], "edgecolor": "white", "height": 0.6}
            drawn = axes.barh(list(rows), sizes, left=left, label=part, **look)
            left = [start + size for start, size in zip(left, sizes)]
        axes.bar_label(drawn, labels=[f"{total:.1f}" for total in left], padding=4)
        axes.invert_yaxis()
        axes.set_axisbelow(True)
        axes.grid(axis="y", visible=False)
        axes.set(xlabel=x, xlim=(0, 1.12 * max(left)))
        axes.legend()
        return _picture(figure, alt)


def columns(groups: dict[str, list[tuple[str, str]]], alt: str) -> Picture:
    """Boxes in columns, a column for each group: a heading in each box and a text under it."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(3.1 * len(groups), 0.4 + 1.15 * max(map(len, groups.values()))), layout="constrained")
        for index, (axes, (group, boxes)) in enumerate(
            zip(figure.subplots(1, len(groups), sharey=True), groups.items())
        ):
            axes.set_axis_off()
            axes.set(xlim=(0, 1), ylim=(-max(map(len, groups.values())), 0))
            axes.set_title(group, color=COLOURS[index], fontweight="bold")
            for row, (heading, text) in enumerate(boxes):
                frame = {"boxstyle": "round,pad=0,rounding_size=0.04", "ec": COLOURS[index], "fc": "white", "lw": 1.5}
                axes.add_patch(FancyBboxPatch((0.02, -row - 0.95), 0.96, 0.85, **frame))
                axes.text(0.5, -row - 0.3, heading, ha="center", va="center", fontweight="bold", fontsize=10)
                axes.text(0.5, -row - 0.64, text, ha="center", va="center", fontsize=9)
        return _picture(figure, alt)


def levels(
    values: torch.Tensor, density: tuple[list, list], marks: dict[str, list[float]], alt: str, *, x: str
) -> Picture:
    """The histogram of numbers from -1 to 1 with a density over it, and sets of levels under it, a line for each.

    Args:
        values: the numbers.
        density: the places and the heights of a curve to compare with.
        marks: by name, the levels of a set.
        alt: the figure in a sentence, for those who do not see it.
        x: the label of the axis.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(8, 4.2), layout="constrained")
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        upper.hist(values.flatten().tolist(), bins=80, density=True, color="#bbbbbb", label="weights over their absmax")
        upper.plot(*density, color=COLOURS[1], ls=LINES[1], label="normal distribution of the same spread")
        upper.set(ylabel="density")
        upper.legend(loc="upper left", fontsize=9)
        for index, (name, places) in enumerate(marks.items()):
            look = {"color": COLOURS[index], "marker": MARKERS[index], "ms": 5, "ls": "none"}
            lower.plot(places, [name] * len(places), **look)
        lower.invert_yaxis()
        lower.margins(y=0.3)
        lower.set(xlabel=x)
        return _picture(figure, alt)


def dots(rows: dict[str, dict[str, list[float]]], alt: str, *, x: str) -> Picture:
    """Numbers on horizontal lines, a line for each row, with a colour and a marker for each name."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.5, 0.38 * len(rows) + 1.2), layout="constrained")
        axes = figure.subplots()
        for index, name in enumerate(next(iter(rows.values()))):
            places = [(value, row) for row, groups in rows.items() for value in groups[name]]
            axes.plot(
                *zip(*places), color=COLOURS[index], marker=MARKERS[index], ms=6, ls="none", mfc="none", label=name
            )
        axes.invert_yaxis()
        axes.set(xlabel=x)
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
        return _picture(figure, alt)


def scored_tokens(tokenizer, input_ids, labels) -> HTML:
    """One example, token by token: what is scored is bold and underlined, what is only read is grey."""
    pieces = []
    for token_id, label in zip(input_ids.tolist(), labels.tolist()):
        text = html.escape(tokenizer.token(token_id)).replace(" ", "&nbsp;")
        style = "color: #777777" if label < 0 else "color: #00703c; font-weight: bold; text-decoration: underline"
        tag = "span" if label < 0 else "strong"
        pieces.append(f'<{tag} style="{style}; margin-right: 0.4em">{text}</{tag}>')
    return HTML(f'<p style="font-family: monospace">{" ".join(pieces)}</p>')


def _picture(figure: Figure, alt: str) -> Picture:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return Picture(buffer.getvalue(), alt)
