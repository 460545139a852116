"""The quiz in a notebook, driven by the messages that the browser sends."""

import html
import json
import re
import sqlite3
import subprocess
import sys

import pytest
from jupyter_client.manager import start_new_kernel

from quiz import asking, bank, store, terminal, widget
from quiz.grading import key_of
from tests.browser import chromium, needs_chromium

KINDS = ("single", "multiple", "numeric", "prints", "ordering", "matching", "open")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("QUIZ_HOME", str(tmp_path))
    monkeypatch.setenv("QUIZ_NOW", "2026-05-01T09:30:00+00:00")
    return tmp_path


def one(kind: str) -> widget.Quiz:
    """A widget with one question of this kind."""
    return widget.Quiz([asking.question(next(item for item in bank.items() if item.kind == kind))])


def letters(asked, indices) -> str:
    """What the browser sends when these options, steps or partners are chosen."""
    return " ".join(asking.LETTERS[asked.order.index(index)] for index in indices)


def press(quiz, answer: str, marks: str | None = None) -> dict:
    return quiz.reply({"number": 0, "answer": answer, "marks": marks})


def right(quiz) -> tuple:
    asked = quiz.asked[0]
    item = asked.item
    match item.kind:
        case "single" | "multiple":
            return (letters(asked, [index for index, option in enumerate(item.options) if option.right]),)
        case "numeric":
            return (str(item.value),)
        case "prints":
            return (item.output,)
        case "open":
            return "my words", asking.LETTERS[: len(item.rubric)]
    return (letters(asked, range(len(asked.choices))),)


def wrong(quiz) -> tuple:
    asked = quiz.asked[0]
    item = asked.item
    match item.kind:
        case "single" | "multiple":
            return (letters(asked, [next(index for index, option in enumerate(item.options) if not option.right)]),)
        case "numeric":
            return ("-12345",)
        case "prints":
            return ("something else",)
        case "ordering":
            return (letters(asked, reversed(range(len(item.steps)))),)
        case "matching":
            return (letters(asked, [*range(1, len(item.pairs)), 0]),)
    return "my words", ""


def partly(quiz) -> tuple:
    asked = quiz.asked[0]
    item = asked.item
    match item.kind:
        case "multiple":
            return (letters(asked, [next(index for index, option in enumerate(item.options) if option.right)]),)
        case "ordering" | "matching":
            return (letters(asked, [1, 0, *range(2, len(asked.choices))]),)
    return "my words", "a"


@pytest.mark.parametrize("kind", KINDS)
def test_a_right_answer_is_right_and_recorded_once(kind):
    quiz = one(kind)
    reply = press(quiz, *right(quiz))
    assert reply["verdict"] == "right" and reply["lines"][0] == "Right."
    assert quiz.asked[0].item.explanation in reply["lines"]
    assert [(a.item, a.score, a.session) for a in store.Store().attempts()] == [(quiz.asked[0].item.id, 1.0, None)]


@pytest.mark.parametrize("kind", KINDS)
def test_a_wrong_answer_is_told_the_key_and_may_be_tried_again(kind):
    quiz = one(kind)
    item = quiz.asked[0].item
    reply = press(quiz, *wrong(quiz))
    assert reply["verdict"] != "right"
    assert kind == "open" or f"Answer: {key_of(item)}" in reply["lines"]
    assert [(place["title"], place["link"]) for place in reply["proof"]["places"]] == asking.proof(item)
    assert quiz.progress == "Answered 1 of 1, 0 right."
    press(quiz, *right(quiz))
    assert quiz.progress == "Answered 1 of 1, 1 right."
    assert [a.score == 1 for a in store.Store().attempts()] == [False, True]


@pytest.mark.parametrize("kind", ["multiple", "ordering", "matching", "open"])
def test_a_partly_right_answer_says_its_share(kind):
    quiz = one(kind)
    reply = press(quiz, *partly(quiz))
    [attempt] = store.Store().attempts()
    assert reply["verdict"] == "partly right" and 0 < attempt.score < 1
    assert reply["lines"][0] == f"Partly right ({attempt.score:.0%})."
    assert quiz.progress == "Answered 1 of 1, 0 right."


