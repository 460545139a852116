"""The cheat sheets: every number is computed, every claim and source is there, and what is printed fits on two pages."""

import re
import subprocess
import sys

import pytest

from coach import __main__ as coach
from coach.cheatsheet import command, page, sheets
from coach.plan import catalog
from quiz import formulas
from quiz.register import claims, sources

EVERY = [(topic, number, entry) for topic in sheets.TOPICS for number, entry in enumerate(sheets.entries(topic), 1)]
LONGEST = 150  # characters: three lines of a printed column


@pytest.mark.parametrize("topic, number, entry", EVERY, ids=[f"{topic}-{number}" for topic, number, _ in EVERY])
def test_an_entry_is_proved_and_short(topic, number, entry):
    assert not entry.cell or entry.cell in claims(), f"no cell proves {entry.cell}"
    assert set(entry.sources) <= sources().keys()
    assert len(entry.said) <= LONGEST and len(entry.math) <= LONGEST
    assert sheets.HOLE not in entry.said and entry.said.endswith((".", "?"))
    assert entry.said.count("`") % 2 == 0


@pytest.mark.parametrize("topic", sheets.TOPICS)
def test_a_sheet_has_every_kind_that_is_worth_holding(topic):
    kinds = {entry.kind for entry in sheets.entries(topic)}
    assert {"formula", "number", "bill", "recipe", "trap"} - {"bill"} <= kinds
    assert 5 <= len(sheets.short(topic)) <= 12


def test_numbers_are_those_of_the_formulas():
    said = " ".join(entry.said for _, _, entry in EVERY)
    for name, arguments, shown in [
        ("lora_parameters", {"matrices": 24, "rank": 8, "d_in": 768, "d_out": 768}, "294,912"),
        ("lora_on_a_decoder", {"layers": 32, "rank": 16, "width": 4096, "inner": 11008}, "39,976,960"),
        ("double_quantised_bits", {}, "4.127"),
        ("training_gigabytes", {"parameters": 7e9, "bytes_each": 16}, "112"),
    ]:
        digits = len(shown.partition(".")[2])
        assert f"{formulas.compute(name, arguments):,.{digits}f}" == shown and shown in said


def test_another_formula_gives_another_number(monkeypatch):
    sheets.entries.cache_clear()
    monkeypatch.setitem(formulas.FORMULAS, "uniform_loss", lambda choices: 99.94)
    assert "costs ln V: 99.9 nats" in " ".join(entry.said for entry in sheets.entries("sft"))
    monkeypatch.undo()
    sheets.entries.cache_clear()


@pytest.mark.parametrize(
    "entry, words",
    [
        ('kind = "song"\ntext = "a."\nsources = ["lora"]', "a kind of formula"),
        ('kind = "trap"\ntext = "a."', "neither a cell nor a source"),
        ('kind = "number"\ntext = "{}."\nsources = ["lora"]', "1 places for 0 values"),
        ('kind = "trap"\ntext = "a."\nsources = ["lora"]\ncolour = 1', "no field colour"),
        ('kind = "bill"\ntext = "{}."\nsources = ["lora"]\nvalues = [{formula = "magic", format = "g"}]', "no formula 'magic'"),
    ],
)
def test_a_broken_entry_is_named(tmp_path, monkeypatch, entry, words):
    monkeypatch.setattr(sheets, "FOLDER", tmp_path)
    (tmp_path / "broken.toml").write_text(f"[[entry]]\n{entry}\n")
    with pytest.raises(ValueError, match="broken.toml, entry 1") as caught:
        sheets.entries("broken")
    assert words in str(caught.value)


def test_formulas_and_code_become_html_and_nothing_else_does():
    low = "p<sub>&lt;t</sub> &lt; x<sup>2</sup> &amp;"
    assert page.math("p_{<t} < x^2 &  y_i") == f"<span>{low}</span> <span>y<sub>i</sub></span>" and page.prose("p_{<t} < x^2 &") == low
    assert page.prose("a `b_c <d>` <e>") == "a <code>b_c &lt;d&gt;</code> &lt;e&gt;"


@pytest.mark.parametrize("topic", [*sheets.TOPICS, sheets.ALL])
def test_a_page_needs_nothing_else_and_leads_to_each_source(topic):
    text = page.page(topic, "letter")
    assert "size: letter" in text and "default-src 'none'" in text and not re.search(r"<(script|link|img)|url\(", text)
    anchors = set(re.findall(r'href="#(source-[^"]+)"', text))
    assert anchors and anchors == set(re.findall(r'id="(source-[^"]+)"', text))
    assert all(page.prose(entry.said) in text for entry in shown(topic))


def shown(topic):
    return [entry for part in page.sections(topic) for entry in part.entries]


def test_each_entry_of_a_topic_is_on_its_sheet_and_the_best_of_each_on_that_of_all():
    assert all(len(shown(topic)) == len(sheets.entries(topic)) for topic in sheets.TOPICS)
    assert {entry.topic for entry in shown(sheets.ALL)} == set(sheets.TOPICS)


def test_the_command_writes_one_sheet_or_every_sheet(tmp_path, capsys):
    assert coach.main(["cheatsheet", "lora", "--out", str(tmp_path / "one")]) == 0
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["lora.html"]
    assert coach.main(["cheatsheet", "--out", str(tmp_path / "every")]) == 0
    assert len(list((tmp_path / "every").iterdir())) == 8
    assert "lora.html" in capsys.readouterr().out
    assert catalog.cheatsheet().do == "python -m coach cheatsheet all"


def test_without_a_browser_it_says_how_to_print(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(command.shutil, "which", lambda name: None)
    assert coach.main(["cheatsheet", "lora", "--pdf", "--out", str(tmp_path)]) == 2
    assert "Open the page in your browser" in " ".join(capsys.readouterr().out.split())


def test_a_browser_that_fails_leaves_no_pdf_and_says_so(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(command.shutil, "which", lambda name: "/bin/false")
    (tmp_path / "lora.pdf").write_bytes(b"old")
    assert coach.main(["cheatsheet", "lora", "--pdf", "--out", str(tmp_path)]) == 2
    assert "could not print" in capsys.readouterr().out and not (tmp_path / "lora.pdf").exists()


def test_a_copy_without_keys_and_a_folder_that_is_a_file_are_told(tmp_path, capsys, monkeypatch):
    (tmp_path / "file").write_text("")
    assert coach.main(["cheatsheet", "lora", "--out", str(tmp_path / "file")]) == 2
    assert "--out" in capsys.readouterr().err
    monkeypatch.setattr(command, "has_keys", lambda: False)
    assert coach.main(["cheatsheet"]) == 2
    assert "has none" in capsys.readouterr().err
    monkeypatch.setattr(catalog.bank, "has_keys", lambda: False)
    assert "notebooks 01 to 05" in catalog.cheatsheet().do


def test_torch_is_not_loaded():
    code = "import sys; from coach.__main__ import main; main(['cheatsheet', '--help'])"
    told = subprocess.run([sys.executable, "-X", "importtime", "-c", code], capture_output=True, text=True)
    loaded = {line.rpartition("|")[2].strip() for line in told.stderr.splitlines()}
    assert told.returncode == 0 and not loaded & {"torch", "jinja2", "fsrs"}
