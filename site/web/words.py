"""Texts of the course's data as HTML."""

from markupsafe import Markup, escape

from quiz import register
from web import links


def prose(text: str) -> Markup:
    """What stands between ` is code, which may be parted after _ and a point."""
    parts = enumerate(text.split("`"))
    return Markup("").join(_code(part) if number % 2 else escape(part) for number, part in parts)


def _code(text: str) -> Markup:
    return Markup("<code>{}</code>").format(Markup(str(escape(text)).replace("_", "_<wbr>").replace(".", ".<wbr>")))


def proof(cell: str, how: str, root: str) -> Markup:
    """The link to the cell that shows it, or nothing."""
    if cell not in register.claims():
        return Markup("")
    notebook, section = register.claims()[cell]
    verb = "illustrates" if how == "illustrates" else "shows"
    text = Markup('Cell that {} it: <a href="{}">notebook {}, “{}”</a>.')
    return text.format(verb, links.claim(cell, root), notebook[:2], section.replace("`", "").replace("$", ""))


def cited(keys: tuple[str, ...], root: str) -> Markup:
    """The sources as links to the bibliography."""
    one = Markup('<a href="{}">{}</a>')
    return Markup(", ").join(one.format(links.source(key, root), key) for key in keys)
