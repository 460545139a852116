"""What an answer is worth, for each kind: right, partly right, wrong, and nonsense."""

import contextlib
import re

import pytest

import quiz
from quiz import asking, bank
from quiz.grading import BadAnswer, grade, number, right_answer
from quiz.register import link, sources


def of(kind: str, least: int = 3):
    return next(item for item in bank.items() if item.kind == kind and _size(item) >= least)


def _size(item) -> int:
    return len(getattr(item, "options", getattr(item, "steps", getattr(item, "pairs", getattr(item, "rubric", "xxx")))))


@pytest.mark.parametrize("item", bank.items(), ids=lambda item: item.id)
def test_the_key_of_every_item_is_right(item):
    result = grade(item, right_answer(item))
    assert result.right and result.verdict == "right" and result.key
    assert result.replies == ()


@pytest.mark.parametrize("item", bank.items(), ids=lambda item: item.id)
def test_every_known_wrong_answer_gets_its_reply(item):
    for index, option in enumerate(getattr(item, "options", ())):
        if not option.right:
            answer = index if item.kind == "single" else [index]
            assert grade(item, answer).score == 0 and option.reply in grade(item, answer).replies
    for slip in getattr(item, "slips", ()):
        result = grade(item, slip.value if item.kind == "numeric" else slip.text)
        assert result.score == 0 and len(result.replies) == 1


def test_a_multiple_choice_counts_right_minus_wrong():
    item = of("multiple")
    right = right_answer(item)
    wrong = [index for index in range(len(item.options)) if index not in right]
    assert grade(item, right[:1]).score == pytest.approx(1 / len(right))
    assert grade(item, [right[0], wrong[0]]).score == 0
    assert grade(item, list(range(len(item.options)))).score == pytest.approx((len(right) - len(wrong)) / len(right))
    assert grade(item, []).score == 0
    assert f"{len(right) - 1} of {len(right)} right options were not chosen." in grade(item, right[:1]).replies


def test_an_order_counts_pairs_from_chance_upward():
    item = of("ordering", 4)
    order = list(range(len(item.steps)))
    assert grade(item, order[::-1]).score == 0
    swapped = [order[1], order[0], *order[2:]]
    pairs = len(order) * (len(order) - 1) / 2
    assert grade(item, swapped).score == pytest.approx(1 - 2 / pairs)
    assert item.steps[1] in grade(item, swapped).replies[0]


def test_a_matching_counts_pairs():
    item = of("matching")
    partners = list(range(len(item.pairs)))
    partners[0], partners[1] = partners[1], partners[0]
    result = grade(item, partners)
    assert result.score == pytest.approx(1 - 2 / len(partners)) and result.verdict in ("partly right", "not right")
    assert len(result.replies) == 2


def test_an_open_answer_counts_the_points_that_were_marked():
    item = of("open")
    result = grade(item, {0})
    assert result.score == pytest.approx(1 / len(item.rubric))
    assert result.replies[0] == f"Not said: {item.rubric[1]}."


def test_a_number_off_by_a_power_is_told_so():
    item = quiz.item("peft-operations")
    assert "off by a factor of 1,000" in grade(item, item.value * 1000).replies[0]
    assert grade(item, item.value * (1 + item.tolerance * 0.9)).right
    assert not grade(item, item.value * (1 + item.tolerance * 1.1)).right


@pytest.mark.parametrize(
    "text, unit, value",
    [
        ("294,912", "parameters", 294912), ("294 912", "parameters", 294912), ("0.3M", "parameters", 3e5),
        ("18.9 million", "parameters", 18.9e6), ("1.5e9", "parameters", 1.5e9), ("112 GB", "GB", 112),
        ("112000 MB", "GB", 112), ("0.112 TB", "GB", 112), ("57.5 %", "%", 57.5), ("2/3", "share between 0 and 1", 2 / 3),
        ("67 %", "share between 0 and 1", 0.67), ("−3", "nats", -3), ("~ 14.1", "GB", 14.1), ("3x", "factor", 3),
        ("10.8 nats", "nats per token", 10.8), ("8 share", "share between 0 and 1", 8), ("1e5 / 4e5", "factor", 0.25),
        ("300 %", "times its right weight", 3), ("1 parameter", "parameters", 1),
    ],
)  # fmt: skip
def test_a_number_is_read_as_people_write_it(text, unit, value):
    assert number(text, unit) == pytest.approx(value)


