"""The question bank: what it covers, that its keys are computed, and how a broken one is refused."""

import contextlib
import io
import json
import math
from collections import Counter

import jsonschema
import pytest

import quiz
from quiz import bank, export, formulas
from quiz.register import BANK, Broken, errata
from tests.test_register import NOTEBOOKS, claims

ITEMS = bank.items()
ASKED = bank.items(about="interview")  # what one gets without asking for the article


# --- coverage -----------------------------------------------------------------------------------


def test_each_topic_has_its_share():
    counts = Counter(item.topic for item in ASKED)
    assert len(ASKED) >= 70
    assert counts["code"] >= 10 and all(counts[topic] >= 12 for topic in bank.TOPICS if topic != "code")


def test_every_kind_and_level_is_there():
    assert {item.kind for item in ASKED} == {"single", "multiple", "numeric", "prints", "ordering", "matching", "open"}
    assert {item.level for item in ASKED} == set(bank.LEVELS)


def test_every_wrong_or_misleading_statement_has_an_item():
    corrected = {name for item in ITEMS for name in item.errata}
    assert {name for name, erratum in errata().items() if erratum.verdict in ("wrong", "misleading")} <= corrected


def test_every_misconception_is_a_wrong_answer_somewhere():
    options = [option for item in ASKED for option in getattr(item, "options", ())]
    slips = [slip for item in ASKED for slip in getattr(item, "slips", ())]
    assert len(bank.misconceptions()) == 45
    assert set(bank.misconceptions()) <= {one.belief for one in options + slips}


def test_cells_exist_and_prove_most_items():
    known = {claim for path in NOTEBOOKS for claim in claims(path)}
    named = [item.cell for item in ITEMS if item.cell]
    assert set(named) <= known
    assert len(named) >= 0.6 * len(ITEMS)


@pytest.mark.parametrize("item", [item for item in ITEMS if item.kind == "prints"], ids=lambda item: item.id)
def test_code_prints_its_key(item):
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(item.code, {"__name__": "shown"})
    assert printed.getvalue().split() == item.output.split()


@pytest.mark.parametrize(
    "name, arguments, value",
    [  # worked by hand or published
        ("lora_parameters", {"matrices": 24, "rank": 8, "d_in": 768, "d_out": 768}, 294_912),
        ("lora_on_a_decoder", {"layers": 32, "rank": 16, "width": 4096, "inner": 11_008}, 39_976_960),
        ("adapter_parameters", {"adapters": 24, "width": 768, "bottleneck": 64}, 2_379_264),
        ("ia3_parameters", {"layers": 32, "keys": 4096, "values": 4096, "inner": 11_008}, 614_400),
        ("training_gigabytes", {"parameters": 7e9, "bytes_each": 16}, 112),
        ("double_quantised_bits", {}, 4.126953125),
        ("operations_share", {"rank": 16, "width": 4096}, 0.674479166),
        ("optimizer_steps", {"examples": 52_002, "batch": 128, "epochs": 3}, 1_221),
        ("padding_share", {"longest": 1000, "used": 1700, "rows": 4}, 57.5),
        ("token_weight_ratio", {"short": 5, "long": 25}, 3),
        ("hit_chance", {"trials": 60, "best": 0.05}, 95.393),
        ("halving_cost", {"configurations": 27, "eta": 3}, 108),
        ("uniform_loss", {"choices": 50_265}, 10.825),
        ("rate_at_another_alpha", {"rate": 2e-4, "old": 16, "new": 64}, 1e-4),
        ("block_bits", {"bits": 4, "block": 64, "constant": 32}, 4.5),
        ("mixed_gigabytes", {"quantised": 8e9, "bits": 4, "kept": 1e9}, 6),
        ("bradley_terry", {"chosen": 1, "rejected": 1 - math.log(3)}, 0.75),
        ("conservative_gap", {"smoothing": 0.2, "beta": 0.1}, 13.863),
        ("group_advantage", {"right": 1, "samples": 4}, 1.7321),
        ("equal_group_share", {"chance": 0.5, "samples": 4}, 12.5),
        ("k3", {"policy": 0.5, "reference": 0.25}, 0.19315),
        ("alignment_gigabytes", {"parameters": 1e9, "trained": 2, "frozen": 2}, 36),
    ],
)
def test_a_formula_gives_the_known_number(name, arguments, value):
    assert formulas.compute(name, arguments) == pytest.approx(value, rel=1e-4)


