"""Practice pages of the web edition: what a problem asks, its checks and hints, and faults to be found in the browser."""

import html
import json
import re
from html.parser import HTMLParser

import pytest

from coach.debug.exercises import LEVELS, explained, told_of
from grader.checks import checks_of
from grader.problems import PROBLEMS
from grader.stubs import blank
from tests.browser import chromium, needs_chromium
from tests.site_build import needs_axe, needs_site, violations  # puts the folder of `web` on the path
from web import faults, practice

pytest_plugins = ["tests.site_build"]

COURSE = [problem for problem in PROBLEMS.values() if not problem.is_own]
KEPT = "finetuning-course.faults"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The source folder of Sphinx with the pages, and beside it what is served as _static/course."""
    folder = tmp_path_factory.mktemp("practice")
    assert practice.write(folder, folder / "_static" / "course") == [f"practice/{problem.id}" for problem in COURSE]
    return folder


@pytest.fixture(params=COURSE, ids=[problem.id for problem in COURSE])
def problem(request):
    return request.param


@pytest.fixture
def page(written, problem):
    return (written / "practice" / f"{problem.id}.md").read_text(encoding="utf-8")


# --- the page -----------------------------------------------------------------------------------


def test_the_page_holds_what_the_notebook_asks_and_every_stub(page, problem):
    notebook = problem.notebook_path(".md").read_text(encoding="utf-8")
    question = re.search(r"\*\*The question.*?”\*", notebook, re.DOTALL)[0]
    contracts = re.findall(r"^\*\*Contract\.\*\*.*?$", notebook, re.MULTILINE)
    assert question in page and len(contracts) == len(problem.cells) and all(one in page for one in contracts)
    for cell in problem.cells:
        assert blank(problem, cell) in page
    assert f"../notebooks/{problem.notebook}.html" in page and f'../notebooks/{problem.notebook}.ipynb" download' in page
    assert "](" not in page.replace("](http", "")  # no link leads to where nothing is


class Checks(HTMLParser):
    """The checks of a page: for each its id, the words before its first hint, and the hints, by how deep they lie."""

    def __init__(self, text):
        super().__init__()
        self.found, self.stack = {}, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.stack.append(tag)
        if tag == "li":
            self.current = self.found[dict(attributes)["id"].removeprefix("check-")] = {}

    def handle_endtag(self, tag):
        while self.stack and self.stack.pop() != tag:
            pass

    def handle_data(self, data):
        if "li" in self.stack and "summary" not in self.stack:
            depth = self.stack.count("details")
            self.current[depth] = self.current.get(depth, "") + data


def test_each_check_has_its_points_and_the_hints_of_the_grader_one_in_the_other(page, problem):
    found = Checks("\n".join(re.findall(r"^`{6}\{raw\} html\n(.*?)^`{6}$", page, re.MULTILINE | re.DOTALL))).found
    checks = checks_of(problem.id)
    assert list(found) == list(checks)
    for name, check in checks.items():
        points = "1 point" if check.points == 1 else f"{check.points} points"
        plain = [text.replace("`", "") for text in (f"{check.title} {points}", *check.hints)]
        assert [found[name][depth].strip() for depth in range(4)] == plain, name
    for stub in problem.stubs:
        points = sum(check.points for check in checks.values() if check.stub == stub)
        assert page.count(f"<code>{stub}</code>: {points} point") == 1


def test_colab_is_where_the_notebook_says_and_left_out_where_it_says_nothing(problem, monkeypatch):
    monkeypatch.setattr(practice, "LINKS", "no such tag")
    assert "Colab</a>" not in practice.page(problem)
    monkeypatch.setattr(practice, "LINKS", "here")
    cell = practice.nbformat.v4.new_markdown_cell("In [Colab](https://colab.example/x.ipynb).", metadata={"tags": ["here"]})
    assert 'href="https://colab.example/x.ipynb"' in practice._buttons(problem, [cell])


# --- the data of the faults ---------------------------------------------------------------------


def told(text: str) -> dict:
    return json.loads(re.fullmatch(r"\(globalThis\.courseFaults \?\?= \{\}\)\[\"\w+\"\] = (.*);\n", text, re.DOTALL)[1])


def plain(line: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", line))


def put_together(data: dict, exercise: dict) -> list[str]:
    lines = list(map(plain, data["lines"]))
    for start, end, wrong in reversed(exercise["changes"]):
        lines[start:end] = map(plain, wrong)
    return lines


def test_the_files_and_their_faulty_lines_are_those_of_the_debugging_exercises(written, page, problem):
    data = told((written / "_static" / "course" / f"faults-{problem.id}.js").read_text(encoding="utf-8"))
    made = {one.mistake: one for one in faults.exercises(problem)}
    left_out = {name for name in told_of(problem.id) if f"{problem.id}.{name}" in faults.LEFT_OUT}
    assert [one["id"] for one in data["exercises"]] == list(made) and made.keys() == told_of(problem.id).keys() - left_out
    for one in data["exercises"]:
        exercise = made[one["id"]]
        lines, original = put_together(data, one), exercise.source.splitlines()
        assert lines == original[-len(lines) :], one["id"]
        assert [line + len(original) - len(lines) for line in one["faulty"]] == list(exercise.faulty_lines)
        assert (one["title"], one["lesson"]) == explained(exercise)
        assert f'id="check-{one["check"]["id"]}"' in page
        assert one["lesson"] not in page and one["symptom"] not in page  # nothing is told before a reader asks


def test_what_is_shown_of_a_file_holds_the_fault_among_enough_other_code(written, problem):
    data = told((written / "_static" / "course" / f"faults-{problem.id}.js").read_text(encoding="utf-8"))
    for one in data["exercises"]:
        lines = put_together(data, one)
        shown = {line for first, last in one["parts"] for line in range(first, last + 1)}
        assert set(one["faulty"]) <= shown, one["id"]
        assert all(lines[line - 1].strip() for line in one["faulty"]), one["id"]  # a blank line cannot be chosen
        assert sum(bool(lines[line - 1].strip()) for line in shown) > 20 and len(shown) < 140, one["id"]
        assert one["parts"] == sorted(one["parts"]) and one["level"] in LEVELS


def test_a_helper_is_shown_with_what_uses_it_and_a_short_function_with_its_neighbour():
    source = "LIMIT = 3\n\n\ndef f(x):\n    return _g(x)\n\n\ndef _g(x):\n    return x + LIMIT\n\n\ndef h(x):\n"
    source += "    x += 1\n" * 20
    assert faults.parts(source, [9]) == [[1, len(source.splitlines())]]
    assert faults.parts(source, [14]) == [[12, len(source.splitlines())]]


def test_an_exercise_that_is_left_out_exists_and_has_a_reason():
    for name, reason in faults.LEFT_OUT.items():
        problem, _, mistake = name.partition(".")
        assert mistake in told_of(problem) and reason


# --- in the browser -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shell(written):
    """The part of the page that a script draws, in a page without a theme."""
    desk = practice._desk(PROBLEMS["lora"])
    page = written / "practice" / "lora.html"
    head = '<meta charset="utf-8"><link rel="stylesheet" href="../_static/course/practice.css">'
    script = '<script defer src="../_static/course/practice.js"></script>'
    page.write_text(f'<html data-content_root="../"><head>{head}{script}</head><body>{desk}</body></html>', encoding="utf-8")
    return page


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def browser(opened, shell):
    """A browser that has kept nothing yet."""
    opened.open(shell)
    opened.run("localStorage.clear()")
    opened.look()
    opened.errors.clear(), opened.asked.clear()
    return opened


@pytest.fixture(scope="module")
def exercises(written):
    return told((written / "_static" / "course" / "faults-lora.js").read_text(encoding="utf-8"))["exercises"]


FOCUS = "document.activeElement.getAttribute('role') ?? document.activeElement.textContent"
ACTIVE = "document.querySelector('[role=listbox]').getAttribute('aria-activedescendant')"
WORDS = f"document.querySelector(`#${{{ACTIVE}}} .course-hidden`).textContent"  # what is heard before the chosen line
STATUS = "document.querySelector('[role=status]').textContent"
SAID = "document.querySelector('.course-practice').innerText"


def begin(browser, shell):
    browser.asked.clear()
    browser.open(shell, "document.querySelector('.course-practice button')")
    assert not any("faults-" in address for address in browser.asked)  # what is not asked for is not loaded
    browser.run("document.querySelector('.course-practice button').focus()")
    browser.press("Enter")
    browser.wait("document.querySelector('[role=listbox]')")


def choose(browser, line):
    """With the keyboard, from wherever the choice stands."""
    browser.press("Home")
    for _ in range(200):
        if browser.run(WORDS).startswith((f"Line {line}:", f"Line {line},")):
            return
        browser.press("ArrowDown")
    raise AssertionError(f"line {line} cannot be reached")


@needs_chromium
def test_a_wrong_line_then_the_right_one_by_the_keyboard_alone(browser, shell, exercises):
    one = exercises[0]
    right = one["faulty"][0]
    wrong = next(line for line in range(one["parts"][0][0], right) if line not in one["faulty"])
    begin(browser, shell)
    assert one["symptom"] in browser.run(SAID) and one["title"] not in browser.run(SAID)
    assert "What was seen" in browser.run(FOCUS)
    browser.press("Tab")
    assert browser.run(FOCUS) == "listbox"
    choose(browser, wrong)
    browser.press("Enter")
    assert browser.run(STATUS) == f"No, line {wrong} is not at fault. You have one more try."
    assert "not at fault" in browser.run(WORDS)
    assert browser.run(FOCUS) == "listbox"
    browser.press("Enter")  # the same line again takes no try
    choose(browser, right)
    browser.press("Enter")
    assert browser.run(FOCUS) == f"Yes, line {right} is at fault."
    said = browser.run(SAID)
    assert one["title"] in said and one["lesson"] in said and "1 of " in said
    assert browser.run("document.querySelector('.course-result a').getAttribute('href')") == f"#check-{one['check']['id']}"
    removed = browser.run("[...document.querySelectorAll('del code')].map((one) => one.textContent)")
    assert removed == [plain(line) for _, _, lines in one["changes"] for line in lines]
    browser.press("Tab", 3)
    assert browser.run(FOCUS) == "Another one"
    browser.press("Enter")
    assert exercises[1]["symptom"] in browser.run(SAID)

    browser.open(shell, "document.querySelector('.course-practice button')")
    assert f"You have solved 1 of {len(exercises)} exercises." in browser.run(SAID)
    assert json.loads(browser.run(f"localStorage.getItem('{KEPT}')")) == {"lora": {one["id"]: "solved"}}
    begin(browser, shell)
    assert exercises[1]["symptom"] in browser.run(SAID)  # what is solved does not come again
    assert not browser.errors


@needs_chromium
def test_after_two_wrong_lines_the_fault_is_shown_and_a_click_chooses(browser, shell, exercises):
    one = exercises[0]
    shown = [line for first, last in one["parts"] for line in range(first, last + 1)]
    begin(browser, shell)
    options = "[...document.querySelectorAll('[role=option]')]"
    numbers = browser.run(f"{options}.map((one) => Number(one.querySelector('.number').textContent))")
    assert set(numbers) <= set(shown)
    for line in [line for line in numbers if line not in one["faulty"]][:2]:
        browser.run(f"{options}[{numbers.index(line)}].click()")
        send = browser.run("document.querySelector('.course-bar button').textContent")
        assert send == f"Line {line} is at fault"
        browser.run("document.querySelector('.course-bar button').click()")
    verdict = browser.run(FOCUS)
    assert verdict.startswith(f"Line {line} is not at fault either. The fault is in line")
    assert str(one["faulty"][-1]) in verdict
    labels = browser.run(f"{options}.map((one) => one.textContent).filter((one) => one.includes(', at fault'))")
    assert len(labels) == len(one["faulty"])
    assert "and seen the answer to 1 more" in browser.run(SAID)
    assert json.loads(browser.run(f"localStorage.getItem('{KEPT}')")) == {"lora": {one["id"]: "seen"}}
    begin(browser, shell)
    assert exercises[1]["symptom"] in browser.run(SAID)  # what was never met comes before what was seen


@needs_chromium
def test_a_level_is_chosen_and_the_whole_file_is_shown(browser, shell, exercises):
    hard = next(one for one in exercises if one["level"] == "hard")
    begin(browser, shell)
    level = "const select = document.querySelector('select'); select.value = 'hard'"
    browser.run(f"{{ {level}; select.dispatchEvent(new Event('change')) }}")
    assert hard["symptom"] in browser.run(SAID)
    assert f"0 of {sum(one['level'] == 'hard' for one in exercises)} hard exercises" in browser.run(SAID)
    browser.run("[...document.querySelectorAll('button')].find((one) => one.textContent == 'Show the whole file').click()")
    assert "import torch" in browser.run(SAID) and "not shown" not in browser.run(SAID)


@needs_chromium
def test_it_works_where_nothing_is_kept_and_where_what_is_kept_is_no_use(browser, shell, exercises):
    refused = "Object.defineProperty(window, 'localStorage', { get() { throw new Error('refused') } })"
    number = browser.send("Page.addScriptToEvaluateOnNewDocument", source=refused)["identifier"]
    begin(browser, shell)
    assert "Your browser keeps nothing" in browser.run(SAID)
    browser.run("[...document.querySelectorAll('button')].find((one) => one.textContent == 'Show the fault').click()")
    assert "seen the answer to 1 more" in browser.run(SAID)
    browser.send("Page.removeScriptToEvaluateOnNewDocument", identifier=number)
    for kept in ("no JSON", "[1]", '{"lora": 3}', "null", '{"lora": {"gone": "solved"}}'):
        browser.open(shell, "document.querySelector('.course-practice button')")
        browser.run(f"localStorage.setItem('{KEPT}', {json.dumps(kept)})")
        begin(browser, shell)
        assert f"You have solved 0 of {len(exercises)} exercises." in browser.run(SAID)
    assert not browser.errors


@needs_chromium
def test_data_that_cannot_be_loaded_are_said_in_a_sentence(browser, shell, written):
    data = written / "_static" / "course" / "faults-lora.js"
    data.rename(data.with_suffix(".away"))
    try:
        browser.open(shell, "document.querySelector('.course-practice button')")
        browser.run("document.querySelector('.course-practice button').click()")
        assert "cannot be loaded" in browser.wait("document.querySelector('[role=alert]').textContent")
        data.with_suffix(".away").rename(data)
        browser.run("document.querySelector('.course-practice button').click()")
        browser.wait("document.querySelector('[role=listbox]')")
    finally:
        if not data.exists():
            data.with_suffix(".away").rename(data)


# --- on the site --------------------------------------------------------------------------------


@needs_site
def test_a_page_with_its_scripts_and_its_exercises_is_light(site, pages, problem):
    name = f"practice/{problem.id}.html"
    scripts = [site / "practice" / script.partition("?")[0] for script in pages[name].scripts]
    assert any(script.name == "practice.js" for script in scripts) and "spot-the-fault" in pages[name].ids
    scripts.append(site / "_static" / "course" / f"faults-{problem.id}.js")
    assert len(pages[name].text.encode()) + sum(script.stat().st_size for script in scripts) < 300_000


@needs_site
@needs_axe
@needs_chromium
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_an_exercise_fits_the_screen_and_axe_finds_nothing_serious_at_any_step(browser, site, width, dark):
    browser.look(width, dark=dark)
    browser.open(site / "practice" / "qlora.html", "document.querySelector('.course-practice button')")
    browser.run("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    browser.run("document.querySelector('.course-practice button').click()")
    browser.wait("document.querySelector('[role=listbox]')")
    for step in ("begun", "wrong", "over"):
        assert not violations(browser), step
        assert browser.run("document.documentElement.scrollWidth") <= width
        if step != "over":
            browser.run("document.querySelector('[role=listbox]').focus()")
            browser.press("Home")
            browser.press("ArrowDown", 3 if step == "begun" else 4)
            browser.press("Enter")
            bar = browser.run("document.querySelector('.course-bar')?.getBoundingClientRect().bottom ?? 0")
            assert bar <= browser.run("innerHeight") + 1  # what answers is in sight, however long the file is
