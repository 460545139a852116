"""One build of the web edition for all tests that look at it: `pytest_plugins = ["tests.site_build"]` in a test file.

PYTEST_DONT_REWRITE: there is no assertion here, and test files import it too.
"""

import re
import sys
from contextlib import contextmanager
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from threading import Thread

import pytest
from filelock import FileLock

SITE = Path(__file__).resolve().parent.parent / "site"
if str(SITE) not in sys.path:
    sys.path.insert(0, str(SITE))

MISSING = [name for name in ("sphinx", "myst_nb", "furo", "sphinx_copybutton", "latex2mathml") if not find_spec(name)]
HOW = "pip install -r requirements-site.txt -c constraints.txt"
needs_site = pytest.mark.skipif(bool(MISSING), reason=f"What builds the web edition is not installed: {HOW}.")
needs_axe = pytest.mark.skipif(not find_spec("axe_playwright_python"), reason=f"axe-core is not installed: {HOW}.")
SERIOUS = "results.violations.filter(one => ['serious', 'critical'].includes(one.impact))"


def builder():
    """The module site/build.py. Its name is also that of a package, so it is taken by its path."""
    spec = spec_from_file_location("build_the_site", SITE / "build.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """The folder of the whole site, built once for all workers. Not to be changed."""
    if MISSING:
        pytest.skip(f"What builds the web edition is not installed: {HOW}.")
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if base.name.startswith("popen-") else base  # of all workers of pytest-xdist
    with FileLock(shared / "site.lock"):
        folder = shared / "website"
        if not folder.exists():
            builder().build(folder)
    return folder


@pytest.fixture(scope="session")
def pages(site) -> dict[str, "Page"]:
    """Every page of the site by its address from the root."""
    return {path.relative_to(site).as_posix(): Page(path) for path in sorted(site.rglob("*.html"))}


class Page(HTMLParser):
    """What a page holds.

    text: its HTML. ids: the anchors. links: what its links name. loads: what the browser fetches for it.
    images: the attributes of each picture.
    """

    def __init__(self, path: Path):
        super().__init__()
        self.text = path.read_text(encoding="utf-8")
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.scripts: list[str] = []
        self.images: list[dict] = []
        self.feed(self.text)

    def handle_starttag(self, tag, attributes):
        told = dict(attributes)
        if told.get("id"):
            self.ids.append(told["id"])
        if tag == "a" and told.get("href"):
            self.links.append(told["href"])
        if tag == "script" and told.get("src"):
            self.scripts.append(told["src"])
        if tag == "img":
            self.images.append(told)
        if tag == "link" and told.get("rel") in ("stylesheet", "icon", "shortcut icon", "manifest", "preload"):
            self.loads.append(told["href"])
        if tag in ("script", "img", "iframe", "source", "video", "audio", "embed", "object"):
            self.loads += [told[name] for name in ("src", "data", "srcset") if told.get(name)]
        self.loads += re.findall(r"url\([\"']?([^\"')]+)", told.get("style") or "")


@contextmanager
def served(folder: Path):
    """The folder on a web server of this machine. Gives the address."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def violations(page) -> list[str]:
    """What axe-core calls serious or critical on the page that the browser shows: the rule, and the first place."""
    import axe_playwright_python

    axe = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
    page.run(f"{axe}; 0")
    told = f"({SERIOUS}).map(one => `${{one.id}}: ${{one.nodes.length}} × ${{one.nodes[0].html.slice(0, 160)}}`)"
    return page.run(f"axe.run(document, {{resultTypes: ['violations']}}).then(results => {told})")