# --- a broken bank ------------------------------------------------------------------------------


GOOD = """
[one]
kind = "single"
level = "screening"
stem = "What is it, in one word?"
options = [
  { text = "this", right = true },
  { text = "that", belief = "D1", reply = "No." },
  { text = "those", belief = "Many.", reply = "No." },
]
explanation = "So it is."
sources = ["lora"]
"""


@pytest.mark.parametrize(
    "old, new, words",
    [
        ('stem = "What is it, in one word?"\n', "", r"lora.toml, \[one\], single.stem: Field required"),
        ('"that", belief', '"that", right = true, belief', "a right option has no belief"),
        ('"that", belief = "D1", reply = "No."', '"that", right = true', "one right option, this one has 2"),
        ('belief = "Many.", ', "", "needs a belief and a reply"),
        ('"those"', '"That"', "two options are equal"),
        ('["lora"]', '["nowhere"]', r"lora.toml, \[one\], sources: there is no 'nowhere'"),
        ('sources = ["lora"]', 'sources = ["lora"]\nerrata = ["A99-1"]', r"errata: there is no 'A99-1'"),
        ('"screening"', '"easy"', r"\[one\], single.level"),
        ('"screening"', '"screening"\nabout = "weather"', r"\[one\], single.about: .*'interview' or 'article'"),
        ('kind = "single"', 'kind = "essay"', r"\[one\], entry: .*essay"),
        ('kind = "single"', 'kind = "single"\ncolour = 1', r"\[one\], single.colour"),
        ("[one]", "[one", "lora.toml cannot be read: .*line 2"),
    ],
)
def test_a_broken_bank_is_refused_by_file_item_and_field(tmp_path, old, new, words):
    (tmp_path / "lora.toml").write_text(GOOD.replace(old, new), encoding="utf-8")
    with pytest.raises(Broken, match=words):
        bank.read_topic("lora", tmp_path)


def test_the_same_bank_unbroken_is_read_and_is_about_interviews_unless_it_says_otherwise(tmp_path):
    for words, about in (("", "interview"), ('about = "article"\n', "article")):
        (tmp_path / "lora.toml").write_text(GOOD + words, encoding="utf-8")
        assert [(name, item.about) for name, item in bank.read_topic("lora", tmp_path).items()] == [("one", about)]


def test_a_numeric_key_needs_a_formula_that_exists_and_fits(tmp_path):
    text = """[n]\nkind = "numeric"\nlevel = "expert"\nstem = "How many?"\nformula = "FORMULA"\narguments = { a = 1 }
unit = "GB"\ntolerance = 0.01\nexplanation = "So."\nsources = ["lora"]"""
    for formula, words in (("magic", "there is no formula 'magic'"), ("ratio", "formula 'ratio': .*'b'")):
        (tmp_path / "lora.toml").write_text(text.replace("FORMULA", formula), encoding="utf-8")
        with pytest.raises(Broken, match=words):
            bank.read_topic("lora", tmp_path)


# --- as data ------------------------------------------------------------------------------------


def test_items_are_chosen_by_topic_and_level_and_an_unknown_one_is_refused():
    assert {item.topic for item in quiz.items(topic="lora")} == {"lora"}
    assert {item.level for item in quiz.items(level="expert")} == {"expert"}
    article = quiz.items(about="article")
    assert {item.about for item in article} == {"article"} and len(article) + len(ASKED) == len(ITEMS)
    with pytest.raises(ValueError, match="there is no about 'weather'; there are interview, article"):
        quiz.items(about="weather")
    with pytest.raises(ValueError, match="there is no topic 'lore'; there are sft, peft"):
        quiz.items(topic="lore")
    with pytest.raises(ValueError, match="there is no item 'x'"):
        quiz.item("x")


def test_the_export_is_whole_and_follows_its_schema():
    exported = json.loads(export.as_json())
    jsonschema.validate(exported, json.loads(export.schema()))
    assert [item["id"] for item in exported["items"]] == [item.id for item in ITEMS]
    numeric = next(item for item in exported["items"] if item["kind"] == "numeric")
    assert numeric["value"] == quiz.item(numeric["id"]).value
    assert {item["about"] for item in exported["items"]} == {"interview", "article"}


def test_every_file_of_the_bank_is_read():
    files = {path.stem for path in BANK.glob("*.toml")}
    assert files == {*bank.TOPICS, "errata", "sources", "misconceptions", "followups"}
