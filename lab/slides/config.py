"""How nbconvert makes the slides: jupyter nbconvert --config lab/slides/config.py NOTEBOOK"""

c = get_config()  # noqa: F821

c.NbConvertApp.export_format = "slides"
c.NbConvertApp.log_level = "WARN"
c.FilesWriter.build_directory = "slides"
c.TemplateExporter.extra_template_basedirs = ["lab"]
c.TemplateExporter.template_name = "slides"
c.SlidesExporter.reveal_width = "1120"
c.SlidesExporter.reveal_height = "760"
c.SlidesExporter.reveal_scroll = True
# The code of a figure holds labels alone, and that of a table a name.
c.TagRemovePreprocessor.enabled = True
c.TagRemovePreprocessor.remove_input_tags = {"hide-input"}
