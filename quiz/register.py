"""The register of errata and the bibliography: data in `bank/`, read once, checked, and drawn as tables.

And the places of the claims: the cells of the notebooks that prove an answer, and the links that lead to them.
"""

import html
import json
import re
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from desk import place
from quiz import packed

T = TypeVar("T")
BANK = Path(__file__).parent / "bank"
NOTEBOOKS = place.notebooks()


class Broken(Exception):
    """A file of the bank cannot be used. The message names the file, the entry and the field."""


class Source(BaseModel):
    """One entry of the bibliography. `checked` tells what was read before it was cited; see sources.toml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    authors: str
    year: int
    arxiv: str = ""
    url: str = ""
    checked: Literal["text", "code", "quote", "memory"]
    note: str = ""

    @property
    def link(self) -> str:
        return f"https://arxiv.org/abs/{self.arxiv}" if self.arxiv else self.url


class Proved(BaseModel):
    """What has a proof: a cell of a notebook that shows it, a cell that shows a part or an example of it, or sources alone.

    Without the field `proof`, a cell that is named shows it. Where there is no cell, the sources carry it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    cell: str = ""
    proof: Literal["shows", "illustrates", "source"]

    @model_validator(mode="before")
    @classmethod
    def says_how_it_is_proved(cls, fields):
        if not isinstance(fields, dict):
            return fields
        return {"proof": "shows" if fields.get("cell") else "source"} | fields

    @model_validator(mode="after")
    def has_the_cell_it_speaks_of(self):
        if (self.proof == "source") == bool(self.cell):
            raise ValueError(f"proof is {self.proof!r}, and there is {'a' if self.cell else 'no'} cell")
        return self


class Erratum(Proved):
    """One statement of the article, in paraphrase, and what is true. The fields are explained in errata.toml."""

    topic: Literal[
        "frame", "sft", "peft", "lora", "data", "hyperparameters", "script-6", "script-7", "script-8"
    ]  # fmt: skip
    claim: str
    verdict: Literal["wrong", "misleading", "outdated", "missing", "right"]
    correction: str
    sources: tuple[str, ...]


OWN: list[Path] = []  # folders with questions of an instructor's own, while they are asked; see quiz.own


@cache
def sources() -> dict[str, Source]:
    """The bibliography by key."""
    found = read("sources.toml", Source.model_validate)
    for folder in OWN:
        if not (folder / "sources.toml").exists():
            continue
        for key, source in read("sources.toml", Source.model_validate, folder).items():
            if key in found:
                raise Broken(f"{where('sources.toml', folder)}, [{key}]: the course has a source of this key already")
            found[key] = source
    return found


@cache
def errata() -> dict[str, Erratum]:
    """Every statement of the article that was judged, by id."""
    found = read("errata.toml", Erratum.model_validate)
    for name, erratum in found.items():
        for key in erratum.sources:
            if key not in sources():
                raise Broken(f"errata.toml, [{name}], sources: there is no {key!r} in sources.toml")
    return found


def has_keys(folder: Path | None = None) -> bool:
    """Whether the questions here have their keys. In a copy for students, the instructor may be the one who has them."""
    return not packed.is_open((folder or BANK) / "sft.toml")


def where(name: str, folder: Path | None) -> str:
    """How a sentence names a file of the bank: in a folder of somebody's own, with the folder."""
    return name if folder is None else str(folder / name)


def read(name: str, validate: Callable[[dict], T], folder: Path | None = None, **fixed: str) -> dict[str, T]:
    """The entries of a file of the bank by id. `fixed` are fields that the file does not repeat in each entry.

    Raises:
        Broken: the file cannot be read, or an entry is not as it should be.
    """
    path, shown = (folder or BANK) / name, where(name, folder)
    content = loaded(path, shown)
    entries = {}
    for key, fields in content.items():
        try:
            entries[key] = validate({"id": key, **fields, **fixed} if fixed else fields)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"])) or "entry"
            raise Broken(f"{shown}, [{key}], {field}: {first['msg']}") from None
        except TypeError:
            raise Broken(f"{shown}, [{key}]: an entry is a table of fields, not {fields!r}") from None
    return entries


def loaded(path: Path, shown: str | Path) -> dict:
    """What a file of the bank holds, unchecked. Broken calls it what `shown` says."""
    try:
        return packed.content(path) if packed.holds(path) else tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError, packed.Damaged) as error:
        raise Broken(f"{shown} cannot be read: {error}") from None


# --- claims: the cells that prove an answer -----------------------------------------------------


