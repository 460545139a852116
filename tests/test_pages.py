"""The pages of a class: what they say, that strangers' text cannot harm them, and that they are the same each time."""

import base64
import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import asdict, replace
from functools import cache
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest

from classroom.assignment import Assignment, of_problems
from classroom.incoming.collect import Student
from classroom.likeness.beside import beside
from classroom.likeness.fingerprints import functions
from classroom.likeness.report import Alike, View
from classroom.likeness.similar import Likeness, Pair
from classroom.outgoing.class_page import class_page as page_of_the_class
from classroom.outgoing.overrides import Override
from classroom.outgoing.pages import likeness_page, write_pages
from classroom.outgoing.shown import Shown
from classroom.outgoing.standing import BY_HAND, EXCUSED, GRADED, MISSING, Standing, key_of
from classroom.outgoing.student_page import student_page as page_of
from grader.bank import known_mistakes
from grader.checks import checks_of
from grader.problems import PROBLEMS
from grader.quote import clean

ALL = list(PROBLEMS)
MISTAKE = known_mistakes(PROBLEMS["lora"])["delta_without_scaling"]
HOSTILE = "</p><script>alert('1')</script> \x1b[31mred\x07 \u202etxt.exe \ud800 \" onload=\"alert(2) & " + "w" * 2000
VOID = {"meta", "br", "input"}


class Page(HTMLParser):
    """A page as a browser reads it: its elements, and the text of each."""

    def __init__(self, source: str):
        super().__init__()
        self.open, self.elements, self.source = [], [], source
        self.feed(source)
        assert not self.open, "an element is not closed"

    def handle_starttag(self, tag, attributes):
        element = {"tag": tag, "text": "", **dict(attributes)}
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attributes):
        self.elements.append({"tag": tag, "text": "", **dict(attributes)})

    def handle_endtag(self, tag):
        assert self.open.pop()["tag"] == tag, f"{tag} closes another element"
        if tag in ("td", "th", "p", "dt", "dd"):
            self.handle_data(" ")

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def all(self, tag: str, **attributes) -> list[dict]:
        wanted = {"tag": tag, **attributes}
        return [element for element in self.elements if wanted.items() <= element.items()]

    @property
    def text(self) -> str:
        return " ".join(self.all("body")[0]["text"].split())


def student(folder: str, name: str = "", **more) -> dict:
    return asdict(Student(folder, name or folder, "123", "", "moodle", "", {})) | more


def check(id_: str, stub: str, status: str = "passed", diagnosis=None, **more) -> dict:
    named = diagnosis and {"id": diagnosis.id, "title": diagnosis.title, "lesson": diagnosis.lesson}
    return {
        "id": id_,
        "stub": stub,
        "title": f"What {id_} asks",
        "points": 2 if status == "passed" else 0,
        "max_points": 2,
        "status": status,
        "message": "" if status == "passed" else f"Seen in {id_}.",
        "diagnosis": named,
        "hints": [f"{id_} hint {number}" for number in (1, 2, 3)],
    } | more


def result(folder: str, checks: list[dict], problem: str = "lora", **more) -> dict:
    return {
        "student": folder,
        "problem": problem,
        "refused": "",
        "score": sum(c["points"] for c in checks),
        "max_score": sum(c["max_points"] for c in checks),
        "notices": [],
        "incidents": [],
        "checks": checks,
    } | more


def of_every_status(folder: str = "ada-1") -> dict:
    checks = [
        check("starts", "LoRALinear"),
        check("scales", "LoRALinear", "failed", MISTAKE),
        check("ends", "LoRALinear", "timeout"),
        check("raises", "LoRALinear", "error"),
        check("wraps", "inject_lora"),
        check("merges", "merge_lora", "todo"),
    ]
    return result(folder, checks)


def room(size: int) -> tuple[list[dict], dict]:
    """Students, the first with the best scores, with all checks of LoRA."""
    students = [student(f"s{i:03}", f"Name {i}") for i in range(size)]
    asked = checks_of("lora").values()
    results = {}
    for i, folder in enumerate(s["folder"] for s in students):
        checks = [
            check(c.id, c.stub, "failed" if j * size < i * len(asked) else "passed", MISTAKE if j < i else None)
            for j, c in enumerate(asked)
        ]
        results[folder, "lora"] = result(folder, checks)
    return students, results


