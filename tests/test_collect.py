"""Submissions as instructors really have them."""

import json
import os

import pytest

from classroom.grading.runner import jobs_of
from classroom.incoming.collect import CollectError, collect, load, summary
from classroom.incoming.roster import read_roster
from tests.zips import GOOD, MOODLE, files, member, only, put, reasons, zip_bytes, zip_of

LORA = json.dumps({"cells": [{"source": ["def inject_lora(model):\n", "    pass\n"]}], "nbformat": 4})


# --- what instructors have ----------------------------------------------------------------------


def test_a_folder_of_everybodys_notebooks(place):
    put(place / "in", "alice_06_problem_sft.ipynb", "a")
    put(place / "in", "Bob Smith 08_problem_lora (1).ipynb", "b")
    put(place / "in", "bob_smith-08-problem-lora.md", "b2")
    put(place / "in", "lora_carla.PY", "c")
    put(place / "in", "dan/Untitled.ipynb", LORA)
    put(place / "in", "erik/lora/solution.py", "e")
    put(place / "in", "erik/sft/solution.py", "e2")
    put(place / "in", "08_problem_lora/Zoë.ipynb", "z")
    collection = collect([place / "in"], place / "out")
    assert files(place / "out") == {
        "alice/06_problem_sft.ipynb": "a",
        "bob-smith/08_problem_lora.ipynb": "b",
        "bob-smith/08_problem_lora.md": "b2",
        "carla/08_problem_lora.py": "c",
        "dan/08_problem_lora.ipynb": LORA,
        "erik/06_problem_sft.py": "e2",
        "erik/08_problem_lora.py": "e",
        "zoe/08_problem_lora.ipynb": "z",
    }
    assert [student.name for student in collection.students] == ["alice", "Bob Smith", "carla", "dan", "erik", "Zoë"]
    assert collection.students[1].files == {"lora": ["08_problem_lora.ipynb", "08_problem_lora.md"]}
    assert not collection.unreadable and not collection.doubles


@pytest.mark.parametrize("rest", ["08_problem_lora.ipynb", "/08_problem_lora.ipynb", "/my/08_problem_lora.ipynb"])
def test_moodles_zip_flat_and_in_folders(place, rest):
    archive = zip_of(
        place / "in" / "CS101-LoRA-55.zip",
        (MOODLE.format(name="Jörg Müller", id=1234567, rest=rest), "j"),
        (MOODLE.format(name="Ann van Li", id=8, rest=rest.replace("ipynb", "py")), "a"),
        ("Ann van Li_8_assignsubmission_onlinetext_/onlinetext.html", "hello"),
        ("Ann van Li_8_assignsubmission_file_/report.pdf", "hello"),
    )
    collection = collect([archive], place / "out")
    assert files(place / "out") == {"ann-van-li-8/08_problem_lora.py": "a", "jorg-muller-1234567/08_problem_lora.ipynb": "j"}
    ann, jorg = collection.students
    assert (jorg.name, jorg.id, jorg.platform, jorg.notes) == ("Jörg Müller", "1234567", "moodle", [])
    assert [note.rpartition("/")[2] for note in ann.notes] == ["report.pdf is no notebook.", "onlinetext.html is a text typed on the platform, not a file."]


def test_moodles_zip_unpacked_by_hand(place):
    put(place / "in", "CS101/Ann Li_8_assignsubmission_file_/06_problem_sft.ipynb")
    assert only(collect([place / "in"], place / "out")).folder == "ann-li-8"


def test_somebody_who_uploaded_only_a_pdf_is_listed(place):
    archive = zip_of(place / "in" / "a.zip", (MOODLE.format(name="Ann Li", id=9, rest="/report.pdf"), "x"), (GOOD, "good"))
    student = collect([archive], place / "out").students[1]
    assert student.id == "9" and student.files == {} and "report.pdf is no notebook" in student.notes[0]


