"""What can be handed in, what is taken from it, and what is said of broken files."""

import json
import os
import re

import jupytext
import nbformat
import pytest

from classroom.grading import runner
from classroom.outgoing.class_page import class_page
from classroom.outgoing.student_page import student_page
from grader import stubs
from grader.judge import grade
from grader.program import select
from grader.report import as_html, as_text
from grader.submission import Cell, Submission, SubmissionError, read, read_pair, read_path
from tests.conftest import graded, not_passed, write
from tests.test_pages import shown, student


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


@pytest.mark.parametrize(
    "data",
    ["# café".encode("latin-1"), b"# coding: no-such\n", "# é".encode("utf-16-le"), b"x = 1\0"],
    ids=["no_utf8", "unknown", "utf16_without_a_mark", "null"],
)
def test_a_file_in_another_encoding_is_told(tmp_path, data):
    path = tmp_path / "a.py"
    path.write_bytes(data)
    with pytest.raises(SubmissionError, match="cannot be read as text: .* Save it as UTF-8"):
        read(path)


@pytest.mark.parametrize("name", ["a.py", "a.PY", "a.Py"])
@pytest.mark.parametrize(
    "first, encoding", [("", "utf-8"), ("", "utf-8-sig"), ("", "utf-16"), ("# -*- coding: latin-1 -*-\n", "latin-1")]
)
def test_a_python_file_is_read_as_python_reads_it(tmp_path, name, first, encoding):
    path = tmp_path / name
    path.write_bytes(f"{first}x = 'é'\r\n".encode(encoding))
    assert read(path).cells[0].source == f"{first}x = 'é'\n"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_notebook_in_an_encoding_that_its_first_bytes_show_is_read(tmp_path, encoding):
    path = tmp_path / "a.ipynb"
    path.write_bytes(nbformat.writes(notebook("x = 'é'")).encode(encoding))
    assert [cell.source for cell in read(path).cells] == ["x = 'é'"]