def standing(result: dict | None) -> Standing:
    """What a result is worth without any rule."""
    if result is None:
        return Standing(None, 12, MISSING, None, "Not handed in.")
    if result["refused"]:
        return Standing(None, 12, BY_HAND, None, f"It could not be graded. {result['refused']}")
    return Standing(result["score"], result["max_score"], GRADED, result["score"])


def shown(students: list[dict], results: dict, problems: Sequence[str] = ("lora",), **more) -> Shown:
    """What the pages show, where nobody has stated a rule. `more` takes the place of its parts."""
    people = [student["folder"] for student in students] + [key_of(person) for person in more.get("missing", ())]
    own = {folder: {problem: standing(results.get((folder, problem))) for problem in problems} for folder in people}
    total = {}
    for folder, of_problem in own.items():
        got = [one.points for one in of_problem.values() if one.points is not None]
        most = sum(one.most for one in of_problem.values())
        total[folder] = (
            Standing(sum(got), most, GRADED, sum(got)) if got else Standing(None, most, MISSING, None, "Nothing was handed in.")
        )
    assignment = more.pop("assignment", of_problems(list(problems)))
    return Shown(students, results, assignment, more.pop("own", own), more.pop("total", total), **more)


def student_page(student: dict, results: dict[str, dict], problems: Sequence[str] = ("lora",), **more) -> Page:
    """The page of one student, with the results by problem."""
    folder = student["folder"]
    return Page(
        page_of(shown([student], {(folder, problem): one for problem, one in results.items()}, problems, **more), folder)
    )


def class_page(students: list[dict], results: dict, problems: Sequence[str] = ("lora",), **more) -> Page:
    return Page(page_of_the_class(shown(students, results, problems, **more)))


# --- a student's page ---------------------------------------------------------------------------


def test_each_stub_has_its_status_in_words_and_by_a_sign_and_its_points():
    page = student_page(student("ada-1", "Ada"), {"lora": of_every_status()})
    headings = [" ".join(h["text"].split()) for h in page.all("h3")]
    assert headings == [
        "2 of 8 points✗ 3 of 4 checks fail LoRALinear",
        "2 of 2 points✓ solved inject_lora",
        "0 of 2 points· to do merge_lora",
    ]
    assert "LoRA 4 of 12 1 of 3" in page.text and "In all 4 of 12" in page.text


def test_each_check_has_its_points():
    page = student_page(student("ada-1"), {"lora": of_every_status()})
    assert [" ".join(item["text"].split()) for item in page.all("li")] == [
        "✓ What starts asks (2 of 2 points)", "✓ What wraps asks (2 of 2 points)", "· What merges asks (0 of 2 points)"
    ]  # fmt: skip
    assert [text.split("What was")[0].strip() for text in page.text.split("0 of 2 points")[1:4]] == [
        f"What must hold: What {name} asks" for name in ("scales", "ends", "raises")
    ]


def test_a_check_that_does_not_count_says_so():
    id_, stub = next((check.id, check.stub) for check in checks_of("lora").values())
    dropped = Assignment(problems=["lora"], drop={"checks": [id_]})
    page = student_page(student("ada-1"), {"lora": result("ada-1", [check(id_, stub)])}, assignment=dropped)
    assert f"What {id_} asks (2 of 2 points, does not count)" in page.text


def test_the_first_failure_is_in_full_and_all_others_are_folded():
    page = student_page(student("ada-1"), {"lora": of_every_status()})
    folded = " ".join(details["text"] for details in page.all("details"))
    in_sight = re.sub(r"<details>.*?</details>", "", page.source, flags=re.DOTALL)
    assert "What scales asks" in in_sight and "Seen in scales." in in_sight
    assert MISTAKE.title in page.text and MISTAKE.lesson in page.text and MISTAKE.title not in folded
    for other in ("What ends asks", "What raises asks", "What starts asks", "What merges asks", "scales hint 1"):
        assert other in folded
    assert "did not end in time" in folded and "ended with an error" in folded
    assert "2 more" in folded
    summaries = [summary["text"] for summary in page.all("summary")]
    assert summaries[:3] == ["Hint 1 of 3", "Hint 2 of 3", "Hint 3 of 3"]