def test_canvas_zip(place):
    archive = zip_of(
        place / "in" / "submissions.zip",
        ("mullerjorg_LATE_12345_67890_08_problem_lora-1.ipynb", "old"),
        ("mullerjorg_LATE_12345_67999_08_problem_lora-2.ipynb", "new"),
        ("mullerjorg_LATE_12345_67100_08_problem_lora.md", "text"),
        ("lópez_garcíamaría_777_1_Untitled.ipynb", LORA),
        ("smithbob_5_text.html", "typed"),
        ("anon_a1B2c_44_06_problem_sft.ipynb", "who"),
    )
    collection = collect([archive], place / "out")
    assert files(place / "out") == {
        "anon-a1b2c-anon-a1b2c/06_problem_sft.ipynb": "who",
        "lopez-garciamaria-777/08_problem_lora.ipynb": LORA,
        "mullerjorg-12345/08_problem_lora.ipynb": "new",
        "mullerjorg-12345/08_problem_lora.md": "text",
    }
    by_name = {student.name: student for student in collection.students}
    assert by_name["mullerjorg"].late and not by_name["smithbob"].late
    assert "typed on the platform" in by_name["smithbob"].notes[0]
    (double,) = collection.doubles
    assert double["taken"].endswith("67999_08_problem_lora-2.ipynb")
    assert double["left"] == ["submissions.zip/mullerjorg_LATE_12345_67890_08_problem_lora-1.ipynb"]


def test_of_two_uploads_the_later_one_is_taken_whatever_its_name(place):
    members = ("li_5_99_08_problem_lora.ipynb", "old"), ("li_5_100_Untitled.ipynb", LORA)
    collect([zip_of(place / "in" / "a.zip", *members)], place / "out")
    assert files(place / "out") == {"li-5/08_problem_lora.ipynb": LORA}


@pytest.mark.parametrize("name", ["alice_2024_06_problem_sft.ipynb", "06_problem_sft_2024_11_alice.ipynb"])
def test_a_name_with_numbers_is_not_canvas(place, name):
    put(place / "in", name)
    student = only(collect([place / "in"], place / "out"))
    assert student.platform == "folder" and "alice" in student.name and student.files == {"sft": ["06_problem_sft.ipynb"]}


@pytest.mark.parametrize(
    "name, student",
    [
        ("06_problem_sft (1) alice.ipynb", "alice"),
        ("alice-06_problem_sft-12.ipynb", "alice"),
        ("06_problem_sft_12.ipynb", "12"),
        ("06_problem_sft_12345678_Bo.ipynb", "12345678 Bo"),
        ("student_12 - Copy.ipynb", "student 12"),
        ("Lora Smith/06_problem_sft.ipynb", "Lora Smith"),
        ("Lora_Smith_06_problem_sft.ipynb", "Lora Smith"),
        ("Zoe\u0308_06_problem_sft.ipynb", "Zo\u00eb"),
    ],
)
def test_the_students_name_in_the_name_of_a_file(place, name, student):
    put(place / "in", name, json.dumps({"cells": [{"source": "import torch\ndef collate(): pass"}]}))
    found = only(collect([place / "in"], place / "out"))
    assert (found.name, list(found.files)) == (student, ["sft"])


def test_clones_of_the_course(place):
    for path in (
        "notebooks/08_problem_lora.ipynb",
        "notebooks/03_lora.ipynb",
        "notebooks/.ipynb_checkpoints/08_problem_lora.ipynb",
        "solutions/lora.py",
        "solutions/peft.py",
        "grader/problems.py",
        "tests/variants/lora/other.py",
        ".git/08_problem_lora.ipynb",
        ".venv/lib/06_problem_sft.py",
        "node_modules/06_problem_sft.py",
        "README.md",
        "Makefile",
    ):
        put(place / "in", f"carla/{path}", path)
    put(place / "in", "carla/mine/06_problem_sft.py", "own")
    student = only(collect([place / "in"], place / "out"))
    assert files(place / "out") == {"carla/06_problem_sft.py": "own", "carla/08_problem_lora.ipynb": "notebooks/08_problem_lora.ipynb"}
    assert student.notes == []


def test_a_zip_inside_the_zip_is_opened_once(place):
    deepest = zip_bytes(("08_problem_lora.ipynb", "deep"))
    inner = zip_bytes(("hw/08_problem_lora.ipynb", "j"), ("__MACOSX/hw/._08_problem_lora.ipynb", "m"), ("hw/more.zip", deepest))
    archive = zip_of(place / "in" / "a.zip", (MOODLE.format(name="Ann Li", id=8, rest="/hw.zip"), inner))
    student = only(collect([archive], place / "out"))
    assert files(place / "out") == {"ann-li-8/08_problem_lora.ipynb": "j"}
    assert "inside another zip" in student.notes[0]


def test_a_zip_of_a_folder_and_a_zip_of_one_student(place):
    class_zip = zip_of(place / "in" / "group.zip", ("group/ann/06_problem_sft.py", "a"), ("group/bob/06_problem_sft.py", "b"))
    eve_zip = zip_of(place / "in" / "eve.zip", ("06_problem_sft.py", "e"))
    collect([class_zip, eve_zip], place / "out")
    assert files(place / "out") == {f"{name}/06_problem_sft.py": name[0] for name in ("ann", "bob", "eve")}


