"""What an answer is worth, for each kind: right, partly right, wrong, and nonsense."""

import pytest

import quiz
from quiz import asking, bank
from quiz.grading import BadAnswer, grade, number


def of(kind: str, least: int = 3):
    return next(item for item in bank.items() if item.kind == kind and _size(item) >= least)


def _size(item) -> int:
    return len(getattr(item, "options", getattr(item, "steps", getattr(item, "pairs", getattr(item, "rubric", "xxx")))))


def right_answer(item):
    match item.kind:
        case "single":
            return next(index for index, option in enumerate(item.options) if option.right)
        case "multiple":
            return [index for index, option in enumerate(item.options) if option.right]
        case "numeric":
            return item.value
        case "prints":
            return item.output
    return list(range(_size(item)))


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
    ],
)  # fmt: skip
def test_a_number_is_read_as_people_write_it(text, unit, value):
    assert number(text, unit) == pytest.approx(value)


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


def test_what_to_read_is_a_notebook_with_heading_and_cell():
    proved = next(item for item in bank.items("lora") if item.cell)
    assert asking.reading(proved).startswith("notebooks/03_lora, “") and proved.cell in asking.reading(proved)
    cited = next(item for item in bank.items() if not item.cell)
    assert "https://" in asking.reading(cited)