def test_what_was_noted_is_on_the_page():
    graded = of_every_status() | {"notices": ["Cell `7` is broken."], "incidents": ["It opened a socket."]}
    late = student(
        "ada-1", late="2 days 3 hours late", notes=["Two files were found."], files={"lora": ["08_problem_lora.ipynb"]}
    )
    page = student_page(late, {"lora": graded}, ["sft", "lora"], seed_note="Graded with seed 7.")
    for text in (
        "2 days 3 hours late",
        "Two files were found.",
        "Cell 7 is broken.",
        "It opened a socket.",
        "Graded with seed 7.",
    ):
        assert text in page.text
    assert "Supervised fine-tuning nothing to grade" in page.text and "In all 4 " in page.text and "4 of 12 1" in page.text


def test_a_refused_submission_says_why_once_and_has_no_points():
    page = student_page(student("ada-1"), {"lora": result("ada-1", [], refused="The file is empty.")})
    assert "To be graded by hand. It could not be graded. The file is empty." in page.text
    assert page.text.count("The file is empty.") == 1 and not page.all("h3")
    assert " 0 " not in page.text


def test_who_handed_nothing_in_is_told_so_and_who_handed_in_another_file_is_not():
    assert "Not handed in." in student_page(student("ada-1"), {}).text
    zipped = student("ada-1", notes=["hw3.zip is a zip inside a zip inside a zip."])
    text = student_page(zipped, {}).text
    assert "ot handed in" not in text and "No notebook for this problem was found in what was handed in." in text
    assert "Left out, or to be known hw3.zip is a zip" in text


def test_whose_attempt_it_is_and_when_and_of_which_files():
    of_a_team = student(
        "ada-1",
        group="Group A",
        members=["Ada", "Bob"],
        submitted="2025-11-20T12:00:00+01:00",
        attempt="2",
        earlier=["attempt 1 of 2025-11-18"],
        files={"lora": ["08_problem_lora.ipynb"]},
        sources={"lora": "hw.zip/Ada_1_file/my lora (1).ipynb"},
    )
    text = student_page(of_a_team, {"lora": of_every_status()}).text
    for words in (
        "By the team Group A: Ada, Bob", "When 2025-11-20 12:00:00+01:00", "Attempt 2 counts", "Not counted attempt 1 of",
        "LoRA 08_problem_lora.ipynb handed in as my lora (1).ipynb",
    ):  # fmt: skip
        assert words in text


def test_a_grade_that_is_not_what_the_checks_gave_says_why():
    own = {"ada-1": {"lora": Standing(45.0, 100.0, GRADED, 50.0, "Late by 2 hours: 10 % is taken off.", "See `merge` again.")}}
    page = student_page(
        student("ada-1"), {"lora": of_every_status()}, own=own, total=own["ada-1"] | {"ada-1": own["ada-1"]["lora"]}
    )
    assert "45 of 100 points. Late by 2 hours: 10 % is taken off. The checks below give 4 of 12 points." in page.text
    assert page.text.count("Your instructor: See `merge` again.") == 1


def test_who_is_excused_has_no_points():
    excused = Standing(None, 12, EXCUSED, None, "Excused by the instructor.", "Ill.")
    page = student_page(student("ada-1"), {}, own={"ada-1": {"lora": excused}}, total={"ada-1": excused})
    assert "Excused. Excused by the instructor. Your instructor: Ill." in page.text and "ot handed in" not in page.text


# --- text of strangers --------------------------------------------------------------------------


@cache
def hostile_pages() -> list[Page]:
    checks = [check("c", HOSTILE, "failed", title=HOSTILE, message=HOSTILE, hints=[HOSTILE] * 3)]
    checks[0]["diagnosis"] = {"id": HOSTILE, "title": HOSTILE, "lesson": HOSTILE}
    bad = result("x", checks, notices=[HOSTILE], incidents=[HOSTILE])
    texts = ("name", "id", "email", "late", "submitted", "attempt", "group", "quiz")
    lists = ("notes", "earlier", "members", "modules")
    person = student(
        "x",
        **dict.fromkeys(texts, HOSTILE),
        **dict.fromkeys(lists, [HOSTILE]),
        files={"lora": [HOSTILE]},
        sources={"lora": HOSTILE},
    )
    results = {("x", "lora"): bad, ("x", "sft"): result("x", [], "sft", refused=HOSTILE)}
    alike = Alike([("lora", Likeness("equals it", [HOSTILE], HOSTILE))], [("lora", Pair("x", HOSTILE, 0.9, (HOSTILE,)))])
    alike.views = lambda: ()
    graded = Standing(1.0, 2.0, GRADED, 2.0, HOSTILE, HOSTILE)
    missing = {"name": HOSTILE, "id": HOSTILE, "email": HOSTILE}
    all_of_it = shown(
        [person], results, ["sft", "lora"], missing=[missing], unreadable=[{"where": HOSTILE, "why": HOSTILE}],
        seed_note=HOSTILE, alike=alike, own=dict.fromkeys(["x", key_of(missing)], {"lora": graded, "sft": graded}),
        total={"x": graded},
    )  # fmt: skip
    source = HOSTILE.replace("\ud800", "").replace("\x1b", "").replace("\x07", "")
    code = functions([f"def evil(a):\n    '''{source}'''\n    return a"])
    view = View("lora", "x", HOSTILE, True, HOSTILE, beside(code, code))
    return [
        Page(page_of(all_of_it, "x")),
        Page(page_of_the_class(all_of_it)),
        Page(likeness_page(view, HOSTILE, {"x": HOSTILE})),
    ]