def test_single_notebooks_and_files_without_a_student(place):
    one = put(place / "in", "ann_06_problem_sft.ipynb")
    other = put(place / "in", "06_problem_sft (1).ipynb")
    collection = collect([one, other], place / "out")
    assert only(collection).name == "ann"
    assert "whose it is" in reasons(collection)["06_problem_sft (1).ipynb"]


def test_a_pair_keeps_its_dates_so_that_the_newer_counts(place):
    name = MOODLE.format(name="Ann Li", id=8, rest="/08_problem_lora")
    archive = zip_of(
        place / "in" / "a.zip",
        (member(f"{name}.ipynb", (2026, 5, 1, 10, 0, 0)), "i"),
        (member(f"{name}.md", (2026, 5, 1, 10, 0, 2)), "m"),
    )
    student = only(collect([archive], place / "out"))
    times = [(place / "out" / student.folder / file).stat().st_mtime for file in student.files["lora"]]
    assert times == [1777629600, 1777629602]


def test_a_folder_keeps_its_dates_too(place):
    path = put(place / "in", "ann/08_problem_lora.md")
    os.utime(path, ns=(5, 1_700_000_000_123_456_000))
    collect([place / "in"], place / "out")
    assert (place / "out/ann/08_problem_lora.md").stat().st_mtime_ns == 1_700_000_000_123_456_000


def test_of_two_files_the_better_name_and_then_the_newer_is_taken(place):
    for name, time in (("a/08_problem_lora.py", 5), ("b/08_problem_lora.py", 9), ("lora_scratch.py", 20), ("c/08_problem_lora.py", 1)):
        os.utime(put(place / "in" / "ann", name, name), (time, time))
    collection = collect([place / "in"], place / "out", level=1)
    assert files(place / "out") == {"ann/08_problem_lora.py": "b/08_problem_lora.py"}
    assert len(collection.doubles[0]["left"]) == 3 and "ann/lora_scratch.py" in only(collection).notes[0]


def test_equal_copies_are_no_doubles(place):
    put(place / "in", "ann/08_problem_lora.py", "same")
    put(place / "in", "ann/old/08_problem_lora.py", "same")
    assert collect([place / "in"], place / "out").doubles == []


def test_a_notebook_beside_a_python_file_is_told(place):
    put(place / "in", "ann/08_problem_lora.py")
    put(place / "in", "ann/08_problem_lora.ipynb")
    student = only(collect([place / "in"], place / "out"))
    assert student.files == {"lora": ["08_problem_lora.ipynb", "08_problem_lora.py"]}
    assert "which one counts" in student.notes[0]


def test_the_content_tells_the_problem_and_is_not_run(place):
    put(place / "in", "ann/solution.py", f"open({str(place / 'harm')!r}, 'w')\nclass Adapter: ...\ndef add_adapters(): (((")
    put(place / "in", "bob/solution.py", "print(1)")
    put(place / "in", "carla/all.py", "def collate(): ...\ndef merge_lora(): ...\n")
    collection = collect([place / "in"], place / "out")
    assert only(collection).files == {"peft": ["07_problem_peft.py"]}
    assert reasons(collection) == {"in/bob/solution.py": "belongs to no problem", "in/carla/all.py": "belongs to no problem"}


def test_modules_that_an_answer_imports_are_kept_beside_it(place):
    archive = zip_of(
        place / "in" / "a.zip",
        *((f"{MOODLE.format(name='Ann Li', id=8, rest='')}/{name}", text)
          for name, text in [("08_problem_lora.ipynb", LORA), ("my_helpers.py", "x = 1"), ("more (1).py", "y = 2"), ("not a module.py", "z")]),
    )  # fmt: skip
    student = only(collect([archive], place / "out"))
    assert student.files == {"lora": ["08_problem_lora.ipynb"]} and sorted(student.modules) == ["more.py", "my_helpers.py"]
    assert files(place / "out")["ann-li-8/my_helpers.py"] == "x = 1" and "not a module.py belongs to no problem" in student.notes[0]
    assert [name for name, *_ in jobs_of(load(place / "out"), 1)[0].files] == ["08_problem_lora.ipynb", "more.py", "my_helpers.py"]