@pytest.mark.parametrize(
    "text, unit, value",
    [  # a fraction alone is a share, whatever the unit; a number alone is in the unit
        ("102144/124647170", "%", 0.08195), ("102,144 / 124,647,170", "%", 0.08195), ("1/4", "%", 25),
        ("0.082 %", "%", 0.082), ("0.082", "%", 0.082), ("1/4 %", "%", 0.25), ("8 per cent", "%", 8), ("0.0008", "%", 0.0008),
        ("1/4", "share between 0 and 1", 0.25), ("8 %", "share between 0 and 1", 0.08), ("0.08", "share between 0 and 1", 0.08),
        ("4/100 %", "share between 0 and 1", 0.0004), ("1/4", "GB", 0.25),
    ],
)  # fmt: skip
def test_a_share_is_understood_with_and_without_per_cent(text, unit, value):
    assert number(text, unit) == pytest.approx(value, rel=1e-3)


@pytest.mark.parametrize(
    "name, text, score, understood",
    [  # the key of code-biases is 0.082 %, that of peft-operations about 0.674
        ("code-biases", "0.082", 1, ()), ("code-biases", "0.082 %", 1, ()),
        ("code-biases", "102144/124647170", 1, ("Your answer was read as 0.08195 %.",)),
        ("code-biases", "0.00082", 1, ("Your answer was read as the share 0.00082, which is 0.082 %.",)),
        ("code-biases", "5", 0, ("The unit is %; your answer was read as 5.",)),
        ("code-biases", "0.00082 %", 0, ("The digits are right; the answer is off by a factor of 100. "
                                         "The unit is %; your answer was read as 0.00082.",)),
        ("peft-operations", "0.674", 1, ()),
        ("peft-operations", "67.4 %", 1, ("Your answer was read as 0.674.",)),
        ("peft-operations", "67.4", 1, ("Your answer was read as 67.4 %, which is 0.674.",)),
        ("peft-operations", "67.4/100", 1, ("Your answer was read as 0.674.",)),
    ],
)  # fmt: skip
def test_a_share_is_graded_in_any_form_and_the_reply_says_what_was_understood(name, text, score, understood):
    result = grade(quiz.item(name), text)
    assert result.score == score and result.replies == understood


def test_how_to_type_a_share_names_no_key():
    how = asking.question(quiz.item("code-biases")).how
    assert "3/8" not in how and "3/25" in how


@pytest.mark.parametrize("name", [item.id for item in bank.items() if item.kind == "prints"])
def test_blanks_beside_commas_and_brackets_do_not_count(name):
    item = quiz.item(name)
    spaced = item.output.replace(",", " , ").replace("[", "[ ").replace(")", " )")
    for text in (item.output.replace(", ", ","), spaced, f"  {item.output}  "):
        assert grade(item, text).right
    for slip in item.slips:
        assert grade(item, slip.text.replace(", ", ",")).replies == (slip.reply,)


def test_a_right_value_in_another_form_is_told_so():
    assert grade(quiz.item("code-data"), "40").replies == ("The values are right, their form is not: Python prints 40.0.",)
    assert grade(quiz.item("code-data"), "40").score == 0
    assert grade(quiz.item("hp-first-step"), "[-1e-2,-.01]").replies[0].endswith("Python prints [-0.01, -0.01].")
    assert grade(quiz.item("code-data"), "41").replies == ()


@pytest.mark.parametrize(
    "text", ["", "many", "1,5", "1/0", "nan", "inf", "1e999", "12 cows", "0x10", "9" * 5000, "1 2 3 4 GB", None, True, float("inf")]
)
def test_no_number_gets_a_sentence(text):
    with pytest.raises(BadAnswer) as caught:
        number(text, "GB")
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("kind", ["single", "multiple", "prints", "ordering", "matching", "open"])
@pytest.mark.parametrize("answer", [None, True, -1, 99, 1.5, [0, 0], [99], ["a"], {"a": 1}, object(), [0, 1, 2, 3, 4, 5, 6, 7, 8]])
def test_an_answer_of_another_form_is_refused(kind, answer):
    with pytest.raises(BadAnswer):
        grade(of(kind), answer)


def test_the_package_grades_too():
    item = quiz.items(topic="lora")[0]
    assert quiz.grade(item, right_answer(item)).right