def test_text_of_strangers_adds_no_element_and_no_attribute():
    for page in hostile_pages():
        scripts = page.all("script")
        assert "alert('1')" in page.text and not any("alert" in script["text"] for script in scripts) and len(scripts) <= 1
        assert not any(name.startswith("on") for element in page.elements for name in element)


def test_no_script_runs_but_the_one_of_the_class():
    own, everybody, _ = hostile_pages()
    policy = [page.all("meta", **{"http-equiv": "Content-Security-Policy"})[0]["content"] for page in (own, everybody)]
    digest = base64.b64encode(hashlib.sha256(everybody.all("script")[0]["text"].encode()).digest()).decode()
    assert "script-src" not in policy[0] and policy[1].endswith(f"; script-src 'sha256-{digest}'")


def test_text_of_strangers_has_no_control_characters_and_its_direction_is_visible():
    for page in hostile_pages():
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", page.source)
        assert "red [U+202E]txt.exe" in page.text


def test_names_keep_their_letters():
    for name in ("Jörg Müller", "محمد العربي", "李小龙", "Nguyễn Thị", "O'Neil", "नी‍ल"):
        assert clean(name) == name


def test_a_backtick_alone_is_a_backtick():
    bad = check("c", "LoRALinear", "failed", message="Got `a < b` and ` alone.")
    page = student_page(student("ada-1"), {"lora": result("ada-1", [bad])})
    assert "a < b" in [element["text"] for element in page.all("code")]
    assert "and ` alone." in page.text


def test_a_page_takes_nothing_from_elsewhere():
    for page in hostile_pages():
        for element in page.elements:
            for name in ("src", "href"):
                assert re.match(r"#|(\.\./)?(students|likeness)/|\.\./index.html#", element.get(name) or "#"), element
            assert "url(" not in (element.get("style") or "")
        assert "default-src 'none'" in page.source


# --- the page about the class -------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 30, 500])
def test_a_class_of_any_size_has_its_page(size):
    students, results = room(size)
    page = class_page(students, results)
    assert page.all("h1")[0]["text"] == ("The class: 1 student" if size == 1 else f"The class: {size} students")
    rows = [row for row in page.all("th", scope="row") if row["text"].startswith("Name")]
    assert [row["text"] for row in rows] == [f"{s['name']} {s['folder']}" for s in students]


def test_headings_are_in_order_and_tables_and_figures_can_be_heard():
    students, results = room(30)
    page = class_page(students, results)
    levels = [int(element["tag"][1]) for element in page.elements if re.fullmatch(r"h\d", element["tag"])]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:]))
    assert all("scope" in element for element in page.all("th"))
    figures = page.all("svg")
    assert len(figures) == 3
    assert all(figure["role"] == "img" and len(figure["aria-label"]) > 40 for figure in figures)
    assert MISTAKE.title in figures[2]["aria-label"]
    ids = [element["id"] for element in page.elements if "id" in element]
    assert len(ids) == len(set(ids))


def test_the_figure_of_the_scores_counts_each_student_once():
    checks = [check(f"c{i}", "LoRALinear") for i in range(10)]
    right, wrong = result("a", checks), result("b", [c | {"status": "failed", "points": 0} for c in checks])
    students = [student(folder) for folder in "abcd"]
    page = class_page(students, {("a", "lora"): right, ("b", "lora"): wrong, ("c", "lora"): wrong})
    assert "0–2: 2; 18–20: 1." in page.all("svg")[0]["aria-label"]
    assert "3 students graded, 1 with all 20 points. The median is 0 points. 1 student handed nothing in." in page.text


