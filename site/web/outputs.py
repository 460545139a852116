"""The HTML of a notebook's outputs, made fit for the site: links, pictures, colours and tables."""

import base64
import hashlib
import re
import struct
from pathlib import Path

DATA_IMAGE = re.compile(r'<img ([^>]*?)src="data:image/png;base64,([^"]+)"([^>]*)>')
# Colours that a notebook writes into its outputs suit a white page alone. The site's style has a class for each.
STYLES = {
    "text-align: left; vertical-align: top; white-space: nowrap": ' class="whole"',
    "text-align: left; vertical-align: top": "",
    "text-align: left": "",
    "text-align: left;": "",
    "color: #777777; margin-right: 0.4em": ' class="masked"',
    "color: #00703c; font-weight: bold; text-decoration: underline; margin-right: 0.4em": ' class="trained"',
    "color: #555555; font-weight: bold": ' class="state"',
    "font-family: monospace": ' class="tokens"',
}
STYLE = re.compile(r' style="([^"]*)"')


def drawn(text: str, static: Path, name: str) -> str:
    """An output of the notebook `name`. Its pictures become files in the folder `static`."""
    text = DATA_IMAGE.sub(lambda found: _figure(found, static, name), text)
    text = re.sub(r"<progress\b.*?</progress>", "", text, flags=re.DOTALL)  # of a run that is over
    text = re.sub(r'(href="[^":]*)\.ipynb(#[^"]*)?"', r'\1.html\2"', text)
    text = STYLE.sub(lambda found: STYLES.get(found[1], found[0]), text)
    text = re.sub(r"<table[^>]*>", '<div class="scrolls"><table>', text)
    return text.replace("</table>", "</table></div>")


def _figure(match: re.Match, static: Path, name: str) -> str:
    """The picture as a file. Its size stands in the page, so that nothing moves when it comes."""
    before, encoded, after = match.groups()
    png = base64.b64decode(encoded)
    width, height = struct.unpack(">II", png[16:24])
    file = f"{name}-{hashlib.sha256(png).hexdigest()[:12]}.png"
    folder = static / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file).write_bytes(png)
    rest = STYLE.sub("", f"{before} {after}").strip()
    return f'<img {rest} src="../_static/figures/{file}" width="{width}" height="{height}" loading="lazy" class="figure">'
