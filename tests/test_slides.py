"""Slides are made of whatever a notebook holds that somebody's Jupyter has saved, and are shown where there is no network."""

import base64
import json
import re
import shutil
import subprocess
from contextlib import contextmanager
from urllib.request import urlopen

import nbformat.v4 as v4
import pytest
import websocket
from nbconvert import SlidesExporter
from nbconvert.writers import FilesWriter
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
CONFIG = PyFileConfigLoader("config.py", str(ROOT / "lab" / "slides")).load_config()
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
LONG = "\n\n".join(f"line {number}" for number in range(30))
SLIDES = {
    "slide": "# A formula\n\n$$\\frac{a}{b}$$",
    "subslide": f"{LONG}\n\nthe last line",
    "fragment": "an answer with $\\alpha$",
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
    page, _ = SlidesExporter(config=CONFIG).from_notebook_node(notebook)
    assert "a slider in words" in page and "a printed line" in page and VIEW not in page.partition("<body")[2]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A lesson of two slides, the second one too high, with all that lies beside its page."""
    cells = [v4.new_markdown_cell(text, metadata={"slideshow": {"slide_type": kind}}) for kind, text in SLIDES.items()]
    output, resources = SlidesExporter(config=CONFIG).from_notebook_node(v4.new_notebook(cells=cells))
    folder = tmp_path_factory.mktemp("slides")
    FilesWriter(build_directory=str(folder)).write(output, resources, notebook_name="lesson")
    return folder / "lesson.slides.html"


def test_a_page_loads_only_what_lies_beside_it(page):
    text = page.read_text(encoding="utf-8")
    loaded = re.findall(r"<script[^>]* src=\"([^\"]+)\"", text) + re.findall(r"<link[^>]* href=\"([^\"]+)\"", text)
    assert len(loaded) == 5 and all((page.parent / name).is_file() for name in loaded), loaded
    styles = [text, *(path.read_text(encoding="utf-8") for path in page.parent.rglob("*.css"))]
    for style in styles:
        assert not re.search(r"(@import|url\(|import .* from|import\()\s*[\"']?(https?:)?//", style)
    assert sum(path.stat().st_size for path in page.parent.rglob("*")) < 5_000_000
    assert len(list(page.parent.rglob("LICENSE"))) == 2


@contextmanager
def chromium(folder):
    """A function that sends a command of the DevTools protocol to a Chromium without a network, and returns the result."""
    offline = ("--headless", "--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND")
    command = [CHROMIUM, *offline, "--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        address = next(line for line in process.stderr if "DevTools listening" in line).split("//")[1].partition("/")[0]
        target = next(one for one in json.load(urlopen(f"http://{address}/json")) if one["type"] == "page")
        socket = websocket.create_connection(target["webSocketDebuggerUrl"], timeout=60, suppress_origin=True)

        def send(method: str, **parameters) -> dict:
            socket.send(json.dumps({"id": 1, "method": method, "params": parameters}))
            while "id" not in (answer := json.loads(socket.recv())):
                pass
            return answer["result"]

        try:
            yield send
        finally:
            process.terminate()


@pytest.mark.skipif(not CHROMIUM, reason="Neither Chromium nor Chrome is installed, which draw and print the slides.")
def test_without_a_network_each_slide_is_drawn_and_printed_on_a_page_of_its_own(page, tmp_path):
    drawn = "new Promise(done => setInterval(() => document.querySelectorAll('.pdf-page').length && done(document.body.outerHTML), 50))"
    with chromium(tmp_path) as send:
        send("Page.navigate", url=f"{page.as_uri()}?print-pdf")
        body = send("Runtime.evaluate", expression=drawn, awaitPromise=True)["result"]["value"]
        pdf = base64.b64decode(send("Page.printToPDF", preferCSSPageSize=True)["data"])
    first, second = body.split('class="pdf-page"')[1:]
    assert 'style="zoom' not in first and 'style="zoom' in second and "the last line" in second
    assert "<mjx-container" in first and "<mjx-container" in second and "$$" not in first and "merror" not in body
    assert len(re.findall(rb"/Type /Page\b", pdf)) == 2


def test_an_installation_without_the_scripts_is_told_what_to_install(monkeypatch):
    _, scripts = CONFIG.SlidesExporter.preprocessors
    monkeypatch.setitem(scripts.preprocess.__globals__, "SCRIPTS", {"no-such-package": ["reveal.js"]})
    with pytest.raises(SystemExit, match="package no-such-package.*pip install -r requirements.txt -c constraints.txt"):
        SlidesExporter(config=CONFIG).from_notebook_node(v4.new_notebook(cells=[v4.new_markdown_cell("text")]))
