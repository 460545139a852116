"""The quiz of the web edition as a person meets it: opened from a folder, by keyboard, today and tomorrow."""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from coach import __main__ as coach
from quiz import asking, bank, register, store
from tests import quiz_site
from tests.browser import Page, chromium, needs_chromium
from tests.quiz_site import quizzes
from tests.test_coach_export import DAY, GOOD, Place, everything, fill, signed

pytestmark = needs_chromium
TODAY, TOMORROW = "2026-11-26T09:00Z", "2026-11-27T09:00Z"
PLACE = "document.querySelector('.course-quiz-desk')"
DESK = f"{PLACE}?.querySelector('h2')?.textContent === 'Today'"
FOCUSED = "document.activeElement"
HEADING = "document.querySelector('form .heading')?.textContent"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return quiz_site.build(tmp_path_factory.mktemp("site"))


@pytest.fixture
def page(tmp_path):
    """A new person's browser."""
    with chromium(tmp_path / "profile") as opened:
        yield opened


def open_desk(page: Page, site: Path, now: str = TODAY, wait: str = DESK) -> None:
    page.open(f"{(site / 'quiz.html').as_uri()}?now={now}", wait)


def tab_to(page: Page, words: str) -> None:
    """Presses Tab until a control with these words has the focus."""
    name = f"[...({FOCUSED}.labels ?? [])].map((label) => label.textContent).join() || {FOCUSED}.textContent"
    for _ in range(80):
        page.press("Tab")
        if words in (page.run(f"{FOCUSED} === document.body ? '' : {name}") or ""):
            return
    raise AssertionError(f"No {words!r} is reached by Tab.")


def press(page: Page, words: str) -> None:
    tab_to(page, words)
    page.press("Enter")


def kept(page: Page) -> list[dict]:
    """The answers that the browser keeps, the oldest first."""
    return page.run(
        "Object.keys(localStorage).filter((key) => key.startsWith('finetuning-course.quiz.attempt.')).sort()"
        ".map((key) => JSON.parse(localStorage.getItem(key)))"
    )


def answer_by_keyboard(page: Page) -> str:
    """Answers the question that is shown somehow, and returns its kind."""
    kind = page.run("""(() => {
      const form = document.querySelector('form');
      const has = (selector) => form.querySelector(selector);
      return has('[type=radio]') ? 'single' : has('[type=checkbox]') ? 'multiple' : has('textarea') ? 'open'
        : has('select') ? 'matching' : has('ol') ? 'ordering' : 'typed';
    })()""")
    page.press("Tab")
    if kind in ("single", "multiple"):
        page.press(" ")
        page.press("Enter")
    elif kind == "typed":
        page.type("12")
        page.press("Enter")
    elif kind == "open":
        page.type("What I would say.")
        press(page, "Compare with the key points")
        page.wait("document.querySelector('fieldset fieldset')")
        page.press(" ")
        press(page, "Check")
    elif kind == "ordering":
        press(page, "↓")
        press(page, "Check")
    else:
        for number in range(page.run("document.querySelectorAll('form select').length")):
            page.press("ArrowDown", number + 1)
            page.press("Tab")
        page.press("Enter")
    return kind


# --- a newcomer ---------------------------------------------------------------------------------


def test_a_newcomer_answers_ten_questions_comes_back_the_next_day_and_is_asked_what_is_due(site, tmp_path):
    with chromium(tmp_path / "profile") as page:
        page.send("Page.addScriptToEvaluateOnNewDocument", source="Math.random = () => 0.5")  # the same ten each time
        open_desk(page, site)
        assert "Nothing was answered yet." in page.run(f"{PLACE}.innerText")
        press(page, "Begin")
        kinds = set()
        for number in range(1, 11):
            page.wait(f"{HEADING}?.startsWith('Question {number} of 10')")
            kinds.add(answer_by_keyboard(page))
            page.wait("document.querySelector('.feedback .verdict')")
            assert len(kept(page)) == number
            assert page.run(f"{FOCUSED}.textContent") == ("See the result" if number == 10 else "Next question")
            page.press("Enter")
        assert len(kinds) > 3
        page.wait(f"{PLACE}.innerText.includes('Score:')")
        given = kept(page)
        assert not page.errors and all(address.startswith("file:") for address in page.asked)
    attempts = [
        store.Attempt(*(one[name] for name in ("item", "topic", "score", "answer")), datetime.fromisoformat(one["at"]))
        for one in given
    ]
    due = store.due(attempts, datetime.fromisoformat("2026-11-27T09:00+00:00"))
    with chromium(tmp_path / "profile") as page:
        open_desk(page, site, TOMORROW)
        assert kept(page) == given and due
        assert f"{len(due)} question{' is' if len(due) == 1 else 's are'} due today." in page.run(f"{PLACE}.innerText")
        press(page, "Review what is due")
        asked = bank.item(due[0])
        page.wait(f"{HEADING}?.startsWith('Question 1 of {len(due)}')")
        assert asked.stem.replace("`", "") in page.run("document.querySelector('legend').textContent")


