"""A class of 44 in the layout of each platform: everybody is found as who they are, and nobody else."""

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from datetime import datetime

import pytest

from classroom.__main__ import main
from classroom.incoming.collect import CollectError, collect, load, summary
from classroom.incoming.roster import read_roster
from tests import classes
from tests.classes import GERMAN, JAPANESE, LAYOUTS, MOODLE, NOTEBOOK, Pupil, archive, class_list, notebook, the_class

CLASS = the_class()


def roster_of(folder, text):
    path = folder / "list.csv"
    path.write_text(text, encoding="utf-8")
    return read_roster(path)


def texts(collection):
    """The handed-in text by the student's name."""
    found = {}
    for student in collection.students:
        files = [collection.folder / student.folder / name for names in student.files.values() for name in names]
        found[student.name] = [path.read_text(encoding="utf-8") for path in files]
    return found


def kind(layout):
    return {"folders": "folder", "files": "folder"}.get(layout.split()[0], layout.split()[0])


def test_the_class_has_44_different_people():
    assert len(CLASS) == 44 == len({pupil.name for pupil in CLASS})


# --- everybody ----------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
def test_all_44_are_themselves(tmp_path, layout):
    roster = roster_of(tmp_path, class_list(layout, CLASS))
    collection = collect([archive(tmp_path / "in", layout, CLASS)], tmp_path / "out", roster)
    blind = layout == "moodle blind"
    named = {person.id: person.name for person in roster.people}
    assert len(collection.students) == len(named) == 44 and not collection.missing and not collection.unreadable
    assert {student.platform for student in collection.students} == {kind(layout)}
    handed = texts(collection)
    for pupil in CLASS:
        person = next(p for p in roster.people if p.row == roster.people[0].row + CLASS.index(pupil))
        student = next(s for s in collection.students if s.id == person.id and s.name == person.name)
        assert blind or handed[student.name] == [pupil.files[NOTEBOOK]], pupil.name
        assert student.notes == [] and student.late == "" and student.late_seconds == 0
    assert sum(collection.matched.values()) == 44 and "" not in collection.matched


@pytest.mark.parametrize("layout", LAYOUTS)
def test_all_44_stay_44_without_a_list(tmp_path, layout):
    collection = collect([archive(tmp_path / "in", layout, CLASS)], tmp_path / "out")
    handed = [text for student in collection.students for text in texts(replace(collection, students=[student])).popitem()[1]]
    assert len(collection.students) == 44 and Counter(handed) == Counter(pupil.files[NOTEBOOK] for pupil in CLASS)


def test_the_names_that_a_platform_gives_are_kept_without_a_list(tmp_path):
    for layout in (
        "moodle",
        "moodle flat",
        "moodle in a group",
        "moodle in two groups",
        "gradescope",
        "blackboard",
        "brightspace",
        "google",
        "folders",
    ):
        collection = collect([archive(tmp_path / layout, layout, CLASS)], tmp_path / layout / "out")
        assert {student.name for student in collection.students} == {pupil.name for pupil in CLASS}, layout


@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_unpacked_download_is_the_same(tmp_path, layout):
    import zipfile

    packed = archive(tmp_path / "in", layout, CLASS[:5])
    with zipfile.ZipFile(packed) as opened:
        opened.extractall(tmp_path / "unpacked" / "some name")
    roster = roster_of(tmp_path, class_list(layout, CLASS))
    first = collect([packed], tmp_path / "out", roster)
    second = collect([tmp_path / "unpacked" / "some name"], tmp_path / "out2", roster)
    assert [(s.name, s.id, s.files) for s in first.students] == [(s.name, s.id, s.files) for s in second.students]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_download_in_a_folder_of_zips_is_found(tmp_path, layout):
    archive(tmp_path / "downloads", layout, CLASS[:5])
    collection = collect([tmp_path / "downloads"], tmp_path / "out", roster_of(tmp_path, class_list(layout, CLASS)))
    assert len(collection.students) == 5 and len(collection.missing) == 39


