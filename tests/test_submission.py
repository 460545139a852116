"""What can be handed in, what is taken from it, and what is said of broken files."""

import json
import os

import jupytext
import nbformat
import pytest

from grader import stubs
from grader.judge import grade
from grader.submission import Cell, Submission, SubmissionError, read, read_pair, read_path, select
from tests.conftest import graded, not_passed, write


def notebook(*sources: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])


def solved_sources(problem) -> list[str]:
    setup = "import math\nfrom collections.abc import Sequence\nimport torch\nimport torch.nn.functional as F\nfrom torch import nn"
    return [setup, *(stubs.solved(problem, cell) for cell in problem.cells)]


def kept_lines(*sources: str) -> str:
    import ast

    program = select([Cell(str(number), source) for number, source in enumerate(sources)], {"f"})
    return "\n".join(ast.unparse(statement) for _, statements in program.parts for statement in statements)


# --- which statements are run -------------------------------------------------------------------


def test_only_what_the_stubs_need_is_kept():
    kept = kept_lines(
        "import heavy\nimport light as l\nSCALE = 2\nmodel = heavy.load()",
        "def helper(x): return l.go(x)\ndef unused(): return model",
        "def f(model): return helper(model) * SCALE",
        "f(model)\ncheck('f')",
    )
    assert kept == (
        "import light as l\nSCALE = 2\ndef helper(x):\n    return l.go(x)\ndef f(model):\n    return helper(model) * SCALE"
    )


def test_patches_and_redefinitions_are_kept_in_order():
    kept = kept_lines("class f: pass", "def g(self): pass\nf.g = g", "class f(f): pass\nsetattr(f, 'h', g)")
    assert kept.count("class f") == 2 and kept.index("f.g = g") < kept.index("class f(f)") < kept.index("setattr")


def test_star_imports_and_fallback_imports_are_kept():
    assert "import *" in kept_lines("from math import *", "def f(): return sqrt(2)")
    assert "except" in kept_lines("try:\n    import a\nexcept ImportError:\n    a = None", "def f(): return a")


@pytest.mark.parametrize(
    "source",
    [
        "%matplotlib inline\n!pip install x\ndef f(): return 1",
        "%%time\ndef f(): return 1",
        "def f():\n    %timeit 3\n    return 1\nf?",
        "files = !ls\nx = %sql select\ndef f(): return 1",
        "%%capture out\n\ndef f(): return 1",
    ],
)
def test_magics_and_shell_lines_are_left_out(source):
    assert "return 1" in kept_lines(source)


def test_cells_of_other_languages_are_left_out():
    assert kept_lines("%%bash\nfor i in 1 2; do echo $i; done", "def f(): return 1").startswith("def f")


def test_line_numbers_survive_magics(lora):
    code = "%matplotlib inline\n!pip install x\n\ndef delta_weight(self):\n    return nothing\nLoRALinear.delta_weight = delta_weight"
    message = graded(lora, code).of("LoRALinear.delta_weight").first_failure.message
    assert "code cell 2, line 5: `return nothing`" in message


# --- formats ------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".ipynb", ".md", ".py"])
def test_a_solved_notebook_gets_all_points_in_each_format(lora, tmp_path, suffix):
    path = tmp_path / f"mine{suffix}"
    jupytext.write(notebook("# my work", *solved_sources(lora), "model = load('x')"), path)
    assert not_passed(grade(read_path(path), lora)) == []


def test_a_cell_is_cited_with_the_heading_above_it(lora, tmp_path):
    book = notebook(*solved_sources(lora))
    book.cells.insert(2, nbformat.v4.new_markdown_cell("# Exercise 2\n\ntext"))
    book.cells[3].source = "def delta_weight(self):\n    return 1 / 0\nLoRALinear.delta_weight = delta_weight"
    path = tmp_path / "mine.ipynb"
    nbformat.write(book, path)
    message = grade(read_path(path), lora).of("LoRALinear.delta_weight").first_failure.message
    assert "code cell 3 (under “Exercise 2”), line 2: `return 1 / 0`" in message


# --- files that cannot be graded ----------------------------------------------------------------


@pytest.mark.parametrize(
    "name, text, words",
    [
        ("a.ipynb", "", "is empty"),
        ("a.ipynb", "<<<<<<< HEAD\n{}", "is not valid JSON (line 1"),
        ("a.ipynb", "[1, 2]", "is JSON, but not a notebook"),
        ("a.ipynb", '{"cells": [{"source": []}]}', "is JSON, but not a notebook"),
        ("a.txt", "x", "only these can be graded"),
    ],
)
def test_a_broken_file_is_one_sentence(tmp_path, name, text, words):
    with pytest.raises(SubmissionError, match=words.replace("(", r"\(")):
        read(write(tmp_path, name, text))


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path):
    with pytest.raises(SubmissionError, match="does not exist"):
        read(tmp_path / "no.py")
    with pytest.raises(SubmissionError, match="is a folder"):
        read(tmp_path)


def test_a_file_in_another_encoding_is_told(tmp_path):
    path = tmp_path / "a.py"
    path.write_bytes("# caf\xe9".encode("latin-1"))
    with pytest.raises(SubmissionError, match="cannot be read as text"):
        read(path)


def test_a_notebook_of_another_course_is_told(lora, tmp_path):
    path = write(tmp_path, "a.py", "def fibonacci(n): return n\n")
    with pytest.raises(SubmissionError, match="defines none of LoRALinear, inject_lora"):
        grade(read_path(path), lora)