@pytest.mark.parametrize("suffix", [".ipynb", ".md"])
def test_a_notebook_in_latin_1_is_told(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(jupytext.writes(notebook("x = 'é'"), suffix[1:]).encode("latin-1"))
    with pytest.raises(SubmissionError, match="cannot be read as text: .* Save it as UTF-8"):
        read(path)


def test_a_notebook_of_format_3_is_read(lora, tmp_path):
    book = notebook("# my work", *solved_sources(lora))
    book.cells.insert(0, nbformat.v4.new_markdown_cell("# Title"))
    path = tmp_path / "a.ipynb"
    path.write_text(nbformat.writes(book, version=3), encoding="utf-8")
    assert '"worksheets"' in path.read_text() and not_passed(grade(read_path(path), lora)) == []


def test_worksheets_that_are_no_notebook_are_told(tmp_path):
    with pytest.raises(SubmissionError, match="is JSON, but not a notebook"):
        read(write(tmp_path, "a.ipynb", '{"worksheets": 3, "nbformat": 3}'))


@pytest.mark.parametrize("suffix", [".IPYNB", ".MD"])
def test_capitals_in_the_ending_of_a_name_do_not_matter(tmp_path, suffix):
    jupytext.write(notebook("a = 1"), tmp_path / f"a{suffix.lower()}")
    path = (tmp_path / f"a{suffix.lower()}").rename(tmp_path / f"a{suffix}")
    assert [cell.source for cell in read_path(path).cells] == ["a = 1"]


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
    assert "make reset PROBLEM=lora STUB=merge_lora" in message


@pytest.mark.parametrize("near", ["Inject_Lora", "injectLora", "inject_LORA", "inject_lora_"])
def test_a_stub_whose_name_is_nearly_right_is_recognised(lora, near):
    assert f"There is `{near}`: was it renamed?" in message_on(lora, "inject_lora", lambda source: source.replace("inject_lora", near))


def test_a_definition_that_fails_says_why(lora):
    sources = solved_sources(lora)
    sources[1] = sources[1].replace("class LoRALinear(nn.Module)", "class LoRALinear(nn.Modul)")
    report = grade(Submission([Cell(f"code cell {n}", s) for n, s in enumerate(sources, 1)]), lora)
    message = report.first_failure.message
    assert "`LoRALinear` could not be defined: AttributeError" in message and "code cell 2, line 1" in message


# --- code that is there, but not where it counts ------------------------------------------------


def in_cells(problem, change=None, stub="") -> nbformat.NotebookNode:
    """The solved notebook with the tags of the course, changed by change(cells, place of the stub's cell)."""
    book = notebook(*solved_sources(problem))
    for cell, stub_cell in zip(book.cells[1:], problem.cells):
        cell.metadata["tags"] = stubs.tags(stub_cell)
    place = next((n for n, cell in enumerate(problem.cells, 1) if stub in cell), 0)
    book.cells.insert(place, nbformat.v4.new_markdown_cell("## The exercise\n\n```python\n# no heading\n```"))
    if change:
        change(book.cells, place + 1)
    return book


def report_on(problem, book, folder):
    nbformat.write(book, folder / "mine.ipynb")
    return grade(read_path(folder / "mine.ipynb"), problem)


def message_on(problem, stub: str, change) -> str:
    """What the first failing check of a stub says if the source of its cell is changed."""
    sources = solved_sources(problem)
    place = next(n for n, cell in enumerate(problem.cells, 1) if stub in cell)
    sources[place] = change(sources[place])
    report = grade(Submission([Cell(f"code cell {n}", s, place=n) for n, s in enumerate(sources, 1)]), problem)
    return report.of(stub).results[0].message


@pytest.mark.parametrize("kind, name", [("markdown", "Markdown"), ("raw", "raw")])
@pytest.mark.parametrize("stub", ["inject_lora", "LoRALinear.merge"])
@pytest.mark.parametrize("tagged", [True, False])
def test_a_stub_in_a_cell_that_is_not_run_is_told(lora, tmp_path, kind, name, stub, tagged):
    def change(cells, place):
        cells[place].cell_type = kind
        del cells[place]["outputs"], cells[place]["execution_count"]
        if not tagged:
            cells[place].metadata.pop("tags")

    report = report_on(lora, in_cells(lora, change, stub), tmp_path)
    title = stub if tagged else stub.rpartition(".")[2]
    said = (
        f"The cell of `{title}` is a {name} cell (under “The exercise”), so its code is not run. "
        "Make it a code cell again: press Esc, then Y."
    )
    assert report.of(stub).results[0].message == said and said in report.notices
    assert as_text(report).count(said) == 1  # although it holds up other stubs as well


def test_a_whole_notebook_of_markdown_is_told_cell_by_cell(lora, tmp_path):
    book = in_cells(lora)
    for cell in book.cells[1:]:
        cell.cell_type = "markdown"
        cell.pop("outputs", None), cell.pop("execution_count", None)
    assert "is a Markdown cell" in report_on(lora, book, tmp_path).of("LoRALinear").first_failure.message


def duplicate(problem, stub: str, offset: int):
    """Put a blank copy of a stub's cell below it (1) or above it (0)."""

    def change(cells, place):
        cell = nbformat.v4.new_code_cell(stubs.blank(problem, next(c for c in problem.cells if stub in c)))
        cell.metadata["tags"] = list(cells[place].metadata["tags"])
        cells.insert(place + offset, cell)

    return change


@pytest.mark.parametrize("stub", ["inject_lora", "LoRALinear.merge", "LoRALinear"])
def test_a_blank_copy_below_is_told(lora, tmp_path, stub):
    report = report_on(lora, in_cells(lora, duplicate(lora, stub, 1), stub), tmp_path)
    place = next(n for n, cell in enumerate(lora.cells, 2) if stub in cell)
    said = (
        f"`{stub}` is defined twice: in code cell {place} (under “The exercise”), and then as a blank stub in code cell "
        f"{place + 1} (under “The exercise”). The last one counts, so your code is not used. Delete the blank one."
    )
    assert report.of(stub).results[0].status == "todo" and report.of(stub).results[0].message == said
    assert as_text(report).count(said) == 1 and as_html(report).count(f"<code>{stub}</code> is defined twice") == 1


@pytest.mark.parametrize("stub", ["inject_lora", "LoRALinear.merge"])
def test_a_blank_copy_above_does_no_harm(lora, tmp_path, stub):
    report = report_on(lora, in_cells(lora, duplicate(lora, stub, 0), stub), tmp_path)
    assert not_passed(report) == [] and report.notices == []


def test_of_two_written_copies_the_one_that_counts_is_named_as_long_as_checks_fail(lora, tmp_path):
    def older_below(cells, place):
        cells.insert(place + 1, nbformat.v4.new_code_cell("def inject_lora(model, *rest): return []"))

    def older_above(cells, place):
        cells.insert(place, nbformat.v4.new_code_cell("def inject_lora(model, *rest): return []"))

    said = report_on(lora, in_cells(lora, older_below, "inject_lora"), tmp_path).notices
    assert len(said) == 1 and re.fullmatch("`inject_lora` is defined twice: in .* 5 .*, and in .* 6 .* The last one counts.", said[0])
    assert report_on(lora, in_cells(lora, older_above, "inject_lora"), tmp_path).notices == []


@pytest.mark.parametrize("source, words", [("", "is empty"), ("# def inject_lora(", "does not define it"), ("x = 3", "does not define it")])
def test_a_stub_cell_without_the_stub_is_told(lora, tmp_path, source, words):
    def change(cells, place):
        cells[place].source = source

    report = report_on(lora, in_cells(lora, change, "inject_lora"), tmp_path)
    assert report.of("inject_lora").results[0].message == (
        f"The cell of `inject_lora`, code cell 5 (under “The exercise”), {words}. Write `inject_lora` there."
    )


@pytest.mark.parametrize("stub", ["inject_lora", "LoRALinear.merge", "load_lora_state_dict"])
def test_a_deleted_stub_is_brought_back_alone(lora, tmp_path, stub):
    report = report_on(lora, in_cells(lora, lambda cells, place: cells.pop(place), stub), tmp_path)
    message = report.of(stub).results[0].message
    assert message.startswith(f"`{stub}` is not defined. `make reset PROBLEM=lora STUB={stub}` brings this one stub back")
    assert as_text(report).count(f"STUB={stub}`") == 1


def test_a_stub_that_is_imported_from_a_module_that_is_not_found(lora):
    for line in ("from mylib import LoRALinear", "from .mylib import thing as LoRALinear"):
        report = graded_sources(lora, line, LoRALinear=None)
        message = report.of("LoRALinear").first_failure.message
        assert "could not be imported" in message and f"`{line}`" in message
        assert "could not be imported: " in message and "was it renamed" not in message
    assert "`mylib` could not be imported" in graded_sources(lora, "import mylib", inject_lora="def inject_lora(*a): return mylib.f(*a)").of("inject_lora").first_failure.message


def test_a_blank_stub_below_in_the_same_file_is_told_with_its_line(lora, tmp_path):
    text = "\n\n".join([*solved_sources(lora), stubs.blank(lora, ("inject_lora",))])
    report = grade(read_path(write(tmp_path, "mine.py", text)), lora)
    message = report.of("inject_lora").results[0].message
    assert re.match(r"`inject_lora` is defined twice: in mine.py, line \d+, and then as a blank stub in line \d+. ", message)


def test_a_blank_stub_below_a_class_that_has_the_method_is_told(lora):
    report = grade(Submission([Cell("a", lora.reference.read_text(), place=1), Cell("b", stubs.blank(lora, lora.cells[2]), place=2)]), lora)
    assert report.of("LoRALinear.merge").results[0].message.startswith("`merge` is defined twice: in a, and then as a blank stub in b.")


def graded_sources(problem, first: str, **changed):
    """The report on the solved cells behind a first line, with the cells of some stubs changed or left out."""
    sources = [first, solved_sources(problem)[0]]
    for cell in problem.cells:
        source = changed.get(cell[0], stubs.solved(problem, cell))
        sources += [source] if source is not None else []
    return grade(Submission([Cell(f"code cell {n}", s, place=n) for n, s in enumerate(sources, 1)]), problem)


def test_a_stub_that_is_imported_and_found_is_noted(lora):
    report = graded_sources(lora, "from solutions.lora import inject_lora", inject_lora=None)
    assert report.of("inject_lora").score and any(
        notice.startswith("`inject_lora` is imported from `solutions.lora` (code cell 1).") for notice in report.notices
    )
    report = graded_sources(lora, "from solutions.lora import *", inject_lora=None)
    assert any("`inject_lora` does not stand here; it may come with a star import" in notice for notice in report.notices)


def test_a_star_import_that_is_not_found_is_told(lora):
    message = graded_sources(lora, "from mylib import *", inject_lora=None).of("inject_lora").first_failure.message
    assert message.startswith("`inject_lora` is not defined. It may belong to a star import, but `mylib` could not be imported")
    with pytest.raises(SubmissionError, match="defines none of .* star import, but `mylib` could not be imported"):
        grade(Submission([Cell("a.py", "from mylib import *")], "a.py"), lora)


def test_a_helper_that_is_not_found_is_told_at_its_import(lora):
    source = "from helpmod import last as last_of\ndef inject_lora(model, *rest):\n    return last_of(model)"
    message = graded_sources(lora, "", inject_lora=source).of("inject_lora").first_failure.message
    assert message.startswith("`helpmod` could not be imported: it is not there when a solution is graded — in code cell 6, line 1")


def test_a_name_whose_own_line_has_failed_is_told_there(lora):
    source = "table = nowhere['x']\ndef inject_lora(model, *rest):\n    return table"
    message = graded_sources(lora, "", inject_lora=source).of("inject_lora").first_failure.message
    assert message.startswith("`table` could not be defined: NameError: “name 'nowhere' is not defined” — in code cell 6, line 1")


def test_a_method_whose_cell_stands_above_the_class_is_told(lora, tmp_path):
    def change(cells, place):
        cells.append(nbformat.v4.new_code_cell(stubs.solved(lora, lora.cells[0])))

    report = report_on(lora, in_cells(lora, change), tmp_path)
    said = "`LoRALinear.merge` is not on the class. The line `LoRALinear.merge = merge` must stand in a cell below that of the class."
    assert report.of("LoRALinear.merge").results[0].message == said and said in as_text(report) and "must stand" in as_html(report)


def test_another_not_implemented_error_is_no_stub(lora):
    source = "def inject_lora(model, *rest, **options):\n    raise NotImplementedError('no dropout yet')"
    message = graded_sources(lora, "", inject_lora=source).of("inject_lora").results[0].message
    assert message == "NotImplementedError: “no dropout yet” — in code cell 6, line 2: `raise NotImplementedError('no dropout yet')`"


def test_nothing_is_said_of_a_stub_that_nobody_has_touched(lora):
    cells = [Cell(str(n), stubs.blank(lora, cell)) for n, cell in enumerate(lora.cells)]
    text = as_text(grade(Submission([Cell("setup", solved_sources(lora)[0]), *cells]), lora))
    assert text.splitlines() == ["0 of 59 points", *(f"{stub}: to do" for stub in lora.stubs)]


def test_the_pages_of_the_classroom_tell_it_to_both(lora, tmp_path):
    def change(cells, place):
        cells[place].cell_type = "markdown"
        del cells[place]["outputs"], cells[place]["execution_count"]
        cells.append(nbformat.v4.new_code_cell(stubs.solved(lora, lora.cells[0])))  # which drops the methods

    report = report_on(lora, in_cells(lora, change, "inject_lora"), tmp_path)
    checks = [runner._as_data(result) for result in report.results]
    result = {"student": "ada", "refused": "", "score": report.score, "max_score": report.max_score, "checks": checks}
    result |= {"notices": report.notices, "incidents": []}
    run = shown([student("ada")], {("ada", "lora"): result})
    own, everybody = student_page(run, "ada"), class_page(run)
    assert "<code>inject_lora</code> is a Markdown cell" in own and "<code>inject_lora</code> is a Markdown cell" in everybody
    assert "<code>LoRALinear.merge</code> is not on the class." in own


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
    assert len(submission.notices) == 1 and submission.notices[0].startswith(f"n{newer} counts: ")


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
    assert submission.cells[0].source == "a = 1" and "cannot be read" in submission.notices[0]


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