@pytest.mark.parametrize(
    "kind, answer, marks",
    [
        *[(kind, "", None) for kind in KINDS],
        ("single", "a b", None),
        ("multiple", "a z", None),
        ("numeric", "1,5", None),
        ("numeric", "a few", None),
        ("ordering", "a b", None),
        ("matching", "a a b b", None),
        ("open", "  ", "a"),
        ("open", "my words", "z"),
    ],
)
def test_nonsense_gets_a_sentence_and_is_not_recorded(home, kind, answer, marks):
    quiz = one(kind)
    reply = press(quiz, answer, marks)
    assert set(reply) == {"number", "problem"}
    assert reply["problem"][-1] == "." and reply["problem"][0] == reply["problem"][0].upper()
    assert quiz.progress == "Answered 0 of 1, 0 right." and not list(home.iterdir())


def test_where_one_chooses_nobody_is_told_to_type():
    assert "Choose one." in press(one("single"), "")["problem"]
    assert "Choose a partner for each" in press(one("matching"), "a")["problem"]


def test_an_open_answer_meets_the_key_points_before_it_is_graded(home):
    quiz = one("open")
    reply = press(quiz, "my words")
    assert reply == {"number": 0, "points": list(quiz.asked[0].item.rubric)}
    assert not list(home.iterdir())


@pytest.mark.parametrize("kind", KINDS)
def test_the_record_and_the_words_equal_those_of_the_terminal(kind, tmp_path, monkeypatch, capsys):
    quiz = one(kind)
    asked = quiz.asked[0]
    answer, *marks = wrong(quiz)
    reply = press(quiz, answer, *marks)
    [in_notebook] = store.Store().attempts()

    typed = iter([answer, "", *marks] if kind == "open" else [answer])
    monkeypatch.setattr(terminal.Terminal, "ask", lambda self, prompt: next(typed))
    kept = store.Store(tmp_path / "terminal.sqlite3")
    plan = {"items": [asked.item.id], "seed": 0, "exam": False}
    terminal.run(terminal.Terminal(), kept, kept.begin(plan), plan)
    [in_terminal] = kept.attempts()
    assert (in_notebook.item, in_notebook.topic, in_notebook.score, in_notebook.answer, in_notebook.at) == (
        in_terminal.item, in_terminal.topic, in_terminal.score, in_terminal.answer, in_terminal.at,
    )  # fmt: skip
    printed = " ".join(capsys.readouterr().out.split())
    for line in reply["lines"]:
        if not line.startswith("Answer: "):  # there the terminal has its letters
            assert " ".join(line.split()) in printed
    assert all(place["link"] in printed for place in reply["proof"]["places"])


def test_an_answer_that_cannot_be_kept_is_graded_and_said_not_to_be_recorded(home, monkeypatch):
    (home / "file").write_text("not a folder")
    monkeypatch.setenv("QUIZ_HOME", str(home / "file"))
    quiz = one("single")
    reply = press(quiz, *right(quiz))
    assert reply["verdict"] == "right" and reply["progress"] == "Answered 1 of 1, 1 right."
    assert reply["remark"].startswith("This answer was not recorded: ") and "QUIZ_HOME" in reply["remark"]


def test_a_write_that_fails_is_said_too(monkeypatch):
    def full(*arguments):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(store.Store, "add", full)
    quiz = one("single")
    assert press(quiz, *right(quiz))["remark"] == "This answer was not recorded: database or disk is full."


def test_a_damaged_file_is_set_aside_and_the_person_is_told_once(home):
    (home / store.FILE).write_bytes(b"no database" * 200)
    quiz = one("single")
    assert "damaged" in press(quiz, *right(quiz))["remark"]
    assert press(quiz, *right(quiz))["remark"] == ""
    assert len(store.Store().attempts()) == 2


@pytest.mark.parametrize("count", [0, -1, "3"])
def test_a_count_that_is_none_is_refused(count):
    with pytest.raises(ValueError, match="count is"):
        widget.show(count=count)


