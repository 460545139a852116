"""The questions in other systems: what each format says is read again, wherever there is one, by a reader that is not ours."""

import csv
import functools
import html
import io
import itertools
import re
import zipfile
from xml.etree import ElementTree

import pytest

from quiz import bank, export
from quiz.__main__ import main
from quiz.export import anki, content
from quiz.grading import grade, number, right_answer

INSTALL = "not installed: pip install -r requirements-export.txt -c constraints.txt."
KINDS = ("single", "multiple", "numeric", "prints", "ordering", "matching", "open")
ITEMS = bank.items()
FORMATS = ("moodle", "qti", "qti21", "gift", "anki", "csv")
ODD = "x < y & z > \"q\" 'r' ]]> α₀ {a} = ~b # c: d\\n; 100 % → -> *"


def of(kind, **wanted):
    return next(
        item for item in ITEMS if item.kind == kind and all(getattr(item, name) == value for name, value in wanted.items())
    )


EACH = [of(kind) for kind in KINDS]


def made(kind, **fields):
    whole = {
        "id": f"odd-{kind}",
        "topic": "lora",
        "kind": kind,
        "level": "expert",
        "explanation": f"So {ODD}.",
        "sources": ["lora"],
    }
    return bank._item.validate_python(whole | {"stem": f'What is {ODD}, with `code {{x}} = "<y>"` and\na new line?'} | fields)


def wrong(text):
    return {"text": text, "belief": f"Belief {ODD}", "reply": f"Reply {ODD}"}


CODE = "for i in [1, 2]:\n    print(i < 2, '&', \"{}\".format(i))  # ~ = :\n\nprint('\\n')"
ODDS = [
    made("single", options=[{"text": f"right {ODD}", "right": True}, wrong(f"wrong {ODD}"), wrong("`a < b`")]),
    made("multiple", options=[{"text": f"{n} {ODD}", "right": True} for n in (1, 2)] + [wrong(f"3 {ODD}"), wrong("`b`")]),
    made("numeric", formula="given", arguments={"value": -2e-7}, unit="nats & more", tolerance=0.01,
         slips=[{"formula": "given", "arguments": {"value": 3e12}, "belief": f"Belief {ODD}", "reply": f"Reply {ODD}"}]),
    made("prints", code=CODE, output=f"[1, 2] {ODD}", slips=[wrong(f"[2] {ODD}")]),
    made("ordering", steps=[f"first {ODD}", "second", "third `c`"]),
    made("matching", pairs=[[f"a {ODD}", f"A {ODD}"], ["b `x`", "B"], ["c", "C"]]),
    made("open", rubric=[f"one {ODD}", "two"]),
]  # fmt: skip


@pytest.fixture(scope="module")
def written():
    """The whole bank in each format."""
    pytest.importorskip("genanki", reason=f"genanki is {INSTALL}")
    return {name: export.write(name, ITEMS)[0] for name in FORMATS}


def text(written) -> str:
    """An export as one text; the files of a package one after the other."""
    if isinstance(written, str):
        return written
    return "\n".join(content.decode("utf-8", "replace") for content in files(written).values())


