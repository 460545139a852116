"""The notebooks as committed, and with the reference in place of the stubs."""

import copy
import re

import jupytext
import nbclient
import nbformat
import pytest

from grader import stubs
from grader.checks import checks_of
from grader.problems import PROBLEMS, ROOT

NOTEBOOKS = sorted(ROOT.glob("notebooks/*.ipynb"))
by_name = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


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


PICTURES = {"sft": 2, "peft": 2, "lora": 3}


@pytest.fixture(scope="module", params=PROBLEMS.values(), ids=PROBLEMS)
def solved(request):
    """A problem, and its notebook run with the reference in place of the stubs."""
    problem = request.param
    notebook = jupytext.read(problem.notebook_path(".ipynb"))
    assert stubs.put(notebook, problem, stubs.solved) == []
    return problem, run(notebook)


@by_name
def test_both_halves_are_in_step(path):
    ipynb, md = jupytext.read(path), jupytext.read(path.with_suffix(".md"))
    assert [(c.cell_type, c.source, c.metadata.get("tags")) for c in ipynb.cells] == [
        (c.cell_type, c.source, c.metadata.get("tags")) for c in md.cells
    ]


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
def test_links_inside_a_notebook_lead_somewhere(path):
    text = path.with_suffix(".md").read_text(encoding="utf-8")
    headings = {line.lstrip("#").strip().replace(" ", "-") for line in text.splitlines() if line.startswith("#")}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= headings


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
    pictures = [
        output for cell in notebook.cells if cell.cell_type == "code"
        for output in cell.outputs if "image/png" in output.get("data", {})
    ]  # fmt: skip
    assert len(pictures) == PICTURES[problem.id]
    assert all(len(picture.metadata["image/png"]["alt"]) > 30 for picture in pictures)


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
    assert outputs[1].startswith("there is no problem or stub 'LoRALinear.forword'; there are sft, SequenceClassifier")
    assert "defines none of" in outputs[2]
    assert "Hint 1 of 3: What must be saved" in outputs[4]
    assert notebook.cells[5].outputs[0].output_type == "error"  # a real error stays one
    assert outputs[6] == "To do: this cell needs LoRALinear.merge, which is still a stub.\n"
    assert outputs[7] == outputs[6]
