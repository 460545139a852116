"""What counts: the assignment as it is stated, its rules, and the instructor's overrides."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from classroom.assignment import Assignment, AssignmentError, Late, of_problems, proposed, read_assignment
from classroom.incoming.collect import Collection, Student
from classroom.outgoing.overrides import Override, OverrideError, Somebody, read_overrides, write_template
from classroom.outgoing.standing import BY_HAND, EXCUSED, GRADED, MISSING, by_the_due_date, key_of, standings, totals
from grader.checks import checks_of

LORA = of_problems(["lora"])
BOTH = of_problems(["sft", "lora"])
DAY = 86_400


def result(problem: str, share: float = 1.0, refused: str = "") -> dict:
    """As the grader gives it: the first checks are passed, up to a share of the points."""
    left, checks = share * sum(check.points for check in checks_of(problem).values()), []
    for check in () if refused else checks_of(problem).values():
        left -= check.points
        got = check.points if left >= 0 else 0
        checks.append({"id": check.id, "stub": check.stub, "points": got, "max_points": check.points})
    return {"refused": refused, "checks": checks}


def ada(**more) -> Student:
    return Student("ada", "Ada", "1", "ada@example.org", "moodle", more.pop("late", ""), {"lora": ["x"]}, **more)


def standing(assignment=LORA, results=None, overrides=None, student=None):
    """Ada's, for each problem and in all."""
    results = {("ada", problem): one for problem, one in (results if results is not None else {"lora": result("lora")}).items()}
    own = standings(Collection(Path(), [student or ada()]), results, assignment, overrides)
    return own["ada"], totals(own, assignment, overrides)["ada"]


def stated(tmp_path, text: str, problems=()) -> Assignment:
    path = tmp_path / "assignment.toml"
    path.write_text(text, encoding="utf-8")
    return read_assignment(path, problems)


# --- the assignment -----------------------------------------------------------------------------


def test_all_that_a_file_may_state(tmp_path):
    found = stated(
        tmp_path,
        'problems = ["sft", "lora"]\npoints = 100\ndue = 2025-11-20\nmissing = 0\ncolumn = "HW3"\nseed = "public"\n'
        "[weights]\nsft = 1\nlora = 3\n[late]\nper_day = 10\ngrace_hours = 2\nmost = 50\n"
        '[drop]\nchecks = ["lora.learns_a_small_problem"]\nstubs = ["merge_lora"]\nlowest = 1\n',
    )
    assert (found.most("sft"), found.most("lora"), found.whole) == (25, 75, 100)
    assert found.due == datetime(2025, 11, 20, 23, 59, 59)
    assert 0 < found.full("lora") < LORA.full("lora")
    assert list(stated(tmp_path, "points = 10", ["lora"]).titles) == ["lora"]
    assert stated(tmp_path, "points = 10") is None  # which problems is still to be asked
    assert list(stated(tmp_path, "[weights]\nlora = 1").titles) == ["lora"]


@pytest.mark.parametrize(
    "text, words",
    [
        ('problems = ["lora"', "is no valid TOML"),
        ('problems = ["lorra"]', "problems: there is no “lorra” in the course; there is lora"),
        ("problems = []", "at least one"),
        ('problems = ["lora"]\npoint = 3', "there is no key point; it may be problems, points"),
        ('problems = ["lora"]\npoints = "100"', "points does not fit: input should be a valid number, not '100'"),
        ('problems = ["lora"]\npoints = -1', "points does not fit: input should be greater than 0"),
        ('problems = ["lora"]\n[late]\nper_day = 120', "late.per_day does not fit: input should be less than or equal to 100"),
        ('problems = ["lora"]\n[late]\nmax = 1', "there is no key late.max; it may be per_day, grace_hours or most"),
        ('problems = ["lora"]\nmissing = 5', "missing does not fit"),
        ('problems = ["lora"]\nseed = "new"', 'seed does not fit: it should be "secret", "public" or a whole number'),
        ('problems = ["lora"]\ncolumn = {lora = 3}', "column does not fit"),
        ('problems = ["lora"]\ndue = "tomorrow"', "due does not fit"),
        ('problems = ["lora", "sft"]\n[weights]\nlora = 2', "weights: sft has none"),
        ('problems = ["lora"]\n[drop]\nchecks = ["loads_what_was_savd"]', "there is loads_what_was_saved"),
        ('problems = ["lora", "peft"]\n[drop]\nchecks = ["refuses_a_missing_tensor"]', "is in lora and peft; write lora.refuses"),
        ('problems = ["lora"]\n[drop]\nlowest = 1', "drop.lowest: of 1 problems, 1 cannot be dropped"),
        ('problems = ["sft"]', "name different problems"),
    ],
)
def test_what_cannot_be_followed_is_a_sentence_with_file_and_key(text, words, tmp_path):
    with pytest.raises(AssignmentError) as error:
        stated(tmp_path, text, ["lora"] if "sft" in text and "lora" not in text else ())
    assert words in str(error.value) and str(tmp_path / "assignment.toml") in str(error.value)


