"""How nbconvert makes the slides: jupyter nbconvert --config lab/slides/config.py NOTEBOOK

The scripts that draw them lie beside the pages, in the folder `scripts`: a lecture hall may have no network.
"""

import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from nbconvert.preprocessors import Preprocessor

VIEW = "application/vnd.jupyter.widget-view+json"
REVEAL, MATHJAX = "pyreveal/revealjs", "mathjax/static/mathjax"
LOADED = ("dist/reveal.css", "dist/theme/white.css", "dist/reveal.js", "dist/plugin/notes.js")
# What lies beside the pages, by the package that carries it: what they load, and the licences.
SCRIPTS = {
    "pyreveal": [f"{REVEAL}/{name}" for name in ("LICENSE", *LOADED)],
    "django-static-mathjax": [f"{MATHJAX}/{name}" for name in ("LICENSE", "es5/tex-svg-full.js")],
}


class WithoutWidgets(Preprocessor):
    """A notebook without live widgets, which a slide cannot run.

    nbconvert ends with an error if a notebook describes a widget and does not hold its state. Colab saves such notebooks.
    """

    def preprocess(self, nb, resources):
        nb.metadata.pop("widgets", None)
        for cell in nb.cells:
            for output in cell.get("outputs", []):
                output.get("data", {}).pop(VIEW, None)
            if "outputs" in cell:
                cell.outputs = [output for output in cell.outputs if output.get("data") != {}]
        return nb, resources


class WithScripts(Preprocessor):
    """A notebook beside whose page the scripts are written, too. SystemExit, with a sentence, if they are not installed."""

    def preprocess(self, nb, resources):
        for package, paths in SCRIPTS.items():
            try:
                files = {f"scripts/{path}": Path(distribution(package).locate_file(path)).read_bytes() for path in paths}
            except (PackageNotFoundError, FileNotFoundError):
                raise SystemExit(
                    f"The slides need the scripts of the package {package}, and this environment has not got them. "
                    f"Install what the course needs: {sys.executable} -m pip install -r requirements.txt -c constraints.txt"
                ) from None
            resources.setdefault("outputs", {}).update(files)
        return nb, resources


c = get_config()  # noqa: F821

c.NbConvertApp.export_format = "slides"
c.NbConvertApp.log_level = "WARN"
c.FilesWriter.build_directory = "slides"
c.TemplateExporter.extra_template_basedirs = [str(Path(__file__).parent)]
c.SlidesExporter.template_name = "course"
c.SlidesExporter.reveal_url_prefix = f"scripts/{REVEAL}"
c.SlidesExporter.reveal_theme = "white"
c.SlidesExporter.mathjax_url = f"scripts/{MATHJAX}/es5/tex-svg-full.js"
c.SlidesExporter.reveal_width = "1120"
c.SlidesExporter.reveal_height = "760"
c.SlidesExporter.preprocessors = [WithoutWidgets, WithScripts]
# The code of a figure holds labels alone, and that of a table a name.
c.TagRemovePreprocessor.enabled = True
c.TagRemovePreprocessor.remove_input_tags = {"hide-input"}