def test_a_topics_notebook_is_no_answer(place):
    archive = zip_of(place / "in" / "a.zip", (MOODLE.format(name="Ann Li", id=9, rest="/03_lora.ipynb"), LORA), (GOOD, "good"))
    student = collect([archive], place / "out").students[1]
    assert student.files == {} and "notebook of a topic" in student.notes[0]


# --- answers to the quiz ------------------------------------------------------------------------

ANSWERS = '{"format": 1, "answers": {}}'


@pytest.mark.parametrize(
    "name, folder",
    [
        (MOODLE.format(name="Ann Li", id=8, rest="quiz_answers.json"), "ann-li-8"),
        (MOODLE.format(name="Ann Li", id=8, rest="/notebooks/quiz_answers (1).json"), "ann-li-8"),
        ("liann_LATE_5_99_quiz_answers-1.json", "liann-5"),
        ("ann_quiz_answers.json", "ann"),
        ("Ann Li quiz_answers (2).JSON", "ann-li"),
        ("quiz_answers_2024_11_ann.json", "2024-11-ann"),
        ("ann/notebooks/quiz_answers.json", "ann"),
    ],
)
def test_answers_to_the_quiz_are_taken_along(place, name, folder):
    archive = zip_of(place / "in" / "a.zip", (name, ANSWERS))
    student = only(collect([archive], place / "out"))
    assert (student.folder, student.quiz, student.files, student.notes) == (folder, "quiz_answers.json", {}, [])
    assert files(place / "out") == {f"{folder}/quiz_answers.json": ANSWERS}
    assert load(place / "out").students == [student] and jobs_of(load(place / "out"), 1) == []


def test_answers_beside_notebooks_belong_to_the_same_student(place):
    put(place / "in", "class/ann/notebooks/08_problem_lora.ipynb", LORA)
    put(place / "in", "class/ann/notebooks/quiz_answers.json", ANSWERS)
    put(place / "in", "class/ann/grader/problems.py")
    put(place / "in", "class/ann/lab/tokenizer.json")
    put(place / "in", "quiz_answers_bob.json", ANSWERS)
    collection = collect([place / "in" / "class", place / "in" / "quiz_answers_bob.json"], place / "out")
    assert [(one.folder, list(one.files), one.quiz) for one in collection.students] == [
        ("ann", ["lora"], "quiz_answers.json"), ("bob", [], "quiz_answers.json"),
    ]  # fmt: skip
    assert not collection.unreadable and "  quiz     2 of 2  Answers to the quiz" in summary(collection)


def test_of_two_files_of_answers_the_later_counts(place):
    names = [f"li_5_{number}_quiz_answers-{number}.json" for number in (99, 100)]
    student = only(collect([zip_of(place / "in" / "a.zip", *((name, name) for name in names))], place / "out"))
    assert files(place / "out") == {"li-5/quiz_answers.json": names[1]}
    assert "2 files claim to be quiz_answers.json" in student.notes[0]


def test_answers_that_are_too_large_or_of_nobody_are_refused(place):
    archive = zip_of(place / "in" / "a.zip", ("bob/quiz_answers.json", os.urandom(1_000_001)), ("ann/06_problem_sft.py", "good"))
    collection = collect([archive], place / "out")
    assert reasons(collection) == {"a.zip/bob/quiz_answers.json": "is larger than 1 MB, which answers to the quiz are not"}
    assert [student.quiz for student in collection.students] == [""]


def test_other_json_and_answers_of_nobody_are_left_out(place):
    for name in ("quiz_answers.json", "quiz_answers.txt", "bob/package.json", "ann/06_problem_sft.py"):
        put(place / "in", name)
    collection = collect([place / "in"], place / "out")
    assert only(collection).folder == "ann" and only(collection).quiz == ""
    found = reasons(collection)
    assert "whose it is" in found.pop("in/quiz_answers.json")
    assert found == {"in/quiz_answers.txt": "is no notebook", "in/bob/package.json": "is no notebook"}


# --- several archives, and the roster -----------------------------------------------------------


def test_one_student_in_two_archives_is_one_folder(place):
    """Moodle gives another number for each assignment."""
    first = zip_of(place / "in" / "sft.zip", (MOODLE.format(name="Ann Li", id=8, rest="/06_problem_sft.py"), "s"))
    second = zip_of(place / "in" / "lora.zip", (MOODLE.format(name="Ann Li", id=19, rest="/08_problem_lora.py"), "l"))
    student = only(collect([first, second], place / "out"))
    assert student.folder == "ann-li-8" and set(student.files) == {"sft", "lora"}
    assert "8, 19" in student.notes[0]