def test_the_hardest_check_is_the_one_that_the_smallest_share_of_those_who_tried_passes():
    def graded(folder, easy, hard, new):
        of = {"easy": easy, "hard": hard, "new": new}
        return result(folder, [check(name, "LoRALinear", status) for name, status in of.items()])

    results = {
        ("a", "lora"): graded("a", "passed", "failed", "todo"),
        ("b", "lora"): graded("b", "failed", "timeout", "todo"),
        ("c", "lora"): graded("c", "passed", "passed", "passed"),
    }
    page = class_page([student(folder) for folder in "abc"], results)
    label = next(figure["aria-label"] for figure in page.all("svg") if "fewest pass" in figure["aria-label"])
    assert label.endswith("What hard asks 33 % (1 of 3); What easy asks 67 % (2 of 3)")
    rows = page.text[page.text.index("Check Pass Share") :]
    assert rows.startswith(
        "Check Pass Share What hard asks (LoRA, LoRALinear) 1 of 3 33 % What easy asks (LoRA, LoRALinear) 2 of 3 67 %"
    )


def test_a_mistake_counts_each_student_once_and_links_to_their_pages():
    twice = result("a b", [check(c, "LoRALinear", "failed", MISTAKE) for c in ("one", "two")])
    once = result("c#d", [check("one", "LoRALinear", "failed", MISTAKE), check("two", "LoRALinear")])
    page = class_page([student("a b"), student("c#d")], {("a b", "lora"): twice, ("c#d", "lora"): once})
    label = page.all("svg")[-1]["aria-label"]
    assert label.endswith(f"{MISTAKE.title} 2")
    table = page.source[page.source.index('id="mistakes"') : page.source.index('id="by-hand"')]
    assert re.findall(r'href="([^"]+)"', table) == ["students/a%20b.html", "students/c%23d.html"]
    assert MISTAKE.lesson in Page(f"<body>{table[table.index('<table>') : table.index('</table>')]}</table></body>").text


def test_a_figure_has_at_most_fifteen_bars_however_many_checks_fail():
    students, results = room(30)
    assert len(checks_of("lora")) > 15
    page = class_page(students, results)
    label = next(figure["aria-label"] for figure in page.all("svg") if "fewest pass" in figure["aria-label"])
    assert label.count("%") == 15


def test_what_an_instructor_must_look_at_is_named():
    students = [student("ada-1", "Ada", late="2 days late", notes=["Two files."]), student("bob-2", "Bob")]
    results = {
        ("ada-1", "lora"): of_every_status() | {"incidents": ["It opened a socket."]},
        ("bob-2", "lora"): result("bob-2", [], refused="The file is empty."),
    }
    cleo = {"name": "Cleo", "id": "77", "email": "c@x.org"}
    pair = Pair("ada-1", "bob-2", 0.934, ())
    alike = Alike([("lora", Likeness("holds 61 % of the reference", ["ada-1"], "the reference"))], [("lora", pair)])
    page = class_page(
        students, results, missing=[cleo], unreadable=[{"where": "inbox/x.zip", "why": "It is damaged."}], alike=alike
    )
    for text in (
        "Ada ada-1 4 4 late incident alike Late: 2 days late. Two files.",
        "Bob bob-2 by hand – by hand alike LoRA: It could not be graded. The file is empty.",
        "Cleo 77 c@x.org – – missing Nothing was handed in.",
        "1 submission to be graded by hand",
        "Bob, LoRA: It could not be graded. The file is empty.",
        "Cleo, 77, c@x.org",
        "inbox/x.zip: It is damaged.",
        "Ada, LoRA: It opened a socket.",
        "LoRA holds 61 % of the reference Ada (side by side)",
        "LoRA Ada Bob 93 % of the smaller stand in the other side by side",
        "Likeness is a reason to look, not a proof.",
    ):
        assert text in page.text, text


