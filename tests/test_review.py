"""The code review: the script with faults, and how marked lines are scored."""

import re

import pytest

from lab import review

SFT = review.load("sft")
LINES = SFT.script.splitlines()


@pytest.fixture
def scored(capsys):
    def score(*arguments, **options):
        SFT.score(*arguments, **options)
        return capsys.readouterr().out

    return score


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


def test_every_remark_stands_where_it_should():
    words = {
        "head": "base.model", "eval mode": "model.eval()", "learning rate": "lr=", "nothing is kept": "best", "not prepared": "as_tensors",
        "stemmed": "stem(", "unequal length": "tokenizer.encode", "scaled": "ids.min()", "mask": "model(ids)",
        "last batch": "loss.item()", "test data": "test", "argmax": "argmax", "means of batches": ".mean()",
        "by reference": "state_dict()",
    }  # fmt: skip
    assert len(words) == len(SFT.faults) >= 12
    for fault in SFT.faults:
        word = next(code for name, code in words.items() if name in fault.title)
        assert word in LINES[fault.lines[0] - 1], fault.title


def test_no_line_is_both_right_and_wrong():
    wrong = {line for fault in SFT.faults for line in fault.lines}
    assert not wrong & {line for remark in SFT.right for line in remark.lines}
    assert all(re.search(r"\S", LINES[line - 1]) for remark in SFT.right for line in remark.lines)
