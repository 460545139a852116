"""The grader rejects every known mistake by its name, and no right solution."""

from pathlib import Path

import pytest

from grader.checks import checks_of
from grader.judge import Submission, grade, known_mistakes, mistake_submission
from grader.problems import PROBLEMS
from grader.submission import Cell, read_path
from tests.conftest import graded, not_passed

VARIANTS = {name: sorted((Path(__file__).parent / "variants" / name).glob("*.py")) for name in PROBLEMS}
each_problem = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
each_mistake = pytest.mark.parametrize(
    "problem, mistake",
    [
        pytest.param(problem, mistake, id=f"{problem.id}-{mistake.id}")
        for problem in PROBLEMS.values()
        for mistake in known_mistakes(problem).values()
    ],
)
each_variant = pytest.mark.parametrize(
    "problem, path",
    [pytest.param(PROBLEMS[name], path, id=f"{name}-{path.stem}") for name in PROBLEMS for path in VARIANTS[name]],
)
each_check = pytest.mark.parametrize(
    "problem, check",
    [
        pytest.param(problem, check, id=f"{problem.id}-{check.id}")
        for problem in PROBLEMS.values()
        for check in checks_of(problem.id).values()
    ],
)


@each_problem
def test_the_reference_gets_all_points(problem):
    report = grade(read_path(problem.reference), problem)
    assert report.score == report.max_score and not not_passed(report)


@each_mistake
def test_each_known_mistake_is_named_as_itself(problem, mistake):
    report = grade(mistake_submission(mistake, problem), problem)
    failures = [result for result in report.results if result.status != "passed"]
    assert failures
    assert {result.diagnosis and result.diagnosis.id for result in failures} == {mistake.id}


@each_variant
@pytest.mark.parametrize("seed", [1, 77])
def test_each_correct_variant_gets_all_points(problem, path, seed):
    reference = Cell("reference", problem.reference.read_text())
    report = grade(Submission([reference, Cell(path.name, path.read_text())]), problem, seed=seed)
    assert [(result.check.id, result.message) for result in report.results if result.status != "passed"] == []


def test_a_mistake_is_named_on_another_seed_too(lora):
    mistake = known_mistakes(lora)["scaling_inverted"]
    report = grade(mistake_submission(mistake, lora), lora, seed=123)
    assert report.first_failure.diagnosis == mistake


@each_problem
def test_there_are_enough_checks_mistakes_and_variants(problem):
    assert len(checks_of(problem.id)) >= 30 and len(known_mistakes(problem)) >= 25
    assert len(VARIANTS[problem.id]) >= 6


@each_check
def test_each_check_explains_itself(problem, check):
    assert check.title.endswith(".") and check.points >= 1 and check.stub in problem.stubs
    assert len(check.hints) == 3 and all(len(hint) > 15 for hint in check.hints) and len(set(check.hints)) == 3


@each_mistake
def test_each_mistake_teaches(problem, mistake):
    assert mistake.title.endswith(".") and len(mistake.title) < 130
    assert 40 < len(mistake.lesson) < 400


@each_problem
def test_every_stub_is_checked(problem):
    assert {check.stub for check in checks_of(problem.id).values()} == set(problem.stubs)


def test_two_mistakes_at_once_are_both_named(lora):
    bank = known_mistakes(lora)
    code = bank["bias_left_trainable"].source + "\n" + bank["load_is_lenient"].source
    report = graded(lora, code)
    named = {result.diagnosis.id for result in report.results if result.diagnosis}
    assert named == {"bias_left_trainable", "load_is_lenient"}


def test_an_unknown_mistake_says_what_differs_and_where(lora):
    code = """
class LoRALinear(LoRALinear):
    def forward(self, x):
        return super().forward(x) + 0.125
"""
    report = graded(lora, code)
    result = next(r for r in report.results if r.check.id == "new_layer_answers_like_its_base")
    assert result.diagnosis is None
    assert "20 of 20 numbers differ, most by 0.125 at [" in result.message and "expected 0, got 0.125" in result.message


def test_a_wrong_shape_is_told_as_a_shape(lora):
    report = graded(lora, "LoRALinear.delta_weight = lambda self: (self.lora_B @ self.lora_A).T * self.scaling")
    result = next(r for r in report.results if r.check.id == "delta_is_the_scaled_product")
    assert result.message == "delta_weight(): expected shape (5, 7), got (7, 5)."


def test_other_inputs_follow_from_another_seed(lora):
    # A learner who returns what the public seed wants to see must fail on another one.
    assert checks_of("lora")
    from grader.judge import reference_observations

    one, other = (reference_observations(lora, seed)["output_is_base_plus_scaled_update"].value for seed in (1, 2))
    assert not one["output"].equal(other["output"])


def test_a_mistake_that_other_checks_rule_out_is_not_named(lora):
    # Frozen factors after loading look like frozen factors after injection, but injection is right here.
    code = """
right_load = load_lora_state_dict

def load_lora_state_dict(model, state):
    right_load(model, state)
    model.requires_grad_(False)
"""
    report = graded(lora, code)
    assert not_passed(report) == ["loads_what_was_saved"]
    assert report.first_failure.diagnosis is None