# --- one is missing, late, has tried twice, or has handed in nothing that can be read -------------


@pytest.mark.parametrize("layout", LAYOUTS)
def test_one_is_missing_and_one_has_nothing_to_read(tmp_path, layout):
    pupils = [replace(CLASS[1], files={"report.pdf": "x"}), *CLASS[2:]]
    collection = collect(
        [archive(tmp_path / "in", layout, pupils)], tmp_path / "out", roster_of(tmp_path, class_list(layout, CLASS))
    )
    told = kind(layout) == "folder"  # a folder with a pdf need not be a student's
    assert len(collection.students) == (42 if told else 43)
    assert len(collection.missing) == (2 if told else 1)
    if told:
        assert "is no notebook" in collection.unreadable[0]["why"]
    else:
        (student,) = [student for student in collection.students if not student.files]
        assert "report.pdf is no notebook" in student.notes[0] or "blind" in layout
        assert any(line.startswith("Nothing that can be graded, 1: ") for line in summary(collection))


OLD, NEW = "2025-11-19 09:05", "2025-11-22 15:30"


@pytest.mark.parametrize("layout", ["blackboard", "blackboard in full", "brightspace", "brightspace flat"])
@pytest.mark.parametrize("attempt", ["last", "first"])
def test_of_two_attempts_one_counts_and_the_other_is_told(tmp_path, layout, attempt):
    twice = [replace(CLASS[3], date=date, files={NOTEBOOK: notebook(date)}) for date in (OLD, NEW)]
    made = archive(tmp_path / "in", layout, [*CLASS[:3], *twice, *CLASS[4:]])
    collection = collect([made], tmp_path / "out", roster_of(tmp_path, class_list(layout, CLASS)), attempt=attempt)
    assert len(collection.students) == 44
    (student,) = [student for student in collection.students if student.earlier]
    counts, other = (NEW, OLD) if attempt == "last" else (OLD, NEW)
    assert student.name == CLASS[3].name and texts(collection)[student.name] == [notebook(counts)]
    assert student.attempt.startswith(counts) and len(student.earlier) == 1 and student.earlier[0].startswith(other)
    assert load(tmp_path / "out") == collection


@pytest.mark.parametrize("layout", ["blackboard", "brightspace", "gradescope"])
def test_late_by_the_due_date(tmp_path, layout):
    pupils = [replace(CLASS[0], date="2025-11-23 02:59"), *CLASS[1:]]
    made = archive(tmp_path / "in", layout, pupils)
    collection = collect(
        [made], tmp_path / "out", roster_of(tmp_path, class_list(layout, CLASS)), due=datetime(2025, 11, 20, 23, 59)
    )
    (student,) = [student for student in collection.students if student.late]
    assert (student.name, student.late, student.late_seconds) == (CLASS[0].name, "2 days 3 hours late", 2 * 86400 + 3 * 3600)
    assert student.submitted.startswith("2025-11-23 02:59")


def test_late_by_canvas_and_a_second_upload(tmp_path):
    anna, ben = CLASS[:2]
    with_zip = classes.zipfile.ZipFile(tmp_path / "submissions.zip", "w")
    with with_zip as made:
        made.writestr(f"{anna.in_canvas}_LATE_{anna.number}_900_{NOTEBOOK}", "old")
        made.writestr(f"{anna.in_canvas}_LATE_{anna.number}_1000_08_problem_lora-1.ipynb", "new")
        made.writestr(f"{ben.in_canvas}_{ben.number}_901_{NOTEBOOK}", "ben")
    roster = roster_of(tmp_path, class_list("canvas", CLASS))
    collection = collect([tmp_path / "submissions.zip"], tmp_path / "out", roster)
    late = {student.id: (student.late, student.late_seconds) for student in collection.students}
    assert late == {str(anna.number): ("late", None), str(ben.number): ("", 0)}
    assert texts(collection)[anna.sortable] == ["new"] and texts(
        collect([tmp_path / "submissions.zip"], tmp_path / "o", roster, attempt="first")
    )[anna.sortable] == ["old"]