def test_one_students_extra_notebooks_change_nobodys_grade():
    own, total = standing(LORA, {"lora": result("lora"), "sft": result("sft", 0.5)})
    assert list(own) == ["lora"] and (total.points, total.most) == (59, 59)


def test_the_problems_of_half_the_class_are_proposed_and_not_taken():
    question = proposed({"lora": 43, "sft": 1, "peft": 22}, 43)
    assert question.proposed == ["peft", "lora"] and "sft (1 of 43)" in str(question)
    assert proposed({"lora": 21, "sft": 10}, 43).proposed == []


# --- the rules ----------------------------------------------------------------------------------


def test_points_and_weights_scale_and_dropped_checks_do_not_count():
    weighted = Assignment(problems=["sft", "lora"], points=100, weights={"sft": 1, "lora": 3})
    own, total = standing(weighted, {"sft": result("sft"), "lora": result("lora", 0)})
    assert [own[problem].points for problem in own] == [25, 0] and (total.points, total.most) == (25, 100)
    failing = result("lora")
    failing["checks"][-1]["points"] = 0
    name = failing["checks"][-1]["id"]
    assert standing(LORA, {"lora": failing})[1].points < 59
    dropped = Assignment(problems=["lora"], drop={"checks": [name]}, points=59)
    assert standing(dropped, {"lora": failing})[1].points == 59


@pytest.mark.parametrize(
    "seconds, taken", [(0, 0), (7200, 0), (7201, 10), (DAY, 10), (DAY + 1, 20), (4 * DAY, 40), (30 * DAY, 50), (None, 0)]
)
def test_the_late_rule_takes_by_begun_days_after_the_grace_up_to_the_most(seconds, taken):
    late = Assignment(problems=["lora"], late=Late(per_day=10, grace_hours=2, most=50))
    own, total = standing(late, student=ada(late="late" if seconds != 0 else "", late_seconds=seconds))
    assert total.points == pytest.approx(59 * (1 - taken / 100)) and total.earned == 59
    assert bool(own["lora"].why) == bool(taken or seconds is None)
    assert standing(LORA, student=ada(late="late", late_seconds=DAY))[1].points == 59  # no rule: nothing is taken


def test_a_stated_due_date_decides_where_the_platform_tells_the_time():
    def late(due: datetime, **more) -> tuple[str, int | None]:
        rule = Assignment(problems=["lora"], due=due)
        (student,) = by_the_due_date(Collection(Path(), [ada(**more)]), rule).students
        return student.late, student.late_seconds

    assert late(datetime(2025, 11, 20, 12), submitted="2025-11-21 11:00:00") == ("23 hours late", 23 * 3600)
    assert late(datetime(2025, 11, 25), submitted="2025-11-21 11:00:00", late="1 day late", late_seconds=DAY) == ("", 0)
    assert late(datetime(2025, 11, 20), late="late", late_seconds=None) == ("late", None)


def test_the_lowest_problem_is_dropped_and_an_excuse_gives_the_share_of_the_others():
    lowest = Assignment(problems=["sft", "lora"], points=100, weights={"sft": 1, "lora": 1}, drop={"lowest": 1})
    half = {"sft": result("sft"), "lora": result("lora", 0)}
    own, total = standing(lowest, half)
    assert total.points == 100 and own["lora"].points == 0 and "LoRA does not count" in total.why
    excused = {("ada", "lora"): Override(excused=True)}
    own, total = standing(BOTH, half, excused)
    assert (own["lora"].status, own["lora"].points) == (EXCUSED, None) and total.points == total.most == BOTH.whole


def test_what_could_not_be_graded_leaves_the_total_open_and_what_was_not_handed_in_counts_nothing():
    own, total = standing(BOTH, {"sft": result("sft"), "lora": result("lora", refused="It is empty.")})
    assert (own["lora"].points, own["lora"].status, total.points, total.status) == (None, BY_HAND, None, BY_HAND)
    own, total = standing(BOTH, {"sft": result("sft")})
    assert own["lora"].points is None and total.points == BOTH.most("sft")
    nothing = replace(ada(), files={"peft": ["x"]})
    assert standing(BOTH, {}, student=nothing)[1].points is None
    assert standing(Assignment(problems=["lora"], missing=0), {}, student=nothing)[1].points == 0
    zero = Assignment(problems=["lora"], missing=0)
    assert standing(zero, {}, student=replace(ada(), files={}))[1].status == BY_HAND  # a PDF, for example: somebody must look


# --- overrides ----------------------------------------------------------------------------------

PEOPLE = [
    Somebody("ada", "Ada", "1", "ada@example.org"),
    Somebody("bob-2", "Bob Ray", "2", ""),
    Somebody("bob-3", "Bob Ray", "3", ""),
    Somebody("Zoë Young/9/", "Zoë Young", "9", ""),
]


