"""HTML as the bank's plain text: paragraphs, `code` in backticks, and blocks of code apart."""

import html
import re
from html.parser import HTMLParser

from quiz.export.content import KEY_POINTS, PROOF, UNIT

_BLOCKS = {"p", "div", "ul", "ol", "li", "table", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote"}
_SIGNS = {"sup": "^", "sub": "_", "td": " ", "th": " "}  # 10^6, H_2O; and cells stay apart
_KEPT_APART = {"pre", "code", "tt", "script", "style"}  # what is read as a whole, until it ends
# The library takes ever longer over comments and tags that never end, so it gets none.
_SILENT = re.compile(r"<!--.*?(?:-->|\Z)|<[!?].*?(?:>|\Z)", re.S)
_BARE = re.compile(r"<(?!/?[a-zA-Z][^<>]*>)")


class _Reader(HTMLParser):
    """Reads in one pass, so that no nesting of a stranger's makes it slow.

    text: the pieces of the text, in which an empty line parts paragraphs. blocks: the code of its own.
    """

    def __init__(self):
        super().__init__()
        self.text: list[str] = []
        self.blocks: list[str] = []
        self._apart, self._held = "", ""  # the element that is read as a whole, and what of it there is

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        if self._apart:
            self._held += "\n" if tag == "br" else ""
        elif tag in _KEPT_APART:
            self._apart, self._held = tag, ""
        elif tag == "p" and named.get("class") == "unit":
            self._apart, self._held = "p", ""
        elif tag == "br":
            self.text.append("\n")
        elif tag == "img":
            self.text.append(f"[image: {named.get('alt') or 'without a description'}]")
        elif tag in _SIGNS:
            self.text.append(_SIGNS[tag])
        elif tag in _BLOCKS:
            self.text.append("\n\n")

    def handle_endtag(self, tag):
        if self._apart and tag != self._apart:
            return
        if tag == "pre" and self._apart:
            self.blocks.append(self._held.strip("\n"))
            self.text.append("\n\n")
        elif tag in ("code", "tt") and self._apart:
            held = _one_line(self._held)
            self.text.append(held if "`" in held else f"`{held}`")
        elif tag in _BLOCKS:
            self.text.append("\n\n")
        self._apart = ""

    def handle_data(self, data):
        if self._apart:
            self._held += data
        else:
            self.text.append(_one_line(data))


def read(written: str) -> tuple[list[str], str]:
    """The paragraphs of a text in HTML, and the code that stood in blocks of its own."""
    reader = _Reader()
    reader.feed(_BARE.sub("&lt;", _SILENT.sub("", written)))
    reader.close()
    parts = re.split(r"\n[^\S\n]*\n", "".join(reader.text))
    lines = ["\n".join(" ".join(line.split()) for line in part.strip().split("\n")) for part in parts]
    return [line for line in lines if line], "\n\n".join(reader.blocks)


def escaped(plain: str) -> str:
    """A plain text as HTML, with its lines."""
    return html.escape(plain, quote=False).replace("\n", "<br>")


def unit(written: str) -> str:
    """The unit of a number, where this course's exports have it in the text."""
    found = re.search(rf'<p class="unit">{UNIT} (.*?)</p>', written)
    return line(found[1]) if found else ""


def paragraphs(written: str) -> tuple[str, ...]:
    return tuple(read(written)[0])


def line(written: str) -> str:
    return " ".join(paragraphs(written))


def items(written: str) -> list[str]:
    """The points of the lists in a text, or its paragraphs if it has no list."""
    _, *points = re.split(r"<li\b[^<>]*>", written, flags=re.I)
    return [line(re.split("</li>", point, flags=re.I)[0]) for point in points] or list(paragraphs(written))


def explanation(written: str) -> tuple[str, ...]:
    """The paragraphs of a general feedback, without what this course's exports add: key points before, the proof behind."""
    own = re.sub(rf"<p>{KEY_POINTS}</p>\s*<ul>.*?</ul>", "", written, flags=re.S)
    return tuple(part for part in paragraphs(own) if not part.startswith(PROOF))


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text)
