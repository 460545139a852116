"""A solution may import the references of other problems, and none that would answer in its place."""

import importlib
import sys

import pytest

from grader.judge import grade
from grader.problems import PROBLEMS
from grader.references import Finder, module_of, references_for
from grader.submission import SubmissionError, read


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
def test_no_reference_is_given_that_holds_the_solution(problem):
    given = references_for(problem)
    assert module_of(problem) not in given
    assert not [name for name, source in given.items() if f"from {module_of(problem)} import" in source]


def test_the_problems_that_build_on_lora_get_it_and_lora_gets_none_of_them():
    assert all("solutions.lora" in references_for(PROBLEMS[one]) for one in ("preference", "qlora"))
    assert references_for(PROBLEMS["lora"]).keys() == {"solutions.sft", "solutions.peft"}


def graded(problem, folder, code: str):
    path = folder / "mine.py"
    path.write_text(code, encoding="utf-8")
    return grade(read(path), problem)


def test_code_that_imports_the_reference_of_another_problem_gets_full_points(lora, tmp_path):
    report = graded(lora, tmp_path, "from solutions.sft import IGNORE_INDEX\nimport solutions.peft\n" + lora.reference.read_text())
    assert report.score == report.max_score


@pytest.mark.parametrize(
    "line",
    [
        "from solutions.lora import *",
        "from solutions import lora\nLoRALinear = lora.LoRALinear",
        "from solutions.preference import LoRALinear",
        "import importlib\nLoRALinear = importlib.import_module('solutions.qlora').LoRALinear",
    ],
)
def test_a_solution_cannot_be_taken_from_a_reference_on_any_way(lora, tmp_path, line):
    try:
        assert graded(lora, tmp_path, f"{line}\n\ndef merge_lora(model):\n    return model\n").of("LoRALinear").score == 0
    except SubmissionError as error:
        assert "solutions" in str(error)


def test_a_reference_is_found_by_its_source_alone(monkeypatch):
    monkeypatch.setattr(sys, "meta_path", [Finder({"solutions.given": "VALUE = 3"})])
    for name in [name for name in sys.modules if name.partition(".")[0] == "solutions"]:
        monkeypatch.delitem(sys.modules, name)
    assert importlib.import_module("solutions.given").VALUE == 3
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("solutions.lora")
    for name in ("solutions", "solutions.given"):
        del sys.modules[name]