STATES = {
    MOODLE: (
        "Submitted for grading - 2 days 3 hours late",
        "Submitted for grading - Graded",
        "No submission - Assignment is overdue by: 5 days 2 hours",
    ),
    GERMAN: (
        "Zur Bewertung abgegeben - 2 Tage 3 Stunden später",
        "Zur Bewertung abgegeben - Bewertet",
        "Keine Abgabe - Fällig seit: 5 Tage 2 Stunden",
    ),
    JAPANESE: ("評定のために提出済み - 2 日 3 時間 遅く提出", "評定のために提出済み - 評定済み", "提出なし"),
}


@pytest.mark.parametrize("header", STATES, ids=["english", "german", "japanese"])
def test_late_by_moodles_words_in_any_language(tmp_path, header):
    late, graded, missing = STATES[header]
    status = {CLASS[0].name: late, CLASS[1].name: graded, CLASS[2].name: missing}
    roster = roster_of(tmp_path, classes.moodle_list(CLASS, header, status))
    collection = collect([archive(tmp_path / "in", "moodle", [*CLASS[:2], *CLASS[3:]])], tmp_path / "out", roster)
    (student,) = [student for student in collection.students if student.late]
    assert (student.name, student.late, student.late_seconds) == (CLASS[0].name, late.partition(" - ")[2], 2 * 86400 + 3 * 3600)
    assert [person["name"] for person in collection.missing] == [CLASS[2].name]


def test_an_extension_and_a_draft_are_not_late(tmp_path):
    status = {
        CLASS[0].name: "Submitted for grading - Extension granted until: Friday, 21 November 2025, 11:59 PM",
        CLASS[1].name: "Draft (not submitted)",
    }
    roster = roster_of(tmp_path, classes.moodle_list(CLASS, status=status))
    collection = collect([archive(tmp_path / "in", "moodle", CLASS)], tmp_path / "out", roster)
    assert not any(student.late for student in collection.students)
    assert [note for s in collection.students for note in s.notes] == ["Moodle has this as “Draft (not submitted)”."]


# --- lists of the class -------------------------------------------------------------------------


@pytest.mark.parametrize("comma", [False, True])
@pytest.mark.parametrize("header", [MOODLE, GERMAN, JAPANESE], ids=["english", "german", "japanese"])
@pytest.mark.parametrize("count", [1, 2, 44])
def test_moodles_columns_are_found_in_any_language(tmp_path, header, comma, count):
    roster = roster_of(tmp_path, classes.moodle_list(CLASS[:count], header, comma=comma))
    assert roster.kind == "moodle" and [(p.name, p.id, p.email) for p in roster.people] == [
        (p.name, str(p.number), p.email) for p in CLASS[:count]
    ]
    expected = {"id": 0, "name": 1, "email": 2, "status": 3, "grade": 4, "maximum": 5, "feedback": 9}
    assert {part: roster.columns[part] for part in expected} == expected
    assert (roster.decimal_comma, roster.delimiter, roster.encoding) == (comma, ";" if comma else ",", "utf-8")


@pytest.mark.parametrize("layout", classes.LISTS)
def test_the_kind_and_the_people_of_each_list(tmp_path, layout):
    roster = roster_of(tmp_path, class_list(layout, CLASS))
    assert roster.kind == layout.split()[0] and len(roster.people) == 44 == len({person.id for person in roster.people})


# --- names that several students have -------------------------------------------------------------

TWINS = [Pupil("Li Wei", 410001, {NOTEBOOK: notebook("one")}), Pupil("Li Wei", 410002, {NOTEBOOK: notebook("two")})]


