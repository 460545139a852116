"""Builds the web edition of the course: `python site/build.py [--out DIR]`, or `make site`.

The pages are made from the committed notebooks with their outputs. Nothing is run, and nothing is fetched.
"""

import argparse
import shutil
import sys
import tempfile
import warnings
from importlib.util import find_spec
from pathlib import Path

SITE = Path(__file__).resolve().parent
ROOT = SITE.parent
NEEDED = ["sphinx", "myst_nb", "furo", "sphinx_copybutton", "latex2mathml"]
INSTALL = "{python} -m pip install -r requirements-site.txt -c constraints.txt"


class NotBuilt(Exception):
    """The site could not be built. The message says why, and what to do."""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python site/build.py", description="Builds the web edition of the course.")
    parser.add_argument(
        "--out", type=Path, default=ROOT / "website", metavar="DIR", help="where the site comes (default: website)"
    )
    out = parser.parse_args().out
    try:
        build(out)
    except NotBuilt as error:
        sys.exit(str(error))
    pages = sum(1 for _ in out.rglob("*.html"))
    print(f"{pages} pages are in {out}. Open {out / 'index.html'} in a browser, or put the folder on any web server.")


def build(out: Path) -> None:
    """Builds the whole site into a folder. What an earlier build left there is replaced.

    Raises:
        NotBuilt: a package is missing, the folder holds something else, or a page is not as it should be.
    """
    missing = [name for name in NEEDED if not find_spec(name)]
    if missing:
        command = INSTALL.format(python=sys.executable)
        raise NotBuilt(
            f"The web edition is built by packages that are not installed ({', '.join(missing)}). Install them:\n  {command}"
        )
    if out.exists() and not out.is_dir():
        raise NotBuilt(f"{out} is a file. Name a folder for the site: --out DIR")
    if out.is_dir() and any(out.iterdir()) and not (out / "sw.js").is_file():
        raise NotBuilt(f"{out} holds files that are not of a site that was built here. Name another folder: --out DIR")
    with tempfile.TemporaryDirectory() as scratch:
        made = _made(Path(scratch))
        if out.exists():
            shutil.rmtree(out)
        out.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(made, out)


def _made(scratch: Path) -> Path:
    """The finished site in a folder of its own, so that a build that fails leaves the old site as it was."""
    for folder in (SITE, ROOT):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    from quiz import register

    if not register.has_keys() or not (ROOT / "solutions" / "lora.py").is_file():
        raise NotBuilt(
            "The web edition holds the references and the keys of the questions. This copy of the course is without them."
        )
    from web import finish, offline, pages

    source, made = scratch / "source", scratch / "site"
    pages.write(source)
    _run_sphinx(source, made, scratch / "doctrees")
    finish.finish(made)
    offline.write(made, SITE / "scripts" / "site" / "sw.js")
    return made


def _run_sphinx(source: Path, made: Path, doctrees: Path) -> None:
    from sphinx.application import Sphinx
    from sphinx.errors import SphinxError
    from sphinx.util.console import nocolor

    if not sys.stderr.isatty():
        nocolor()
    static = {"html_static_path": [str(source / "_static")]}
    try:
        warnings.simplefilter("ignore", PendingDeprecationWarning)  # of Sphinx's extensions, for their authors
        app = Sphinx(
            source, SITE, made, doctrees, "html", confoverrides=static, status=None, warningiserror=True, freshenv=True
        )
        app.build()
    except SphinxError as error:
        raise NotBuilt(f"Sphinx could not build the site: {error}") from None
    if app.statuscode:
        raise NotBuilt("The site is not as it should be: see the warnings above.")


if __name__ == "__main__":
    main()
