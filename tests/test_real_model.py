"""The notebook of the real model, which most machines do not have: its code is run on the tiny model, in the same kind of file."""

import json
import os

import jupytext
import nbclient
import pytest

from grader.problems import ROOT
from lab import checkpoint, general
from tests.test_checkpoints import write_gguf

NOTEBOOK = ROOT / "notebooks" / "09_real_model.md"
ONLY_REAL = "claim:real.lora_learns_the_task"  # what is asserted there, no other model does in so few steps


def run(notebook, **options):
    client = nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": ROOT / "notebooks"}}, **options)
    return client.execute()


def printed(cell) -> str:
    return "".join(output.get("text", "") for output in cell.outputs)


def test_its_code_runs_on_a_tiny_gguf_file(tmp_path):
    pytest.importorskip("trl", reason="TRL is not installed: pip install -r requirements-real.txt -c constraints.txt.")
    template = json.loads((checkpoint.TINY / "tokenizer_config.json").read_text())["chat_template"]
    write_gguf(tmp_path / "tiny.gguf", lambda writer: writer.add_chat_template(template))
    notebook = jupytext.read(NOTEBOOK)
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and "elsewhere:install" not in cell.metadata.get("tags", [])]
    smaller = {
        "STEPS, ROWS = 50, 8": "STEPS, ROWS = 3, 4",
        "HELD_OUT, ASKED = 64, 40": "HELD_OUT, ASKED = 8, 4",
        'checkpoint.load("smollm2")': f"checkpoint.load({str(tmp_path / 'tiny.gguf')!r})",
    }
    for real, small in smaller.items():
        assert code[0].source.count(real) == 1
        code[0].source = code[0].source.replace(real, small)
    for cell in code:
        if ONLY_REAL in cell.metadata.get("tags", []):
            cell.source = cell.source[: cell.source.index("\nassert ")]
    run(notebook)  # with the claims that hold for any model
    assert "your LoRA" in "".join(map(printed, code)) and "TRL and PEFT" in "".join(map(printed, code))


def test_without_the_model_it_says_so_in_a_sentence(tmp_path, monkeypatch):
    for name, value in {"COURSE_CACHE": tmp_path, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": tmp_path, "PIP_CONFIG_FILE": os.devnull}.items():
        monkeypatch.setenv(name, str(value))
    notebook = jupytext.read(NOTEBOOK.with_suffix(".ipynb"))
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and "elsewhere:install" not in cell.metadata.get("tags", [])]
    before = [cell.outputs for cell in code[1:]]
    with pytest.raises(nbclient.exceptions.CellExecutionError):  # as Run all does, it stops at the first error
        run(notebook)
    shown = code[0].outputs[-1]["traceback"]
    assert len(shown) == 1 and shown[0].startswith("SmolLM2 was not downloaded.") and "make real" in shown[0]
    assert [cell.outputs for cell in code[1:]] == before != [[]] * len(before)


@pytest.mark.parametrize(
    "accepted, text, right",
    [
        (["Paris"], "The capital of France is Paris.", True),
        (["8", "eight"], "It has Eight legs", True),
        (["8", "eight"], "It has 18 legs", False),
        (["Au"], "Australia", False),
        (["H₂O"], "It is H₂O.", True),
    ],
)
def test_a_fact_is_told_by_a_word_of_its_own(accepted, text, right):
    assert general.is_told(accepted, text) is right