def test_a_round_that_was_left_is_gone_on_with_and_an_exam_tells_at_the_end(site, page):
    open_desk(page, site)
    tab_to(page, "Questions")
    page.type("3")  # what stood there is selected
    tab_to(page, "What was right is told at the end")
    page.press(" ")
    press(page, "Begin")
    page.wait(f"{HEADING}?.startsWith('Question 1 of 3')")
    answer_in(page)
    page.wait(f"{HEADING}?.startsWith('Question 2 of 3')")
    assert not page.run("document.querySelector('.verdict')") and len(kept(page)) == 1
    open_desk(page, site)
    assert "A round was left: 1 of 3 questions answered." in page.run(f"{PLACE}.innerText")
    press(page, "Go on with it")
    for number in (2, 3):
        page.wait(f"{HEADING}?.startsWith('Question {number} of 3')")
        answer_in(page)
    page.wait(f"{PLACE}.innerText.includes('Score:')")
    assert page.run("document.querySelectorAll('form .verdict').length") == 3
    assert page.run(f"{PLACE}.innerText").count("Your answer:") == 3 and len({one["session"] for one in kept(page)}) == 1
    press(page, "Back")
    page.wait(DESK)
    assert "A round was left" not in page.run(f"{PLACE}.innerText")


def answer_in(page: Page) -> None:
    """Answers by script what is shown, whichever kind it is."""
    page.run("""(async () => {
      const form = document.querySelector('.quiz form');
      const send = () => form.requestSubmit();
      form.querySelectorAll('select').forEach((select, place) => (select.selectedIndex = place + 1));
      for (const field of form.querySelectorAll('input[type=text], textarea')) field.value = '12';
      form.querySelector('input[type=radio], input[type=checkbox]')?.click();
      send();
      if (form.isConnected && form.querySelector('fieldset fieldset')) send();
    })()""")


def test_a_drill_asks_what_was_missed_until_it_is_right_twice(site, page):
    open_desk(page, site)
    item = next(one for one in bank.items("lora") if one.kind == "single")
    wrong = next(place for place, option in enumerate(item.options) if not option.right)
    row = {"item": item.id, "topic": "lora", "score": 0.0, "answer": wrong, "at": "2026-11-26T08:00:00+00:00", "session": None}
    page.run(f"localStorage.setItem('finetuning-course.quiz.attempt.0', {json.dumps(json.dumps(row))})")
    press(page, "Begin the drill")
    right, times = next(option.text for option in item.options if option.right), 0
    for _ in range(20):
        page.wait(f"{HEADING} || {PLACE}.innerText.includes('Nothing of this drill is left')")
        if not page.run(HEADING):
            break
        if page.run("document.querySelector('legend').innerText").endswith(item.stem):
            times += 1
            page.run(f"[...document.querySelectorAll('label')].find((one) => one.textContent === {json.dumps(right)}).click()")
            page.run("document.querySelector('form').requestSubmit()")
        else:
            answer_right(page)
        page.run("[...document.querySelectorAll('button')].find((one) => one.textContent === 'Next question').click()")
    assert times == 2 and page.run(f"{PLACE}.innerText").startswith("Done")
    asked = [one["item"] for one in kept(page)]
    assert not any(first == second == item.id for first, second in zip(asked[1:], asked[2:])), "others stand in between"


