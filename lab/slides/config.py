"""How nbconvert makes the slides: jupyter nbconvert --config lab/slides/config.py NOTEBOOK"""

from nbconvert.preprocessors import Preprocessor

VIEW = "application/vnd.jupyter.widget-view+json"


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


c = get_config()  # noqa: F821

c.NbConvertApp.export_format = "slides"
c.NbConvertApp.log_level = "WARN"
c.FilesWriter.build_directory = "slides"
c.SlidesExporter.reveal_width = "1120"
c.SlidesExporter.reveal_height = "760"
c.SlidesExporter.reveal_scroll = True
c.SlidesExporter.preprocessors = [WithoutWidgets]
# The code of a figure holds labels alone, and that of a table a name.
c.TagRemovePreprocessor.enabled = True
c.TagRemovePreprocessor.remove_input_tags = {"hide-input"}
