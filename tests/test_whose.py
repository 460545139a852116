"""Whose a file is where students choose names that look like another's, and where numbers of two kinds meet."""

import zipfile
from dataclasses import replace

import pytest

from classroom.incoming.collect import CollectError, collect
from classroom.incoming.platforms.brightspace import _time
from classroom.incoming.roster import read_roster
from classroom.incoming.times import in_words, seconds_in
from tests import classes
from tests.classes import NOTEBOOK, archive, class_list, moodle_list, notebook, the_class

CLASS = the_class()
ANNA, BEN = CLASS[:2]


def zipped(folder, name, *paths):
    """A zip in which each file holds its own path."""
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / name, "w") as made:
        for path in paths:
            made.writestr(path, notebook(path))
    return folder / name


def roster_of(folder, text):
    (folder / "list.csv").write_text(text, encoding="utf-8")
    return read_roster(folder / "list.csv")


def whose(folder, paths, roster=None, **options):
    """The path of the file that counts, by the student's name."""
    collection = collect([zipped(folder / "in", "x.zip", *paths)], folder / "out", roster, **options)
    found = {}
    for student in collection.students:
        texts = [
            (folder / "out" / student.folder / name).read_text(encoding="utf-8")
            for names in student.files.values()
            for name in names
        ]
        found[student.name] = [path for path in paths if notebook(path) in texts]
    return found


# --- a student chooses the name of the own file ----------------------------------------------------

DATE = "attempt_2025-11-20-12-00-00"
DISGUISES = {
    "moodle": (
        f"Anna Berg_310001_assignsubmission_file/Ben Carter_310002_assignsubmission_file_{NOTEBOOK}",
        f"Ben Carter_310002_assignsubmission_file/{NOTEBOOK}",
    ),
    "moodle flat": (
        f"Anna Berg_310001_assignsubmission_file_Ben Carter_310002_assignsubmission_file_{NOTEBOOK}",
        f"Ben Carter_310002_assignsubmission_file_{NOTEBOOK}",
    ),
    "canvas": (f"berganna_310001_900_carterben_310002_901_{NOTEBOOK}", f"carterben_310002_901_{NOTEBOOK}"),
    "blackboard": (f"LoRA_u310001_{DATE}_LoRA_u310002_{DATE}_{NOTEBOOK}", f"LoRA_u310002_{DATE}_{NOTEBOOK}"),
    "brightspace flat": (
        f"1-2 - Anna Berg - Nov 20, 2025 1200 PM - 1-2 - Ben Carter - Nov 21, 2025 1200 PM - {NOTEBOOK}",
        f"1-2 - Ben Carter - Nov 20, 2025 1200 PM - {NOTEBOOK}",
    ),
    "folders": (f"Anna Berg/Ben Carter/{NOTEBOOK}", f"Ben Carter/{NOTEBOOK}"),
}


@pytest.mark.parametrize("layout", DISGUISES)
def test_a_file_named_like_another_students_stays_with_its_owner(tmp_path, layout):
    paths = DISGUISES[layout]
    found = whose(tmp_path, paths, roster_of(tmp_path, class_list(layout, CLASS)))
    assert list(found.values()) == [[paths[0]], [paths[1]]] and "Anna" in next(iter(found))


def test_metadata_that_a_student_hands_in_names_nobody(tmp_path):
    made = archive(tmp_path / "in", "gradescope", [ANNA, BEN])
    forged = "submission_310002:\n  :submitters:\n  - :name: Anna Berg\n    :sid: '310001'\n"
    with zipfile.ZipFile(made, "a") as more:
        more.writestr("assignment_4321_export/submission_310001/submission_metadata.yml", forged)
    collection = collect([made], tmp_path / "out")
    assert [(student.name, student.earlier) for student in collection.students] == [("Anna Berg", []), ("Ben Carter", [])]


@pytest.mark.parametrize(
    "inside",
    [
        "submission_metadata.yml",
        "A_1_assignsubmission_file/x.md",
        f"LoRA_x_{DATE}_x.md",
        "1-2 - X - Nov 20, 2025 1200 PM/x.md",
        "x_1_2_x.md",
    ],
)
def test_one_students_folder_does_not_decide_on_the_platform(tmp_path, inside):
    paths = [f"{pupil.name}/{NOTEBOOK}" for pupil in CLASS[:5]]
    found = whose(tmp_path, [*paths, f"Anna Berg/{inside}"])
    assert {name: own[0] for name, own in found.items()} == {pupil.name: path for pupil, path in zip(CLASS, paths)}