def test_two_students_of_one_name_stay_apart(place):
    first = zip_of(
        place / "in" / "sft.zip",
        (MOODLE.format(name="Ann Li", id=8, rest="/06_problem_sft.py"), "s8"),
        (MOODLE.format(name="Ann Li", id=9, rest="/06_problem_sft.py"), "s9"),
    )
    second = zip_of(place / "in" / "lora.zip", (MOODLE.format(name="Ann Li", id=19, rest="/08_problem_lora.py"), "l"))
    collection = collect([first, second], place / "out")
    assert [student.id for student in collection.students] == ["19", "8", "9"]
    assert all("kept apart" in student.notes[0] for student in collection.students)


def test_canvas_numbers_are_of_the_person(place):
    first = zip_of(place / "in" / "a.zip", ("liann_5_100_06_problem_sft.py", "5"), ("bob_7_101_06_problem_sft.py", "7"))
    second = zip_of(place / "in" / "b.zip", ("liann_6_102_08_problem_lora.py", "6"), ("bob_7_103_08_problem_lora.py", "7"))
    collection = collect([first, second], place / "out")
    assert [(student.folder, len(student.files)) for student in collection.students] == [("bob-7", 2), ("liann-5", 1), ("liann-6", 1)]


def test_the_roster_names_the_students_and_who_is_missing(place):
    roster = put(place / "in", "list.csv", 'Student,ID,SIS Login ID,Section\n"Müller, Jörg",12345,jm,A\n"Li, Ann",6,al,A\n"Ray, Bob",7,br,A\n')
    archive = zip_of(place / "in" / "a.zip", ("mullerjorg_12345_1_06_problem_sft.py", "x"), ("stranger_9_1_06_problem_sft.py", "x"))
    put(place / "in", "more/al/08_problem_lora.py")
    collection = collect([archive, place / "in" / "more"], place / "out", read_roster(roster))
    assert [(s.folder, s.name, s.email) for s in collection.students] == [
        ("li-ann-6", "Li, Ann", "al"),
        ("muller-jorg-12345", "Müller, Jörg", "jm"),
        ("stranger-9", "stranger", ""),
    ]
    assert collection.missing == [{"name": "Ray, Bob", "id": "7", "email": "br"}]
    assert "roster has nobody" in collection.students[2].notes[0] and not collection.students[1].notes
    assert "Nothing came from 1: Ray, Bob." in summary(collection)


def test_a_login_and_a_name_may_be_one_person(place):
    roster = put(place / "in", "list.csv", "name,email,id\nAnn Li,al@example.org,4\n")
    put(place / "in", "class/al/08_problem_lora.py")
    put(place / "in", "class/Li, Ann 06_problem_sft.py")
    student = only(collect([place / "in" / "class"], place / "out", read_roster(roster)))
    assert (student.folder, list(student.files), student.notes) == ("ann-li-4", ["sft", "lora"], [])


def test_a_namesake_does_not_take_the_place_of_the_person_in_the_roster(place):
    roster = put(place / "in", "list.csv", "Identifier,Full name,Grade\nParticipant 8,Ann Li,\n")
    archive = zip_of(
        place / "in" / "a.zip",
        (MOODLE.format(name="Ann Li", id=8, rest="/06_problem_sft.py"), "8"),
        (MOODLE.format(name="Ann Li", id=9, rest="/06_problem_sft.py"), "9"),
    )
    collect([archive], place / "out", read_roster(roster))
    assert files(place / "out") == {"ann-li-8/06_problem_sft.py": "8", "ann-li-9/06_problem_sft.py": "9"}


def test_folder_names_are_safe_and_unique(place):
    names = ["Con", "王小明", "李", "A*n?n", "ANN.LI", "ann li jr", "ann-li (jr)", "x" * 150]
    archive = zip_of(
        place / "in" / "a.zip",
        *((MOODLE.format(name=name, id=1, rest="/06_problem_sft.py"), name) for name in names),
    )
    collection = collect([archive], place / "out")
    folders = [student.folder for student in collection.students]
    assert sorted(folders) == sorted(
        ["a-n-n-1", "ann-li-1", "ann-li-jr-1", "con-1", "student-1", "student-1-2", "x" * 60 + "-1"]
    )