@pytest.mark.parametrize(
    "layout",
    [
        "moodle",
        "moodle before 4.1",
        "moodle flat",
        "moodle blind",
        "canvas",
        "gradescope",
        "blackboard",
        "blackboard in full",
        "github",
    ],
)
@pytest.mark.parametrize("listed", [True, False])
def test_namesakes_are_told_apart_by_what_the_platform_gives(tmp_path, layout, listed):
    pupils = [*CLASS, *TWINS]
    roster = roster_of(tmp_path, class_list(layout, pupils)) if listed else None
    collection = collect([archive(tmp_path / "in", layout, pupils)], tmp_path / "out", roster)
    assert len(collection.students) == 46 and not collection.missing
    handed = [collection.folder.joinpath(s.folder, NOTEBOOK).read_text() for s in collection.students]
    assert handed.count(notebook("one")) == handed.count(notebook("two")) == 1


@pytest.mark.parametrize("layout", ["brightspace", "google", "folders", "files"])
@pytest.mark.parametrize("listed", [True, False])
def test_namesakes_whom_nothing_tells_apart_are_refused(tmp_path, layout, listed):
    """On these platforms only the name is given; the second one's file has the counter that a download adds."""
    second = replace(TWINS[1], date=NEW, files={"08_problem_lora (1).ipynb": notebook("two")})
    pupils = [*CLASS[:9], TWINS[0], second]
    made = archive(tmp_path / "in", layout, pupils)
    if layout == "folders":  # two folders of one name cannot be; these two are
        with classes.zipfile.ZipFile(made, "a") as more:
            more.writestr(f"Wei Li/{NOTEBOOK}", notebook("two"))
    roster = roster_of(tmp_path, class_list(layout, [*CLASS[:9], *TWINS])) if listed else None
    with pytest.raises(CollectError, match="Li Wei"):
        collect([made], tmp_path / "out", roster)
    assert not (tmp_path / "out").exists()


# --- teams --------------------------------------------------------------------------------------

TEAMS = {"Group A": CLASS[:3], "Group B": CLASS[3:6]}


def team_zip(folder, layout):
    path = folder / "in" / "teams.zip"
    path.parent.mkdir(exist_ok=True)
    with classes.zipfile.ZipFile(path, "w") as made:
        for number, (team, members) in enumerate(TEAMS.items(), 17):
            if layout == "moodle":
                made.writestr(f"{team}_{number}_assignsubmission_file/{NOTEBOOK}", notebook(team))
            elif layout == "canvas":  # the number is of the one who uploaded
                made.writestr(f"{team.lower().replace(' ', '')}_{members[1].number}_9{number}_{NOTEBOOK}", notebook(team))
        if layout == "gradescope":
            made.writestr("assignment_1_export/submission_metadata.yml", "".join(
                f"submission_{number}:\n  :submitters:\n" + "".join(f"  - :name: {m.name!r}\n    :sid: '{m.number}'\n" for m in members)
                for number, members in enumerate(TEAMS.values(), 17)
            ))  # fmt: skip
            for number, team in enumerate(TEAMS, 17):
                made.writestr(f"assignment_1_export/submission_{number}/{NOTEBOOK}", notebook(team))
    return path


@pytest.mark.parametrize("layout", ["moodle", "canvas", "gradescope"])
@pytest.mark.parametrize("listed", [True, False])
def test_a_teams_work_counts_for_each_member(tmp_path, layout, listed):
    teams = tmp_path / "teams.csv"
    teams.write_text(
        "group,name,id\n" + "".join(f'{team},"{p.name}",{p.number}\n' for team, members in TEAMS.items() for p in members)
    )
    roster = roster_of(tmp_path, class_list(layout, CLASS)) if listed else None
    collection = collect(
        [team_zip(tmp_path, layout)], tmp_path / "out", roster, groups=None if layout == "gradescope" else teams
    )
    assert len(collection.students) == 6 and len(collection.missing) == (38 if listed else 0)
    for team, members in TEAMS.items():
        for pupil in members:
            (student,) = [student for student in collection.students if student.id == str(pupil.number)]
            assert texts(collection)[student.name] == [notebook(team)]
            assert student.members == sorted(p.name for p in members) and (
                layout == "gradescope" or student.group.casefold().replace(" ", "") == team.casefold().replace(" ", "")
            )