def test_who_hands_in_a_known_text_is_named_with_it():
    students, results = room(12)
    folders = [student["folder"] for student in students]
    likenesses = [Likeness("holds `inject_lora` of the reference", folders[:2], "a"), Likeness("equals it", folders[2:], "b")]
    page = class_page(students, results, alike=Alike([("lora", one) for one in likenesses]))
    assert "12 submissions like a known text, and 0 pairs of submissions" in page.text
    assert (
        "LoRA holds inject_lora of the reference Name 0 (side by side), Name 1 (side by side) LoRA equals it 10 studentsName 2"
        in page.text
    )
    assert "None has much in common with a text that the course knows" in class_page(students, results).text


def test_who_hang_together_are_named_as_a_group():
    students, results = room(8)
    found = [Pair("s000", "s001", 0.9), Pair("s001", "s002", 0.8), Pair("s005", "s006", 0.7)]
    page = class_page(students, results, alike=Alike([], [("lora", pair) for pair in found]))
    assert (
        "LoRA, 3 that hang together: Name 0, Name 1, Name 2." in page.text
        and "perhaps they were shown the same" not in page.text
    )
    assert page.text.count("hang together") == 1
    many = Alike([], [("lora", Pair("s000", f"s00{number}", 0.9)) for number in range(1, 6)])
    assert (
        "6 that hang together" in (text := class_page(students, results, alike=many).text)
        and "perhaps they were shown the same" in text
    )


# --- the table of students ----------------------------------------------------------------------


def keys_of(page: Page) -> dict[str, set[str]]:
    """By what each row of the table of students can be found, by the first word of the row."""
    rows = [element for element in page.all("tr") if "data-keys" in element]
    return {row["text"].split()[0]: set(row["data-keys"].split()) for row in rows}


def test_each_student_can_be_found_by_state_and_problem():
    students = [student("ada", "Ada", late="1 day late"), student("bob", "Bob"), student("cem", "Cem")]
    results = {("ada", "lora"): of_every_status("ada"), ("bob", "lora"): result("bob", [], refused="Empty.")}
    cleo = {"name": "Cleo", "id": "7", "email": ""}
    run = shown(students, results, ["sft", "lora"], missing=[cleo])
    excused = Standing(None, 12, EXCUSED, None, "Excused by the instructor.")
    run = replace(
        run,
        own=run.own | {"cem": {"sft": excused, "lora": standing(None)}},
        overrides={("cem", "sft"): Override(excused=True), ("bob", "lora"): Override(comment="Come and see me.")},
    )
    keys = keys_of(Page(page_of_the_class(run)))
    assert keys["Ada"] == {"late", "lora:", "lora:late", "missing", "sft:missing"}
    assert keys["Bob"] == {"by-hand", "lora:", "lora:by-hand", "missing", "sft:missing"}
    assert keys["Cem"] == {"excused", "overridden", "sft:", "sft:excused", "sft:overridden", "missing", "lora:missing"}
    assert keys["Cleo"] == {"missing", "sft:missing", "lora:missing"}


def test_what_can_be_chosen_is_what_is_there_with_its_number():
    students = [student("ada", late="Late"), student("bob", late="Late"), student("cem")]
    page = class_page(students, {(name, "lora"): of_every_status(name) for name in ("ada", "bob", "cem")})
    options = {option["value"]: option["text"] for option in page.all("option")}
    assert options == {"": "all", "lora": "LoRA", "late": "late (2)"}


def test_points_are_sorted_as_numbers_and_who_has_none_has_no_number():
    own = {"ada": {"lora": Standing(7.5, 12, GRADED, 7.5)}, "bob": {"lora": Standing(None, 12, BY_HAND, None, "No.")}}
    page = class_page([student("ada"), student("bob")], {}, own=own, total={name: of["lora"] for name, of in own.items()})
    assert [cell["data-value"] for cell in page.all("td") if "data-value" in cell] == ["7.5", "7.5", "", ""]


def test_without_its_script_the_page_shows_all_and_offers_nothing_that_does_not_work():
    students, results = room(5)
    page = class_page(students, results)
    assert not page.all("button", type="button") and "hidden" in page.all("form")[0]
    assert not any("hidden" in row for row in page.all("tr"))
    fields = [*page.all("input"), *page.all("select")]
    assert len(fields) == len(page.all("label")) == 5 and all(label["text"].strip() for label in page.all("label"))


# --- two codes beside each other ----------------------------------------------------------------


ONE = "def first(x):\n    total = x.weight * (x.size + 1) / (x.size - 1)\n    return total\n\n\ndef second(x):\n    return x\n"
OTHER = "def helper(y):\n    _ = None\n    return y.weight * (1 + y.size) / (y.size - 1)\n"


