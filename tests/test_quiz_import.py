"""An instructor's own questions: a folder of theirs beside the course's, and questions of other systems as such a folder."""

import re
import tomllib

import pytest

from quiz import bank, export, own, register
from quiz.__main__ import main
from quiz.grading import grade, right_answer
from quiz.importing import convert
from quiz.register import Broken
from tests.test_quiz_export import ODDS

pytest.importorskip(
    "defusedxml", reason="defusedxml is not installed: pip install -r requirements-export.txt -c constraints.txt."
)

ITEMS = bank.items()
GOOD = """
[rag-chunks]
kind = "single"
level = "screening"
stem = "What does a retriever hand to the model?"
options = [
  { text = "passages that fit the question", right = true },
  { text = "gradients of the question's loss", belief = "Retrieval is training.", reply = "Nothing is trained." },
  { text = "weights that fit the question", belief = "D1", reply = "The model stays as it is." },
]
explanation = "They go into the prompt."
sources = ["lora", "mine"]

[rag-count]
kind = "numeric"
level = "expert"
stem = "How many passages of 100 tokens fit into 800 tokens?"
formula = "given"
arguments = { value = 8 }
unit = "passages"
tolerance = 0.01
explanation = "800 / 100."
sources = ["mine"]
"""
SOURCES = """
[mine]
title = "My notes"
authors = "An instructor"
year = 2026
url = "https://example.org/notes"
checked = "text"
"""


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("QUIZ_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "80")


@pytest.fixture
def mine(tmp_path):
    """A folder with two questions on a new topic, and their source."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "retrieval-basics.toml").write_text(GOOD, encoding="utf-8")
    (folder / "sources.toml").write_text(SOURCES, encoding="utf-8")
    return folder


# --- a bank of one's own ------------------------------------------------------------------------


def test_own_questions_are_asked_beside_those_of_the_course_and_gone_afterwards(mine):
    before, topics = bank.items(), dict(bank.TOPICS)
    with own.beside(mine):
        assert [item.id for item in bank.items("retrieval-basics")] == ["rag-chunks", "rag-count"]
        assert len(bank.items()) == len(before) + 2 and bank.TOPICS["retrieval-basics"] == "Retrieval basics"
        assert register.sources()["mine"].link == "https://example.org/notes"
        item = bank.item("rag-count")
        assert grade(item, right_answer(item)).right and not grade(item, 9).right
    assert bank.items() == before and bank.TOPICS == topics and "mine" not in register.sources()


def test_a_file_named_as_a_topic_of_the_course_adds_to_it(mine):
    (mine / "retrieval-basics.toml").rename(mine / "lora.toml")
    with own.beside(mine):
        assert bank.item("rag-count") in bank.items("lora") and bank.TOPICS["lora"] == "LoRA"


def test_the_title_of_a_new_topic_may_be_told(mine):
    (mine / "topics.toml").write_text('retrieval-basics = "Retrieval, in short"\nlora = "Mine"', encoding="utf-8")
    with own.beside(mine):
        assert bank.TOPICS["retrieval-basics"] == "Retrieval, in short" and bank.TOPICS["lora"] == "LoRA"


def test_own_questions_are_asked_by_the_command(mine, monkeypatch, capsys):
    lines = iter(["8"])
    monkeypatch.setattr("builtins.input", lambda *_: next(lines))
    assert main(["--bank", str(mine), "--topic", "retrieval-basics", "--level", "expert", "--all"]) == 0
    printed = capsys.readouterr().out
    assert "Retrieval basics, expert" in printed and "Right." in printed


def test_own_questions_are_exported_by_the_command(mine, capsys):
    assert main(["export", "--format", "csv", "--bank", str(mine), "--topic", "retrieval-basics"]) == 0
    printed = capsys.readouterr().out
    assert "rag-chunks,Retrieval basics,screening" in printed and "My notes (https://example.org/notes)" in printed


def test_own_questions_are_linted_alike_and_must_not_ask_what_the_course_asks(mine, capsys):
    assert main(["lint", "--bank", str(mine)]) == 0 and "2 questions, and nothing to mend." in capsys.readouterr().out
    stem = bank.item("lora-form").stem
    (mine / "retrieval-basics.toml").write_text(
        GOOD.replace("What does a retriever hand to the model?", stem), encoding="utf-8"
    )
    assert main(["lint", "--bank", str(mine)]) == 1
    assert "[rag-chunks]: it asks the same as [lora-form]" in capsys.readouterr().out
    (mine / "retrieval-basics.toml").write_text(GOOD.replace("to the model?", "to the model"), encoding="utf-8")
    assert main(["lint", "--bank", str(mine)]) == 1
    assert "no whole question" in capsys.readouterr().out


@pytest.mark.parametrize(
    "old, new, words",
    [
        ('level = "screening"', 'level = "easy"', r"retrieval-basics.toml, \[rag-chunks\], single.level"),
        ('sources = ["mine"]', 'sources = ["yours"]', r"retrieval-basics.toml, \[rag-count\], sources: there is no 'yours'"),
        ("[rag-count]", "[lora-form]", r"retrieval-basics.toml, \[lora-form\]: lora.toml has an item of this id already"),
        ("[rag-count]", "[rag-count", r"retrieval-basics.toml cannot be read: .*line"),
        (
            'reply = "Nothing is trained."',
            'reply = "TODO: say it"',
            r"\[rag-chunks\], options.2.reply: to be written: TODO: say it",
        ),
        ('formula = "given"', 'formula = "guess"', r"there is no formula 'guess'"),
    ],
)
def test_a_broken_file_of_ones_own_is_named_with_its_folder(mine, capsys, old, new, words):
    (mine / "retrieval-basics.toml").write_text(GOOD.replace(old, new), encoding="utf-8")
    assert main(["--bank", str(mine), "--all"]) == 2
    said = capsys.readouterr().err
    assert re.search(words, said) and str(mine) in said
    assert bank.TOPICS.keys() == set(bank.COURSE)


def test_what_is_no_bank_gets_a_sentence(mine, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    for folder, words in ((tmp_path / "nowhere", "There is no folder"), (tmp_path / "empty", "holds no questions")):
        assert main(["--bank", str(folder)]) == 2
        assert words in capsys.readouterr().err
    assert main(["hand-in", "--bank", str(mine)]) == 2 and "--bank goes with" in capsys.readouterr().err


def test_a_round_with_own_questions_goes_on_and_what_was_missed_comes_back(mine, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("QUIZ_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("QUIZ_NOW", "2026-05-04T18:00+00:00")
    monkeypatch.setattr("builtins.input", lambda *_: next(lines))
    lines = iter(["?", "quit"])
    chosen = ["--bank", str(mine), "--topic", "retrieval-basics", "--all"]
    main(chosen)
    assert "--resume --bank" in " ".join(capsys.readouterr().out.split())
    assert main(["--resume"]) == 0 and "from a bank of your own" in " ".join(capsys.readouterr().out.split())
    lines = iter(["?"])
    assert main(["--resume", "--bank", str(mine)]) == 0 and "Question 2 of 2" in capsys.readouterr().out
    monkeypatch.setenv("QUIZ_NOW", "2026-05-05T19:00+00:00")
    lines = iter(["quit"])
    main(["review", "--bank", str(mine)])
    assert "Question 1 of 2" in capsys.readouterr().out
    main(["stats", "--bank", str(mine)])
    assert "Retrieval basics" in capsys.readouterr().out


def test_a_number_that_is_none_is_refused(mine, capsys):
    text = re.sub(r"value = [\d.]+", "value = nan", GOOD)
    (mine / "retrieval-basics.toml").write_text(text, encoding="utf-8")
    assert main(["lint", "--bank", str(mine)]) == 2 and "gives nan" in capsys.readouterr().err


def test_more_choices_than_letters_are_refused(mine, capsys):
    steps = ", ".join(f'"step {number}"' for number in range(11))
    fields = f'kind = "ordering"\nlevel = "expert"\nstem = "In which order do these come here?"\nsteps = [{steps}]'
    (mine / "more.toml").write_text(f'[many]\n{fields}\nexplanation = "So."\nsources = ["mine"]\n', encoding="utf-8")
    assert main(["lint", "--bank", str(mine)]) == 2 and "at most 10" in capsys.readouterr().err


def test_a_source_of_the_course_is_not_redefined(mine):
    (mine / "sources.toml").write_text(SOURCES.replace("[mine]", "[lora]"), encoding="utf-8")
    with pytest.raises(Broken, match=r"sources.toml, \[lora\]: the course has a source"), own.beside(mine):
        bank.items()


def test_the_numbers_of_the_course_are_computed():
    numbers = [one for item in ITEMS if item.kind == "numeric" for one in (item, *item.slips)]
    assert "given" not in {one.formula for one in numbers}


# --- questions of other systems -----------------------------------------------------------------


def converted(written: str, tmp_path, name="questions.xml"):
    """Imports a text. Returns the folder, and what was said and could not be kept."""
    (tmp_path / name).write_text(written, encoding="utf-8")
    said, notes = convert(tmp_path / name, tmp_path / "bank")
    return tmp_path / "bank", said, notes


def finished(folder):
    """The questions of an imported folder, with something in place of each TODO."""
    for path in own.files(folder):
        text = path.read_text(encoding="utf-8").replace(
            'sources = ["TODO: a key of sources.toml, the course\'s or your own"]', 'sources = ["lora"]'
        )
        text = re.sub(r'tolerance = "TODO.*"', "tolerance = 0.01", text)
        text = text.replace('level = "TODO: screening, on-site, expert"', 'level = "expert"')
        path.write_text(re.sub(r'"TODO: ', '"to do: ', text), encoding="utf-8")
    with own.beside(folder):
        return own.items(folder)


def test_our_export_to_moodle_comes_back_with_the_same_stems_options_and_keys(tmp_path):
    folder, said, notes = converted(export.write("moodle", ITEMS)[0], tmp_path)
    back = {item.id: item for item in finished(folder)}
    assert f"{len(ITEMS)} questions" in said and len(back) == len(ITEMS)
    for item in ITEMS:
        again = back[f"{item.id}-2"]  # the course has the id
        assert (again.kind, again.topic, again.level, again.about) == (item.kind, item.topic, item.level, item.about)
        assert (again.stem, again.code.strip(), again.explanation) == (item.stem, item.code.strip(), item.explanation)
        match item.kind:
            case "single" | "multiple":
                fields = [
                    {(o.text, o.right, o.thought if not o.right else "", o.reply) for o in one.options} for one in (item, again)
                ]
                assert fields[0] == fields[1]
            case "numeric":
                assert again.value == pytest.approx(item.value) and again.unit == item.unit
                assert again.tolerance == pytest.approx(item.tolerance, rel=1e-4)
                assert [s.reply for s in again.slips] == [s.reply for s in item.slips]
            case "prints":
                assert again.output == item.output and [s.text for s in again.slips] == [s.text for s in item.slips]
            case _:
                assert right_answer(again) == right_answer(item) and again.choices == item.choices and again.left == item.left
                assert getattr(again, "rubric", ()) == getattr(item, "rubric", ())


@pytest.mark.parametrize("name", ["moodle", "gift"])
def test_odd_characters_come_back(tmp_path, name):
    folder, _, _ = converted(export.write(name, ODDS)[0], tmp_path, {"moodle": "q.xml", "gift": "q.txt"}[name])
    back = {item.id: item for item in finished(folder)}
    for item in ODDS:
        again = back[item.id]
        if name == "gift" and item.kind == "prints":
            assert again.kind == "open" and again.stem == item.stem  # GIFT would take its arrow for partners
            continue
        assert (again.stem, again.code.strip()) == (item.stem, item.code.strip())
        assert {(o.text, o.right) for o in getattr(again, "options", ())} == {
            (o.text, o.right) for o in getattr(item, "options", ())
        }
        assert getattr(again, "output", "") == getattr(item, "output", "")
        assert [s.reply for s in getattr(again, "slips", ())] == [s.reply for s in getattr(item, "slips", ())]


def test_our_gift_comes_back_with_the_same_keys(tmp_path):
    folder, _, _ = converted(export.write("gift", ITEMS)[0], tmp_path, "questions.txt")
    back = {item.id: item for item in finished(folder)}
    assert len(back) == len(ITEMS)
    for item in (item for item in ITEMS if item.kind in ("single", "multiple", "prints", "matching", "numeric")):
        again = back[f"{item.id}-2"]
        assert (again.kind, again.stem, again.level, again.explanation) == (item.kind, item.stem, item.level, item.explanation)
        if item.kind in ("single", "multiple"):
            assert {(o.text, o.right, o.reply) for o in again.options} == {(o.text, o.right, o.reply) for o in item.options}
        elif item.kind == "numeric":
            assert again.value == pytest.approx(item.value) and again.unit == item.unit
        else:
            assert right_answer(again) == right_answer(item)


MOODLE = """<?xml version="1.0" encoding="UTF-8"?>
<quiz>
<question type="category"><category><text>$course$/top/My course/I//O and files</text></category></question>
<question type="truefalse"><name><text>Is it so?</text></name>
  <questiontext format="html"><text><![CDATA[<p>Is <code>x &lt; 1</code> so,
  on <b>all</b> files?<!-- no --></p><pre>x = 0
  y = 1</pre><img src="a.png" alt="a plot">]]></text></questiontext>
  <answer fraction="100"><text>true</text><feedback><text>Well done, it is.</text></feedback></answer>
  <answer fraction="0"><text>false</text><feedback><text>It is not.</text></feedback></answer>
</question>
<question type="multichoice"><name><text>Part</text></name>
  <questiontext format="plain_text"><text>Which &lt;b&gt; is best, of these three?</text></questiontext>
  <generalfeedback format="html"><text>Since.</text></generalfeedback>
  <single>true</single>
  <answer fraction="50"><text>half</text></answer><answer fraction="100"><text>whole</text></answer>
  <answer fraction="0"><text>none</text></answer>
</question>
<question type="shortanswer"><name><text>Word</text></name><questiontext><text>What is the word for it?</text></questiontext>
  <answer fraction="100"><text>lo*a</text></answer></question>
<question type="numerical"><name><text>Number</text></name><questiontext><text>How much is it in all?</text></questiontext>
  <answer fraction="100"><text>12</text><tolerance>0</tolerance></answer><answer fraction="0"><text>*</text></answer></question>
<question type="cloze"><name><text>Gaps</text></name><questiontext><text>{1:SHORTANSWER:=a}</text></questiontext></question>
</quiz>"""


def test_what_moodle_lacks_is_marked_and_found_by_the_lint(tmp_path, capsys):
    folder, said, notes = converted(MOODLE, tmp_path)
    assert "4 questions" in said and "i-o-and-files.toml, topics.toml" in said
    data = tomllib.loads((folder / "i-o-and-files.toml").read_text(encoding="utf-8"))
    assert tomllib.loads((folder / "topics.toml").read_text(encoding="utf-8")) == {"i-o-and-files": "I/O and files"}
    so = data["is-it-so"]
    assert so["stem"] == "Is `x < 1` so, on all files?\n\n[image: a plot]" and so["code"] == "x = 0\n  y = 1\n"
    assert so["options"][:2] == [
        {"text": "true", "right": True},
        {"text": "false", "belief": "TODO: what someone who answers so believes", "reply": "It is not."},
    ]
    assert (
        so["options"][2]["text"].startswith("TODO")
        and so["explanation"] == "Well done, it is."
        and so["level"].startswith("TODO")
    )
    assert data["part"]["stem"] == "Which <b> is best, of these three?" and data["part"]["explanation"] == "Since."
    assert [option["text"] for option in data["part"]["options"] if option.get("right")] == ["whole"]
    assert data["word"]["kind"] == "open" and data["number"]["arguments"] == {"value": 12.0}
    for words in (
        "partial credit",
        "short answer without code",
        "no kind for Moodle's “cloze”",
    ):
        assert [note for note in notes if words in note]
    assert main(["lint", "--bank", str(folder)]) == 1
    listed = capsys.readouterr().out
    for words in (
        "[is-it-so], level: to be written",
        "[is-it-so], options.2.belief",
        "[word], rubric.2",
        "[number], unit",
        "[number], tolerance",
        "sources.1",
    ):
        assert words in listed
    assert main(["--bank", str(folder)]) == 2 and "There are" in capsys.readouterr().err
    assert len(finished(folder)) == 4


GIFT = r"""// a comment
$CATEGORY: top/Simple things

::Grant::Who is buried in Grant's tomb\: {~Grant#No. =no one ~%50%half####He is entombed.}

Is the sun a star, seen from here? {TRUE#It is one.}

When was it, in what year? {#1822:2 =%0%1900:0#Too late.}

Which capital goes with which country?{=Canada -> Ottawa =Italy -> Rome =Japan -> Tokyo}

Two plus two equals {=four =4} in all.

Which of these are even numbers? {~%50%2 ~%50%4 ~%-100%3}

Say what you think of it. {}

How many are there, from one to five? {#1..5}
"""


def test_a_text_that_looks_like_an_address_is_a_text(tmp_path):
    folder, _, _ = converted("Where is it, please? {=https://example.org/a.html ~C:/a.txt ~a.txt}", tmp_path, "g.gift")
    data = tomllib.loads((folder / "g.toml").read_text(encoding="utf-8"))
    assert {option["text"] for option in data["where-is-it-please"]["options"]} == {
        "https://example.org/a.html",
        "C:/a.txt",
        "a.txt",
    }


def test_gift_is_read_as_moodle_reads_it(tmp_path):
    folder, said, notes = converted(GIFT, tmp_path, "g.gift")
    data = tomllib.loads((folder / "simple-things.toml").read_text(encoding="utf-8"))
    assert {name: fields["kind"] for name, fields in data.items()} == {
        "grant": "single", "is-the-sun-a-star-seen-from-here": "single", "when-was-it-in-what-year": "numeric",
        "which-capital-goes-with-which-country": "matching", "two-plus-two-equals-in-all": "open",
        "which-of-these-are-even-numbers": "multiple", "say-what-you-think-of-it": "open",
        "how-many-are-there-from-one-to-five": "numeric",
    }  # fmt: skip
    grant = data["grant"]
    assert grant["stem"] == "Who is buried in Grant's tomb:" and grant["explanation"] == "He is entombed."
    assert {option["text"]: option.get("right", False) for option in grant["options"]} == {
        "no one": True,
        "half": False,
        "Grant": False,
    }
    year = data["when-was-it-in-what-year"]
    assert year["arguments"] == {"value": 1822.0} and year["slips"][0]["arguments"] == {"value": 1900.0}
    assert data["which-capital-goes-with-which-country"]["pairs"] == [
        ["Canada", "Ottawa"],
        ["Italy", "Rome"],
        ["Japan", "Tokyo"],
    ]
    assert data["two-plus-two-equals-in-all"]["stem"] == "Two plus two equals _____ in all."


@pytest.mark.parametrize(
    "category, topic, title",
    [
        ("Sources", "sources-questions", "Sources"),
        ("Вопросы", r"topic-[0-9a-f]{6}", "Вопросы"),
        ("", "my-questions", None),
        ("LoRA", "lora", None),
    ],
)
def test_a_category_becomes_a_topic_that_is_one(tmp_path, category, topic, title):
    folder, _, _ = converted(f"$CATEGORY: $course$/top/{category}\n\nWhat is this, please? {{}}", tmp_path, "My questions.txt")
    [path] = own.files(folder)
    assert re.fullmatch(topic, path.stem) and len(finished(folder)) == 1
    titles = folder / "topics.toml"
    assert (tomllib.loads(titles.read_text(encoding="utf-8"))[path.stem] if titles.exists() else None) == title


BILLION = (
    '<?xml version="1.0"?><!DOCTYPE quiz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    "<quiz><question type='essay'><name><text>&b;</text></name></question></quiz>"
)


@pytest.mark.parametrize(
    "written, words",
    [
        (BILLION, "declares a document type or entities"),
        ('<!DOCTYPE quiz SYSTEM "file:///etc/passwd"><quiz/>', "declares a document type or entities"),
        ("<quiz><question></quiz>", "is no XML that can be read: mismatched tag"),
        ("<html><p>x</p></html>", "is no Moodle XML: its first element is <html>"),
        ("<quiz/>", "holds no question"),
        ("What is it?{=a", "a brace is missing in “What is it?"),
        ("", "holds no question"),
    ],
)
def test_what_cannot_be_read_gets_a_sentence(tmp_path, capsys, written, words):
    path = tmp_path / ("questions.xml" if written.startswith("<") else "questions.gift")
    path.write_text(written, encoding="utf-8")
    assert main(["import", str(path), "--out", str(tmp_path / "bank")]) == 2
    said = capsys.readouterr().err
    assert words in said and str(path) in said and not (tmp_path / "bank").exists()


@pytest.mark.parametrize(
    "inside",
    [
        "<div>" * 50_000,
        "<pre>" * 50_000,
        "`<code>`" * 50_000,
        "<!--" * 50_000,
        "&lt;" * 50_000,
        '<a b="' * 20_000,
        "<a " * 20_000,
        "</" * 20_000,
    ],
)
def test_no_nesting_makes_the_reader_slow_or_fail(tmp_path, inside):
    folder, _, _ = converted(f"Where is it?{{}}\n\n[html]{inside} What is it?{{}}", tmp_path, "g.gift")
    assert "[where-is-it]" in (folder / "g.toml").read_text(encoding="utf-8")


def test_a_text_that_is_no_gift_by_its_name_is_not_taken_for_some(tmp_path, capsys):
    (tmp_path / "style.css").write_text("p {\n  color: red\n}", encoding="utf-8")
    assert main(["import", str(tmp_path / "style.css")]) == 2
    assert "style.css is neither Moodle XML (.xml) nor GIFT" in capsys.readouterr().err


def test_a_file_in_another_encoding_or_none_gets_a_sentence(tmp_path, capsys):
    (tmp_path / "q.gift").write_bytes("Où est-il?{=là}".encode("latin-1"))
    assert main(["import", str(tmp_path / "q.gift")]) == 2 and "Save it as UTF-8" in capsys.readouterr().err
    assert main(["import", str(tmp_path / "no.xml")]) == 2 and "cannot be read" in capsys.readouterr().err
    assert main(["import"]) == 2 and "Name the file to import" in capsys.readouterr().err


def test_an_import_overwrites_nothing(tmp_path, capsys):
    folder, _, _ = converted(GIFT, tmp_path, "g.gift")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert main(["import", str(tmp_path / "g.gift"), "--out", str(folder)]) == 2
    assert "holds simple-things.toml already" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_without_a_folder_the_bank_is_printed(tmp_path, capsys):
    (tmp_path / "g.gift").write_text(GIFT, encoding="utf-8")
    assert main(["import", str(tmp_path / "g.gift")]) == 0
    assert "grant" in tomllib.loads(capsys.readouterr().out)