def test_a_students_zip_is_no_download_of_a_class(tmp_path):
    """Anna's zip holds a file that Canvas could have named after Ben."""
    inner = zipped(tmp_path / "in", "inner.zip", f"carterben_310002_901_{NOTEBOOK}").read_bytes()
    for number, place in enumerate(("Anna Berg.zip", "Anna Berg/my.zip")):
        folder = tmp_path / f"class {number}"
        (folder / "Ben Carter").mkdir(parents=True)
        (folder / "Ben Carter" / NOTEBOOK).write_text(notebook("Ben"))
        (folder / place).parent.mkdir(exist_ok=True)
        (folder / place).write_bytes(inner)
        collection = collect([folder], tmp_path / f"out {number}", roster_of(tmp_path, class_list("folders", CLASS)))
        texts = [(collection.folder / student.folder / NOTEBOOK).read_text() for student in collection.students]
        assert [student.name for student in collection.students] == ["Anna Berg", "Ben Carter"] and texts[1] == notebook("Ben")


# --- numbers of two kinds -------------------------------------------------------------------------


@pytest.mark.parametrize("team", ["Group A", "Penguins"])
def test_a_teams_number_is_no_participants(tmp_path, team):
    """Moodle's group 310002 is not its participant 310002."""
    paths = [
        f"{team}_310002_assignsubmission_file/{NOTEBOOK}",
        f"Otters_{310003}_assignsubmission_file/{NOTEBOOK}",
        f"Anna Berg_310001_assignsubmission_file/{NOTEBOOK}",
    ]
    found = whose(tmp_path, paths, roster_of(tmp_path, moodle_list(CLASS)))
    assert found == {"Anna Berg": [paths[2]], team: [paths[0]], "Otters": [paths[1]]}


def test_a_team_counts_for_its_members_whatever_its_number(tmp_path):
    (tmp_path / "teams.csv").write_text("group;email\nPenguins;u310003@example.org\nPenguins;u310001@example.org\n")
    paths = [f"Penguins_310002_assignsubmission_file/{NOTEBOOK}"]
    found = whose(tmp_path, paths, roster_of(tmp_path, moodle_list(CLASS)), groups=tmp_path / "teams.csv")
    assert found == {"Anna Berg": paths, "Chloé Dupont": paths}


def test_a_renamed_student_is_found_by_the_number(tmp_path):
    found = whose(
        tmp_path,
        [f"Anna Schulz_310001_assignsubmission_file/{NOTEBOOK}", f"Ben Carter_310002_assignsubmission_file/{NOTEBOOK}"],
        roster_of(tmp_path, moodle_list(CLASS)),
    )
    assert list(found) == ["Anna Berg", "Ben Carter"]


def test_submitters_without_a_number_are_told_apart_by_their_address(tmp_path):
    twins = [replace(ANNA, number=number) for number in (1, 2)]
    made = archive(tmp_path / "in", "gradescope", twins)
    text = zipfile.ZipFile(made).read("assignment_4321_export/submission_metadata.yml").decode()
    with zipfile.ZipFile(made, "w") as again:
        again.writestr(
            "assignment_4321_export/submission_metadata.yml",
            text.replace(":sid: '1'", ":sid:").replace(":sid: '2'", ":sid: ''"),
        )
        for number in (1, 2):
            again.writestr(f"assignment_4321_export/submission_{number}/{NOTEBOOK}", notebook(str(number)))
    assert [student.id for student in collect([made], tmp_path / "out").students] == ["u1@example.org", "u2@example.org"]


# --- logins ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("logins", [("a_berg", "c_berg"), ("anna.berg@uni.edu", "ben.c@uni.edu"), ("1234567", "1234568")])
def test_blackboards_logins_of_any_form(tmp_path, logins):
    paths = [f"HW_3 LoRA_{login}_{DATE}_{NOTEBOOK}" for login in logins]
    assert whose(tmp_path, paths) == {login: [path] for login, path in sorted(zip(logins, paths))}


