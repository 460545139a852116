"""Sphinx builds the site with this. `site/build.py` writes the pages, and tells where they and the static files lie."""

project = "Fine-tuning language models"
author = "the course's authors"
html_title = "Fine-tuning course"
language = "en"
highlight_language = "text"  # of blocks that name none: commands of a shell, mostly

extensions = ["myst_nb", "sphinx_copybutton", "web.extension"]
root_doc = "index"
exclude_patterns = ["_static"]

# The notebooks carry their outputs: nothing is run.
nb_execution_mode = "off"
nb_merge_streams = True
nb_code_prompt_show = "Show the code"
nb_code_prompt_hide = "Hide the code"
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
myst_update_mathjax = False
html_math_renderer = "mathml"

html_theme = "furo"
html_theme_options = {
    "light_css_variables": {
        "font-stack": "system-ui, sans-serif",
        "font-stack--monospace": "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace",
    },
    "footer_icons": [],
}
html_css_files = ["course/site.css"]
html_js_files = [("course/site.js", {"defer": "defer"})]
html_favicon = "images/icon.svg"
html_copy_source = False
html_show_sourcelink = False
html_show_copyright = False
html_use_index = False
html_show_search_summary = False  # a page from a folder may not fetch others, and from a host each search would fetch 3 MB
html_domain_indices = False
html_last_updated_fmt = None  # no date: the same course gives the same files
copybutton_selector = ".cell_input pre, .highlight-python pre, .highlight-default pre"
copybutton_copy_empty_lines = False