def test_the_worksheet_tells_the_teams_too(tmp_path):
    rows = [
        [
            "Identifier",
            "Full name",
            "Email address",
            "Status",
            "Group",
            "Grade",
            "Maximum Grade",
            "Grade can be changed",
            "Last modified (grade)",
        ],
        *(
            [f"Participant {p.number}", p.name, p.email, "Submitted for grading", team, "", "100.00", "Yes", "-"]
            for team, m in TEAMS.items()
            for p in m
        ),
    ]
    roster = roster_of(tmp_path, classes._table(rows))
    collection = collect([team_zip(tmp_path, "moodle")], tmp_path / "out", roster)
    assert sorted(student.name for student in collection.students) == sorted(
        p.name for members in TEAMS.values() for p in members
    )


def test_a_team_of_unknown_members_is_told_or_refused(tmp_path):
    collection = collect([team_zip(tmp_path, "moodle")], tmp_path / "out")
    assert len(collection.students) == 2 and all("looks like a team" in student.notes[0] for student in collection.students)
    with pytest.raises(CollectError, match="--groups"):
        collect([team_zip(tmp_path, "moodle")], tmp_path / "out2", roster_of(tmp_path, class_list("moodle", CLASS)))


# --- where it is not sure what is whose -----------------------------------------------------------


def zipped(folder, name, *paths):
    folder.mkdir(exist_ok=True)
    with classes.zipfile.ZipFile(folder / name, "w") as made:
        for path in paths:
            made.writestr(path, notebook(path))
    return folder / name


UNCLEAR = {
    "one folder over folders": ["FT101/Anna Berg/08_problem_lora.ipynb", "FT101/Ben Carter/08_problem_lora.ipynb"],
    "sections": ["section 1/Anna Berg/08_problem_lora.ipynb", "section 1/Ben Carter/08_problem_lora.ipynb", "section 2/Plato/08_problem_lora.ipynb"],
    "one folder over files": ["FT101/Anna Berg 08_problem_lora.ipynb", "FT101/Ben Carter 08_problem_lora.ipynb"],
    "students and a folder of late ones": [
        "Plato/08_problem_lora.ipynb", "corrected/Anna Berg/08_problem_lora.ipynb", "corrected/Ben Carter/08_problem_lora.ipynb",
    ],
    "files without a name": ["08_problem_lora.ipynb", "08_problem_lora (1).ipynb"],
}  # fmt: skip