def files(package: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(package)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@functools.cache
def moodle_questions(written: str) -> dict:
    root = ElementTree.fromstring(written)
    return {question.findtext("idnumber"): question for question in root if question.get("type") != "category"}


# --- Moodle -------------------------------------------------------------------------------------


def test_another_reader_finds_the_choices_of_moodle_xml_with_their_grades_and_feedback(written):
    parser = pytest.importorskip("moodle_xml_parser.parser", reason=f"moodle-xml-parser is {INSTALL}")
    choices = [item for item in ITEMS if item.kind in ("single", "multiple")]
    read = {question.name: question for question in parser.parse_string(written["moodle"])["multichoice"]}
    assert set(read) == {item.id for item in choices}
    for item in choices:
        question = read[item.id]
        assert question.single == (item.kind == "single") and content.plain(item.stem) in re.sub(
            "<[^>]+>", "", question.text_pre_parse
        )
        for option, found in zip(item.options, question.options, strict=True):
            assert found.answer == option.text and (found.score_fraction > 0) == option.right
            said = re.sub("<[^>]+>", "", found.feedback or "")
            assert option.right or all(content.plain(words) in said for words in (option.thought, option.reply))


def test_moodle_gives_the_credit_of_the_course_for_each_choice_of_several(written):
    """Moodle adds up the fractions of what was chosen, and cuts below 0 and above 1."""
    for item in (item for item in ITEMS if item.kind == "multiple"):
        fractions = [
            float(answer.get("fraction")) / 100 for answer in moodle_questions(written["moodle"])[item.id].iter("answer")
        ]
        for size in range(len(fractions) + 1):
            for chosen in itertools.combinations(range(len(fractions)), size):
                assert min(1, max(0, sum(fractions[i] for i in chosen))) == pytest.approx(
                    grade(item, list(chosen)).score, abs=1e-6
                )


def test_moodle_grades_a_number_as_the_course_does_in_every_unit(written):
    """Moodle divides by the multiplier of the unit, and takes the first answer that is near."""
    questions = moodle_questions(written["moodle"])
    for item in (item for item in ITEMS if item.kind == "numeric"):
        answers = [
            (float(a.findtext("text")), float(a.findtext("tolerance")), float(a.get("fraction")))
            for a in questions[item.id].iter("answer")
        ]

        def moodle(value, answers=answers):
            return next((fraction / 100 for at, tolerance, fraction in answers if abs(value - at) <= tolerance), 0)

        tried = [item.value * factor for factor in (1, 1 + item.tolerance / 2, 1 + 2 * item.tolerance, 0.5, 1000)]
        for value in tried + [slip.value for slip in item.slips]:
            assert moodle(value) == grade(item, value).score
        for unit in questions[item.id].iter("unit"):
            name, multiplier = unit.findtext("unit_name"), float(unit.findtext("multiplier"))
            if name not in (item.unit, item.unit.replace(" ", ""), "G", "K"):
                assert 2 / multiplier == pytest.approx(number(f"2 {name}", item.unit))
        if " " in item.unit:  # Moodle takes the blanks out of what is typed
            assert item.unit.replace(" ", "") in [unit.findtext("unit_name") for unit in questions[item.id].iter("unit")]


def test_what_code_prints_is_right_in_moodle_with_and_without_the_blanks_that_nobody_types():
    item = made("prints", code="print([1, '*'])", output="[1, '*']", slips=[wrong("[1, 2]")])
    answers = list(moodle_questions(export.write("moodle", [item])[0])["odd-prints"].iter("answer"))
    assert {a.findtext("text"): a.get("fraction") for a in answers} == {
        "[1, 2]": "0", "[1,2]": "0", r"[1, '\*']": "100", r"[1,'\*']": "100",
    }  # fmt: skip
    assert "Reply" in answers[0].findtext("feedback/text")


def test_moodle_has_orders_partners_graders_notes_categories_and_tags(written):
    questions = moodle_questions(written["moodle"])
    order, pairs, essay = (of(kind) for kind in ("ordering", "matching", "open"))
    assert [
        a.findtext("text") for a in sorted(questions[order.id].iter("answer"), key=lambda a: int(a.get("fraction")))
    ] == list(order.steps)
    assert [(p.findtext("text"), p.findtext("answer/text")) for p in questions[pairs.id].iter("subquestion")] == list(
        pairs.pairs
    )
    assert all(html.escape(point, quote=False) in questions[essay.id].findtext("graderinfo/text") for point in essay.rubric)
    categories = re.findall(r"<text>\$course\$/top/Fine-tuning language models/(.*)</text>", written["moodle"])
    assert categories == list(bank.TOPICS.values())
    assert {tag.text for tag in questions[order.id].iterfind("tags/tag/text")} == {
        order.topic,
        order.level,
        "ordering",
        "interview",
    }


# --- Anki ---------------------------------------------------------------------------------------


@pytest.fixture
def collection(tmp_path):
    """An empty collection of Anki's own library."""
    pytest.importorskip("genanki", reason=f"genanki is {INSTALL}")
    opened = pytest.importorskip("anki.collection", reason=f"anki is {INSTALL}").Collection(str(tmp_path / "collection.anki2"))
    yield opened
    opened.close()


def imported(collection, package: bytes, tmp_path):
    from anki.collection import ImportAnkiPackageOptions, ImportAnkiPackageRequest

    (tmp_path / "questions.apkg").write_bytes(package)
    request = ImportAnkiPackageRequest(package_path=str(tmp_path / "questions.apkg"), options=ImportAnkiPackageOptions())
    return collection.import_anki_package(request).log


def test_anki_takes_the_package_and_a_second_one_updates_it(collection, tmp_path, monkeypatch):
    import genanki.package

    assert len(imported(collection, export.write("anki", EACH)[0], tmp_path).new) == len(EACH)
    changed = EACH[0].model_copy(update={"stem": "Is this the new question?"})
    now = genanki.package.time.time()
    monkeypatch.setattr(genanki.package.time, "time", lambda: now + 60)
    log = imported(collection, export.write("anki", [changed, *EACH[1:]])[0], tmp_path)
    assert not log.new and collection.note_count() == collection.card_count() == len(EACH)
    [note] = [collection.get_note(one) for one in collection.find_notes(f'"Id:{changed.id}"')]
    assert "Is this the new question?" in note["Question"]


def test_a_note_has_question_choices_answer_reason_deck_and_tags(collection, tmp_path):
    imported(collection, export.write("anki", EACH)[0], tmp_path)
    assert {deck.name for deck in collection.decks.all_names_and_ids()} >= {
        f"Fine-tuning language models::{bank.TOPICS[item.topic]}" for item in EACH
    }
    for item in EACH:
        [note] = [collection.get_note(one) for one in collection.find_notes(f'"Id:{item.id}"')]
        assert {
            f"finetuning::topic::{item.topic}",
            f"finetuning::level::{item.level}",
            f"finetuning::kind::{item.kind}",
        } <= set(note.tags)
        card = note.cards()[0]
        front, back = card.question(), card.answer()
        shown = html.unescape(re.sub("<[^>]+>", "", front.split("</style>")[-1]))
        assert item.stem in shown and all(choice in shown for choice in item.choices)
        assert html.escape(item.explanation, quote=False) in back and "Proof: " in back
        assert all(html.escape(wrong.reply, quote=False) in back for _, wrong in content.wrong_answers(item))
        assert html.escape(item.explanation, quote=False) not in front


def test_the_answer_on_a_card_has_the_letter_of_its_choice(collection, tmp_path):
    item = of("single")
    fields = dict(zip(anki.FIELDS, anki._fields(item)))
    choices = re.findall("<li>(.*?)</li>", fields["Choices"])
    letter, text = re.fullmatch(r"<p>(.)\. (.*)</p>", fields["Answer"]).groups()
    assert choices["abcdefg".index(letter)] == text == item.options[right_answer(item)].text


def test_without_genanki_a_sentence_says_what_to_install(monkeypatch, capsys, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "genanki", None)
    assert main(["export", "--format", "anki", "--out", str(tmp_path / "q.apkg")]) == 2
    assert "pip install -r requirements-export.txt" in capsys.readouterr().err and not list(tmp_path.iterdir())


# --- the table ----------------------------------------------------------------------------------


def test_the_table_has_a_row_an_item_and_a_mark_for_excel(written):
    assert written["csv"].startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(written["csv"].removeprefix("\ufeff"))))
    assert [row["id"] for row in rows] == [item.id for item in ITEMS]
    assert all(row["answer"] and row["explanation"] and row["sources"] for row in rows)


