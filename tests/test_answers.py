"""The answers to the quiz that students hand in: what they are worth, and that no file of a stranger does harm."""

import csv
import json
import random

import pytest

from classroom import room
from classroom.grading import answers, runner
from classroom.grading.answers import Marked, mark, missed, most_points
from classroom.incoming.collect import collect
from classroom.outgoing.class_page import MOST_QUESTIONS
from quiz import bank, keyless
from quiz.grading import grade, right_answer
from tests.conftest import needs_sandbox
from tests.test_pages import HOSTILE, Page, class_page, student, student_page
from tests.test_quiz_grading import of

ITEMS = bank.items()
FORM = bank.item("lora-form")
WRONG = next(option for option in FORM.options if option.belief == "D1")


def file(entries: dict, **more) -> bytes:
    """A file of answers, by the ids of the bank, or by other names as they are."""
    known = {item.id for item in ITEMS}
    named = {keyless.alias(name) if name in known else name: entry for name, entry in entries.items()}
    return json.dumps({"format": 1, "answers": named} | more).encode()


def said(item, answer) -> dict:
    return {"question": item.stem, "answer": keyless.in_words(item, answer)}


def right(item) -> dict:
    answer = right_answer(item)
    return said(item, str(answer) if item.kind == "numeric" else answer) if item.kind != "open" else {"answer": "my words"}


# --- what they are worth ------------------------------------------------------------------------


def test_every_right_answer_is_a_point_and_open_ones_are_left_to_a_person():
    marked = mark(file({item.id: right(item) for item in ITEMS}))
    open_ones = [item for item in ITEMS if item.kind == "open"]
    assert marked.score == len(marked.graded) == most_points() == len(ITEMS) - len(open_ones)
    assert [answer.item for answer in marked.open] == open_ones and not marked.missed and not marked.notices
    assert marked.points == f"{most_points()} of {most_points()}"


def test_only_what_was_answered_counts_and_partly_right_is_a_share():
    multiple, matching = of("multiple"), of("matching")
    one_right = [right_answer(multiple)[0]]
    entries = {multiple.id: said(multiple, one_right), matching.id: right(matching), FORM.id: {"answer": WRONG.text}}
    marked = mark(file(entries))
    assert marked.score == pytest.approx(1 + grade(multiple, one_right).score) and len(marked.graded) == 3
    assert {answer.item.id for answer in marked.missed} == {multiple.id, FORM.id}


def test_a_wrong_answer_names_the_belief_and_the_reply():
    [answer] = mark(file({FORM.id: {"answer": WRONG.text}})).missed
    assert answer.beliefs == (bank.misconceptions()["D1"].claim,) and answer.result.replies == (WRONG.reply,)
    item = next(item for item in ITEMS if item.kind == "numeric" and item.slips)
    [answer] = mark(file({item.id: {"answer": str(item.slips[0].value)}})).missed
    assert answer.beliefs == (item.slips[0].thought,)


def test_the_room_s_misses_are_counted_with_their_beliefs():
    other = bank.item("lora-alpha")
    wrong = next(option for option in other.options if not option.right)
    room = [
        mark(file({FORM.id: {"answer": WRONG.text}, other.id: right(other)})),
        mark(file({FORM.id: {"answer": WRONG.text}, other.id: {"answer": wrong.text}})),
        mark(file({FORM.id: right(FORM), other.id: right(other)})),
        Marked(refused="broken"),
    ]
    rows = [(row.item.id, row.missed, row.answered, row.beliefs) for row in missed(room)]
    assert rows == [(FORM.id, 2, 3, [(WRONG.thought, 2)]), (other.id, 1, 3, [(wrong.thought, 1)])]


# --- broken, old and hostile files --------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{", b"\xff\xfe\x00", b"\x00" * 50, b"[" * 1_000_000, b'{"a":' * 150_000, b'{"answers": ' + b"9" * 5000 + b"}",
        b"[]", b"null", b"3", b'"text"', b'{"format": 1}', b'{"format": 1, "answers": []}', b'{"format": 2, "answers": {}}',
        b'{"format": [1], "answers": {}}', b'{"format": NaN, "answers": {}}', b'{"format": 1, "answers": "x"}',
    ],
)  # fmt: skip
def test_a_file_that_is_no_file_of_answers_is_refused_in_a_sentence(data):
    marked = mark(data)
    assert marked.refused.startswith("quiz_answers.json ") and marked.refused.endswith("`python -m quiz hand-in`.")
    assert marked.score == 0 and marked.points == "not graded" and not marked.answers