def test_an_unknown_topic_or_level_gets_the_sentence_of_the_bank():
    with pytest.raises(ValueError, match="there is no topic 'lorra'; there are sft"):
        widget.show("lorra")
    with pytest.raises(ValueError, match="there is no level 'hard'; there are screening"):
        widget.show("lora", "hard")


def test_the_seed_decides_and_count_limits():
    def shown(**options):
        return widget.show("lora", **options).questions

    assert shown(seed=1, count=4) == shown(seed=1, count=4) != shown(seed=2, count=4)
    assert len(shown(count=4)) == 4 and len(shown(count=999)) == len(bank.items("lora", about="interview"))


def test_questions_about_the_article_are_shown_to_who_wants_them_alone():
    served, about = bank.items(about="interview"), bank.items(about="article")
    assert {asked.item.id for asked in widget.show().asked} == {item.id for item in served}
    shown = widget.show(article=True)
    assert {asked.item.id for asked in shown.asked} == {item.id for item in about}
    assert all(question["heading"].endswith(", about the article.") for question in shown.questions)
    with pytest.raises(ValueError, match="There is no question about the article and of topic lora"):
        widget.show("lora", article=True)


def test_the_browser_is_not_sent_the_answers():
    """What the browser holds is saved with the notebook."""
    for item in bank.items():
        sent = str(widget._drawn(asking.question(item), 1, 1))
        assert item.explanation not in sent
        for hidden in getattr(item, "rubric", ()):
            assert hidden not in sent
        for option in getattr(item, "options", ()):
            assert not option.reply or option.reply not in sent


# --- without a kernel ---------------------------------------------------------------------------


