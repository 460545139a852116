"""Slides are made of whatever a notebook holds that somebody's Jupyter has saved."""

import nbformat.v4 as v4
import pytest
from nbconvert import SlidesExporter
from traitlets.config import PyFileConfigLoader

from grader.problems import ROOT

STATE, VIEW = "application/vnd.jupyter.widget-state+json", "application/vnd.jupyter.widget-view+json"
METADATA = {
    "of Colab": {STATE: {"abc": {"model_name": "SliderModel"}}},
    "half there": {STATE: {"state": {}}},
    "empty": {},
    "null": None,
    "of another kind": ["abc"],
}


@pytest.mark.parametrize("widgets", METADATA.values(), ids=METADATA)
def test_widgets_that_cannot_be_drawn_are_left_out_and_the_rest_is_shown(widgets):
    slider = {VIEW: {"model_id": "abc", "version_major": 2, "version_minor": 0}}
    outputs = [
        v4.new_output("display_data", slider),
        v4.new_output("display_data", {VIEW: {}}),
        v4.new_output("execute_result", slider | {"text/plain": "a slider in words"}),
        v4.new_output("stream", text="a printed line"),
    ]
    notebook = v4.new_notebook(cells=[v4.new_code_cell("slider", outputs=outputs)], metadata={"widgets": widgets})
    config = PyFileConfigLoader("config.py", str(ROOT / "lab" / "slides")).load_config()
    page, _ = SlidesExporter(config=config).from_notebook_node(notebook)
    assert "a slider in words" in page and "a printed line" in page and VIEW not in page.partition("<body")[2]
