"""What the site adds to Sphinx: formulas as MathML, and the scripts of a page on that page alone."""

import re

from docutils import nodes
from sphinx.util import logging

from web import formulas

LOGGER = logging.getLogger(__name__)
# What a page holds that needs a script: then the script, and a style sheet of the same name, are on that page.
NEEDS = {"quiz": r'class="course-quiz', "practice": r'class="course-practice'}


def setup(app) -> dict:
    """Called by Sphinx."""
    app.add_html_math_renderer("mathml", inline_renderers=(_inline, None), block_renderers=(_block, None))
    app.connect("html-page-context", _scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _inline(writer, node) -> None:
    writer.body.append(_drawn(node, block=False))
    raise nodes.SkipNode


def _block(writer, node) -> None:
    writer.body.append(f'<div class="formula scrolls">{_drawn(node, block=True)}</div>\n')
    raise nodes.SkipNode


def _drawn(node, block: bool) -> str:
    try:
        return formulas.mathml(node.astext(), block)
    except formulas.BadFormula as error:
        LOGGER.warning(str(error), location=node)
        return ""


def _scripts(app, page: str, template: str, context: dict, doctree) -> None:
    for name, mark in NEEDS.items():
        if re.search(mark, context.get("body", "")):
            app.add_js_file(f"course/{name}.js", loading_method="defer")
            app.add_css_file(f"course/{name}.css")
