"""The grader rejects every known mistake by its name, and no right solution."""

import html
import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from grader.bank import known_mistakes, mistake_observations, mistake_submission, reference_observations
from grader.checks import checks_of
from grader.judge import grade, judge
from grader.observe import Observed
from grader.problems import PROBLEMS
from grader.report import as_html, as_text, more, next_step, print_report
from grader.submission import Submission, read_path
from grader.trials import variants
from grader.verdict import PUBLIC_SEED
from tests.conftest import graded, not_passed

each_problem = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)


@each_problem
def test_the_reference_gets_all_points(problem):
    report = grade(read_path(problem.reference), problem)
    assert report.score == report.max_score and not not_passed(report)


def verdicts(report) -> list:
    return [(result.check.id, result.status, result.message, result.diagnosis) for result in report.results]


def judged_as_observed(problem, mistake):
    """The report on a known mistake from what the bank has seen of it."""
    seen = mistake_observations(problem, PUBLIC_SEED)[mistake.id]
    return judge(Observed(seen, {}, set(problem.parts), []), problem)


@each_problem
def test_a_submission_is_judged_as_the_bank_was_observed(problem):
    for mistake in list(known_mistakes(problem).values())[::12]:
        submitted = grade(mistake_submission(mistake, problem), problem)
        assert verdicts(submitted) == verdicts(judged_as_observed(problem, mistake)), mistake.id


def test_a_mistake_is_named_on_another_seed_too(lora):
    mistake = known_mistakes(lora)["scaling_inverted"]
    report = grade(mistake_submission(mistake, lora), lora, seed=123)
    assert report.first_failure.diagnosis == mistake


@each_problem
def test_there_are_enough_checks_mistakes_and_variants(problem):
    assert len(checks_of(problem.id)) >= 30 and len(known_mistakes(problem)) >= 35 and len(variants(problem)) >= 8


HEADLINES = {
    "sft": {
        "cosine_decay": "warms_up_then_decays",
        "clipping_not_passed_on": "passes_the_clipping_on",
        "batches_shuffled": "takes_batches_in_the_order_given",
        "evaluates_in_train_mode": "evaluates_in_eval_mode_without_gradients",
        "backbone_frozen": "gradients_reach_head_and_backbone",
        "an_update_for_each_micro_batch": "several_micro_batches_make_one_update",
        "values_clipped_instead_of_the_norm": "clips_the_total_norm",
        "best_weights_not_kept": "keeps_the_best_epoch",
        "train_loss_after_the_epoch": "train_loss_is_per_target_token",
    },
    "peft": {
        "gelu_by_tanh": "output_is_x_plus_the_bottleneck",
        "frozen_after_the_adapters": "only_the_adapters_train",
        "mask_does_not_grow": "the_mask_grows_by_ones",
        "freeze_switches_gradients_off": "gradients_still_pass_through",
        "trainable_weights_left": "earlier_freezing_plays_no_role",
        "adapter_never_called": "adapters_act_on_the_output",
        "ia3_bias_left_unscaled": "output_is_rescaled",
        "loaded_into_new_parameters": "an_optimizer_goes_on",
    },
    "lora": {
        "scaling_left_out": "output_is_base_plus_scaled_update",
        "dtype_not_followed": "factors_follow_the_dtype",
        "injection_by_suffix": "matches_the_whole_last_name_part",
        "injection_returns_all_names": "earlier_factors_stay_trainable",
        "factors_transposed": "factors_have_their_shapes",
        "fresh_a_at_each_forward": "forward_changes_nothing",
        "dropout_in_eval_mode": "no_dropout_in_eval_mode",
        "injection_takes_rank_for_alpha": "passes_the_arguments_on",
    },
}


@pytest.mark.parametrize(
    "problem, mistake, check", [(p, m, c) for p, found in HEADLINES.items() for m, c in found.items()]
)
def test_the_check_that_is_shown_first_is_about_the_mistake(problem, mistake, check):
    report = grade(mistake_submission(known_mistakes(PROBLEMS[problem])[mistake], PROBLEMS[problem]), PROBLEMS[problem])
    assert report.first_failure.check.id == check
    title = report.first_failure.check.title
    assert re.search("What must hold: (.*)", as_text(report))[1] == title
    shown = re.search("What must hold:</strong> (.*?)<br>", as_html(report))[1]
    assert html.unescape(re.sub("</?code>", "`", shown)) == title


@pytest.mark.parametrize(
    "others, same_as_shown, known, words",
    [
        (1, 0, False, "1 more check fails."),
        (2, 0, True, "2 more checks fail."),
        (1, 1, True, "1 more check fails, with the same known mistake."),
        (2, 2, True, "2 more checks fail, both with the same known mistake."),
        (5, 5, False, "5 more checks fail, all of them for the same reason."),
        (5, 3, True, "5 more checks fail, 3 of them with the same known mistake."),
        (5, 1, True, "5 more checks fail, 1 of them with the same known mistake."),
    ],
)
def test_what_is_said_of_further_failures(others, same_as_shown, known, words):
    assert more(others, same_as_shown, known) == words


def test_what_else_fails_is_counted_by_its_mistake(lora):
    bank = known_mistakes(lora)
    code = bank["injection_returns_all_names"].source + "\n" + bank["load_is_lenient"].source
    text = printed(graded(lora, code))
    assert "3 more checks fail, 1 of them with the same known mistake." in text


def printed(report) -> str:
    console = Console(file=io.StringIO(), width=200, highlight=False)
    print_report(report, console)
    return console.file.getvalue()


def test_the_next_step_names_the_file_that_was_graded(lora, tmp_path, monkeypatch):
    path = tmp_path / "work" / "mine.py"
    path.parent.mkdir()
    path.write_text(lora.reference.read_text().replace("alpha / rank", "1.0"))
    monkeypatch.chdir(tmp_path)
    for given in (Path("work/mine.py"), path):
        assert printed(grade(read_path(given), lora)).endswith("Next: mend LoRALinear in work/mine.py.\n")
    monkeypatch.chdir(path.parent / "..")
    assert f"in {Path('work/mine.py')}." in next_step(grade(read_path(path), lora))
    live = grade(Submission(read_path(path).cells, live=True), lora)
    assert next_step(live) == "Next: mend LoRALinear in this notebook."


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
    assert "numbers differ, most by 0.125 at [" in result.message
    assert result.fact == "Every number that differs is 0.125 too large."


def test_a_wrong_shape_is_told_as_a_shape(lora):
    report = graded(lora, "LoRALinear.delta_weight = lambda self: (self.lora_B @ self.lora_A).T * self.scaling")
    result = next(r for r in report.results if r.check.id == "delta_is_the_scaled_product")
    rows, columns = map(int, re.search(r"expected shape \((\d+), (\d+)\)", result.message).groups())
    assert result.message.endswith(f"got ({columns}, {rows}).") and rows != columns


def test_other_inputs_follow_from_another_seed(lora):
    # A learner who returns what the public seed wants to see must fail on another one.
    assert checks_of("lora")
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
