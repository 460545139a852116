"""Lists of students as the platforms export them."""

import pytest

from classroom.incoming.roster import RosterError, read_roster, spellings

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


def roster_of(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "list.csv"
    path.write_bytes(text.encode(encoding))
    return read_roster(path)


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