def answer_right(page: Page) -> None:
    """Answers the question that is shown right."""
    stem = page.run("[...document.querySelector('legend').childNodes].slice(1).map((node) => node.textContent).join('')")
    item = next(one for one in bank.items() if one.stem.replace("`", "") == stem)
    match item.kind:
        case "single" | "multiple":
            texts = [option.text.replace("`", "") for option in item.options if option.right]
            page.run(f"[...document.querySelectorAll('label')].filter((one) => {json.dumps(texts)}.includes(one.textContent))"
                     ".forEach((one) => one.click())")  # fmt: skip
        case "matching":
            chosen = [f"[...select.options].find((one) => one.text === {json.dumps(right)}).value" for _, right in item.pairs]
            for place, value in enumerate(chosen):
                page.run(f"{{ const select = document.querySelectorAll('select')[{place}]; select.value = {value}; }}")
        case "ordering":
            page.run(f"""{{ const list = document.querySelector('ol');
              for (const text of {json.dumps([step.replace("`", "") for step in item.steps])})
                list.append([...list.children].find((one) => one.querySelector('span').textContent === text)); }}""")
        case _:
            text = item.output if item.kind == "prints" else repr(getattr(item, "value", "words"))
            page.run(f"document.querySelector('input[type=text], textarea').value = {json.dumps(text)}")
    page.run("document.querySelector('form').requestSubmit()")
    if item.kind == "open":
        page.run("document.querySelectorAll('fieldset fieldset input').forEach((box) => box.click())")
        page.run("document.querySelector('form').requestSubmit()")


# --- a topic's page, and one question -----------------------------------------------------------


def test_a_topics_page_asks_its_questions_as_often_as_one_likes(site, page):
    page.open(site / "topic.html", HEADING)
    assert re.fullmatch(r"Question 1 of 4\. LoRA, .*\.", page.run(HEADING))
    for _ in range(2):
        answer_right(page)
        assert page.run("document.querySelector('.verdict').textContent").endswith("Right.")
    assert [(one["score"], one["session"]) for one in kept(page)] == [(1, None)] * 2
    assert "Answered 1 of 4, 1 right" in page.run("document.querySelector('.course-quiz').innerText")
    press(page, "Next question")
    assert page.run(HEADING).startswith("Question 2 of 4") and not page.run("document.querySelector('.verdict')")
    assert not page.errors and page.asked and all(address.startswith("file:") for address in page.asked)


@pytest.mark.parametrize("kind", ["single", "numeric", "prints"])
def test_one_question_is_asked_by_its_address_and_says_what_the_widget_says(site, page, kind, monkeypatch, tmp_path):
    from quiz import widget

    monkeypatch.setenv("QUIZ_HOME", str(tmp_path / "home"))
    item = next(one for one in bank.items() if one.kind == kind and getattr(one, "slips", True) and one.cell)
    asked = asking.question(item)
    if kind == "single":
        wrong = next(option for option in item.options if not option.right)
        typed = asking.LETTERS[asked.choices.index(wrong.text)]
        shown = json.dumps(wrong.text.replace("`", ""))
        choose = f"[...document.querySelectorAll('label')].find((one) => one.textContent === {shown}).click()"
    else:
        typed = str(item.slips[0].value) if kind == "numeric" else item.slips[0].text
        choose = f"document.querySelector('input').value = {json.dumps(typed)}"
    page.open(f"{(site / 'quiz.html').as_uri()}?item={item.id}", HEADING)
    page.run(choose)
    page.run("document.querySelector('form').requestSubmit()")
    said = [*page.run("[...document.querySelectorAll('.feedback p')].map((one) => one.textContent)")]
    lines = widget.Quiz([asked]).reply({"number": 0, "answer": typed, "marks": None})["lines"]
    assert said[: len(lines)] == [f"✗ {lines[0]}", *(line.replace("`", "") for line in lines[1:])]
    links = page.run("[...document.querySelectorAll('.feedback a')].map((one) => one.getAttribute('href'))")
    notebook, _ = register.claims()[item.cell]
    assert links[0] == f"./notebooks/{notebook}.html#{register.anchor(item.cell)}"


def test_an_address_of_no_question_gets_a_sentence(site, page):
    page.open(f"{(site / 'quiz.html').as_uri()}?item=no-such", DESK)
    assert "There is no question no-such." in page.run(f"{PLACE}.innerText")


# --- where nothing can be kept ------------------------------------------------------------------


def test_where_storage_is_refused_the_page_asks_and_says_that_nothing_is_kept(site, page):
    source = "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError'); } })"
    page.send("Page.addScriptToEvaluateOnNewDocument", source=source)
    page.open(site / "topic.html", HEADING)
    answer_right(page)
    said = page.run("document.querySelector('.course-quiz').innerText")
    assert "This browser keeps nothing for this page" in said and "Right." in said and "Answered 1 of 4" in said


