"""The craft of questions: each rule finds what it is for, and the bank is without fault."""

import re

import pytest

from quiz import bank, strategies
from quiz.__main__ import main
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


# --- what looks alone give ------------------------------------------------------------------------


def look(key: str, *others: str, count: int = 12):
    """Items that differ in the stem alone, with this key."""
    options = ({"text": key, "right": True}, *map(wrong, others))
    return [single(f"Stem number {n} asks about what, please?", options, name=str(n)) for n in range(count)]


def several(right: int, count: int = 12):
    options = [{"text": f"true {n}", "right": True} for n in range(right)] + [wrong(f"false {n}") for n in range(6 - right)]
    fields = {"topic": "lora", "kind": "multiple", "level": "expert", "options": options, "explanation": "So.", "sources": ["lora"]}
    return [bank._item.validate_python({"id": str(n), "stem": f"Which hold in case {n}?"} | fields) for n in range(count)]


@pytest.mark.parametrize(
    "strategy, items",
    [
        ("longest", look("the update of it", "the weight", "the state")),
        ("shortest", look("it", "the weight", "the state")),
        ("most technical", look("one of α / r", "one of its rows", "one of its columns")),
        ("most hedged", look("it usually is so", "it surely is so", "it was seen so")),
        ("no absolute", look("a part of them", "all of the parts", "only the others")),
        ("no “no”", look("a part of it", "no part of it", "nothing of it")),
        ("all in turn", look("α for a row", "α for every row", "a long text of another kind")),
        ("3 of several", several(3)), ("2 of several", several(2)), ("4 of several", several(4)),
    ],
)  # fmt: skip
def test_a_key_that_its_looks_give_away_is_found_by_the_strategy(strategy, items):
    found = strategies.above_chance(strategies.measure(items))
    assert {one.group for one in found if one.strategy == strategy} == {strategies.WHOLE, "lora"}
    assert any(f"by “{strategy}” alone" in words for words in lint(items))


@pytest.mark.parametrize("strategy", strategies.SINGLE)
def test_options_that_look_alike_give_a_strategy_what_chance_gives(strategy):
    [one] = [
        one for one in strategies.measure(look("this row", "that row", "both row"))
        if (one.group, one.strategy) == (strategies.WHOLE, strategy)
    ]  # fmt: skip
    assert (one.share, one.p) == (pytest.approx(one.chance), pytest.approx(1.0))


def test_p_is_the_share_of_all_keys_that_give_as_much():
    """Three items of three options, of which the longest is right in two: 7 of the 27 keys give two or three."""
    items = look("the update of it", "the weight", "the state", count=2) + look("it", "the weight", "the weights", count=1)
    [one] = [one for one in strategies.measure(items) if (one.group, one.strategy) == (strategies.WHOLE, "longest")]
    assert one.share == pytest.approx(2 / 3) and one.chance == pytest.approx(1 / 3) and one.p == pytest.approx(7 / 27)


def test_a_strategy_counts_as_one_of_many_that_were_tried():
    def tried(*ps):
        return [strategies.Measured("lora", str(p), (), 1.0, 0.3, p) for p in ps]

    assert strategies.above_chance(tried(0.04)) and not strategies.above_chance(tried(0.04, 0.5))
    assert [one.p for one in strategies.above_chance(tried(0.5, 0.02, 0.001))] == [0.001, 0.02]


def test_the_lint_prints_its_figures(capsys):
    main(["lint"])
    printed = capsys.readouterr().out
    assert all(name in printed for name in (strategies.WHOLE, *bank.TOPICS, *strategies.SINGLE))
    assert re.search(r"^whole bank +\d+% +\d+% \(\d\.\d{3}\)", printed, re.M)