@pytest.mark.parametrize("paths", UNCLEAR.values(), ids=UNCLEAR)
def test_what_is_not_sure_is_asked_and_not_guessed(tmp_path, paths):
    with pytest.raises(CollectError, match="one student or several.*--level 2"):
        collect([zipped(tmp_path / "in", "hw3.zip", *paths)], tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("case", ["one folder over folders", "sections", "one folder over files"])
def test_the_list_of_the_class_or_the_level_settles_it(tmp_path, case):
    made = zipped(tmp_path / "in", "hw3.zip", *UNCLEAR[case])
    listed = collect([made], tmp_path / "out", roster_of(tmp_path, class_list("folders", CLASS)))
    told = collect([made], tmp_path / "out2", level=2)
    names = {part.removesuffix(" 08_problem_lora.ipynb") for path in UNCLEAR[case] for part in path.split("/")[1:2]}
    assert {s.name for s in listed.students} == {s.name for s in told.students} == names


def test_attempts_in_folders_of_each_student_are_attempts(tmp_path):
    paths = [f"{pupil.name}/attempt {number}/{NOTEBOOK}" for pupil in CLASS[:3] for number in (1, 2)]
    assert len(collect([zipped(tmp_path / "in", "hw3.zip", *paths)], tmp_path / "out").students) == 3


def test_two_zips_of_one_download_of_google_are_one(tmp_path):
    stem = "LoRA homework-20251120T120000Z-1"
    first = zipped(
        tmp_path / "in", f"{stem}-001.zip", f"LoRA homework/Anna Berg - {NOTEBOOK}", f"LoRA homework/Copy of {NOTEBOOK}"
    )
    second = zipped(
        tmp_path / "in",
        f"{stem}-002.zip",
        f"LoRA homework/Ben Carter - {NOTEBOOK}",
        f"LoRA homework/Anna Berg - {NOTEBOOK[:-6]} (1).ipynb",
    )
    with pytest.raises(CollectError, match="Anna Berg"):
        collect([first, second], tmp_path / "out")
    collection = collect([first, second], tmp_path / "out", roster_of(tmp_path, class_list("google", CLASS)))
    assert [student.name for student in collection.students] == ["Anna Berg", "Ben Carter"]
    assert [(one["where"].rpartition("/")[2], "whose it is" in one["why"]) for one in collection.unreadable] == [
        (f"Copy of {NOTEBOOK}", True)
    ]


def test_a_list_of_another_class_is_told(tmp_path):
    strangers = [replace(pupil, name=f"Stranger {number}", number=number) for number, pupil in enumerate(CLASS)]
    with pytest.raises(CollectError, match="None of the 44 names"):
        collect(
            [archive(tmp_path / "in", "moodle", CLASS)], tmp_path / "out", roster_of(tmp_path, class_list("moodle", strangers))
        )


def test_hidden_names_of_canvas_are_told(tmp_path):
    made = zipped(
        tmp_path / "in",
        "submissions.zip",
        *(f"anon_{letter}b12c_9000{letter}_{NOTEBOOK}".replace("9000a", "90001").replace("9000b", "90002") for letter in "ab"),
    )
    assert len(collect([made], tmp_path / "out").students) == 2
    with pytest.raises(CollectError, match="hidden the names"):
        collect([made], tmp_path / "out2", roster_of(tmp_path, class_list("canvas", CLASS)))


def test_hidden_names_of_moodle_are_told(tmp_path):
    made = archive(tmp_path / "in", "moodle blind", CLASS)
    assert {student.name for student in collect([made], tmp_path / "out").students} == {
        f"Participant {p.number}" for p in CLASS
    }
    named = collect([made], tmp_path / "out2", roster_of(tmp_path, class_list("moodle", CLASS)))
    assert texts(named) == {pupil.name: [pupil.files[NOTEBOOK]] for pupil in CLASS}
    with pytest.raises(CollectError, match="hidden the names.*worksheet"):
        collect([made], tmp_path / "out3", roster_of(tmp_path, class_list("folders", CLASS)))


def test_gradescopes_export_without_its_metadata_says_what_to_export(tmp_path):
    made = zipped(tmp_path / "in", "x.zip", *(f"assignment_1_export/submission_{number}/{NOTEBOOK}" for number in (1, 2)))
    with pytest.raises(CollectError, match="Export Submissions"):
        collect([made], tmp_path / "out")


def test_one_platforms_number_is_not_anothers(tmp_path):
    """Canvas's person 2 is not the second of a plain list."""
    anna, ben = (replace(pupil, number=number) for number, pupil in enumerate(CLASS[:2], 1))
    made = archive(tmp_path / "in", "canvas", [replace(anna, number=2), replace(ben, number=1)])
    collection = collect([made], tmp_path / "out", roster_of(tmp_path, class_list("folders", [anna, ben])))
    assert texts(collection) == {pupil.name: [pupil.files[NOTEBOOK]] for pupil in (anna, ben)}


# --- the command --------------------------------------------------------------------------------


def test_a_trial_run_shows_all_and_writes_nothing(tmp_path, capsys):
    made = archive(tmp_path / "in", "moodle", CLASS[1:])
    (tmp_path / "list.csv").write_text(class_list("moodle", CLASS))
    before = sorted(tmp_path.rglob("*"))
    assert (
        main(["collect", str(made), "--out", str(tmp_path / "a" / "out"), "--roster", str(tmp_path / "list.csv"), "--dry-run"])
        == 0
    )
    said = capsys.readouterr().out
    assert sorted(tmp_path.rglob("*")) == before
    assert "43 students, from Moodle" in said and "lora    43 of 43" in said and "In the roster: 43 by number." in said
    assert "Nothing came from 1: Anna Berg." in said and "nothing was written" in said


@pytest.mark.parametrize("content", [b"", b'{"a": 1}', None])
def test_what_holds_nothing_to_grade_is_an_error_and_leaves_no_folder(tmp_path, capsys, content):
    path = tmp_path / "class.json"
    path.write_bytes(content) if content is not None else zipped(
        tmp_path, "class.json", "Anna Berg_1_assignsubmission_file/report.pdf"
    )
    assert main(["collect", str(path), "--out", str(tmp_path / "new" / "out")]) == 2
    assert "There is nothing to grade in class.json" in capsys.readouterr().err and not (tmp_path / "new").exists()


def test_names_with_commas_stay_readable(tmp_path):
    canvas = [replace(pupil) for pupil in CLASS[:4]]
    lines = summary(
        collect(
            [archive(tmp_path / "in", "canvas", canvas[:1])],
            tmp_path / "out",
            roster_of(tmp_path, class_list("canvas", canvas)),
        )
    )
    assert "Nothing came from 3: Carter, Ben; Dupont, Chloé; Müller, Jörg." in lines


HARD = "FT101-Homework 3 (LoRA), “O'Hara's” $HOME `touch x` $(touch y) ${Z} 課題 #1 (2).zip"


@pytest.mark.skipif(os.name != "posix", reason="make is asked on POSIX only")
def test_make_passes_any_name_on_as_it_is(tmp_path):
    made = archive(tmp_path / "in", "moodle", CLASS[:2])
    hard = made.rename(made.with_name(HARD))
    other = zipped(tmp_path / "in", "b.zip", f"Ngozi Okafor_7_assignsubmission_file/{NOTEBOOK}")
    root = classes.Path(__file__).parents[1]

    def make(text, out):
        command = ["make", "-s", "-o", ".venv/.ready", "collect", f"FROM={text}", f"OUT={out}", f"RUN={sys.executable}"]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=100)
        assert done.returncode == 0, done.stderr
        return {student.name for student in load(out).students}

    assert make(hard, tmp_path / "out $x 'a' (1)") == {CLASS[0].name, CLASS[1].name}
    plain = hard.rename(hard.with_name("a.zip"))
    assert make(f"{plain} {other}", tmp_path / "out2") == {CLASS[0].name, CLASS[1].name, "Ngozi Okafor"}
    assert not any(root.joinpath(name).exists() for name in "xy")


@pytest.mark.skipif(os.name != "posix", reason="head is of POSIX")
def test_nobody_need_listen_to_the_end(tmp_path):
    made = archive(tmp_path / "in", "moodle", CLASS)
    command = f'"{sys.executable}" -m classroom collect "{made}" --out "{tmp_path}/out" | head -1'
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "") and len(load(tmp_path / "out").students) == 44


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_a_sentence(tmp_path, capsys):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o000)
    made = archive(tmp_path / "in", "moodle", CLASS[:2])
    assert main(["collect", str(made), "--out", str(locked / "x")]) == 2 and "Permission denied" in capsys.readouterr().err
    assert (
        main(["collect", str(locked / "a.zip"), "--out", str(tmp_path / "x")]) == 2
        and "Permission denied" in capsys.readouterr().err
    )
