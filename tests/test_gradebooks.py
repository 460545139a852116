"""Gradebooks in the form that each platform imports: its own list, with grades in their column and all else as it came."""

import csv
import io
import json
import zipfile
from dataclasses import replace

import pytest

from classroom.assignment import Assignment, of_problems
from classroom.incoming.collect import Student
from classroom.incoming.roster import read_roster
from classroom.outgoing.gradebooks import Grades, books
from classroom.outgoing.standing import BY_HAND, EXCUSED, GRADED, MISSING, Standing, key_of, totals
from classroom.outgoing.uploads import uploads

LORA = of_problems(["lora"])
BOTH = of_problems(["sft", "lora"])
MOST = LORA.whole

MOODLE = """Identifier,"Full name","Email address",Status,Grade,"Maximum Grade","Grade can be changed","Last modified (grade)","Feedback comments"
"Participant 310001","Anna Berg",ab@example.org,"Submitted for grading - 2 days 3 hours late",,100.00,Yes,-,
"Participant 310002","Zoë O'Hara",zo@example.org,"No submission - ",,100.00,Yes,-,
"Participant 310003","Ben Carter",bc@example.org,"Submitted for grading - ",88.00,100.00,Yes,"Tuesday, 3 September 2024, 10:00 AM","My own words"
"""
GERMAN = """ID;"Vollständiger Name";E-Mail-Adresse;Status;Bewertung;Bestwertung;"Bewertung kann geändert werden";"Zuletzt geändert (Bewertung)";"Feedback als Kommentar"
"Teilnehmer/in310001";"Anna Berg";ab@example.org;"Zur Bewertung abgegeben";;100,00;Ja;-;
"Teilnehmer/in310003";"Ben Carter";bc@example.org;"Zur Bewertung abgegeben";;100,00;Ja;-;
"Teilnehmer/in310002";"Zoë O'Hara";zo@example.org;"Keine Abgabe";;100,00;Ja;-;
"""
CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section,HW2 (45677),HW3: LoRA (45678),Final Score
,,,,,Manual Posting,,
    Points Possible,,,,,10,100,(read only)
