"""The comparison as HTML: a page of its own, or a part of a notebook."""

from functools import cache
from pathlib import Path

from coach.compare.command import in_words
from coach.compare.sides import Comparison
from coach.pages import template


class Fragment:
    """A comparison that a notebook shows as HTML."""

    def __init__(self, found: Comparison):
        self.found = found

    def __repr__(self) -> str:
        return f"<{self.found.title}: {len(self.found.stubs)} compared>"

    def _repr_html_(self) -> str:
        return _template("fragment.html").render(found=self.found)


def page(found: Comparison) -> str:
    """A page that needs nothing else."""
    return _template("page.html").render(found=found)


@cache
def _template(name: str):
    return template(Path(__file__).parent / "templates" / name, {"in_words": in_words})
