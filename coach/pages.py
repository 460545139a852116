"""The pages that the coach draws."""

from collections.abc import Callable
from pathlib import Path


def template(path: Path, filters: dict[str, Callable] | None = None, **functions: Callable):
    """A page to be filled. All that is put into it is escaped, and a name that it does not know is an error.

    Args:
        path: of the template; it may include others beside it.
        filters, functions: what it may call.
    """
    import jinja2  # here, since most of what the coach does draws no page

    loader = jinja2.FileSystemLoader(path.parent)
    environment = jinja2.Environment(loader=loader, autoescape=True, trim_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters |= filters or {}
    environment.globals |= functions
    return environment.get_template(path.name)