# --- what is typed ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["single", "multiple", "ordering", "matching"])
@pytest.mark.parametrize("seed", [0, 7])
def test_letters_lead_to_the_shown_choices(kind, seed):
    asked = asking.question(of(kind), seed)
    right = right_answer(asked.item)
    places = [asked.order.index(index) for index in ([right] if kind == "single" else right)]
    assert grade(asked.item, asking.understand(asked, " ".join(asking.LETTERS[p] for p in places))).right
    assert grade(asked.item, asking.understand(asked, ",".join(str(p + 1) for p in places))).right
    assert grade(asked.item, asking.understand(asked, "".join(asking.LETTERS[p].upper() for p in places))).right


@pytest.mark.parametrize(
    "kind, text, words",
    [
        ("single", "", "Nothing was typed"), ("single", "a b", "One letter"), ("single", "z", "'z' is none of the letters a to"),
        ("single", "0", "none of the letters"), ("single", "²", "none of the letters"), ("multiple", "a a", "twice"),
        ("ordering", "a b", "wanted once"), ("matching", "a a a a", "wanted once"), ("single", "9" * 400, "none of the letters"),
        ("single", "\x1b[31m", "none of the letters"),
    ],
)  # fmt: skip
def test_nonsense_gets_a_sentence(kind, text, words):
    with pytest.raises(BadAnswer, match=words):
        asking.understand(asking.question(of(kind)), text)


@pytest.mark.parametrize("item", [i for i in bank.items() if i.kind in ("ordering", "matching")], ids=lambda item: item.id)
def test_steps_and_partners_are_not_shown_in_their_order(item):
    for seed in range(30):
        assert asking.question(item, seed).order != tuple(range(_size(item)))


def test_what_to_read_is_a_cell_of_a_notebook_or_else_the_sources():
    proved = bank.item("lora-form")
    place = "03_lora.ipynb#claim-lora-the_update_is_low_rank_the_weight_is_not"
    assert asking.reading(proved).startswith(f"notebooks/{place}, “")
    [(title, link)] = asking.proof(proved)
    assert title.startswith("03_lora, “") and link == place
    cited = next(item for item in bank.items() if not item.cell)
    assert [link for _, link in asking.proof(cited)] == [sources()[key].link for key in cited.sources]
    assert all(f"{title} ({link})" in asking.reading(cited) for title, link in asking.proof(cited))


def test_a_cell_that_only_illustrates_the_key_stands_before_the_sources():
    item = next(item for item in bank.items() if item.proof == "illustrates" and link(item.cell))
    places = [address for _, address in asking.proof(item)]
    assert places == [link(item.cell), *(sources()[key].link for key in item.sources)]
    assert asking.reading(item).startswith(f"notebooks/{link(item.cell)}, “") and sources()[item.sources[0]].link in asking.reading(item)


def test_where_the_notebook_is_not_there_the_sources_are_named():
    elsewhere = bank.item("lora-form").model_copy(update={"cell": "claim:lora.gone"})
    assert asking.reading(elsewhere) == f"{sources()['lora'].title} ({sources()['lora'].link})"


def test_an_answer_in_words_has_the_letters_and_the_order_in_which_it_was_shown():
    for kind in ("single", "multiple", "ordering", "matching"):
        asked = asking.question(of(kind), 4)
        shown = dict(zip(asking.LETTERS, asked.choices))
        rows = asking.key(asked)
        for label, text in rows:
            letter = label.split()[-1]
            assert shown[letter] == (text.split(": ", 1)[1] if kind == "matching" else text)
        if kind in ("single", "multiple"):
            assert [label for label, _ in rows] == sorted(label for label, _ in rows)
        assert grade(asked.item, asking.understand(asked, " ".join(label.split()[-1] for label, _ in rows))).right


def test_no_example_of_a_form_is_an_answer():
    """What a question says on the forms of its answer, and what a refusal names, tells no key."""
    items = [item for item in bank.items() if item.kind == "numeric"]
    for item in items:
        with pytest.raises(BadAnswer) as refused:
            grade(item, "banana")
        said = asking.question(item).how.split("Forms", 1)[-1] + str(refused.value).split("for example", 1)[-1]
        for form in re.findall(r"\d[\d./e-]*\d(?: million)?(?: %)?|\d+", said):
            for other in items:
                with contextlib.suppress(BadAnswer):
                    assert not grade(other, form.strip()).right, (form, other.id)