def test_a_syntax_error_costs_its_own_cell_only(lora):
    sources = solved_sources(lora)
    sources[4] = sources[4].replace("def inject_lora(", "def inject_lora(((", 1)
    report = grade(Submission([Cell(f"code cell {n}", s) for n, s in enumerate(sources, 1)]), lora)
    assert report.of("LoRALinear").score == report.of("LoRALinear").max_score
    message = report.of("inject_lora").first_failure.message
    assert message.startswith("`inject_lora` could not be read. Syntax error in code cell 5, line")
    assert any("Syntax error in code cell 5" in notice for notice in report.notices)


def test_a_renamed_stub_is_recognised(lora):
    sources = [source.replace("merge_lora", "merge_LoRA") for source in solved_sources(lora)]
    report = grade(Submission([Cell(str(n), s) for n, s in enumerate(sources)]), lora)
    message = report.of("merge_lora").first_failure.message
    assert "`merge_lora` is not defined. There is `merge_LoRA`: was it renamed?" in message
    assert "make reset PROBLEM=lora" in message


def test_a_definition_that_fails_says_why(lora):
    sources = solved_sources(lora)
    sources[1] = sources[1].replace("class LoRALinear(nn.Module)", "class LoRALinear(nn.Modul)")
    report = grade(Submission([Cell(f"code cell {n}", s) for n, s in enumerate(sources, 1)]), lora)
    message = report.first_failure.message
    assert "`LoRALinear` could not be defined: AttributeError" in message and "code cell 2, line 1" in message


# --- the two halves of a notebook ---------------------------------------------------------------


def write_pair(folder, ipynb: str, md: str, *, newer: str):
    paths = {".ipynb": folder / "n.ipynb", ".md": folder / "n.md"}
    jupytext.write(notebook(ipynb), paths[".ipynb"])
    jupytext.write(notebook(md), paths[".md"])
    for suffix, path in paths.items():
        os.utime(path, (2000, 2000) if suffix == newer else (1000, 1000))
    return folder / "n.ipynb"


@pytest.mark.parametrize("newer, source", [(".ipynb", "a = 1"), (".md", "b = 2")])
def test_if_the_halves_disagree_the_newer_counts(tmp_path, newer, source):
    submission = read_pair(write_pair(tmp_path, "a = 1", "b = 2", newer=newer))
    assert [cell.source for cell in submission.cells] == [source]
    assert submission.notices == [
        f"n{newer} and n{'.md' if newer == '.ipynb' else '.ipynb'} hold different code. n{newer} is newer, so it was graded."
    ]


def test_halves_that_agree_need_no_notice(tmp_path):
    assert read_pair(write_pair(tmp_path, "a = 1", "a = 1", newer=".md")).notices == []


def test_a_path_that_was_asked_for_is_graded_even_if_older(tmp_path):
    path = write_pair(tmp_path, "a = 1", "b = 2", newer=".md")
    submission = read_path(path)
    assert [cell.source for cell in submission.cells] == ["a = 1"]
    assert "n.md is newer, but you asked for n.ipynb" in submission.notices[0]


def test_one_half_is_enough_and_none_is_told(tmp_path):
    path = write_pair(tmp_path, "a = 1", "a = 1", newer=".md")
    path.unlink()
    assert read_pair(path).cells[0].source == "a = 1"
    path.with_suffix(".md").unlink()
    with pytest.raises(SubmissionError, match="is missing, and so is its .md"):
        read_pair(path)


def test_a_broken_half_is_told_and_the_newer_graded(tmp_path):
    path = write_pair(tmp_path, "a = 1", "a = 1", newer=".md")
    path.write_text("{")
    os.utime(path, (1000, 1000))
    submission = read_pair(path)
    assert submission.cells[0].source == "a = 1" and "left out" in submission.notices[0]


def test_notebook_json_written_by_jupyter_is_read(tmp_path):
    book = {
        "cells": [{"cell_type": "code", "source": ["a = 1\n", "b = 2"], "metadata": {}, "outputs": []}],
        "nbformat": 4,
    }
    assert read(write(tmp_path, "a.ipynb", json.dumps(book))).cells == [Cell("code cell 1", "a = 1\nb = 2")]


def test_cells_of_the_same_label_are_told_apart(lora):
    # Some front ends do not count executions, so every cell is In [1].
    sources = [
        lora.reference.read_text(),
        "def delta_weight(self):\n    return self.x\nLoRALinear.delta_weight = delta_weight",
    ]
    report = grade(Submission([Cell("In [1]", source) for source in sources]), lora)
    assert "In [1], line 2: `return self.x`" in report.of("LoRALinear.delta_weight").first_failure.message


def test_a_class_defined_anew_has_its_later_methods_to_do(lora):
    # As when a learner runs the class's cell again, and not yet those of its methods.
    sources = [*solved_sources(lora), stubs.solved(lora, lora.cells[0])]
    report = grade(Submission([Cell(f"In [{n}]", source) for n, source in enumerate(sources, 1)]), lora)
    assert report.of("LoRALinear").score == report.of("LoRALinear").max_score
    merge = report.of("LoRALinear.merge").results[0]
    assert merge.status == "todo" and "`LoRALinear.merge` is not on the class." in merge.message


@pytest.mark.parametrize("source", ["x = 1\nnonlocal x", "def f(:", "\tx = 1", "f'{'"])
def test_a_cell_that_python_refuses_is_left_out(source):
    program = select([Cell("1", source), Cell("2", "def f(): return 1")], {"f"})
    assert [cell.label for cell in program.broken] == ["1"] and len(program.parts) == 1