@cache
def claims() -> dict[str, tuple[str, str]]:
    """For each claim cell its notebook, without the ending, and the title of its section."""
    places = {}
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        try:
            cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        except (OSError, ValueError, LookupError, TypeError):
            continue  # somebody is in the middle of writing it, or has broken it: its claims have no links meanwhile
        section = ""
        for cell in cells:
            if cell["cell_type"] == "markdown":
                headings = re.findall(r"^#+ (?!claim-)(.+)$", "".join(cell["source"]), re.MULTILINE)
                section = headings[-1].strip() if headings else section
            for tag in cell["metadata"].get("tags", []):
                if tag.startswith("claim:"):
                    places[tag] = path.stem, section
    return places


def anchor(claim: str) -> str:
    """The heading that stands above a claim's cell: “claim-lora-update_has_rank_r” for “claim:lora.update_has_rank_r”.

    It holds nothing but small letters, digits, - and _, so it is its own address: JupyterLab, VS Code and GitHub
    change other characters, each in its own way.
    """
    return claim.replace(":", "-").replace(".", "-")


def link(claim: str) -> str:
    """The address of a claim's cell, as another notebook links to it. Empty if no notebook here holds the cell."""
    return f"{claims()[claim][0]}.ipynb#{anchor(claim)}" if claim in claims() else ""


# --- tables -------------------------------------------------------------------------------------


class Table:
    """Rows under headings: HTML where that is shown, else text.

    Args:
        links: the address of each key that stands in brackets in a cell.
        summary: if there is one, HTML shows this line, and the table when the reader unfolds it.
    """

    def __init__(self, headings: list[str], rows: list[list[str]], links: dict[str, str], summary: str = ""):
        self.headings, self.rows, self.links, self.summary = headings, rows, links, summary

    def __repr__(self) -> str:
        return "\n\n".join(
            "\n".join(f"{h}: {cell}" for h, cell in zip(self.headings, row) if cell) for row in self.rows
        )

    def _repr_html_(self) -> str:
        def cell(text: str, style: str = "text-align: left; vertical-align: top") -> str:
            parts = html.escape(text).split("`")
            text = "".join(
                f"<code>{part.replace('_', '_<wbr>')}</code>" if i % 2 else part for i, part in enumerate(parts)
            )
            for key, address in self.links.items():
                shown = key.replace("_", "_<wbr>")
                text = text.replace(f"[{key}]", f'<a href="{html.escape(address)}">{shown}</a>')
            return f'<td style="{style}">{text}</td>'

        head = "".join(f'<th style="text-align: left">{html.escape(heading)}</th>' for heading in self.headings)
        first = "text-align: left; vertical-align: top; white-space: nowrap"  # ids and keys stay in one piece
        body = "\n".join(f"<tr>{cell(row[0], first)}{''.join(map(cell, row[1:]))}</tr>" for row in self.rows)
        table = f"<table><thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>"
        if not self.summary:
            return table
        return f"<details><summary>{html.escape(self.summary)}</summary>\n{table}\n</details>"


def errata_table(*topics: str) -> Table:
    """What the article says on these topics, and what is true, folded. ValueError if there is no such topic."""
    known = {erratum.topic for erratum in errata().values()}
    for topic in topics:
        if topic not in known:
            raise ValueError(f"there is no topic {topic!r}; there are {', '.join(sorted(known))}")
    rows, links = [], {key: source.link for key, source in sources().items()}
    for name, erratum in errata().items():
        if erratum.topic in topics:
            shown = erratum.cell.removeprefix("claim:")
            if link(erratum.cell):
                shown = f"{claims()[erratum.cell][0][:2]} {shown}"  # the number of the notebook
                links[shown] = link(erratum.cell)
                shown = f"[{shown}]" + (" (illustrates it)" if erratum.proof == "illustrates" else "")
            cited = " ".join(f"[{key}]" for key in erratum.sources)
            rows.append([name, erratum.claim, erratum.verdict, erratum.correction, shown, cited])
    headings = ["id", "the article says", "verdict", "what is true", "cell that shows it", "sources"]
    return Table(headings, rows, links, f"{len(rows)} statements of the article, and what is true: click to unfold")


CHECKED = {
    "text": "read",
    "code": "code or documentation read",
    "quote": "quoted second hand",
    "memory": "from memory",
}


def bibliography(*keys: str) -> Table:
    """These sources, and how each was checked. ValueError if there is no such key."""
    rows = []
    for key in keys:
        if key not in sources():
            raise ValueError(f"there is no source {key!r}; there are {', '.join(sorted(sources()))}")
        source = sources()[key]
        where = f"arXiv {source.arxiv}" if source.arxiv else source.url
        checked = CHECKED[source.checked] + (f". {source.note}" if source.note else "")
        rows.append([f"[{key}]", f"{source.authors}: {source.title}, {source.year}", where, checked])
    return Table(["key", "source", "where", "checked"], rows, {key: sources()[key].link for key in keys})
