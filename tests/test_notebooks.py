"""The notebooks as committed, and with the reference in place of the stubs."""

import copy
import re
import subprocess
import sys
from itertools import pairwise

import jupytext
import nbclient
import nbformat
import pytest

from grader import stubs
from grader.checks import checks_of
from grader.problems import PROBLEMS, ROOT
from quiz import register

NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb"))
by_name = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
TOPICS = [path for path in NOTEBOOKS if "\n# Topic " in path.with_suffix(".md").read_text(encoding="utf-8")]
by_topic = pytest.mark.parametrize("path", TOPICS, ids=lambda path: path.stem)


def run(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Run all cells in a fresh kernel."""
    notebook = copy.deepcopy(notebook)
    nbclient.NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": ROOT / "notebooks"}}
    ).execute()
    return notebook


def texts(cell) -> str:
    return "".join(
        output.get("text", "") or str(output.get("data", {}).get("text/plain", "")) for output in cell.outputs
    )


def tagged(notebook, start: str) -> dict:
    return {tag: cell for cell in notebook.cells for tag in cell.metadata.get("tags", []) if tag.startswith(start)}


def pages(cells) -> list[str]:
    """The outputs of cells that are HTML."""
    return [output.get("data", {}).get("text/html", "") for cell in cells for output in cell.get("outputs", [])]


def pictures(cells) -> list[str]:
    return [page for page in pages(cells) if page.startswith("<img ")]


def alternative_text(picture: str) -> str:
    return re.search(r'alt="([^"]*)"', picture)[1]


PICTURES = {"sft": 2, "peft": 2, "lora": 3, "preference": 4, "qlora": 3}


@pytest.fixture(scope="module", params=PROBLEMS.values(), ids=PROBLEMS)
def solved(request):
    """A problem, and its notebook run with the reference in place of the stubs."""
    problem = request.param
    notebook = jupytext.read(problem.notebook_path(".ipynb"))
    assert stubs.put(notebook, problem, stubs.solved) == []
    return problem, run(notebook)


@by_name
def test_both_halves_are_in_step(path):
    def content(half):
        marks = ("tags", "slideshow")
        return [(c.cell_type, c.source, [c.metadata.get(mark) for mark in marks]) for c in jupytext.read(half).cells]

    assert content(path) == content(path.with_suffix(".md"))


@by_name
def test_every_committed_cell_was_run_in_order_without_an_error(path):
    cells = [cell for cell in jupytext.read(path).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error"]


@by_name
def test_claims_have_names_of_their_own_and_assert(path):
    notebook = jupytext.read(path)
    names = [tag for cell in notebook.cells for tag in cell.metadata.get("tags", []) if tag.startswith("claim:")]
    assert names and len(names) == len(set(names))
    for name, cell in tagged(notebook, "claim:").items():
        assert re.search(r"^ *assert ", cell.source, re.MULTILINE), name


@by_name
def test_above_every_claim_stands_its_anchor(path):
    cells = jupytext.read(path.with_suffix(".md")).cells
    lines = [line for cell in cells for line in cell.source.splitlines()]
    for above, cell in pairwise(cells):
        for claim in tagged(nbformat.from_dict({"cells": [cell]}), "claim:"):
            heading = f"###### {register.anchor(claim)}"
            assert above.cell_type == "markdown" and heading in above.source.splitlines(), claim
            assert lines.count(heading) == 1


# The characters of a line of code that JupyterLab shows in a window of 1280 pixels with the file browser open.
WIDTH = 106


@by_name
def test_code_and_what_it_prints_fit_on_a_small_screen(path):
    cells = [cell for cell in jupytext.read(path).cells if cell.cell_type == "code"]
    printed = [output.get("text", "") for cell in cells for output in cell.outputs]
    lines = "\n".join([*(cell.source for cell in cells), *printed]).splitlines()
    assert not [line for line in lines if len(line) > WIDTH]


def slides_of(path) -> list[list]:
    """The cells of a topic, slide by slide. What is skipped is left out."""
    slides = []
    for cell in jupytext.read(path).cells:
        kind = cell.metadata.get("slideshow", {}).get("slide_type")
        if kind in ("slide", "subslide"):
            slides.append([])
        if kind != "skip":
            slides[-1].append(cell)
    return slides


PARTS = [
    "# Topic ",
    "## The one-minute answer",
    "## The whiteboard answer",
    "## What an interviewer asks next",
    "## Sources",
]
ARTICLE = "## What the article says, and what is true"  # it speaks of the first five topics alone


@by_topic
def test_topics_have_the_same_parts_each_on_a_slide(path):
    first_lines = [slide[0].source.partition("\n")[0] for slide in slides_of(path)]
    found = [line for line in first_lines if line.startswith(tuple(PARTS))]
    assert len(found) == len(PARTS) and all(line.startswith(part) for line, part in zip(found, PARTS))
    assert (ARTICLE in first_lines) == path.name.startswith("0")
    headings = re.findall(
        r"^##? .*", "\n".join(c.source for c in jupytext.read(path).cells if c.cell_type == "markdown"), re.M
    )
    assert [line for line in first_lines if line.startswith(("# ", "## "))] == headings


@by_topic
def test_no_slide_holds_two_figures_or_two_claims(path):
    for slide in slides_of(path):
        assert len(pictures(slide)) <= 1
        assert sum(cell.source.count("**Claim:**") for cell in slide) <= 1


@by_topic
def test_the_one_minute_answer_takes_a_minute(path):
    cell = next(c for c in jupytext.read(path).cells if c.source.startswith("## The one-minute answer"))
    assert 100 <= len(cell.source.split()) <= 165  # 120 words, give or take


@by_topic
def test_follow_up_questions_have_folded_answers(path):
    cell = next(c for c in jupytext.read(path).cells if c.source.startswith("## What an interviewer asks next"))
    assert cell.source.count("<details><summary>") == cell.source.count("</details>") >= 8


@by_name
def test_committed_figures_have_alternative_text(path):
    cells = jupytext.read(path).cells
    assert not [output for cell in cells for output in cell.get("outputs", []) if "image/png" in output.get("data", {})]
    assert all(len(alternative_text(picture)) > 30 for picture in pictures(cells))


def addresses(path) -> set[str]:
    """The fragments that lead into a file.

    In a notebook these are headings without capitals and blanks: on others JupyterLab and GitHub do not agree.
    """
    headings = re.findall(r"^#+ (.+)$", path.with_suffix(".md").read_text(encoding="utf-8"), re.MULTILINE)
    if path.suffix == ".ipynb":
        return {heading for heading in headings if re.fullmatch(r"[a-z0-9_-]+", heading)}
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@by_name
def test_links_lead_somewhere(path):
    cells = jupytext.read(path).cells
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    links = re.findall(r"\]\(([^)\s]+)\)", prose) + re.findall(r'<a href="([^"]+)"', "".join(pages(cells)))
    for link in links:
        file, _, fragment = link.partition("#")
        if not link.startswith("https://"):
            target = (path.parent / file).resolve() if file else path
            assert target.exists() and (not fragment or fragment in addresses(target)), link


FORM = ["**Contract.**", "*Difficulty ", " minutes.*"]


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
def test_every_exercise_has_the_same_form(problem):
    # heading with its number, difficulty and minutes, contract, stub, check: in all three notebooks
    cells = jupytext.read(problem.notebook_path(".ipynb")).cells
    places = [i for i, cell in enumerate(cells) if any(t.startswith("stub:") for t in cell.metadata.get("tags", []))]
    assert len(places) == len(problem.cells)
    for number, (place, stub_cell) in enumerate(zip(places, problem.cells), 1):
        above = [cell.source for cell in cells[:place] if cell.cell_type == "markdown"][-1]
        assert f"## Exercise {number}: " in above and all(part in above for part in FORM)
        assert cells[place + 1].source == f"check({', '.join(map(repr, stub_cell))})".replace("'", '"')


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
def test_the_stubs_are_those_of_the_reference(problem):
    cells = tagged(jupytext.read(problem.notebook_path(".ipynb")), "stub:")
    assert list(cells) == [tag for cell in problem.cells for tag in stubs.tags(cell)]
    for cell in problem.cells:
        assert cells[stubs.tags(cell)[0]].source == stubs.blank(problem, cell)


def test_the_solved_notebook_gets_full_points_in_its_cell(solved):
    problem, notebook = solved
    cell = next(cell for cell in notebook.cells if cell.source == f'check("{problem.id}")')
    most = sum(check.points for check in checks_of(problem.id).values())
    assert f"{most} of {most} points" in texts(cell) and "fail" not in texts(cell)


def test_the_solved_notebook_runs_every_cell(solved):
    _, notebook = solved
    assert not [cell.source for cell in notebook.cells if "To do:" in (texts(cell) if cell.cell_type == "code" else "")]


def test_the_solved_notebook_draws_its_figures_with_alternative_text(solved):
    problem, notebook = solved
    drawn = pictures(notebook.cells)
    assert len(drawn) == PICTURES[problem.id]
    assert all(len(alternative_text(picture)) > 30 for picture in drawn)


def test_a_notebook_answers_wrong_calls_with_a_sentence(lora):
    cells = [
        'from grader.notebook import start\ncheck, hint = start("lora")',
        'check("LoRALinear.forword")',
        'check("lora")',
        "def lora_state_dict(model): return model.state_dict()",
        'hint("lora_state_dict")',
        "history = lora_state_dict(1, 2, 3)",
        "%matplotlib inline\nraise NotImplementedError('LoRALinear.merge')\nhistory = 3",
        "print(history[0] + 1)",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
    client = nbclient.NotebookClient(notebook, timeout=60, kernel_name="python3", allow_errors=True)
    outputs = [texts(cell) for cell in client.execute().cells]
    assert outputs[1].startswith("There is no `LoRALinear.forword`. Did you mean `LoRALinear")
    assert outputs[2].startswith("None of the stubs of LoRA is known to this kernel yet.")
    assert "Hint 1 of 3: What must be saved" in outputs[4]
    assert notebook.cells[5].outputs[0].output_type == "error"  # a real error stays one
    assert outputs[6] == "To do: this cell needs LoRALinear.merge, which is still a stub.\n"
    assert outputs[7] == outputs[6]


def test_the_slides_show_figures_with_alternative_text_and_without_their_code(tmp_path):
    config = ["--config", str(ROOT / "lab" / "slides" / "config.py"), f"--FilesWriter.build_directory={tmp_path}"]
    command = [sys.executable, "-m", "jupyter", "nbconvert", *config, str(TOPICS[1])]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    page = (tmp_path / f"{TOPICS[1].stem}.slides.html").read_text(encoding="utf-8")
    texts_shown = [alternative_text(picture) for picture in re.findall(r"<img [^>]*>", page)]
    assert texts_shown and all(len(text) > 30 and page.count(text) == 1 for text in texts_shown)
    assert page.count("<section>") >= len(slides_of(TOPICS[1])) and "plots" not in re.sub(
        r"<style.*?</style>", "", page, flags=re.S
    )
