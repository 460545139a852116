"""What was graded once is told again, as long as nothing has changed that it depends on."""

import json
import subprocess
import sys

import pytest

from grader import store
from grader.problems import ROOT
from grader.submission import Cell, Submission
from grader.verdict import Check, Mistake, Report, Result

METHODS = "class LoRALinear: pass\n" + "".join(
    f"def {name}(*a): pass\n"
    for name in ("delta_weight", "merge", "unmerge", "lora_state_dict", "load_lora_state_dict", "merge_lora")
)
SOURCES = [f"import torch\n{METHODS}", "def inject_lora(model, names, rank, alpha):\n    return helper(model)", "def helper(model): return []"]


def submission(*sources: str, **more) -> Submission:
    return Submission([Cell(f"code cell {number}", source) for number, source in enumerate(sources, 1)], **more)


def report(problem, status: str = "failed") -> Report:
    check = Check("wraps", "inject_lora", 3, ("a", "b", "c"), "It wraps.")
    result = Result(check, status, "names: missing q_proj.", Mistake("none", "Nothing is wrapped.", "So nothing learns.", "code"))
    return Report(problem, [result], ["a note"])


@pytest.fixture
def kept(lora, tmp_path):
    """A store that knows the verdict on SOURCES."""
    store.remember(submission(*SOURCES), report(lora), tmp_path)
    return tmp_path


def test_a_verdict_is_told_as_it_was_given(lora, kept):
    told = store.remembered(submission(*SOURCES, path="mine.ipynb"), lora, kept)
    (result,), (before,) = told.results, report(lora).results
    assert (result.check, result.status, result.message) == (before.check, before.status, before.message)
    assert (result.diagnosis.title, result.diagnosis.lesson) == (before.diagnosis.title, before.diagnosis.lesson)
    assert told.path == "mine.ipynb" and told.notices == ["a note"] and (told.score, told.max_score) == (0, 3)


def test_a_module_beside_the_notebook_counts(lora, tmp_path):
    def known() -> bool:
        one = submission("import helpers", *SOURCES[:2], "def helper(model): return helpers.x", path=str(tmp_path / "mine.ipynb"))
        found = store.remembered(one, lora, tmp_path / "store") is not None
        store.remember(one, report(lora), tmp_path / "store")
        return found

    for name, text in [("helpers.py", "from parts import x"), ("parts.py", "x = 1"), ("parts.py", "x = 2")]:
        (tmp_path / name).write_text(text)
        assert not known() and known()
    (tmp_path / "others.py").write_text("x = 1")
    assert known()


@pytest.mark.parametrize(
    "sources",
    [
        [*SOURCES[:2], "def helper(model): return [1]"],  # what a stub calls
        [*SOURCES[:2], "from torch import nn\ndef helper(model): return nn"],
        ["x = 1", *SOURCES],  # the cells have other numbers, which messages name
        [*SOURCES, "def inject_lora(*a): return []"],  # a later definition
        [*SOURCES, "def merge_lora(model:"],  # a cell that does not parse
        [SOURCES[0].replace("def merge_lora", "def merge_Lora"), *SOURCES[1:]],  # a stub that is gone
        [SOURCES[0], "\n" + SOURCES[1], SOURCES[2]],  # other line numbers
    ],
)
def test_code_that_counts_is_graded_again(lora, kept, sources):
    assert store.remembered(submission(*sources), lora, kept) is None


@pytest.mark.parametrize("sources", [[*SOURCES, "train(model)\nplot()"], [f"{SOURCES[0]}\nunused = 2", *SOURCES[1:]]])
def test_experiments_do_not_count(lora, kept, sources):
    assert store.remembered(submission(*sources), lora, kept)


def test_another_grader_grades_again(lora, kept, monkeypatch):
    monkeypatch.setattr(store, "grader_key", lambda: "another")
    assert store.remembered(submission(*SOURCES), lora, kept) is None


def test_the_key_of_the_grader_covers_checks_references_and_mistakes():
    covered = {path.relative_to(ROOT).as_posix() for pattern in store.CODE for path in ROOT.glob(pattern)}
    assert {"grader/judge.py", "grader/checks/lora/merge.py", "grader/mistakes/lora/scaling_inverted.py", "solutions/lora.py"} <= covered


def test_a_text_that_has_not_changed_is_not_looked_through_again(lora, kept, monkeypatch):
    monkeypatch.setattr(store, "select", None)
    assert store.remembered(submission(*SOURCES), lora, kept)
    with pytest.raises(TypeError):
        store.code_key(submission(*SOURCES, "x = 1"), lora, kept)


def test_what_may_be_the_fault_of_the_machine_is_not_kept(lora, tmp_path):
    store.remember(submission(*SOURCES), report(lora, "timeout"), tmp_path)
    assert store.remembered(submission(*SOURCES), lora, tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"results": [{}]}', "\0"])
def test_a_damaged_store_is_as_good_as_none(lora, kept, text):
    for path in [*kept.glob("verdict-*"), *kept.glob("code-*")]:
        path.write_text(text)
    (kept / "hints.json").write_text(text)
    assert store.remembered(submission(*SOURCES), lora, kept) is None
    assert store.next_hint(report(lora), kept) == (1, "a")


def test_hints_grow_while_the_same_check_is_shown(lora, tmp_path):
    assert [store.next_hint(report(lora), tmp_path)[0] for _ in range(4)] == [1, 2, 3, 3]


def test_the_store_does_not_grow_without_end(lora, tmp_path):
    for number in range(store.MOST + 5):
        store.remember(submission(*SOURCES, f"def merge_lora(): return {number}"), report(lora), tmp_path)
    assert len(list(tmp_path.glob("verdict-*"))) == store.MOST
    assert store.remembered(submission(*SOURCES, f"def merge_lora(): return {number}"), lora, tmp_path)


def test_observations_of_an_exam_are_not_kept(tmp_path):
    store.keep_observed("lora", 5, b"secret", tmp_path)
    store.keep_observed("lora", store.PUBLIC_SEED, b"public", tmp_path)
    assert store.observed("lora", 5, bytes, tmp_path) is None
    assert store.observed("lora", store.PUBLIC_SEED, bytes, tmp_path) == b"public"


def test_what_has_not_changed_is_told_without_torch(tmp_path):
    code = """
import json, sys
from pathlib import Path
from grader.course import grade_course
folder = Path(sys.argv[1])
reports = grade_course(folder / "none", folder)
print(json.dumps([name for name in ("torch", "numpy", "jupytext") if name in sys.modules]))
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
