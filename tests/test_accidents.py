"""Code that hangs, crashes or eats the memory ends its own check, and costs the others nothing."""

import pytest

from grader import observe
from grader.judge import grade
from grader.submission import Cell, Submission, SubmissionError
from tests.conftest import graded, not_passed

# Only one check looks at lora_state_dict, so all others must still pass.
VICTIM = "saves_the_factors_alone"


@pytest.fixture(autouse=True)
def short_limits(monkeypatch):
    monkeypatch.setattr(observe, "ALONE", observe.Limits(first=2.0))
    monkeypatch.setattr(observe, "MEMORY_LIMIT", 2**29)


@pytest.mark.parametrize(
    "body, status, words",
    [
        ("while True: pass", "timeout", "time limit, in code cell 2, line 3: `while True: pass`"),
        ("import time; time.sleep(1000)", "timeout", "Still running after the time limit"),
        ("import os; os._exit(0)", "error", "ended the Python process"),
        ("import sys; sys.exit(3)", "error", "SystemExit: “3” — in code cell 2, line 3"),
        ("import ctypes; ctypes.string_at(0)", "error", "ended the Python process"),
        ("import torch; return [torch.ones(2**26) for _ in range(40)]", "error", "GB of memory"),
        ("return lora_state_dict(model)", "error", "RecursionError"),
        ("return {'a': lambda: 0}", "failed", "too many: a"),
        ("return 3", "error", "TypeError"),
    ],
)
def test_an_accident_ends_its_check_alone(lora, monkeypatch, body, status, words):
    if status != "timeout":  # its end does not depend on the time, however slow the machine is
        monkeypatch.setattr(observe, "ALONE", observe.Limits(first=60.0))
    report = graded(lora, f"\ndef lora_state_dict(model):\n    {body}")
    assert not_passed(report) == [VICTIM]
    result = next(result for result in report.results if result.check.id == VICTIM)
    assert result.status == status and words in result.message


def test_a_flood_of_prints_costs_nothing(lora):
    code = "\nright = lora_state_dict\ndef lora_state_dict(model):\n    print('x' * 100_000_000)\n    return right(model)"
    assert not_passed(graded(lora, code)) == []


def test_a_loop_that_catches_everything_is_killed(lora):
    code = """
def lora_state_dict(model):
    while True:
        try:
            while True: pass
        except BaseException:
            pass
"""
    report = graded(lora, code)
    assert not_passed(report) == [VICTIM]
    assert "Still running" in report.of("lora_state_dict").first_failure.message


def test_an_endless_loop_outside_of_functions_is_one_sentence(lora):
    code = "FACTOR = 1\nwhile FACTOR: FACTOR += 1\ndef delta_weight(self): return FACTOR\nLoRALinear.delta_weight = delta_weight"
    with pytest.raises(SubmissionError, match="runs for more than 2 seconds .code cell 2, line 2"):
        graded(lora, code)


def test_what_a_check_leaves_behind_does_not_reach_the_next(lora):
    code = """
import torch
def delta_weight(self):
    torch.set_default_dtype(torch.float16); torch.set_grad_enabled(False)
    return self.scaling * (self.lora_B @ self.lora_A)
LoRALinear.delta_weight = delta_weight
"""
    report = graded(lora, code)
    assert "both_factors_get_their_gradient" not in not_passed(report)
    assert "saves_the_factors_alone" not in not_passed(report)


def test_an_exception_shows_the_learners_line(lora):
    code = """
def helper(layer):
    return layer.lora_C

def delta_weight(self):
    return helper(self)

LoRALinear.delta_weight = delta_weight
"""
    report = grade(Submission([Cell("a", lora.reference.read_text()), Cell("In [7]", code)]), lora)
    message = report.of("LoRALinear.delta_weight").first_failure.message
    assert message == (
        "AttributeError: “'LoRALinear' object has no attribute 'lora_C'” — in In [7], line 3: `return layer.lora_C`"
    )
