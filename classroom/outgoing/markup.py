"""Pages of HTML. Every text in them may come from a stranger, so all of them are cleaned and escaped."""

import base64
import hashlib
import re
from pathlib import Path
from urllib.parse import quote

import jinja2
from markupsafe import Markup, escape

from classroom.words import counted
from grader.quote import clean

TEMPLATES = Path(__file__).parent / "templates"


def page(template: str, **values: object) -> str:
    """A page, by the name of its template."""
    return _ENVIRONMENT.get_template(template).render(**values)


def code(text: str) -> Markup:
    """Escaped text in which `…` becomes code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(clean(text)))))


def number(value: float) -> str:
    """Points with two decimals at most."""
    return f"{round(value, 2):g}"


def file_name(*parts: str) -> str:
    """A name for a page about some folders or texts, of letters, digits, ".", "-" and "_"."""
    name = "--".join(re.sub(r"[^A-Za-z0-9._-]+", "-", part) for part in parts)
    digest = hashlib.sha256("\0".join(parts).encode(errors="replace")).hexdigest()[:8]
    return f"{name[:100]}-{digest}.html"


def _address(folder: str) -> str:
    """Where a student's page lies, seen from index.html."""
    return f"students/{quote(folder, safe='', errors='replace')}.html"


def _finalized(value: object) -> object:
    """Every value on its way into a page."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _script(name: str) -> Markup:
    """A script of ours, to stand in the page itself."""
    return Markup((TEMPLATES / name).read_text(encoding="utf-8").strip())


def _allowed(script: Markup) -> str:
    """What a page says so that this script runs, and no other."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=_finalized,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"code": code, "count": counted, "address": _address, "number": number}
    environment.globals |= {"script": _script, "allowed": _allowed}
    return environment


_ENVIRONMENT = _environment()
