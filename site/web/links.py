"""Where things stand on the site, and what becomes of the links that the course's own files hold."""

import html
import posixpath
import re

from quiz import register

# The files of the course that have a page, by the path from its root.
PAGES = {
    "README.md": "tour",
    "CONTRIBUTING.md": "contributing",
    "classroom/README.md": "guide/classroom",
    "desk/README.md": "guide/installation",
    "quiz/bank/README.md": "guide/bank",
    "lab/tiny/README.md": "guide/model",
}
LINK = re.compile(r"`[^`\n]*`|(?<!!)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^()\s]+)\)")
IMAGE_LINK = re.compile(r"\[?!\[([^\]]*)\]\((https?://[^)\s]+)\)(?:\]\(([^)\s]+)\))?")
FENCED = re.compile(r"(^(?:```|~~~).*?^(?:```|~~~)[^\S\n]*$)", re.MULTILINE | re.DOTALL)


def claim(name: str, root: str) -> str:
    """The address of a claim, such as “claim:lora.rank”, from a page from which `root` leads to the site's root."""
    return f"{root}notebooks/{register.claims()[name][0]}.html#{register.anchor(name)}"


def source(key: str, root: str) -> str:
    return f"{root}bibliography.html#{key}"


def markdown(text: str, path: str, document: str) -> str:
    """Markdown of the course's file `path` as it stands in the Sphinx document `document`.

    A link to a file that has a page leads to the page. A link to another file of the course becomes the file's name, since the
    site does not hold it. No picture is fetched from another host: its words take its place.
    """
    here = posixpath.dirname(document)

    def link(match: re.Match) -> str:
        words, target = match.groups()
        if target is None or re.match(r"[a-z]+:", target):
            return match[0]
        name, _, anchor = target.partition("#")
        if not name:
            return _html(words, f"#{anchor}") if anchor.startswith("claim-") else match[0]
        name = posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
        if name.startswith("notebooks/") and name.endswith((".ipynb", ".md")):
            name = posixpath.splitext(name)[0]
            return _html(words, posixpath.relpath(name, here or ".") + ".html" + (f"#{anchor}" if anchor else ""))
        if name in PAGES:
            return f"[{words}]({posixpath.relpath(PAGES[name], here or '.')}.md{'#' + anchor if anchor else ''})"
        return words if "`" in words else f"{words} (`{name}`)"

    def change(part: str) -> str:
        part = IMAGE_LINK.sub(lambda found: f"[{found[1]}]({found[3] or found[2]})", part)
        return LINK.sub(link, part)

    return "".join(part if number % 2 else change(part) for number, part in enumerate(FENCED.split(text)))


def _html(words: str, address: str) -> str:
    return f'<a href="{html.escape(address)}">{words}</a>'