def overrides(tmp_path, text: str, assignment=LORA, encoding="utf-8"):
    path = tmp_path / "overrides.csv"
    path.write_bytes(text.encode(encoding))
    return read_overrides(path, PEOPLE, assignment)


HEADER = "student,problem,points,status,excused,comment\n"


@pytest.mark.parametrize("name", ["ada", "1", "ADA@example.org", "Ada", "áda"])
def test_a_student_is_named_by_folder_id_address_or_name(name, tmp_path):
    assert overrides(tmp_path, f"{HEADER}{name},lora,12.5,,,Well done\n").of == {("ada", "lora"): Override(12.5, "", "Well done")}


def test_excel_in_another_country_is_read_too(tmp_path):
    text = HEADER.replace(",", ";") + "Young, Zoë;;;;ja;Krank\n3;LoRA;12,5;;;\n"
    found = overrides(tmp_path, text, encoding="cp1252").of
    assert found == {("Zoë Young/9/", "lora"): Override(None, "", "Krank", True), ("bob-3", "lora"): Override(12.5)}


@pytest.mark.parametrize(
    "row, words",
    [
        ("eve,lora,3,,,", "there is no student “eve”"),
        ("Bob Ray,lora,3,,,", "“Bob Ray” may be 2 students: bob-2, bob-3"),
        ("ada,sft,3,,,", "this assignment has no problem “sft”; it has lora"),
        ("ada,lora,-3,,,", "“-3” are no points"),
        ("ada,lora,nan,,,", "“nan” are no points"),
        ("ada,lora,,cancelled,,", "there is no status “cancelled”"),
        ("ada,lora,,,perhaps,", "neither yes nor no"),
        ("ada,lora,3,,yes,", "it has points, and a status or an excuse"),
        (",lora,3,,,", "it names no student"),
        ("ada,,3,,,\nAda,lora,4,,,", "row 2 is about the same student and problem"),
    ],
)
def test_a_row_that_cannot_be_followed_is_a_sentence_and_nothing_counts(row, words, tmp_path):
    with pytest.raises(OverrideError) as error:
        overrides(tmp_path, f"{HEADER}{row}\n")
    assert words in str(error.value) and "overrides.csv, row" in str(error.value) and "Nothing was graded" in str(error.value)


def test_an_unknown_column_and_a_missing_header_are_sentences(tmp_path):
    for text in (HEADER.replace("points", "score") + "ada,lora,3,,,\n", "ada,lora,3\n"):
        with pytest.raises(OverrideError, match="columns"):
            overrides(tmp_path, text)


def test_more_points_than_there_are_count_and_are_told(tmp_path):
    assert "88 points are more than the 59" in overrides(tmp_path, f"{HEADER}ada,lora,88,,,\n").notes[0]


def test_the_instructors_word_counts_and_says_so():
    late = Assignment(problems=["lora"], late=Late(per_day=10))
    student = ada(late="late", late_seconds=DAY)

    def of(*override, **more):
        return standing(late, overrides={("ada", "lora"): Override(*override, **more)}, student=student)[0]["lora"]

    assert (of(50.0).points, of(50.0).earned, of(50.0).why) == (50, 59, "Set by the instructor.")
    assert of(None, "in time").points == 59
    assert (of(None, "by hand").points, of(None, "by hand").status) == (None, BY_HAND)
    assert (of(None, "not handed in").points, of(None, "not handed in").status) == (None, MISSING)
    assert of(excused=True).status == EXCUSED and of(None, "", "Nice.").comment == "Nice."
    assert of(None, "", "Nice.").points == pytest.approx(53.1)
    refused = standing(LORA, {"lora": result("lora", refused="It is empty.")}, {("ada", "lora"): Override(40.0)})
    assert refused[1].points == 40 and refused[1].status == GRADED


def test_an_override_of_the_total_excuses_from_all_problems_but_points_are_of_the_total_alone():
    results = {"sft": result("sft"), "lora": result("lora")}
    own, total = standing(BOTH, results, {("ada", ""): Override(excused=True)})
    assert {one.status for one in [*own.values(), total]} == {EXCUSED}
    own, total = standing(BOTH, results, {("ada", ""): Override(10.0)})
    assert own["lora"].points == 59 and total.points == 10


def test_who_handed_nothing_in_can_be_excused():
    zoe = {"name": "Zoë Young", "id": "9", "email": ""}
    collection = Collection(Path(), [ada()], [zoe])
    own = standings(collection, {}, LORA, {(key_of(zoe), "lora"): Override(excused=True)})
    assert own[key_of(zoe)]["lora"].status == EXCUSED


def test_the_template_names_what_is_to_be_graded_by_hand_and_says_nothing_yet(tmp_path):
    path = tmp_path / "overrides.csv"
    write_template(path, [("ada", "lora")])
    assert path.read_text(encoding="utf-8-sig") == f"{HEADER}ada,lora,,,,\n"
    assert read_overrides(path, [], LORA).of == {}
    write_template(path, [])
    assert "ada" in path.read_text(encoding="utf-8-sig")  # it is the instructor's now