def test_where_the_browser_is_full_the_answer_is_graded_and_said_not_to_be_recorded(site, page):
    page.open(site / "topic.html", HEADING)
    page.run("Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); }")
    answer_right(page)
    said = page.run("document.querySelector('.feedback').innerText")
    assert "Right." in said and "This answer was not recorded: the browser refuses to keep it (QuotaExceededError)." in said


def test_an_exam_in_a_full_browser_goes_on_and_counts_until_one_leaves(site, page):
    open_desk(page, site)
    tab_to(page, "Questions")
    page.type("2")
    tab_to(page, "What was right is told at the end")
    page.press(" ")
    press(page, "Begin")
    page.wait(f"{HEADING}?.startsWith('Question 1 of 2')")
    page.run("Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); }")
    answer_in(page)
    page.wait(f"{HEADING}?.startsWith('Question 2 of 2')")
    assert "This answer was not recorded" in page.run(f"{PLACE}.innerText")
    answer_in(page)
    page.wait(f"{PLACE}.innerText.includes('of 2')")
    assert "This answer was not recorded" in page.run(f"{PLACE}.innerText") and not kept(page) and not page.errors


# --- one's data as a file -----------------------------------------------------------------------


def written(page: Page, folder: Path) -> Path:
    """The file that the page writes."""
    page.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(folder))
    press(page, "Write a file")
    page.wait(f"{PLACE}.innerText.includes(' holds ')")
    for _ in range(200):
        found = [path for path in folder.glob("*.json") if path.read_text().endswith("}\n")]
        if found:
            return found[0]
        page.run("new Promise((done) => setTimeout(done, 20))")
    raise AssertionError("nothing was written")


def take_in(page: Page, path: Path) -> str:
    """What the page says when it gets a file."""
    page.run(f"{PLACE}.querySelector('.note').replaceChildren()")
    root = page.send("DOM.getDocument")["root"]["nodeId"]
    node = page.send("DOM.querySelector", nodeId=root, selector="#quiz-file")["nodeId"]
    page.send("DOM.setFileInputFiles", files=[str(path)], nodeId=node)
    return page.wait(f"{PLACE}.querySelector('.note').textContent")


def test_the_file_goes_from_the_terminal_to_the_browser_and_back(site, page, tmp_path, monkeypatch, capsys):
    old, new = Place(tmp_path / "old", monkeypatch), Place(tmp_path / "new", monkeypatch)
    fill(old)
    with old as home:
        home.log("odd", {"float": 1.0, "small": 1e-7, "text": "ﬁ 😀", "deep": [[None, True]]}, DAY)
        assert coach.main(["export", str(tmp_path / "me.json")]) == 0
        before = everything(home)
    open_desk(page, site)
    assert "3 answers" in take_in(page, tmp_path / "me.json") and "5 steps with the coach" in page.run(f"{PLACE}.innerText")
    assert "here already" in take_in(page, tmp_path / "me.json")
    (tmp_path / "down").mkdir()
    back = written(page, tmp_path / "down")
    with new as home:
        assert coach.main(["import", str(back), "--yes"]) == 0
        assert everything(home) == before
    with old as home:
        capsys.readouterr()
        assert coach.main(["import", str(back), "--yes"]) == 0 and "here already" in capsys.readouterr().out
        assert everything(home) == before
    assert not page.errors


def test_what_is_named_by_a_number_stays_together_beside_what_was_here(site, page, tmp_path, monkeypatch):
    old, new = Place(tmp_path / "old", monkeypatch), Place(tmp_path / "new", monkeypatch)
    fill(old)
    with old:
        assert coach.main(["export", str(tmp_path / "me.json")]) == 0
    earlier = [{"number": n, "kind": "plan", "content": {"n": n}, "at": DAY.isoformat()} for n in (1, 2, 3)]
    (tmp_path / "first.json").write_text(signed(events=earlier, attempts=[GOOD]))
    open_desk(page, site)
    for name in ("first.json", "me.json"):
        assert take_in(page, tmp_path / name).startswith("Taken in")
    (tmp_path / "down").mkdir()
    with new as home:
        assert coach.main(["import", str(written(page, tmp_path / "down")), "--yes"]) == 0
        events = {event.kind: event for event in home.events()}
        assert len(home.events()) == 7 and events["round-part"].content["round"] == events["round"].number
        assert events["round"].content["session"] == next(one.session for one in home.attempts() if one.session)


