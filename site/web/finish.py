"""What is done to the files after Sphinx has written them: they become smaller, and what Sphinx does not know is put beside them."""

import re
import shutil
from pathlib import Path

from grader.problems import ROOT
from web import sheets

# Kinds of tokens that are drawn as plain code: their spans would be a third of a page.
PLAIN = re.compile(r'<span class="(?:n|p|w|o|nn|nb|bp|x)">([^<]*)</span>')
EMPTY_HEAD = re.compile(r"<thead>\s*<tr[^>]*>(?:<th[^>]*><p></p></th>\s*)+</tr>\s*</thead>")
THEME = 'document.body.dataset.theme = localStorage.getItem("theme") || "auto";'
# A browser may refuse storage, by an exception. The scripts of Sphinx and of the theme do not expect that; the course's own do.
STORAGE = "window.themeStorage = (() => { try { return localStorage; } catch { return { getItem() {}, setItem() {}, removeItem() {} }; } })();"
STORING = ("scripts/furo.js", "sphinx_highlight.js", "searchtools.js")
MENDED = {  # what the theme and its extensions write, and what browsers and screen readers need
    THEME: f"{STORAGE} {THEME.replace('localStorage', 'themeStorage')}",
    'class="caption" role="heading">': 'class="caption" role="heading" aria-level="2">',
    '<aside class="sidebar-drawer">': '<aside class="sidebar-drawer" aria-label="All pages">',
    '<aside class="toc-drawer">': '<aside class="toc-drawer" aria-label="On this page">',
    "<pre><span></span>": "<pre>",
}
TOKEN_RULE = re.compile(r"^[^{}\n]*\.highlight \.(\w+) \{[^}]*\}[^\n]*\n", re.MULTILINE)
UNUSED = (
    ".buildinfo",
    "objects.inv",
    "_static/file.png",
    "_static/plus.png",
    "_static/minus.png",
    "_static/debug.css",
    "_static/skeleton.css",
)


def finish(site: Path) -> None:
    """Makes the pages and styles smaller, and adds the notebooks and the printed sheets."""
    tokens = set()
    for path in site.rglob("*.html"):
        text = PLAIN.sub(r"\1", path.read_text(encoding="utf-8"))
        for theirs, better in MENDED.items():
            text = text.replace(theirs, better)
        text = EMPTY_HEAD.sub("", text)
        tokens.update(re.findall(r'<span class="(\w+)">', text))
        path.write_text(text, encoding="utf-8")
    for name in STORING:
        path = site / "_static" / name
        path.write_text(path.read_text(encoding="utf-8").replace("localStorage", "themeStorage"), encoding="utf-8")
    _shorten(site / "_static", tokens)
    for path in (site / "notebooks").glob("*.html"):
        shutil.copy(ROOT / "notebooks" / f"{path.stem}.ipynb", path.with_suffix(".ipynb"))
    sheets.write_printed(site / "cheatsheets" / "print")
    for name in UNUSED:
        (site / name).unlink(missing_ok=True)


def _shorten(static: Path, tokens: set[str]) -> None:
    """Styles without the rules for what no page has: most kinds of tokens, and the colours of terminals."""
    pygments = static / "pygments.css"
    kept = TOKEN_RULE.sub(lambda rule: rule[0] if rule[1] in tokens else "", pygments.read_text(encoding="utf-8"))
    pygments.write_text(kept, encoding="utf-8")
    for path in static.glob("mystnb.*.css"):
        path.write_text(path.read_text(encoding="utf-8").split("/* Font colors for translated ANSI")[0], encoding="utf-8")