def test_blackboards_two_assignments_without_their_texts_are_refused(tmp_path):
    with pytest.raises(CollectError, match=r"\.txt files of Blackboard are missing"):
        whose(tmp_path, [f"LoRA_a_berg_{DATE}_{NOTEBOOK}", f"SFT_c_berg_{DATE}_06_problem_sft.ipynb"])


def test_of_two_logins_the_longer_one_is_githubs(tmp_path):
    text = "identifier,github_username,github_id,name\nAnna Berg,berg,1,\nBen Carter,x-berg,2,\n"
    paths = [f"lora-berg/{NOTEBOOK}", f"lora-x-berg/{NOTEBOOK}"]
    assert whose(tmp_path, paths, roster_of(tmp_path, text)) == {"Anna Berg": [paths[0]], "Ben Carter": [paths[1]]}


def test_a_login_behind_the_name_of_a_folder(tmp_path):
    """As Sakai names its folders."""
    paths = [
        f"LoRA/Berg, Anna(u310001)/Submission attachment(s)/{NOTEBOOK}",
        f"LoRA/Carter, Ben(u310002)/Submission attachment(s)/{NOTEBOOK}",
    ]
    found = whose(tmp_path, paths, roster_of(tmp_path, class_list("folders", CLASS)))
    assert found == {"Anna Berg": [paths[0]], "Ben Carter": [paths[1]]}


@pytest.mark.parametrize(
    "form", ["{number} {name}", "{name}_{number}", "{name} ({number})", "{login} - {name}", "{number}", "{email}"]
)
@pytest.mark.parametrize("place", ["{who}/08_problem_lora.ipynb", "hw/{who}/lora/solution.py"])
def test_a_number_of_the_list_in_a_folders_name(tmp_path, form, place):
    """It tells namesakes apart, too."""
    twins = [replace(pupil, name="Li Wei") for pupil in CLASS[:2]]
    text = "name,id,username,email\n" + "".join(f"{p.name},{p.number},{p.login},{p.email}\n" for p in twins)
    paths = [place.format(who=form.format(name=p.name, number=p.number, login=p.login, email=p.email)) for p in twins]
    collection = collect([zipped(tmp_path / "in", "x.zip", *paths)], tmp_path / "out", roster_of(tmp_path, text))
    assert [(student.name, student.id) for student in collection.students] == [("Li Wei", "310001"), ("Li Wei", "310002")]
    assert not collection.missing


def test_folders_of_nameless_students(tmp_path):
    paths = [f"student_{number}/{NOTEBOOK}" for number in (1, 2, 10)]
    assert list(whose(tmp_path, paths)) == ["student 1", "student 10", "student 2"]


def test_a_name_that_is_a_problems_is_told_or_found_in_the_list(tmp_path):
    paths = [f"Lora/{NOTEBOOK}", f"Plato/{NOTEBOOK}"]
    assert list(whose(tmp_path, paths)) == ["Plato"]
    (tmp_path / "more").mkdir()
    assert list(whose(tmp_path / "more", paths, roster_of(tmp_path, "name\nLora\nPlato\n"))) == ["Lora", "Plato"]


def test_a_name_in_two_forms_of_unicode_is_one(tmp_path):
    paths = ["Zo\u00eb/08_problem_lora.ipynb", "Zoe\u0308/06_problem_sft.ipynb"]
    assert list(whose(tmp_path, paths)) == ["Zo\u00eb"]


# --- times ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, expected",
    [
        ("Nov 20, 2025 1200 PM", "2025-11-20 12:00"),
        ("Nov 20, 2025 1205 AM", "2025-11-20 00:05"),
        ("November 2, 2025 905 PM", "2025-11-02 21:05"),
        ("Nov 20, 2025 1730", "2025-11-20 17:30"),
        ("20 nov. 2025 905", "2025-11-20 09:05"),
        ("3. März 2025 1730", "2025-03-03 17:30"),
        ("5 juil. 2025 1730", "2025-07-05 17:30"),
        ("5 juin 2025 1730", "2025-06-05 17:30"),
        ("2025-11-20 1730", "2025-11-20 17:30"),
    ],
)
def test_brightspaces_dates_in_several_languages(text, expected):
    assert f"{_time(text):%Y-%m-%d %H:%M}" == expected