def test_what_was_answered_in_the_browser_is_taken_in_by_the_terminal(site, page, tmp_path, monkeypatch):
    new = Place(tmp_path / "new", monkeypatch)
    page.open(f"{(site / 'topic.html').as_uri()}?now=2026-11-26T09:00:00.123Z", HEADING)
    answer_in(page)
    answer_right(page)
    open_desk(page, site, TOMORROW)
    press(page, "Begin")
    page.wait(HEADING)
    answer_in(page)
    page.wait("document.querySelector('.verdict')")
    given = kept(page)
    open_desk(page, site)
    (tmp_path / "down").mkdir()
    path = written(page, tmp_path / "down")
    with new as home:
        assert coach.main(["import", str(path), "--yes"]) == 0
        attempts = home.attempts()
        assert [(one.item, one.topic, one.score, one.answer) for one in attempts] == [
            (one["item"], one["topic"], one["score"], one["answer"]) for one in given
        ]
        assert attempts[0].at == datetime(2026, 11, 26, 9, 0, 0, 123000, UTC) and attempts[2].session is not None
        assert len(home.unfinished()[1]["items"]) == 10
        home.add(bank.items("lora")[0], 1.0, 0, attempts[2].at + timedelta(days=1))
        assert coach.main(["export", str(tmp_path / "more.json")]) == 0
    assert take_in(page, tmp_path / "more.json") == "Taken in from more.json: 1 answers."


BROKEN = {
    "no JSON": "no JSON",
    "another kind": '{"kind": "something else", "data": {}}',
    "another format": '{"kind": "finetuning-course", "format": 2, "digest": "", "data": {}}',
    "another digest": '{"kind": "finetuning-course", "format": 1, "digest": "0", "data": {}}',
    "too deep": "[" * 100_000 + "]" * 100_000,
}


FALSE = {
    "a score": {"attempts": [GOOD | {"score": 2}]},
    "no score": {"attempts": [GOOD | {"score": None}]},
    "a day": {"attempts": [GOOD | {"at": "2026-05-01"}]},
    "more": {"attempts": [GOOD | {"more": 1}]},
    "a session that is not there": {"attempts": [GOOD | {"session": 7}]},
    "a plan": {"sessions": [{"number": 1, "plan": {}, "at": DAY.isoformat(), "ended": True}]},
    "two events of one number": {"events": [{"number": 1, "kind": "plan", "content": {}, "at": DAY.isoformat()}] * 2},
    "a grading": {"gradings": [{"at": DAY.isoformat(), "problem": "lora", "stubs": {"a": [1]}, "mistakes": {}}]},
    "a hint": {"hints": {"lora": ["a", 9]}},
    "no list": {"attempts": {"a": 1}},
}


def test_a_broken_or_foreign_file_is_refused_in_a_sentence_as_the_terminal_does(site, page, tmp_path):
    from coach.transfer import file

    open_desk(page, site)
    for number, content in enumerate([*BROKEN.values(), *(signed(**data) for data in FALSE.values())]):
        path = tmp_path / f"given-{number}.json"
        path.write_text(content)
        with pytest.raises(ValueError):
            file.read(path)
        said = take_in(page, path)
        assert said.startswith(path.name) and len(said) < 300 and not said.startswith("Taken"), (content[:80], said)
    assert not kept(page) and not page.errors
    (tmp_path / "good.json").write_text(signed(attempts=[GOOD]))
    assert take_in(page, tmp_path / "good.json") == "Taken in from good.json: 1 answers."


# --- the files ----------------------------------------------------------------------------------


def test_a_page_is_told_no_more_than_it_needs_and_is_light():
    fields = {"id", "kind", "level", "about", "stem", "code", "explanation", "places"}
    for item in bank.items():
        told = quizzes.packed(item)
        assert told.keys() == fields | {*quizzes.FIELDS[item.kind]}
        assert all(slip.keys() <= {"value", "text", "belief", "reply"} for slip in told.get("slips", ()))
        assert all(re.match(r"https://|notebooks/\d\d_\w+\.html#claim-", link) for _, link in told["places"])
    sizes = {name: len(content.encode()) for name, content in quizzes.files().items()}
    banks = [size for name, size in sizes.items() if name.startswith("bank-")]
    of_a_topic = sizes["quiz.js"] + sizes["quiz.css"] + max(banks)
    assert of_a_topic < 120_000 and of_a_topic + sizes["quiz-desk.js"] + sizes["ts-fsrs.js"] < 300_000


def test_text_never_becomes_markup():
    unsafe = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\("
    for path in quizzes.SCRIPTS.glob("*.js"):
        assert not re.search(unsafe, path.read_text(encoding="utf-8")), path