def test_two_codes_stand_beside_each_other_and_what_is_alike_is_marked():
    rows = beside(functions([ONE]), functions([OTHER]))
    page = Page(
        likeness_page(
            View("lora", "ada", "bob", False, "90 % of the smaller stand in the other", rows),
            "LoRA",
            {"ada": "Ada", "bob": "Bob"},
        )
    )
    assert page.all("h1")[0]["text"] == "LoRA: Ada beside Bob" and "90 % of the smaller stand in the other." in page.text
    marked = [mark["text"].strip() for mark in page.all("mark")]
    assert marked == [
        "total = x.weight * (x.size + 1) / (x.size - 1)",
        "return total",
        "return y.weight * (1 + y.size) / (y.size - 1)",
    ]
    assert "Ada first 2 of 3 lines alike" in page.text and "Bob helper 1 of 3 lines alike" in page.text
    assert "Ada: second, 0 of 2 lines alike" in page.text
    assert "a reason to look, not a proof" in page.text


# --- files --------------------------------------------------------------------------------------


def test_the_same_class_gives_the_same_bytes_in_any_order(tmp_path):
    students, results = room(12)
    for name, ordered in {"one": students, "two": students[::-1]}.items():
        write_pages(tmp_path / name, shown(ordered, results, ALL))
    one, two = ({p.name: p.read_bytes() for p in (tmp_path / n).rglob("*.html")} for n in ("one", "two"))
    assert one == two and len(one) == 13


def test_every_link_leads_to_a_page_and_no_other_file_is_left(tmp_path):
    students = [student("jörg müller-1"), student("a&b#c%20-2"), student("ok-3")]
    results = {(s["folder"], "lora"): of_every_status(s["folder"]) for s in students}
    index = write_pages(tmp_path, shown(students, results, ALL))
    links = {a["href"] for a in Page(index.read_text(encoding="utf-8")).all("a") if not a["href"].startswith("#")}
    assert {unquote(link) for link in links} == {f"students/{s['folder']}.html" for s in students}
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {unquote(link) for link in links} | {"index.html"}


@pytest.mark.parametrize("folder", ["../out", "a/b", "a\\b", "..", "", "a\0b", "a\ud800"])
def test_a_folder_that_is_a_path_is_refused_and_nothing_is_written(tmp_path, folder):
    with pytest.raises(ValueError, match="no plain name"):
        write_pages(tmp_path / "out", shown([student("ok"), student(folder)], {}))
    assert not list(tmp_path.iterdir())


def test_a_page_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    write_pages(tmp_path, shown([student("ada-1", "Ada")], {}))
    before = (tmp_path / "students" / "ada-1.html").read_bytes()

    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError):
        write_pages(tmp_path, shown([student("ada-1", "Another")], {}))
    assert [path.name for path in (tmp_path / "students").iterdir()] == ["ada-1.html"]
    assert (tmp_path / "students" / "ada-1.html").read_bytes() == before


def test_pages_of_likeness_are_written_linked_and_those_of_an_earlier_run_go(tmp_path):
    students = [student("ada-1", "Ada"), student("bob-2", "Bob")]
    results = {(one["folder"], "lora"): of_every_status(one["folder"]) for one in students}
    alike = Alike(
        [("lora", Likeness("equals the reference", ["ada-1"], "the reference"))], [("lora", Pair("ada-1", "bob-2", 0.9))]
    )
    rows = beside(functions([ONE]), functions([OTHER]))
    alike.views = lambda: [
        View("lora", "ada-1", "the reference", True, "", rows),
        View("lora", "ada-1", "bob-2", False, "", rows),
    ]
    index = write_pages(tmp_path, shown(students, results, alike=alike))
    links = {a["href"] for a in Page(index.read_text(encoding="utf-8")).all("a") if a["href"].startswith("likeness/")}
    assert links == {path.relative_to(tmp_path).as_posix() for path in (tmp_path / "likeness").iterdir()} and len(links) == 2
    for link in links:
        for a in Page((tmp_path / link).read_text(encoding="utf-8")).all("a"):
            assert (tmp_path / "likeness" / unquote(a["href"].partition("#")[0])).resolve().is_file()
    write_pages(tmp_path, shown(students, results))
    assert not list((tmp_path / "likeness").iterdir())