def test_folders_differ_also_where_case_does_not_count(place):
    names = ("Ann 1", "ANN_1", "Ann - 1.")
    members = [(MOODLE.format(name=name, id=number, rest="/06_problem_sft.py"), name) for number, name in enumerate(names)]
    archive = zip_of(place / "in" / "a.zip", *members)
    other = zip_of(place / "in" / "b.zip", ("aNN_1_0_06_problem_sft.py", "x"))
    folders = [student.folder for student in collect([archive, other], place / "out").students]
    assert len({folder.casefold() for folder in folders}) == len(folders) == 4


def test_a_windows_device_is_no_folder_name(place):
    put(place / "in", "con_06_problem_sft.py")
    assert only(collect([place / "in"], place / "out")).folder == "con-student"


# --- the result ---------------------------------------------------------------------------------


def test_the_same_input_gives_the_same_bytes(place):
    put(place / "in" / "f", "zoe/06_problem_sft.py")
    put(place / "in" / "f", "ann/06_problem_sft.py")
    put(place / "in" / "f", "ann/report.pdf")
    archive = zip_of(place / "in" / "a.zip", (MOODLE.format(name="Bo", id=1, rest="/lora.py"), "x"), ("x/../y.py", ""))
    collect([archive, place / "in" / "f"], place / "out")
    first = (place / "out/collected.json").read_bytes()
    (place / "out").rename(place / "in" / "before")
    collect([archive, place / "in" / "f"], place / "out")
    assert (place / "out/collected.json").read_bytes() == first
    assert json.loads(first)["format"] == 1


def test_a_collection_can_be_read_back(place):
    put(place / "in", "ann/06_problem_sft.py")
    put(place / "in", "notes.txt")
    made = collect([place / "in"], place / "out")
    assert load(place / "out") == made


@pytest.mark.parametrize(
    "text, part",
    [
        (None, "no collection"),
        ("{", "cannot be read"),
        ("[]", "format"),
        ('{"format": 2}', "format"),
        ('{"format": 1}', "broken"),
        ('{"format": 1, "students": [{"folder": "x"}]}', "broken"),
    ],
)
def test_a_broken_collection_is_said_in_a_sentence(place, text, part):
    if text is not None:
        put(place / "out", "collected.json", text)
    with pytest.raises(CollectError, match=part):
        load(place / "out")


@pytest.mark.parametrize("folder, name", [("../x", "a.py"), ("x", "../../a.py"), ("/x", "a.py"), ("..", "a.py")])
def test_a_collection_that_points_outside_is_broken(place, folder, name):
    put(place / "in", "ann/06_problem_sft.py")
    collect([place / "in"], place / "out")
    index = place / "out/collected.json"
    data = json.loads(index.read_text())
    data["students"][0] |= {"folder": folder, "files": {"sft": [name]}}
    index.write_text(json.dumps(data))
    with pytest.raises(CollectError, match="broken"):
        load(place / "out")


def test_a_full_folder_is_left_as_it_is(place):
    put(place / "in", "ann/06_problem_sft.py")
    kept = put(place / "out", "thesis.txt", "years of work")
    with pytest.raises(CollectError, match="not empty"):
        collect([place / "in"], place / "out")
    assert [path.name for path in (place / "out").iterdir()] == ["thesis.txt"] and kept.read_text() == "years of work"
    with pytest.raises(CollectError, match="not empty"):
        collect([place / "in"], kept)


def test_an_empty_folder_may_be_filled(place):
    put(place / "in", "ann/06_problem_sft.py")
    (place / "out").mkdir()
    assert only(collect([place / "in"], place / "out")).name == "ann"


def test_an_interrupted_collect_leaves_nothing(place):
    put(place / "in", "ann/06_problem_sft.py")

    def interrupt(line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        collect([place / "in"], place / "out", tell=interrupt)
    assert [path.name for path in place.iterdir()] == ["in"]


def test_places_that_cannot_be(place):
    with pytest.raises(CollectError, match="does not exist"):
        collect([place / "none.zip"], place / "out")
    with pytest.raises(CollectError, match="outside"):
        collect([place / "in"], place / "in" / "out")
    assert not (place / "in" / "out").exists()


def test_the_summary_counts_and_names(place):
    for name in ("ann/06_problem_sft.ipynb", "ann/08_problem_lora.ipynb", "bob/06_problem_sft.ipynb", "notes.txt"):
        put(place / "in", name)
    told = []
    text = "\n".join(summary(collect([place / "in"], place / "out", tell=told.append)))
    assert "2 students, from folders" in text and "sft      2 of 2" in text and "lora     1 of 2" in text and "peft     0 of 2" in text
    assert "in/notes.txt is no notebook." in text
    assert told[0] == "in: 3 files for a problem" and "\n".join(told[1:]) == text
