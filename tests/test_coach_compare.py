"""`python -m coach compare`: your code beside the reference, for what is solved."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from coach import __main__ as coach
from coach.compare import code, compare, sides
from coach.compare.page import page
from desk import place
from grader import store
from grader.problems import PROBLEMS
from grader.report import next_step
from grader.verdict import Check, Report, Result

LORA = PROBLEMS["lora"]
RIGHT = LORA.reference.read_text(encoding="utf-8")
UNMERGE = RIGHT[RIGHT.index("    @torch.no_grad()\n    def unmerge") : RIGHT.index("def inject_lora")]
MERGE = '''
def merge(self):
    """Fold."""
    if self.merged:
        return
    fold(self.base.weight, self.delta_weight())  # in place
    self.merged = True


@torch.no_grad()
def fold(weight, update):
    weight += update


LoRALinear.merge = merge
'''


@pytest.fixture
def solved(tmp_path, monkeypatch):
    """A student's folder in which all of LoRA but `unmerge` is solved, and graded. Nothing is graded anew."""
    monkeypatch.setattr(place, "own", lambda: tmp_path)
    monkeypatch.setattr(store, "FOLDER", tmp_path / "grader")
    monkeypatch.setattr(sides.store, "remembered", lambda submission, problem: store_of[problem.id])
    cells = [RIGHT.replace("low_rank", "h").replace(UNMERGE, ""), MERGE, "this is no Python"]
    book = {"cells": [{"cell_type": "code", "source": [cell], "metadata": {}} for cell in cells], "metadata": {}, "nbformat": 4}
    path = LORA.notebook_path(".ipynb", tmp_path / "notebooks")
    path.parent.mkdir()
    path.write_text(json.dumps(book), encoding="utf-8")
    results = [
        Result(Check(f"check_{stub}", stub, 1, ("", "", ""), "Holds."), "failed" if stub.endswith("unmerge") else "passed")
        for stub in LORA.stubs
    ]
    store_of = {"lora": Report(LORA, results, path=str(path))}
    return path


def shown(capsys, monkeypatch, columns, *options):
    monkeypatch.setenv("COLUMNS", str(columns))
    status = coach.main(["compare", *options])
    return status, capsys.readouterr().out


def test_marks_what_differs_in_signs_and_fits_in_80_columns(solved, capsys, monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    status, text = shown(capsys, monkeypatch, 80, "lora", "--function", "forward")
    assert status == 2 and text == ""  # forward is no stub
    status, text = shown(capsys, monkeypatch, 80, "lora", "--function", "LoRALinear")
    assert status == 0 and "\x1b" not in text
    assert "-         h = F.linear(self.dropout(x), self.lora_A)  # (..., rank)" in text
    assert "+         low_rank = F.linear(self.dropout(x), self.lora_A)  # (..., rank)" in text
    assert text.index("Your code") < text.index("\n-  ") < text.index("The reference") < text.index("\n+  ")
    assert "base.weight holds the update already" in text.partition("reasons:")[2]
    assert "lora_B: parameter (out_features, rank), zeros." in text


def test_who_has_solved_all_is_told_of_it(solved, capsys, monkeypatch):
    done = Report(LORA, [Result(Check("a", stub, 1, ("", "", ""), "Holds."), "passed") for stub in LORA.stubs])
    command = next_step(done).partition("the reference: python -m coach ")[2].split()
    assert coach.main(command) == 0 and "The reference" in capsys.readouterr().out
    done = replace(done, live=True)
    assert next_step(done).endswith('the reference: from coach.compare import compare; compare("lora")')


def test_stands_side_by_side_where_there_is_room(solved, capsys, monkeypatch):
    _, text = shown(capsys, monkeypatch, 150, "lora", "--function", "merge")
    assert re.search(r"^\|     self\.merged = True +        self\.merged = True *$", text, re.MULTILINE)
    assert max(map(len, text.splitlines())) <= 150
    assert any(re.match(r"< .*weight \+= update", line) for line in text.splitlines())  # the own helper is shown, too
    assert "LoRALinear.merge = merge" not in text


def test_what_is_not_solved_is_named_with_what_to_do(solved, capsys, monkeypatch):
    _, text = shown(capsys, monkeypatch, 80, "lora")
    said = " ".join(text.partition("Not shown, since it is not solved:")[2].split())
    assert said.startswith("- LoRALinear.unmerge: 1 of 1 checks fail. Mend it in notebooks/08_problem_lora.ipynb")
    assert "self.base.weight -= self.delta_weight()" not in text  # the reference of what is not solved stays hidden
    status, text = shown(capsys, monkeypatch, 80, "LoRALinear.unmerge")
    assert status == 2 and "def unmerge" not in text


def test_up_to_three_other_right_ways_stand_below(solved, capsys, monkeypatch):
    _, text = shown(capsys, monkeypatch, 80, "lora", "--function", "merge")
    assert text.count("Another right way") == sides.MOST_WAYS
    assert "self.kept = self.base.weight.detach().clone()" in text
    monkeypatch.setattr(type(LORA), "variants", property(lambda problem: problem.folder / "none"))
    _, text = shown(capsys, monkeypatch, 80, "lora", "--function", "merge")
    assert "Another right way" not in text and "tests/variants" in text


def test_a_page_needs_nothing_else_and_escapes_code(solved, tmp_path):
    coach.main(["compare", "lora", "--html", str(tmp_path / "lora.html")])
    text = (tmp_path / "lora.html").read_text(encoding="utf-8")
    assert not re.search(r'(src|href)="', text)
    assert '<mark class="line yours">-         h = F.linear(self.dropout(x), self.lora_A)' in text
    assert "&gt;" in text and "-> None" not in text  # arrows of signatures
    closed = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag, attributes):
            if tag not in ("meta",):
                closed.append(tag)

        def handle_endtag(self, tag):
            assert closed.pop() == tag

    Tags().feed(text)
    assert not closed