"Berg, Anna",310001,S1,aberg01,Group A,7,,50
"Carter, Ben",310003,S3,bcarter,Group A,8,,60
"O'Hara, Zoë",310002,S2,zohara,Group A,,,60
"Student, Test",99,,abc,Group A,,,
"""
BLACKBOARD = """"Last Name","First Name","Username","Student ID","Last Access","Availability","LoRA [Total Pts: 59 Score] |12345","SFT [Total Pts: 50 Score] |12346"
"Berg","Anna","310001","S1","2025-11-20","Yes","",""
"Carter","Ben","310003","S3","2025-11-20","Yes","",""
"O'Hara","Zoë","310002","S2","2025-11-20","Yes","",""
"""
BRIGHTSPACE = """OrgDefinedId,Username,Last Name,First Name,Email,LoRA Points Grade <Numeric MaxPoints:100 Weight:10>,End-of-Line Indicator
#310001,aberg,Berg,Anna,ab@example.org,,#
#310003,bcarter,Carter,Ben,bc@example.org,,#
#310002,zohara,O'Hara,Zoë,zo@example.org,,#
"""
GOOGLE = """Last Name,First Name,Email Address,LoRA
Berg,Anna,ab@example.org,
Carter,Ben,bc@example.org,
O'Hara,Zoë,zo@example.org,
"""
GITHUB = """identifier,github_username,github_id,name
Anna Berg,annaberg,310001,
Ben Carter,bcarter,310003,
Zoë O'Hara,zohara,310002,
"""


def student(name, id, platform="moodle", email="", **more) -> Student:
    folder = f"{name.lower().replace(' ', '-')}-{id}"
    return Student(folder, name, id, email, platform, more.pop("late", ""), {}, **more)


ANNA = student("Anna Berg", "310001", email="ab@example.org")
BEN = student("Ben Carter", "310003", email="bc@example.org")
EMIL = student("Emil Empty", "310009")


def given(points, most=MOST) -> Standing:
    return Standing(points, most, GRADED, points)


def grades(own, students=(ANNA, BEN), roster=None, assignment=LORA, **more) -> Grades:
    """Of `own`, by student: the points in LoRA, or the standing."""
    full = {s.folder: {"lora": given(p) if isinstance(p, int | float) else p} for s, p in zip(students, own)}
    there = {s.folder for s in students}
    missing = [{"name": p.name, "id": p.id, "email": p.email} for p in (roster.people if roster else ()) if not any(p.id in f for f in there)]
    full |= {key_of(person): {"lora": Standing(assignment.missing, MOST, MISSING, None)} for person in missing}
    feedback = {s.folder: f"words for {s.name}" for s in students}
    return Grades(list(students), missing, full, totals(full, assignment), assignment, feedback, roster, **more)


def roster_of(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "list.csv"
    path.write_bytes(text.encode(encoding))
    return read_roster(path)


def book(found, name):
    return next(one for one in books(found)[0] if one.name == name)


def table(found, name, delimiter=",", encoding="utf-8-sig") -> list[list[str]]:
    return list(csv.reader(io.StringIO(book(found, name).content.decode(encoding), newline=""), delimiter=delimiter))


def lines(text, delimiter=","):
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


def changed(before: list[list[str]], after: list[list[str]]) -> dict[tuple[str, str], str]:
    """The cells that differ, by the first cell of the row and the header of the column."""
    assert [len(row) for row in before] == [len(row) for row in after] and before[0] == after[0]
    return {
        (old[0], before[0][column]): new[column]
        for old, new in zip(before, after)
        for column in range(len(old))
        if old[column] != new[column]
    }


# --- Moodle -------------------------------------------------------------------------------------


def test_moodles_worksheet_gets_grades_and_comments_and_all_else_stays(tmp_path):
    found = grades([MOST / 2, MOST], roster=roster_of(tmp_path, MOODLE))
    assert changed(lines(MOODLE), table(found, "gradebook-moodle.csv")) == {
        ("Participant 310001", "Grade"): "50",
        ("Participant 310001", "Feedback comments"): "words for Anna Berg",
    }


def test_the_instructors_own_grade_is_kept_and_told_unless_it_is_to_be_overwritten(tmp_path):
    roster = roster_of(tmp_path, MOODLE)
    told = " ".join(book(grades([59, 10], roster=roster), "gradebook-moodle.csv").notes)
    assert "where Moodle's list holds another grade, that was kept: 1, Ben Carter (88.00; here 16.95)" in told and "--overwrite-grades" in told
    row = table(grades([59, 10], roster=roster, overwrite=True), "gradebook-moodle.csv")[3]
    assert (row[4], row[8]) == ("16.95", "words for Ben Carter")
    assert roster.rows[2][4] == "88.00"  # the list itself is not changed


def test_a_comment_of_the_instructors_stays_beside_a_new_grade(tmp_path):
    roster = roster_of(tmp_path, MOODLE.replace("88.00", ""))
    assert table(grades([59, 59], roster=roster), "gradebook-moodle.csv")[3][4:9:4] == ["100", "My own words"]


def test_a_worksheet_in_another_language_is_filled_with_its_own_comma_and_delimiter(tmp_path):
    found = grades([29, 59], roster=roster_of(tmp_path, GERMAN, "utf-8-sig"))
    content = book(found, "gradebook-moodle.csv").content
    assert content.startswith(b"\xef\xbb\xbf")  # as it came
    cells = changed(lines(GERMAN, ";"), table(found, "gradebook-moodle.csv", ";"))
    assert cells["Teilnehmer/in310001", "Bewertung"] == "49,15" and cells["Teilnehmer/in310003", "Bewertung"] == "100"


def test_who_is_not_in_the_worksheet_is_told_and_gets_no_row_without_an_identifier(tmp_path):
    roster = roster_of(tmp_path, MOODLE)
    found = grades([59, 59, 59], (ANNA, BEN, EMIL), roster)
    assert len(table(found, "gradebook-moodle.csv")) == 4
    assert "not in Moodle's list, so without a row there: 1, Emil Empty." in " ".join(book(found, "gradebook-moodle.csv").notes)


def test_without_a_worksheet_only_those_with_a_number_have_a_row():
    rows = table(grades([59, 29], (ANNA, student("No Number", ""))), "gradebook-moodle.csv")
    assert rows[0] == ["Identifier", "Full name", "Grade", "Maximum Grade", "Last modified (grade)", "Feedback comments"]
    assert rows[1:] == [["Participant 310001", "Anna Berg", "59", "59", "-", "words for Anna Berg"]]


@pytest.mark.parametrize("platform", ["moodle", "canvas"])
def test_what_has_no_grade_has_an_empty_cell_and_never_a_zero(platform, tmp_path):
    by_hand, excused = Standing(None, MOST, BY_HAND, None, "broken"), Standing(None, MOST, EXCUSED, None, "Excused.")
    people = [replace(one, platform=platform) for one in (ANNA, BEN)]
    roster = roster_of(tmp_path, {"moodle": MOODLE.replace("88.00", ""), "canvas": CANVAS}[platform])
    rows = table(grades([by_hand, excused], people, roster), f"gradebook-{platform}.csv")
    column = {"moodle": 4, "canvas": 5}[platform]
    found = {next(cell for cell in row[:2] if "3100" in cell)[-6:]: row[column] for row in rows[1:] if "3100" in "".join(row[:2])}
    assert found == {"310001": "", "310002": "", "310003": "EX" if platform == "canvas" else ""}
    assert [row[5] for row in table(grades([by_hand, excused]), "gradebook.csv")[1:]] == ["", ""]


def test_who_handed_nothing_in_gets_zero_where_the_assignment_says_so(tmp_path):
    zero = Assignment(problems=["lora"], missing=0)
    found = grades([59, 59], roster=roster_of(tmp_path, MOODLE), assignment=zero)
    assert table(found, "gradebook-moodle.csv")[2][4] == "0"
    assert table(found, "gradebook.csv")[3][5] == "0"


# --- Canvas -------------------------------------------------------------------------------------


def canvas(own, tmp_path, text=CANVAS, assignment=LORA, **more):
    people = [replace(one, platform="canvas") for one in (ANNA, BEN)]
    return grades(own, people, roster_of(tmp_path, text), assignment, **more)


def test_canvas_gets_the_column_that_holds_the_problems_title_on_its_scale(tmp_path):
    rows = table(canvas([59, 29], tmp_path), "gradebook-canvas.csv")
    assert rows[0] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "HW3: LoRA (45678)"]
    assert [row[0] for row in rows[1:]] == ["", "    Points Possible", "Berg, Anna", "Carter, Ben", "O'Hara, Zoë"]
    assert [row[5] for row in rows[1:]] == ["", "100", "100", "49.15", ""]


@pytest.mark.parametrize(
    "header, column, words",
    [
        ("Week 9 (45678)", "", "no column for LoRA: “HW2 (45677)”; “Week 9 (45678)”"),
        ("LoRA again (45678)", "LoRA", "no column called “LoRA”"),
        ("LoRA b (2),LoRA c (3)", "", "2 columns for LoRA: “LoRA b (2)”; “LoRA c (3)”"),
    ],
)
def test_canvas_gets_no_new_column_where_the_old_one_is_unclear(header, column, words, tmp_path):
    more = "," * header.count(",")
    text = "\n".join(
        line.replace("HW3: LoRA (45678)", header) if "HW3" in line else line + more for line in CANVAS.splitlines()
    )
    made, refused = books(canvas([59, 29], tmp_path, text, Assignment(problems=["lora"], column=column)))
    assert [one.name for one in made] == ["gradebook.csv"]
    assert words in refused[0] and "--column" in refused[0]


def test_the_stated_column_is_taken(tmp_path):
    for name in ("HW2 (45677)", "hw2"):
        stated = Assignment(problems=["lora"], column=name)
        assert table(canvas([59, 59], tmp_path, CANVAS, stated, overwrite=True), "gradebook-canvas.csv")[3][5] == "10"


def test_canvas_without_its_gradebook_says_that_it_would_make_an_assignment():
    found = grades([59, 29], [replace(one, platform="canvas") for one in (ANNA, BEN)])
    rows = table(found, "gradebook-canvas.csv")
    assert [row[1::4] for row in rows] == [["ID", "LoRA"], ["", "59"], ["310001", "59"], ["310003", "29"]] or rows[0][5] == "LoRA"
    assert "Canvas would make new assignments" in book(found, "gradebook-canvas.csv").notes[0]


# --- others -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "platform, text, header, cells",
    [
        ("blackboard", BLACKBOARD, None, {("Berg", "LoRA [Total Pts: 59 Score] |12345"): "59", ("Carter", "LoRA [Total Pts: 59 Score] |12345"): "29.5"}),
        ("google", GOOGLE, None, {("Berg", "LoRA"): "59", ("Carter", "LoRA"): "29.5"}),
    ],
)
def test_a_platforms_list_goes_back_as_it_came_with_the_grades_in_it(platform, text, header, cells, tmp_path):
    people = [replace(one, platform=platform) for one in (ANNA, BEN)]
    found = grades([59, 29.5], people, roster_of(tmp_path, text))
    assert changed(lines(text), table(found, f"gradebook-{platform}.csv")) == cells


def test_blackboards_file_keeps_its_tabs_and_its_encoding(tmp_path):
    people = [replace(one, platform="blackboard") for one in (ANNA, BEN)]
    found = grades([59, 29.5], people, roster_of(tmp_path, BLACKBOARD.replace('","', '"\t"'), "utf-16"))
    assert table(found, "gradebook-blackboard.csv", "\t", "utf-16")[2][6] == "29.5"


def test_brightspace_gets_its_keys_the_grade_and_the_end_of_the_line(tmp_path):
    people = [replace(one, platform="brightspace") for one in (ANNA, BEN)]
    assert table(grades([59, 29.5], people, roster_of(tmp_path, BRIGHTSPACE)), "gradebook-brightspace.csv") == [
        ["OrgDefinedId", "Username", "LoRA Points Grade <Numeric MaxPoints:100 Weight:10>", "End-of-Line Indicator"],
        ["#310001", "aberg", "100", "#"],
        ["#310003", "bcarter", "50", "#"],
        ["#310002", "zohara", "", "#"],
    ]


def test_githubs_list_gets_points_beside_the_names(tmp_path):
    people = [replace(one, platform="github") for one in (ANNA, BEN)]
    rows = table(grades([59, 29.5], people, roster_of(tmp_path, GITHUB)), "gradebook-github.csv")
    assert rows[0] == ["identifier", "github_username", "github_id", "name", "points_awarded", "points_available"]
    assert [row[4:] for row in rows[1:]] == [["59", "59"], ["29.5", "59"], ["", "59"]]


def test_two_problems_go_into_two_columns_or_their_sum_into_the_stated_one(tmp_path):
    people = [replace(ANNA, platform="blackboard")]
    sft = BOTH.most("sft")
    own = {ANNA.folder: {"sft": given(sft / 2, sft), "lora": given(MOST)}}
    roster = roster_of(tmp_path, BLACKBOARD)
    found = Grades(people, [], own, totals(own, BOTH), BOTH, {}, roster)
    assert table(found, "gradebook-blackboard.csv")[1][6:] == ["59", "25"]
    whole = Assignment(problems=["sft", "lora"], column="LoRA")
    found = Grades(people, [], own, totals(own, whole), whole, {}, roster)
    assert table(found, "gradebook-blackboard.csv")[1][6:] == [f"{59 * (sft / 2 + MOST) / (sft + MOST):.2f}".rstrip("0"), ""]


# --- our own ------------------------------------------------------------------------------------


def test_excel_knows_the_encoding_of_our_own_and_late_and_status_have_a_column():
    found = grades([59, Standing(None, MOST, BY_HAND, None)], (replace(ANNA, late="2 days late"), BEN))
    assert book(found, "gradebook.csv").content.startswith(b"\xef\xbb\xbf")
    header, *rows = table(found, "gradebook.csv")
    assert header == ["folder", "name", "id", "email", "lora", "total", "maximum", "status", "late", "note"]
    assert [row[4:9] for row in rows] == [["59", "59", "59", "graded", "2 days late"], ["", "", "59", "by hand", ""]]


def test_the_order_of_the_students_does_not_matter(tmp_path):
    for text in (None, MOODLE, CANVAS):
        roster = roster_of(tmp_path, text) if text else None
        there, back = grades([59, 29], (ANNA, BEN), roster), grades([29, 59], (BEN, ANNA), roster)
        assert [one.content for one in books(there)[0]] == [one.content for one in books(back)[0]]


def test_a_name_that_a_student_chose_on_the_platform_is_no_formula_and_the_key_stays(tmp_path):
    roster = roster_of(tmp_path, MOODLE.replace("Zoë O'Hara", "=1+1;=2+2"))
    assert table(grades([59, 59], roster=roster), "gradebook-moodle.csv")[2][:2] == ["Participant 310002", "’=1+1;’=2+2"]
    rows = table(canvas([59, 29], tmp_path, CANVAS.replace("zohara", "+49-170")), "gradebook-canvas.csv")
    assert rows[5][:4] == ["O'Hara, Zoë", "310002", "S2", "’+49-170"]


def test_a_hyphen_stays_only_where_it_does_not_begin_a_line(tmp_path):
    (row,) = table(grades([-1.5], [Student("-", "-", "", "", "folder", "", {})]), "gradebook.csv")[1:]
    assert row[:2] == ["’-", "-"] and row[4] == "-1.5"
    assert table(grades([Standing(None, MOST, BY_HAND, None)], [BEN], roster_of(tmp_path, MOODLE.replace("88.00", "-"))), "gradebook-moodle.csv")[3][4] == "-"


# --- feedback -----------------------------------------------------------------------------------


def unzipped(found, pages, results=None) -> dict[str, bytes]:
    (made,) = uploads(found, pages, results or {})
    with zipfile.ZipFile(io.BytesIO(made.content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_moodles_feedback_has_a_folder_for_each_participant_whose_name_its_import_can_split():
    odd = student("A_B/C Ö'Hara", "7")
    found = unzipped(grades([59, 59], (ANNA, odd)), {ANNA.folder: b"anna", odd.folder: b"odd"})
    assert found == {
        "Anna Berg_310001_assignsubmission_file/feedback.html": b"anna",
        "A B C Ö'Hara_7_assignsubmission_file/feedback.html": b"odd",
    }
    for name in found:
        assert name.split("/")[0].split("_")[2:] == ["assignsubmission", "file"] and name.split("_")[1].isdecimal()


def test_canvas_finds_student_and_upload_in_the_name_of_a_page():
    anna = replace(ANNA, platform="canvas", sources={"lora": "submissions.zip/bergannalise_LATE_310001_456_08_problem_lora-1.ipynb"})
    assert unzipped(grades([59], [anna]), {anna.folder: b"page"}) == {"bergannalise_LATE_310001_456_08_problem_lora-1.html": b"page"}


def test_gradescopes_autograder_gives_what_has_a_grade_and_nothing_else():
    source = {"lora": "x.zip/assignment_4321_export/submission_111/08_problem_lora.ipynb"}
    anna = replace(ANNA, platform="gradescope", sources=source)
    ben = replace(BEN, platform="gradescope", sources={"lora": source["lora"].replace("111", "112")})
    check = {"id": "saves_the_factors_alone", "stub": "lora_state_dict", "title": "t", "points": 1, "max_points": 1, "status": "passed", "message": "m"}
    results = {(anna.folder, "lora"): {"refused": "", "checks": [check]}}
    found = unzipped(grades([29.5, Standing(None, MOST, BY_HAND, None)], [anna, ben]), {}, results)
    assert sorted(found) == ["results/111.json", "run_autograder", "setup.sh"]
    told = json.loads(found["results/111.json"])
    assert told["score"] == 29.5 and told["tests"][0]["score"] == 1 and told["tests"][0]["status"] == "passed"
    compile(found["run_autograder"], "run_autograder", "exec")