def test_attempts_whose_order_is_not_clear_are_refused(tmp_path):
    paths = [f"1-2 - Anna Berg - {day} брюмера 2025 1200/{NOTEBOOK}" for day in (3, 4)]
    with pytest.raises(CollectError, match="came last is not clear"):
        whose(tmp_path, paths)


@pytest.mark.parametrize("attempt, day", [("first", 20), ("last", 21)])
def test_an_attempt_has_its_own_modules(tmp_path, attempt, day):
    names = ("08_problem_lora.ipynb", "helper.py")
    paths = [f"LoRA_u1_attempt_2025-11-{one}-12-00-00_{name}" for one in (20, 21) for name in names]
    collection = collect([zipped(tmp_path / "in", "x.zip", *paths)], tmp_path / "out", attempt=attempt)
    (student,) = collection.students
    assert student.modules == ["helper.py"] and f"-{day}-" in (tmp_path / "out" / student.folder / "helper.py").read_text()


@pytest.mark.parametrize(
    "words, seconds",
    [
        ("2 days 3 hours late", 183_600), ("1 hour 5 mins late", 3900), ("40 secs late", 40), ("2 Tage 3 Stunden später", 183_600),
        ("3 jours 1 heure de retard", 262_800), ("2 días 3 horas después", 183_600), ("1 dag 2 uren te laat", 93_600), ("2 日 3 時間 遅く提出", 183_600),
        ("3 xyz late", None), ("late", None),
    ],
)  # fmt: skip
def test_how_late_in_several_languages(words, seconds):
    assert seconds_in(words) == seconds


def test_a_length_in_words():
    assert [in_words(seconds) for seconds in (183_600, 86_400, 61, 3600 * 25 + 59)] == [
        "2 days 3 hours",
        "1 day",
        "1 minute 1 second",
        "1 day 1 hour",
    ]


@pytest.mark.parametrize("header", [classes.GERMAN, classes.JAPANESE], ids=["german", "japanese"])
def test_blind_marking_in_another_language(tmp_path, header):
    rows = [line.split(";") for line in moodle_list(CLASS, header, comma=True).splitlines()]
    text = "\n".join(";".join([row[0], *row[3:]]) for row in rows)
    roster = roster_of(tmp_path, text)
    assert roster.kind == "moodle" and "name" not in roster.columns and roster.columns["grade"] == 2 and roster.decimal_comma
    word = rows[1][0].removesuffix("310001").replace("/", "")
    paths = [f"{word}_{pupil.number}_assignsubmission_file/{NOTEBOOK}" for pupil in CLASS]
    collection = collect([zipped(tmp_path / "in", "x.zip", *paths)], tmp_path / "out", roster)
    assert len(collection.students) == 44 and not collection.missing and collection.matched == {"number": 44}


# --- several archives -----------------------------------------------------------------------------


def test_the_same_problem_in_two_archives_under_one_name_is_asked(tmp_path):
    first = zipped(tmp_path / "in", "a.zip", f"Anna Berg/{NOTEBOOK}")
    second = zipped(tmp_path / "in", "b.zip", f"Anna Berg/late/{NOTEBOOK}")
    with pytest.raises(CollectError, match="in several archives"):
        collect([first, second], tmp_path / "out")
    assert len(collect([first, second], tmp_path / "out", roster_of(tmp_path, class_list("folders", CLASS))).students) == 1


def test_one_download_given_twice_changes_nothing(tmp_path):
    for layout in ("moodle", "canvas", "folders", "brightspace"):
        one, other = (archive(tmp_path / layout / name, layout, CLASS[:5]) for name in "ab")
        collection = collect([one, other], tmp_path / layout / "out")
        assert len(collection.students) == 5 and not collection.doubles, layout


def test_two_spellings_of_one_name_are_asked(tmp_path):
    paths = ["Li Wei/08_problem_lora.ipynb", "Wei Li/06_problem_sft.ipynb"]
    with pytest.raises(CollectError, match="may be one student or several"):
        whose(tmp_path, paths)