def test_no_cell_of_the_table_is_a_formula():
    item = made("single", stem="=HYPERLINK(1) is what?", options=[{"text": "+1", "right": True}, wrong("=1+1"), wrong("@x")])
    [_, row] = csv.reader(io.StringIO(export.write("csv", [item])[0]))
    assert all(not cell.startswith(tuple("=+-@")) for cell in row) and "’=HYPERLINK(1) is what?" in row


# --- all formats --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMATS)
def test_no_question_is_missing(written, name):
    if name == "anki":
        return  # tested above, by Anki
    whole = text(written[name])
    assert [item.id for item in ITEMS if item.id not in whole] == []


@pytest.mark.parametrize("name", [name for name in FORMATS if name != "anki"])
def test_every_reply_and_explanation_is_there(written, name):
    """Compared as plain text: without tags, backticks, and the signs by which GIFT and a spreadsheet keep a text a text."""

    def bare(words):
        words = re.sub(r"\\([~=#{}:\\])", r"\1", words.replace('""', '"').replace("’", ""))
        return re.sub(r"</?code>", "", html.unescape(html.unescape(words))).replace("`", "")

    whole = bare(text(written[name]))
    for item in ITEMS:
        assert bare(item.explanation) in whole
        assert [wrong.reply for _, wrong in content.wrong_answers(item) if bare(wrong.reply) not in whole] == []


def test_an_arrow_in_a_short_answer_is_no_pair_of_partners_in_gift():
    written, notes = export.write("gift", [made("prints", code="print('a -> b')", output="a -> b")])
    assert "\n\t=" not in written and "a -&gt; b" in written.split("####")[1]
    assert any("essay question here" in line and "odd-prints" in line for line in notes)