def test_a_notebook_shows_the_same(solved):
    found = compare("lora", "merge")
    assert '<mark class="line reference">' in found._repr_html_()
    assert found._repr_html_() in page(found.found)
    assert "1 compared" in repr(found)


def test_without_solutions_or_with_a_wrong_name_it_says_so(solved, capsys, monkeypatch):
    assert coach.main(["compare", "lora", "--function", "mergee"]) == 2
    assert "Did you mean `merge`" in capsys.readouterr().err
    monkeypatch.setattr(type(LORA), "reference", property(lambda problem: problem.folder / "none.py"))
    assert coach.main(["compare", "lora"]) == 2
    assert "has no solutions" in capsys.readouterr().err


def test_code_that_changed_is_graded_first(solved, monkeypatch, capsys):
    from grader import judge

    report = sides.store.remembered(None, LORA)
    asked = []
    monkeypatch.setattr(sides.store, "remembered", lambda submission, problem: None)
    monkeypatch.setattr(sides.store, "remember", lambda submission, found: asked.append(submission.path))
    monkeypatch.setattr(sides.history, "note", lambda found: asked.append("noted"))
    monkeypatch.setattr(judge, "grade", lambda submission, problem: report)
    assert coach.main(["compare", "lora"]) == 0
    assert asked == [str(solved), "noted"] and "graded now" in capsys.readouterr().out


def test_the_last_definition_counts():
    first, second = "def f(x):\n    return x\n", "def f(x):\n    return g(x)\n\ndef g(x):\n    '''Doc.'''\n    return 2 * x\n"
    assert code.code_of([first, second], "f", ["f"]) == "def f(x):\n    return g(x)\n\n\ndef g(x):\n    return 2 * x"
    assert code.code_of([first], "h", ["h"]) == ""


def test_comments_and_blanks_make_no_difference():
    found = code.rows("x = 1  # mine\ny = 2", "x = 1\ny = 3\nz = 4")
    assert [row.sign for row in found] == [" ", "|", ">"]


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
def test_the_reference_of_every_stub_is_found(problem):
    source = problem.reference.read_text(encoding="utf-8")
    for stub in problem.stubs:
        text = code.code_of([source], stub, problem.stubs)
        compile(text, stub, "exec")
        kind = "class" if stub[0].isupper() and "." not in stub else "def"
        assert f"{kind} {stub.rpartition('.')[2]}" in text
        assert code.contract_of(source, stub)

