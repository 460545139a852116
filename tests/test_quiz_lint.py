"""The craft of questions: each rule finds what it is for, and the bank is without fault."""

import pytest

from quiz import bank
from quiz.lint import lint

TRUE = {"text": "the update", "right": True}


def wrong(text):
    return {"text": text, "belief": "x", "reply": "x"}


OPTIONS = (TRUE, wrong("the weight"), wrong("the state"))


def single(stem="What does LoRA write as a product?", options=OPTIONS, name="one"):
    return bank._item.validate_python(
        {"id": name, "topic": "lora", "kind": "single", "level": "expert", "stem": stem, "options": options,
         "explanation": "So.", "sources": ["lora"]}
    )  # fmt: skip


def test_steps_and_partners_are_not_solved_by_the_alphabet():
    """A copy without keys lists choices in that order."""
    item = bank.item("lora-life")
    solved = item.model_copy(update={"steps": tuple(sorted(item.steps))})
    assert lint([item]) == [] and any("order of the alphabet" in found for found in lint([solved]))


def test_the_bank_is_without_fault():
    assert lint(bank.items()) == []


def test_a_good_item_is_left_alone():
    assert lint([single()]) == []


@pytest.mark.parametrize(
    "stem, words",
    [
        ("LoRA:", "no whole question"),
        ("Which of the following does LoRA train?", "needs the options"),
        ("Which weights does LoRA not train?", "negated by 'not'"),
        ("All weights except which are frozen?", "negated by 'except'"),
    ],
)
def test_a_stem_is_a_question_by_itself(stem, words):
    assert any(words in found for found in lint([single(stem)]))


def test_an_emphasised_negation_is_allowed():
    assert lint([single("Which of its weights does LoRA NOT train?")]) == []


@pytest.mark.parametrize(
    "option, words",
    [
        ("all of the above", "speaks of the others"),
        ("both of these", "speaks of the others"),
        ("always the weight", "gives itself away by 'always'"),
        ("the weight, since it is guaranteed to be so", "gives itself away"),
        ("the weight, by way of a long and winding explanation of many words", "make them alike"),
        ("the weight.", "full stop"),
    ],
)
def test_an_option_gives_nothing_away(option, words):
    assert any(words in found for found in lint([single(options=(TRUE, wrong(option), wrong("the state")))]))


@pytest.mark.parametrize("field", ["stem", "explanation"])
def test_a_question_of_interviews_does_not_speak_of_the_article(field):
    item = single().model_copy(update={field: "Why does the article freeze the wrong weights?"})
    assert any("it speaks of the article" in found for found in lint([item]))
    assert lint([item.model_copy(update={"about": "article"})]) == []


def test_two_items_do_not_ask_the_same():
    found = lint([single(), single("What does LoRA write as a  product ?", name="two")])
    assert any("[two]: it asks the same as [one]" in words for words in found)


def test_the_longest_option_is_not_the_key_by_habit():
    habit = [{"text": "the update, and it alone", "right": True}, wrong("the weight"), wrong("the state")]
    stems = ["What is it that has low rank?", "Which matrix is written as BA?", "What would merging add to the weight?"]
    found = lint([single(stem, habit, name=stem) for stem in stems])
    assert any("the key is the longest option in 3 of 3" in words for words in found)


def test_the_key_does_not_stand_in_one_place(monkeypatch):
    items = [single(f"Question number {n} asks about what, please?", name=str(n)) for n in range(40)]
    first = [item.model_copy(update={"options": tuple(sorted(item.options, key=lambda o: not o.right))}) for item in items]
    assert any("place 1 in 40 of 40" in words for words in lint(first))
    assert not any("stands in place" in words for words in lint(items))
