"""The pages of a class: what they say, that strangers' text cannot harm them, and that they are the same each time."""

import os
import re
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest

from classroom.outgoing.pages import clean, student_page, teacher_page, write_pages
from grader.bank import known_mistakes
from grader.checks import checks_of
from grader.problems import PROBLEMS

TITLES = {problem.id: problem.title for problem in PROBLEMS.values()}
MISTAKE = known_mistakes(PROBLEMS["lora"])["delta_without_scaling"]
HOSTILE = "</p><script>alert('1')</script> \x1b[31mred\x07 \u202etxt.exe \ud800 \" onload=\"alert(2) & " + "w" * 2000
VOID = {"meta", "br"}


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
        if tag in ("td", "th", "p"):
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
    return {"folder": folder, "name": name or folder, "id": "123", "email": "", "late": False, "notes": []} | more


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


def class_page(students, results, problems=None, missing=(), unreadable=(), pairs=(), likenesses=()) -> Page:
    problems = problems or {"lora": "LoRA"}
    page = teacher_page(students, results, problems, list(missing), list(unreadable), list(pairs), likenesses=likenesses)
    return Page(page)


# --- a student's page ---------------------------------------------------------------------------


def test_each_stub_has_its_status_in_words_and_by_a_sign():
    page = Page(student_page(student("ada-1", "Ada"), {"lora": of_every_status()}))
    headings = [" ".join(h["text"].split()) for h in page.all("h3")]
    assert headings == ["✗ 3 of 4 checks fail LoRALinear", "✓ solved inject_lora", "· to do merge_lora"]
    assert "LoRA 4 of 12 1 of 3" in page.text and "In all 4 of 12" in page.text


def test_the_first_failure_is_in_full_and_all_others_are_folded():
    page = Page(student_page(student("ada-1"), {"lora": of_every_status()}))
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
    late = student("ada-1", late=True, notes=["Two files were found."])
    page = Page(student_page(late, {"lora": graded}, "Graded with seed 7.", {"sft": "SFT", "lora": "LoRA"}))
    for text in ("late", "Two files were found.", "Cell 7 is broken.", "It opened a socket.", "Graded with seed 7."):
        assert text in page.text
    assert "Not handed in." in page.text and "In all 4 " in page.text and "4 of 12 1" in page.text


def test_a_refused_submission_says_why():
    page = Page(student_page(student("ada-1"), {"lora": result("ada-1", [], refused="The file is empty.")}))
    assert "This could not be graded. The file is empty." in page.text
    assert not page.all("h3")


# --- text of strangers --------------------------------------------------------------------------


def hostile_pages() -> list[Page]:
    checks = [check("c", HOSTILE, "failed", title=HOSTILE, message=HOSTILE, hints=[HOSTILE] * 3)]
    checks[0]["diagnosis"] = {"id": HOSTILE, "title": HOSTILE, "lesson": HOSTILE}
    bad = result("x", checks, notices=[HOSTILE], incidents=[HOSTILE])
    person = student("x", HOSTILE, id=HOSTILE, email=HOSTILE, notes=[HOSTILE])
    problems = {"lora": HOSTILE, "sft": "SFT"}
    results = {("x", "lora"): bad, ("x", "sft"): result("x", [], "sft", refused=HOSTILE)}
    unreadable = [{"where": HOSTILE, "why": HOSTILE}]
    return [
        Page(student_page(person, {p: r for (_, p), r in results.items()}, HOSTILE, problems)),
        class_page([person], results, problems, [person], unreadable, [("LoRA", "x", HOSTILE, 0.9)], [("LoRA", "equals it", [HOSTILE])]),
    ]


def test_text_of_strangers_adds_no_element_and_no_attribute():
    for page in hostile_pages():
        assert not page.all("script") and "alert('1')" in page.text
        assert not any(name.startswith("on") for element in page.elements for name in element)


def test_text_of_strangers_has_no_control_characters_and_its_direction_is_visible():
    for page in hostile_pages():
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", page.source)
        assert "red [U+202E]txt.exe" in page.text


def test_names_keep_their_letters():
    for name in ("Jörg Müller", "محمد العربي", "李小龙", "Nguyễn Thị", "O'Neil", "नी‍ल"):
        assert clean(name) == name


def test_a_backtick_alone_is_a_backtick():
    bad = check("c", "LoRALinear", "failed", message="Got `a < b` and ` alone.")
    page = Page(student_page(student("ada-1"), {"lora": result("ada-1", [bad])}))
    assert "a < b" in [element["text"] for element in page.all("code")]
    assert "and ` alone." in page.text