NO_ANSWERS = [
    None, True, 3, 1e308, float("inf"), float("nan"), 10**400, "", " ", [], {}, [[]], [None], [3], {"a": 1}, {"": ""}, [{}],
    "no such choice", ["no such choice"], ["x"] * 1000, "\ud800", "1" * 400_000, [["a", "b"]], {"a": {"b": {"c": []}}},
]  # fmt: skip


@pytest.mark.parametrize("kind", ["single", "multiple", "numeric", "prints", "ordering", "matching", "open"])
@pytest.mark.parametrize("wrong", NO_ANSWERS, ids=lambda wrong: repr(wrong)[:30])
def test_an_entry_that_is_no_answer_costs_nothing_else(kind, wrong):
    item = of(kind)
    other = next(one for one in ITEMS if one.kind == "single" and one != item)
    is_text = kind in ("numeric", "prints", "open") and isinstance(wrong, str) and wrong.strip()
    for entry in (wrong, {"answer": wrong}, {"answer": wrong, "question": wrong}):
        marked = mark(file({item.id: entry, other.id: right(other)}))
        assert marked.score == 1 and other in [answer.item for answer in marked.graded]
        counts = item in [answer.item for answer in marked.answers]
        assert counts or "does not count" in marked.notices[0] and len(marked.notices) == 1 and len(marked.notices[0]) < 400
        assert is_text or not counts or (kind, wrong) == ("multiple", [])  # nothing chosen is an answer


def test_steps_that_are_missing_or_twice_do_not_count():
    item = of("ordering", 4)
    for steps in (item.steps[:2], [*item.steps[:-1], item.steps[0]], [*item.steps, item.steps[0]]):
        marked = mark(file({item.id: {"answer": list(steps)}}))
        assert marked.notices and not marked.answers


def test_another_edition_is_told_and_the_rest_counts():
    entries = {f"{number:012x}": {"question": f"What is {number}?", "answer": "x"} for number in range(500)}
    marked = mark(file(entries | {FORM.id: right(FORM)}))
    assert marked.points == "1 of 1"
    assert marked.notices == [
        "This edition of the course does not have 500 of the questions: “What is 0?”, “What is 1?”, “What is 2?” and 497 more."
    ]


def test_many_complaints_are_few_sentences():
    marked = mark(file({item.id: {"answer": 3} for item in ITEMS} | {"x" * 100_000: 1}))
    assert len(marked.notices) == answers.MOST_NOTICES + 1 and f"And {len(ITEMS) - 4} more" in marked.notices[-1]
    assert max(map(len, marked.notices)) < 400


def test_nothing_that_json_can_say_ends_the_grading():
    draw = random.Random(5)
    texts = ["", "1", "1e400/1e400", "1/0", "٣", "²", "1,2,3", "−1", FORM.options[0].text, "\ud83d", "\x00", "a" * 900]

    def thing(depth: int):
        kind = draw.randrange(7 if depth else 5)
        if kind < 2:
            return draw.choice(texts)
        if kind < 5:
            return draw.choice([None, True, 0, -1, 1.5, 10**30, float("inf")])
        if kind == 5:
            return [thing(depth - 1) for _ in range(draw.randrange(5))]
        return {draw.choice(texts): thing(depth - 1) for _ in range(draw.randrange(4))}

    for _ in range(50):
        mark(file({item.id: draw.choice([thing(3), {"answer": thing(3), "question": thing(1)}]) for item in ITEMS}))


# --- the pages ----------------------------------------------------------------------------------


def test_a_student_s_page_explains_what_was_wrong():
    open_one = of("open")
    alpha = bank.item("lora-alpha")
    marked = mark(file({FORM.id: {"answer": WRONG.text}, alpha.id: right(alpha), open_one.id: {"answer": "mine"}}))
    page = student_page(student("ada"), {}, (), quiz={"ada": marked})
    text = page.text.replace(" ", "")
    shown = (FORM.stem, f"“{WRONG.text}”", WRONG.reply, FORM.explanation, "1 of 2 points", "“mine”", open_one.rubric[0])
    for words in shown:
        assert words.replace(" ", "").replace("`", "") in text, words
    assert alpha.stem.replace(" ", "") not in text  # it was right
    assert "quiz" not in student_page(student("ada"), {}, ()).text


