"""The code reviews: the scripts, their faults, and how marked lines are scored."""

import ast
import re

import pytest

from lab import review

SFT = review.load("sft")
REVIEWS = {name: review.load(name) for name in review.names()}
WITH_FAULTS = [name for name in REVIEWS if name != "clean"]
each_review = pytest.mark.parametrize("name", REVIEWS)


@pytest.fixture
def scored(capsys):
    def score(*arguments, of="sft", **options):
        REVIEWS[of].score(*arguments, **options)
        return capsys.readouterr().out

    return score


# --- scoring ------------------------------------------------------------------------------------


def test_all_faults_found_and_none_accused_falsely(scored):
    text = scored([fault.lines[-1] for fault in SFT.faults])
    assert "Found: 14 of 14 faults. Missed: 0. Falsely accused: 0." in text and "Look again" not in text


def test_any_line_of_a_fault_finds_it_once(scored):
    assert "Found: 1 of 14 faults. Missed: 13. Falsely accused: 0." in scored([29, 34])
    assert "Found: 1 of 14" in scored([34])


def test_what_is_right_is_defended(scored):
    text = scored([5, 23, 37])
    assert "Found: 0 of 14 faults. Missed: 14. Falsely accused: 3." in text
    assert "line 5: Adam without weight decay is sound" in text
    assert "line 37: nothing is wrong here" in text


def test_missed_faults_are_shown_on_demand_only(scored):
    assert "head" not in scored([4])
    assert "missed, line 3: there is no classification head" in scored([4], reveal=True)


@pytest.mark.parametrize("line", [0, 38, "4", 4.0, True])
def test_a_line_that_does_not_exist_is_answered_with_a_sentence(scored, line):
    assert f"{line!r} is no line of the script. Mark whole numbers from 1 to 37" in scored([4, line])


def test_in_a_script_without_faults_whatever_is_marked_is_accused_falsely(scored):
    assert "Found: 0 of 0 faults. Missed: 0. Falsely accused: 0." in scored([], of="clean")
    text = scored([35, 36], of="clean", reveal=True)
    assert "Missed: 0. Falsely accused: 2." in text and "line 35: no attention mask is needed" in text and "missed" not in text


# --- the scripts --------------------------------------------------------------------------------


def test_there_are_six_scripts_and_one_is_without_faults():
    assert {"sft", "lora", "evaluation", "data", "dpo", "qlora", "clean"} <= set(REVIEWS)
    assert [name for name, one in REVIEWS.items() if not one.faults] == ["clean"]
    assert all(len(REVIEWS[name].right) >= 6 for name in REVIEWS)
    assert all(len(REVIEWS[name].faults) >= 5 for name in WITH_FAULTS)


@each_review
def test_a_script_is_python_that_fits_on_a_screen(name):
    script = REVIEWS[name].script
    ast.parse(script)
    assert 30 <= len(script.splitlines()) <= 45
    assert max(map(len, script.splitlines())) <= 110


@each_review
def test_every_remark_names_lines_that_hold_code(name):
    lines = REVIEWS[name].script.splitlines()
    for remark in REVIEWS[name].faults + REVIEWS[name].right:
        assert remark.lines
        assert all(1 <= line <= len(lines) and re.search(r"\w", lines[line - 1]) for line in remark.lines), remark.title


@each_review
def test_no_line_has_two_remarks(name):
    lines = [line for remark in REVIEWS[name].faults + REVIEWS[name].right for line in remark.lines]
    assert sorted(lines) == sorted(set(lines))


@each_review
def test_a_remark_has_a_title_and_says_why_in_sentences(name):
    remarks = REVIEWS[name].faults + REVIEWS[name].right
    assert len({remark.title for remark in remarks}) == len(remarks)
    for remark in remarks:
        assert remark.title and not remark.title.endswith("."), remark.title
        assert remark.why.endswith(".") and remark.why != remark.title, remark.title


# A word of each line that a remark speaks of, so that no remark is left behind when a script grows.
WORDS = {
    "sft": {
        "head": "base.model", "eval mode": "model.eval()", "learning rate": "lr=", "nothing is kept": "best",
        "not prepared": "as_tensors", "stemmed": "stem(", "unequal length": "tokenizer.encode", "scaled": "ids.min()",
        "mask": "model(ids)", "last batch": "loss.item()", "test data": "test", "argmax": "argmax",
        "means of batches": ".mean()", "by reference": "state_dict()",
    },
    "lora": {
        "both factors": "self.A", "no_grad() around": "no_grad()", "no layer": "in TARGETS", "the rate": "lr=",
        "whole model": "torch.save", "leaves out": "module.B @ module.A", "second time": "module.merged",
    },
    "evaluation": {
        "padding on the right": "padding_side", "worked examples": "rows,", "prompt is decoded": "batch_decode",
        "mean of means": "len(hits)", "exponentials": "math.exp", "chosen on the test": "max(prompts", "the error": "math.sqrt",
    },
    "data": {
        "paraphrased": "paraphrased(", "lower-cased": ".lower()", "second BOS": "tokenizer(text)", "shifted twice": "labels[1:]",
        "lose their answer": "[:limit]", "end tokens are not": "labels[ids ==", "see each other": "mask =",
    },
    "dpo": {
        "not shifted": ".gather(", "policy itself": "reference = policy", "the rate": "lr=", "with a graph": "log_probability(reference",
        "underflows": "torch.sigmoid", "clipped": "clip_grad_norm_", "likelihoods": "policy_chosen > policy_rejected",
    },
    "qlora": {
        "FP4": "load_in_4bit", "two of seven": "target_modules", "freezes the adapter": "prepare_model", "warm-up": "warmup_steps",
        "questions are scored": "assistant_only_loss", "another form": "apply_chat_template", "merged into": "dtype=torch.bfloat16",
    },
}  # fmt: skip


@pytest.mark.parametrize("name", WITH_FAULTS)
def test_every_fault_stands_where_it_should(name):
    lines, faults = REVIEWS[name].script.splitlines(), REVIEWS[name].faults
    assert len(WORDS[name]) == len(faults)
    for fault in faults:
        word = next(code for title, code in WORDS[name].items() if title in fault.title)
        assert word in lines[fault.lines[0] - 1], fault.title