def test_the_output_holds_the_widget_and_a_page_for_readers():
    data, _ = widget.show(topic=None)._repr_mimebundle_()
    assert set(data) == {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"}
    folded = re.findall(r"<details><summary>Answer</summary>(.*?)</details>", data["text/html"], re.DOTALL)
    open_part = re.sub(r"<details>.*?</details>", "", data["text/html"], flags=re.DOTALL)
    served = bank.items(about="interview")
    assert len(folded) == len(served) and "<script" not in data["text/html"]
    plain = " ".join(data["text/plain"].split())
    for item in served:
        assert all(f'<a href="{html.escape(link)}">' in "".join(folded) for _, link in asking.proof(item))
        assert widget.marked(item.stem) in open_part
        assert (
            widget.marked(item.explanation) in "".join(folded)
            and widget.marked(item.explanation) not in open_part
        )
        assert " ".join(item.stem.split()) in plain and " ".join(item.explanation.split()) not in plain


def test_markup_in_an_item_stays_text():
    item = bank.item("lora-form").model_copy(update={"stem": "<img src=x> & `a<b`", "explanation": "<b>bold</b>"})
    drawn = widget.Page([asking.question(item)])._repr_html_()
    assert "&lt;img src=x&gt; &amp; <code>a&lt;b</code>" in drawn and "<img" not in drawn and "<b>" not in drawn


def test_the_answer_on_the_page_has_the_letter_of_its_option():
    asked = asking.question(bank.item("lora-form"))
    listed, answer = widget.Page([asked])._repr_html_().split("<details>")
    shown = re.findall(r"<li>(.*?)</li>", listed)
    letter, text = re.search(r"<strong>(\w)\. (.*?)</strong>", answer).groups()
    assert shown[asking.LETTERS.index(letter)] == text


def test_the_proof_is_a_link_that_the_notebook_follows():
    drawn = widget.Page([asking.question(bank.item("lora-form"))])._repr_html_()
    assert re.search(r'Proof: <a href="03_lora\.ipynb#claim-lora-[\w-]+">03_lora, “[^<]+</a>', drawn)


def test_every_link_is_an_address_or_a_cell_beside_the_notebook():
    """A link comes from the bank; nothing else than a page may be opened by a click."""
    for item in bank.items():
        for _, link in asking.proof(item):
            assert re.fullmatch(r"https://\S+|\d\d_\w+\.ipynb#claim-[a-z0-9_-]+", link), item.id


def test_a_program_that_runs_the_notebook_gets_the_page_and_a_person_the_widget():
    manager, client = start_new_kernel()
    outputs = []

    def keep(message):
        if message["msg_type"] == "execute_result":
            outputs.append(message["content"]["data"])

    try:
        for someone in (False, True):
            client.execute_interactive(
                "import quiz; quiz.show(count=1)", allow_stdin=someone, output_hook=keep, timeout=60
            )
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    live = "application/vnd.jupyter.widget-view+json"
    assert [set(data) for data in outputs] == [{"text/plain", "text/html"}, {"text/plain", "text/html", live}]


# --- the files ----------------------------------------------------------------------------------


def test_text_never_becomes_markup_in_the_browser():
    script = widget.Quiz._esm
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write", script)


def test_the_style_is_that_of_the_quiz_alone():
    """Rules without .quiz would restyle the notebook."""
    style = re.sub(r"/\*.*?\*/", "", (widget.HERE / "widget.css").read_text(encoding="utf-8"), flags=re.DOTALL)
    for selectors in re.findall(r"([^{}]+)\{", style):
        for selector in selectors.split(","):
            assert selector.strip().startswith((".quiz", "@media")), selector


HOST = """(async () => {
  const { default: widget } = await import(URL.createObjectURL(new Blob([SCRIPT], { type: "text/javascript" })));
  const [state, listeners] = [{ questions: QUESTIONS, progress: "Answered 0 of 7." }, {}];
  window.sent = [];
  window.told = (name, value) => listeners[name](value);
  const on = (name, call) => (listeners[name] = call);
  const model = { get: (name) => state[name], on, off: () => {}, send: (one) => sent.push(one) };
  widget.render({ model, el: document.body });
})()"""


@needs_chromium
def test_a_browser_draws_each_kind_sends_what_was_chosen_and_shows_the_reply(tmp_path):
    quiz = widget.Quiz([one(kind).asked[0] for kind in KINDS])
    with chromium(tmp_path / "profile") as page:
        page.run(HOST.replace("SCRIPT", json.dumps(quiz._esm)).replace("QUESTIONS", json.dumps(quiz.questions)))
        assert page.run("[...document.querySelectorAll('.heading')].map((one) => one.textContent)") == [
            question["heading"] for question in quiz.questions
        ]
        page.run("document.querySelectorAll('textarea, input[type=text]').forEach((field) => (field.value = 'words'))")
        page.run("document.querySelectorAll('input[type=radio], input[type=checkbox]').forEach((box) => box.click())")
        page.run("document.querySelectorAll('select').forEach((select, place) => (select.selectedIndex = place + 1))")
        page.run("document.querySelector('[aria-label^=\"Move down\"]').click()")
        page.run("document.querySelectorAll('form').forEach((form) => form.requestSubmit())")
        sent = page.run("sent")
        answers = [message["answer"] for message in sent]
        count = len(quiz.asked[1].choices)
        assert [message["number"] for message in sent] == list(range(7)) and not any(message["marks"] for message in sent)
        assert answers[0] == asking.LETTERS[len(quiz.asked[0].choices) - 1], "of radio buttons the last one that was pressed"
        assert answers[1] == " ".join(asking.LETTERS[:count]) and answers[2] == answers[3] == answers[6] == "words"
        assert answers[4].startswith("b a c") and answers[5].startswith("a b c")
        for message in sent:
            page.run(f"told('msg:custom', {json.dumps(quiz.reply(message))})")
        said = page.run("[...document.querySelectorAll('.feedback')].map((one) => one.textContent)")
        assert all("Proof: " in said[place] for place in (0, 1, 3, 4, 5)) and "is not a number" in said[2]
        assert page.run("document.querySelectorAll('fieldset fieldset input').length") == len(quiz.asked[6].item.rubric)
        assert not page.errors


def test_the_quiz_starts_without_the_widget():
    code = "import sys, quiz; quiz.items; print(sorted({'anywidget', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"