@pytest.mark.parametrize("name", ["moodle", "qti", "qti21"])
def test_odd_characters_stay_what_they_are_in_xml(name):
    """Read as XML, and the HTML in it as HTML, a text is what it was."""
    exported = export.write(name, ODDS)[0]
    documents = (
        [exported.encode()]
        if name == "moodle"
        else [data for file, data in files(exported).items() if file != "imsmanifest.xml"]
    )
    texts = [html.unescape("".join(ElementTree.fromstring(document).itertext())) for document in documents]
    whole = re.sub(r"</?(p|span|code|li|ul|br|a|pre)\b[^>]*>", "", "\n".join(texts))
    for item in ODDS:
        assert f'What is {ODD}, with code {{x}} = "<y>" and' in whole
        assert all(content.plain(choice) in whole for choice in (*item.choices, *item.left))
    assert CODE in whole and f"Belief {ODD}" in whole and f"Reply {ODD}" in whole


def test_what_no_xml_can_hold_is_replaced():
    item = made(
        "single",
        stem="What is \x00\x0b\ufffe here, please?",
        options=[{"text": "a", "right": True}, wrong("b\x01"), wrong("c")],
    )
    for name in ("moodle", "qti", "qti21"):
        exported = export.write(name, [item])[0]
        assert "\ufffd" in text(exported) and "\x00" not in text(exported)
        for document in [exported.encode()] if name == "moodle" else files(exported).values():
            ElementTree.fromstring(document)


@pytest.mark.parametrize(
    "name, kind, words",
    [
        ("moodle", "ordering", "since 4.4"), ("qti", "ordering", "a matching question"), ("qti21", "ordering", "right or not"),
        ("gift", "ordering", "a matching question"), ("gift", "open", "no notes for graders"), ("gift", "numeric", "no units"),
        ("gift", "prints", "capitals"), ("qti", "numeric", "no units"), ("qti21", "numeric", "no units"),
        ("anki", "numeric", "grades nothing"),
    ],
)  # fmt: skip
def test_what_a_format_cannot_hold_is_said_with_number_and_ids(name, kind, words):
    concerned = [item for item in ITEMS if item.kind == kind][:2]
    if name == "anki":
        pytest.importorskip("genanki", reason=f"genanki is {INSTALL}")
    said = export.write(name, [*concerned, of("single")])[1]
    [line] = [line for line in said if words in line]
    assert line.startswith("2 questions: ") and f"({concerned[0].id}, {concerned[1].id})" in line


# --- the command --------------------------------------------------------------------------------


def test_filters_choose_what_is_exported(capsys):
    assert main(["export", "--format", "csv", "--topic", "lora", "--level", "expert", "--kind", "single"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out.removeprefix("\ufeff"))))
    wanted = [item.id for item in bank.items("lora", "expert", "interview") if item.kind == "single"]
    assert [row["id"] for row in rows] == wanted != []


def test_questions_about_the_article_are_exported_if_someone_wants_them(capsys):
    article = {item.id for item in bank.items(about="article")}
    main(["export", "--format", "csv", "--article"])
    assert {row["id"] for row in csv.DictReader(io.StringIO(capsys.readouterr().out.removeprefix("\ufeff")))} == article
    main(["export", "--format", "csv"])
    assert not article & {row["id"] for row in csv.DictReader(io.StringIO(capsys.readouterr().out.removeprefix("\ufeff")))}


def test_a_file_is_written_and_never_overwritten(tmp_path, capsys):
    path = tmp_path / "questions.xml"
    assert main(["export", "--format", "moodle", "--out", str(path)]) == 0
    before = path.read_bytes()
    printed = capsys.readouterr()
    assert printed.out == "" and "14 questions: Moodle compares" in printed.err and before.startswith(b"<?xml")
    assert main(["export", "--format", "csv", "--out", str(path)]) == 2
    assert "exists already" in capsys.readouterr().err and path.read_bytes() == before
    assert main(["export", "--format", "csv", "--out", str(tmp_path / "no" / "q.csv")]) == 2
    assert "cannot be written" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--format", "qti"], "A package cannot be printed. Name a file for it, for example: --out questions.zip"),
        (["--format", "gift", "--kind", "open", "--article"], "There is no such question."),
    ],
)
def test_what_cannot_be_exported_gets_a_sentence(arguments, words, capsys):
    assert main(["export", *arguments]) == 2
    printed = capsys.readouterr()
    assert words in printed.err and printed.out == ""


@pytest.mark.parametrize("name", ["json", *FORMATS])
def test_a_copy_without_keys_exports_none(name, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(bank, "has_keys", lambda folder=None: False)
    assert main(["export", "--format", name, "--out", str(tmp_path / "q")]) == 2
    assert "this copy of the course has none" in capsys.readouterr().err and not list(tmp_path.iterdir())
