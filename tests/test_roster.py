"""Lists of students as the platforms export them, and gradebooks as they import them."""

import csv
import io
from types import SimpleNamespace

import pytest

from classroom.incoming.roster import RosterError, read_roster, spellings
from classroom.outgoing.gradebooks import canvas_gradebook, moodle_gradebook, plain_gradebook

MOODLE = """Identifier,"Full name","Email address",Status,Grade,"Maximum Grade","Grade can be changed","Last modified (grade)","Feedback comments"
"Participant 1234567","Jörg Müller",jm@example.org,"Submitted for grading - ",,100.00,Yes,-,
"Participant 1234568","Zoë O'Hara",zo@example.org,"No submission - ",55.00,100.00,Yes,"Tuesday, 3 September 2024, 10:00 AM","old words"
"""
CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section,LoRA (771),Final Score
    Points Possible,,,,,10,(read only)
"Müller, Jörg",12345,S1,jmuller,Group A,,50
"O'Hara, Zoë",12346,S2,zohara,Group A,,60
"Student, Test",99,,abc,Group A,,
"""
MAXIMUM = {"sft": 7, "lora": 13}


def roster_of(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "list.csv"
    path.write_bytes(text.encode(encoding))
    return read_roster(path)


def student(folder, name, id="", platform="moodle", email=""):
    return SimpleNamespace(folder=folder, name=name, id=id, platform=platform, email=email)


def cells(text):
    return list(csv.DictReader(io.StringIO(text)))


JORG = student("jorg-muller-1234567", "Jörg Müller", "1234567")
ANN = student("ann-li-9", "Ann Li", "9")
POINTS = {JORG.folder: {"sft": 7, "lora": 9.5}, ANN.folder: {"sft": None, "lora": None}}
FEEDBACK = {JORG.folder: "=well done", ANN.folder: "could not be read"}


# --- reading ------------------------------------------------------------------------------------


def test_moodle_worksheet(tmp_path):
    roster = roster_of(tmp_path, MOODLE)
    assert roster.kind == "moodle"
    assert [(p.name, p.id, p.email) for p in roster.people] == [
        ("Jörg Müller", "1234567", "jm@example.org"),
        ("Zoë O'Hara", "1234568", "zo@example.org"),
    ]


def test_moodle_with_names_in_two_columns_in_another_order(tmp_path):
    roster = roster_of(tmp_path, "Last name,ID number,First name,Grade,Identifier\nMüller,S1,Jörg,,Participant 17\n")
    assert roster.kind == "moodle"
    assert [(p.name, p.id) for p in roster.people] == [("Jörg Müller", "17")]


def test_canvas_gradebook_without_the_rows_of_canvas(tmp_path):
    roster = roster_of(tmp_path, CANVAS)
    assert roster.kind == "canvas"
    assert [(p.name, p.id, p.email) for p in roster.people] == [
        ("Müller, Jörg", "12345", "jmuller"),
        ("O'Hara, Zoë", "12346", "zohara"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_encodings_and_delimiters(tmp_path, encoding, delimiter):
    lines = [["id", "Name", "E-mail"], ["1", '"Müller, Jörg; the 2nd"', "jm@example.org"]]
    roster = roster_of(tmp_path, "\r\n".join(delimiter.join(line) for line in lines), encoding)
    assert [(p.name, p.id, p.email) for p in roster.people] == [("Müller, Jörg; the 2nd", "1", "jm@example.org")]


def test_a_delimiter_in_quotes_does_not_count(tmp_path):
    assert roster_of(tmp_path, 'name;"a, b, c, d";id\nAnn;;1\n').people[0].id == "1"


def test_excels_line_with_the_separator(tmp_path):
    assert roster_of(tmp_path, "sep=;\nname;id\nAnn;1\n").people[0].id == "1"


@pytest.mark.parametrize("text, part", [("colour,size\nred,2\n", "“colour”, “size”"), ("", "empty"), ("PK\3\4", "Excel")])
def test_what_is_no_roster_is_said_in_one_sentence(tmp_path, text, part):
    with pytest.raises(RosterError) as error:
        roster_of(tmp_path, text)
    assert "list.csv" in str(error.value) and part in str(error.value)


def test_a_missing_roster(tmp_path):
    with pytest.raises(RosterError, match="No such file"):
        read_roster(tmp_path / "none.csv")


# --- matching -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["Jörg Müller", "Müller, Jörg", "jorg MULLER", "mullerjorg", "müllerjörg", "jorg_muller", "Jorg-Muller", "jm", "JM@example.org"]
)
def test_a_name_is_found_however_it_is_written(tmp_path, name):
    assert roster_of(tmp_path, MOODLE).match(name).id == "1234567"


def test_the_id_goes_before_the_name(tmp_path):
    roster = roster_of(tmp_path, MOODLE)
    assert roster.match("Jörg Müller", "1234568").name == "Zoë O'Hara"
    assert roster.match("Jörg Müller", "555").id == "1234567"
    assert roster.match("Jörg") is None and roster.match("") is None


def test_nobody_is_guessed_when_two_have_one_name(tmp_path):
    roster = roster_of(tmp_path, "name,id\nAnn Li,1\nAnn Li,2\nLi Ann,3\n")
    assert roster.match("Ann Li") is None
    assert roster.match("Li Ann").id == "3"  # the order decides
    assert roster.match("annli") is None
    assert roster.match("Ann Li", "2").id == "2"


def test_the_words_of_a_name_may_go_round_but_letters_may_not_move():
    assert spellings("García López, María") & spellings("Maria Garcia Lopez")
    assert not spellings("Ann Li") & spellings("Nan Li")


# --- writing ------------------------------------------------------------------------------------


def test_moodles_worksheet_is_kept_and_filled(tmp_path):
    roster = roster_of(tmp_path, MOODLE)
    text = moodle_gradebook([JORG, ANN], POINTS, MAXIMUM, FEEDBACK, roster)
    before, after = cells(MOODLE), cells(text)
    assert list(after[0]) == list(before[0])
    assert after[0] == before[0] | {"Grade": "82.5", "Feedback comments": "’=well done"}  # 16.5 of 20, of 100
    assert after[1] == before[1]  # nothing came: what was there stays
    assert (after[2]["Full name"], after[2]["Grade"], after[2]["Identifier"]) == ("Ann Li", "", "Participant 9")
    assert roster.rows[0][4] == ""  # the roster itself is not changed


def test_moodles_worksheet_without_a_roster_has_the_columns_that_the_import_demands():
    rows = cells(moodle_gradebook([JORG, ANN], POINTS, MAXIMUM, FEEDBACK))
    assert {"Identifier", "Grade", "Last modified (grade)"} <= set(rows[0])
    assert [row["Identifier"] for row in rows] == ["Participant 9", "Participant 1234567"]
    assert (rows[1]["Grade"], rows[1]["Maximum Grade"]) == ("16.5", "20")


def test_canvas_column_is_found_and_scaled(tmp_path):
    jorg = student("muller-jorg-12345", "mullerjorg", "12345", "canvas")
    text = canvas_gradebook([jorg], {jorg.folder: {"lora": 6.5, "sft": None}}, MAXIMUM, {}, roster_of(tmp_path, CANVAS))
    rows = cells(text)
    assert list(rows[0]) == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "sft", "LoRA (771)"]
    assert rows[0]["Student"] == "    Points Possible" and (rows[0]["sft"], rows[0]["LoRA (771)"]) == ("7", "10")
    assert list(rows[1].values()) == ["Müller, Jörg", "12345", "S1", "jmuller", "Group A", "", "5"]
    assert list(rows[2].values()) == ["O'Hara, Zoë", "12346", "S2", "zohara", "Group A", "", ""]
    assert len(rows) == 3


def test_canvas_without_a_roster():
    rows = cells(canvas_gradebook([student("a-5", "a", "5", "canvas")], {"a-5": {"sft": 3}}, MAXIMUM, {}))
    assert (rows[0]["sft"], rows[0]["lora"]) == ("7", "13")
    assert (rows[1]["ID"], rows[1]["sft"], rows[1]["lora"]) == ("5", "3", "")


def test_plain_gradebook_names_who_is_missing(tmp_path):
    rows = cells(plain_gradebook([JORG, ANN], POINTS, MAXIMUM, FEEDBACK, roster_of(tmp_path, MOODLE)))
    assert [row["name"] for row in rows] == ["Ann Li", "Jörg Müller", "Zoë O'Hara"]
    assert [row["total"] for row in rows] == ["", "16.5", ""]
    assert rows[1]["lora"] == "9.5" and rows[1]["maximum"] == "20"


def test_the_order_of_the_students_does_not_matter(tmp_path):
    for write in (plain_gradebook, moodle_gradebook, canvas_gradebook):
        assert write([JORG, ANN], POINTS, MAXIMUM, FEEDBACK) == write([ANN, JORG], POINTS, MAXIMUM, FEEDBACK)


def test_moodle_finds_its_rows_again_and_the_name_that_a_student_chose_there_is_no_formula(tmp_path):
    roster = roster_of(tmp_path, MOODLE.replace("Zoë O'Hara", "=1+1;=2+2").replace(",55.00,", ",-,"))
    assert cells(moodle_gradebook([], {}, MAXIMUM, {}, roster))[1] == cells(MOODLE)[1] | {"Full name": "’=1+1;’=2+2", "Grade": "-"}


def test_canvas_finds_its_rows_again_and_a_login_with_a_sign_is_no_formula(tmp_path):
    roster = roster_of(tmp_path, CANVAS.replace("zohara", "+49-170"))
    possible, *_, row = cells(canvas_gradebook([], {}, MAXIMUM, {}, roster))
    assert possible["Student"] == "    Points Possible"
    assert [row[column] for column in ("Student", "ID", "SIS User ID", "SIS Login ID")] == ["O'Hara, Zoë", "12346", "S2", "’+49-170"]


def test_a_number_below_zero_stays_a_number():
    for write in (plain_gradebook, moodle_gradebook, canvas_gradebook):
        assert ",-1.5" in write([ANN], {ANN.folder: {"sft": -1.5}}, {"sft": 7}, {})


def test_a_hyphen_stays_only_where_it_does_not_begin_a_line():
    rows = cells(plain_gradebook([student("-", "-")], {}, {}, {}))
    assert (rows[0]["folder"], rows[0]["name"]) == ("’-", "-")