def test_a_page_takes_nothing_from_elsewhere():
    for page in hostile_pages():
        for element in page.elements:
            for name in ("src", "href"):
                assert re.match(r"#|students/", element.get(name) or "#"), element
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
    table = page.source[page.source.index('id="mistakes"') : page.source.index('id="students"')]
    assert re.findall(r'href="([^"]+)"', table) == ["students/a%20b.html", "students/c%23d.html"]
    assert (
        MISTAKE.lesson in Page(f"<body>{table[table.index('<table>') : table.index('</table>')]}</table></body>").text
    )


def test_a_figure_has_at_most_fifteen_bars_however_many_checks_fail():
    students, results = room(30)
    assert len(checks_of("lora")) > 15
    page = class_page(students, results)
    label = next(figure["aria-label"] for figure in page.all("svg") if "fewest pass" in figure["aria-label"])
    assert label.count("%") == 15


def test_what_an_instructor_must_look_at_is_named():
    students = [student("ada-1", "Ada", late=True, notes=["Two files."]), student("bob-2", "Bob")]
    results = {
        ("ada-1", "lora"): of_every_status() | {"incidents": ["It opened a socket."]},
        ("bob-2", "lora"): result("bob-2", [], refused="The file is empty."),
    }
    page = class_page(
        students,
        results,
        missing=[{"name": "Cleo", "id": "77", "email": "c@x.org"}],
        unreadable=[{"where": "inbox/x.zip", "why": "It is damaged."}],
        pairs=[("LoRA", "ada-1", "bob-2", 0.934)],
    )
    for text in (
        "Ada ada-1 4 4 Handed in late. Two files.",
        "Bob bob-2 not graded 0 LoRA: The file is empty.",
        "Cleo, 77, c@x.org",
        "inbox/x.zip: It is damaged.",
        "Ada, LoRA: It opened a socket.",
        "Ada Bob 93 %",
        "Likeness is a reason to look, not a proof.",
    ):
        assert text in page.text, text


def test_who_hands_in_a_known_text_is_named_with_it():
    students, results = room(12)
    folders = [student["folder"] for student in students]
    page = class_page(
        students, results, likenesses=[("LoRA", "holds `inject_lora` of the reference", folders[:2]), ("LoRA", "equals it", folders[2:])]
    )
    assert "12 submissions like a known text, and 0 pairs of suspiciously equal submissions" in page.text
    assert "LoRA holds inject_lora of the reference Name 0, Name 1 LoRA equals it 10 studentsName 2, " in page.text
    assert "None holds much of a text that the course knows" in class_page(students, results).text


# --- files --------------------------------------------------------------------------------------


def test_the_same_class_gives_the_same_bytes_in_any_order(tmp_path):
    students, results = room(12)
    for name, ordered in {"one": students, "two": students[::-1]}.items():
        write_pages(tmp_path / name, ordered, results, TITLES, [], [], [])
    one, two = ({p.name: p.read_bytes() for p in (tmp_path / n).rglob("*.html")} for n in ("one", "two"))
    assert one == two and len(one) == 13


def test_every_link_leads_to_a_page_and_no_other_file_is_left(tmp_path):
    students = [student("jörg müller-1"), student("a&b#c%20-2"), student("ok-3")]
    results = {(s["folder"], "lora"): of_every_status(s["folder"]) for s in students}
    index = write_pages(tmp_path, students, results, TITLES, [], [], [])
    links = {a["href"] for a in Page(index.read_text(encoding="utf-8")).all("a") if not a["href"].startswith("#")}
    assert {unquote(link) for link in links} == {f"students/{s['folder']}.html" for s in students}
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {unquote(link) for link in links} | {"index.html"}


@pytest.mark.parametrize("folder", ["../out", "a/b", "a\\b", "..", "", "a\0b", "a\ud800"])
def test_a_folder_that_is_a_path_is_refused_and_nothing_is_written(tmp_path, folder):
    with pytest.raises(ValueError, match="no plain name"):
        write_pages(tmp_path / "out", [student("ok"), student(folder)], {}, TITLES, [], [], [])
    assert not list(tmp_path.iterdir())


def test_a_page_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    write_pages(tmp_path, [student("ada-1", "Ada")], {}, TITLES, [], [], [])
    before = (tmp_path / "students" / "ada-1.html").read_bytes()

    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError):
        write_pages(tmp_path, [student("ada-1", "Another")], {}, TITLES, [], [], [])
    assert [path.name for path in (tmp_path / "students").iterdir()] == ["ada-1.html"]
    assert (tmp_path / "students" / "ada-1.html").read_bytes() == before