def test_what_a_file_says_is_quoted_and_cannot_harm():
    item, open_one = of("prints"), of("open")
    entries = {item.id: {"answer": HOSTILE[:900]}, open_one.id: {"answer": HOSTILE}}
    marked = mark(file(entries | {"unknown": {"question": HOSTILE}, HOSTILE: 1}))
    assert len(marked.answers) == 2 and marked.notices
    page = student_page(student("ada"), {}, (), quiz={"ada": marked})
    assert not page.all("script") and not [one for one in page.elements if any(name.startswith("on") for name in one)]
    assert "“</p><script>alert('1')</script> red [U+202E]txt.exe" in page.text
    index = class_page([student("ada")], {}, (), quiz={"ada": marked})
    assert not any("alert" in script["text"] for script in index.all("script"))


def test_the_page_of_the_class_shows_what_the_room_misses():
    wrong = mark(file({FORM.id: {"answer": WRONG.text}}))
    people = [student(name) for name in ("ada", "bob", "cleo", "dan")]
    broken = Marked(refused="quiz_answers.json is not valid JSON.")
    quiz = {"ada": wrong, "bob": mark(file({FORM.id: right(FORM)})), "cleo": broken}
    page = class_page(people, {}, (), quiz=quiz)
    assert f"{FORM.stem} (lora-form) 1 of 2 {WRONG.thought} (1 student)" in page.text
    assert "3 students handed in answers" in page.text and "cleo: quiz_answers.json is not valid JSON." in page.text
    rows = page.text.partition("In all Quiz State Notes")[2]
    assert all(words in rows for words in ("0 of 1", "1 of 1", "not graded", "–"))
    assert "quiz" not in class_page(people, {}, ()).text.lower()


def test_a_long_table_is_folded():
    wrong = {item.id: {"answer": next(o.text for o in item.options if not o.right)} for item in ITEMS if item.kind == "single"}
    page = class_page([student("ada")], {}, (), quiz={"ada": mark(file(wrong))})
    assert f"{len(wrong) - MOST_QUESTIONS} questions more" in page.text
    assert all(page.text.count(" ".join(item.stem.replace("`", "").split())) == 1 for item in ITEMS if item.kind == "single")


# --- a room -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def graded(tmp_path_factory):
    """Canvas students with answers to the quiz alone: right, wrong, broken; and one whose notebook could not be graded."""
    place = tmp_path_factory.mktemp("quiz")
    files = {
        "adalove_1_11_quiz_answers.json": file({FORM.id: right(FORM), "lora-alpha": right(bank.item("lora-alpha"))}),
        "bobray_2_12_quiz_answers-2.json": file({FORM.id: {"answer": WRONG.text}}),
        "cleoli_3_13_quiz_answers.json": b"[" * 900_000,
    }
    (place / "in").mkdir()
    for name, data in files.items():
        (place / "in" / name).write_bytes(data)
    lines = room.grade(collect([place / "in"], place / "all"), place / "out", room.Stated(seed=1), jobs=1)
    runner.close()
    return place / "out", lines


@needs_sandbox
def test_the_gradebooks_have_a_column_that_is_no_part_of_the_total(graded):
    out, lines = graded
    with open(out / "gradebook.csv", encoding="utf-8-sig", newline="") as text:
        rows = {row["name"]: row for row in csv.DictReader(text)}
    columns = ("quiz", "quiz answered", "total")
    assert {name: tuple(row[column] for column in columns) for name, row in rows.items()} == {
        "adalove": ("2", "2", ""), "bobray": ("0", "1", ""), "cleoli": ("", "", ""),
    }  # fmt: skip
    assert rows["bobray"]["note"] == "Quiz: 0 of 1 points." and "not valid JSON" in rows["cleoli"]["note"]
    with open(out / "gradebook-canvas.csv", encoding="utf-8", newline="") as text:
        header, possible, *rest = csv.reader(text)
    column = header.index("quiz")
    assert possible[column] == str(most_points()) and [row[column] for row in rest] == ["2", "0", ""]
    assert "2 of 3 files of answers to the quiz are graded." in lines


@needs_sandbox
def test_the_pages_of_the_room_tell_of_the_quiz(graded):
    out, _ = graded
    assert WRONG.reply in Page((out / "students" / "bobray-2.html").read_text(encoding="utf-8")).text
    assert "1 of 2" in Page((out / "index.html").read_text(encoding="utf-8")).text.partition(FORM.stem)[2]
