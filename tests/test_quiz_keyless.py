"""The quiz of a copy without keys: it asks, it keeps, it tells nothing, and what was answered is handed in."""

import io
import json
import re
import sys

import pytest
from rich.console import Console

from classroom.handout import release
from quiz import asking, bank, hand_in, keyless, packed, register, store, terminal, widget
from quiz.__main__ import main
from quiz.grading import grade, right_answer
from tests.test_quiz_grading import of

KINDS = ("single", "multiple", "numeric", "prints", "ordering", "matching", "open")
WHOLE = bank.items()


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("QUIZ_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("QUIZ_NOW", "2026-05-04T09:00")
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path / "home"


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """The questions here are those of a copy without keys."""
    folder = tmp_path / "bank"
    folder.mkdir()
    (folder / packed.NAME).write_text(packed.written(release._bare_questions(), pack=False), encoding="utf-8")
    monkeypatch.setattr(register, "BANK", folder)
    monkeypatch.setattr(bank, "BANK", folder)
    bank._all.cache_clear()
    yield folder
    bank._all.cache_clear()


@pytest.fixture
def typed(monkeypatch, capsys):
    """Runs the quiz with these lines typed, and gives its status and what it printed."""

    def run(*lines, arguments=()):
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(line + "\n" for line in lines)))
        status = main(list(arguments))
        printed = capsys.readouterr()
        return status, printed.out + printed.err

    return run


def bare(item):
    """The item as it is in a copy without keys."""
    return keyless.Item(id=keyless.alias(item.id), topic=item.topic, **keyless.stripped(item))


def letters(asked, answer) -> str:
    """What someone types who gives this answer."""
    match asked.item.kind:
        case "numeric" | "prints" | "open":
            return str(answer)
        case "single":
            return asking.LETTERS[asked.order.index(answer)]
    return "".join(asking.LETTERS[asked.order.index(index)] for index in answer)


def some_answer(item):
    match item.kind:
        case "numeric":
            return "1,200"
        case "prints" | "open":
            return "a text of mine"
        case "single":
            return 0
    return list(range(len(item.choices)))


# --- what a question is without its key ---------------------------------------------------------


@pytest.mark.parametrize("item", WHOLE, ids=lambda item: item.id)
def test_an_answer_in_words_means_the_same_in_the_bank_with_the_keys(item):
    """Whoever answers right in a copy without keys is right: the words lead back to the item's own indices."""
    shown = bare(item)
    said = "my words" if item.kind == "open" else right_answer(item)
    if item.kind == "numeric":
        said = str(said)
    elif item.kind == "single":
        said = shown.choices.index(item.choices[said])
    elif item.choices:
        said = [shown.choices.index(item.choices[index]) for index in said]
    words = json.loads(json.dumps(keyless.in_words(shown, said)))
    answer = keyless.from_words(item, words)
    assert answer == "my words" if item.kind == "open" else grade(item, answer).right


def test_the_order_of_the_choices_is_that_of_the_alphabet_and_not_the_right_one():
    for item in WHOLE:
        shown = bare(item)
        assert list(shown.choices) == sorted(item.choices)
        assert item.kind not in ("ordering", "matching") or shown.choices != item.choices, item.id


def test_an_alias_is_the_same_everywhere_and_tells_nothing():
    assert all(re.fullmatch("[0-9a-f]{12}", keyless.alias(item.id)) for item in WHOLE)
    assert len({keyless.alias(item.id) for item in WHOLE}) == len(WHOLE)


# --- asking -------------------------------------------------------------------------------------


class Screen(terminal.Terminal):
    """Types what it is given, and keeps what is shown."""

    def __init__(self, *lines):
        super().__init__(Console(file=io.StringIO(), width=80, highlight=False))
        self.lines = list(lines)

    def ask(self, prompt):
        return self.lines.pop(0)


@pytest.mark.parametrize("kind", KINDS)
def test_nonsense_is_asked_again_and_an_answer_of_the_right_form_is_taken(copy, kind):
    asked = asking.question(bare(of(kind)), 3)
    nonsense = {"numeric": ["", "a lot"], "prints": [""], "open": [""]}.get(kind, ["", "zzz", "99"])
    answer = some_answer(asked.item)
    last = [letters(asked, answer), *([""] if kind == "open" else [])]  # an empty line ends an open answer
    screen = Screen(*nonsense, *last)
    assert terminal.pose(screen, asked, "Question 1 of 1") == (None, answer)
    assert screen.console.file.getvalue().count("your answers are kept") == len(nonsense) and screen.lines == []


def test_a_round_keeps_what_was_answered_and_says_once_who_has_the_keys(copy, typed):
    status, printed = typed("a", "b", arguments=["--topic", "lora", "--level", "screening", "--count", "2", "--seed", "3"])
    plan = terminal.plan("lora", "screening", 2, 3, False, [])["items"]
    assert status == 0 and printed.count(keyless.KEPT) == 2 and "python -m quiz hand-in" in re.sub(r"\s+", " ", printed)
    assert not re.search(r"\bright\b|Score|Proof|Read again", printed)
    kept = store.Store().attempts()
    assert [(one.item, one.score) for one in kept] == [(name, None) for name in plan]
    assert all(isinstance(one.answer, str) and one.answer in bank.item(one.item).choices for one in kept)


def test_an_exam_and_a_round_that_was_left_go_on(copy, typed):
    chosen = ["--topic", "lora", "--level", "screening", "--count", "3", "--seed", "3", "--exam"]
    printed = typed("a", "quit", arguments=chosen)[1]
    assert "Stopped. What you answered is kept" in printed and keyless.KEPT not in printed
    printed = typed("a", "a", arguments=["--resume"])[1]
    assert "Question 1 of 3" not in printed and "Question 2 of 3" in printed and "3 answers are kept." in printed
    assert "No round was left unfinished" in typed(arguments=["--resume"])[1]


def test_stats_and_the_line_of_make_check_count_answers(copy, typed):
    total = len(bank.items(about="interview"))
    assert "none of" in terminal.line([], store.now())
    typed("a", arguments=["--topic", "lora", "--level", "screening", "--count", "1", "--seed", "3"])
    printed = typed(arguments=["stats"])[1]
    count = len(bank.items("lora"))
    assert f"1 answered, {count} in all\n" in printed and "-" + "." * (count - 1) in printed and keyless.WHO in printed
    assert terminal.line(store.Store().attempts(), store.now()) == f"Quiz: 1 of {total} questions answered. {keyless.WHO}"


def test_what_was_answered_without_keys_changes_nothing_for_a_copy_with_keys(copy, typed, monkeypatch):
    typed("a", "quit", arguments=["--topic", "lora", "--level", "screening", "--count", "2", "--seed", "3"])
    assert len(store.Store().attempts()) == 1 and store.Store().unfinished()
    monkeypatch.undo()
    monkeypatch.setenv("QUIZ_HOME", str(copy.parent / "home"))
    assert store.Store().attempts() == [] and store.Store().unfinished() is None
    item = WHOLE[0]
    store.Store().add(item, 1.0, 0, store.now(), store.Store().begin({"items": [item.id], "seed": 1, "exam": False}))
    assert [one.item for one in store.Store().attempts()] == [item.id] and store.Store().unfinished()[1]["items"] == [item.id]


@pytest.mark.parametrize("arguments", [["review"], ["export"], ["lint"]])
def test_what_needs_the_keys_says_who_has_them(copy, typed, arguments):
    status, printed = typed(arguments=arguments)
    assert status == 2 and printed.count("\n") == 1 and keyless.WHO in printed


# --- in a notebook ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_notebook_keeps_an_answer_and_tells_nothing(copy, kind):
    quiz = widget.Quiz([asking.question(bare(of(kind)))])
    answer = some_answer(quiz.asked[0].item)
    reply = quiz.reply({"number": 0, "answer": letters(quiz.asked[0], answer), "marks": None})
    assert reply == {"number": 0, "kept": keyless.KEPT}
    [attempt] = store.Store().attempts()
    assert attempt.score is None and attempt.answer == keyless.in_words(quiz.asked[0].item, answer)
    assert quiz.progress.startswith(f"Answered 1 of 1. {keyless.WHO}") and quiz.questions[0]["button"] == "Keep my answer"
    assert "key points" not in quiz.questions[0]["how"]


def test_nonsense_in_a_notebook_is_not_kept(copy, home):
    for kind, answer in (("numeric", "a lot"), ("open", " "), ("ordering", "a b")):
        reply = widget.Quiz([asking.question(bare(of(kind)))]).reply({"number": 0, "answer": answer, "marks": None})
        assert set(reply) == {"number", "problem"} and "key points" not in reply["problem"]
    assert not home.exists()


def test_the_still_page_shows_every_question_and_no_answer(copy):
    drawn = widget.Page([asking.question(item) for item in bank.items()])._repr_html_()
    assert "<details>" not in drawn and "Proof" not in drawn and drawn.count(keyless.WHO) == 1
    assert drawn.count("<strong>Question ") == len(WHOLE)


# --- handing in ---------------------------------------------------------------------------------


def test_the_latest_answer_to_each_question_is_handed_in(copy, typed, tmp_path, monkeypatch):
    monkeypatch.setattr(hand_in, "NOTEBOOKS", tmp_path)
    status, printed = typed(arguments=["hand-in"])
    assert status == 2 and "No question was answered yet" in printed and not (tmp_path / hand_in.FILE).exists()
    first, second = (bank.items()[place] for place in (0, 3))
    kept = store.Store()
    gone = first.model_copy(update={"id": "gone"})
    for item, answer in ((second, "old"), (first, "a text"), (second, "new"), (gone, "x")):
        kept.add(item, None, answer)
    status, printed = typed(arguments=["hand-in"])
    content = json.loads((tmp_path / hand_in.FILE).read_text(encoding="utf-8"))
    assert content == {
        "format": 1,
        "answers": {
            first.id: {"question": first.stem, "answer": "a text"},
            second.id: {"question": second.stem, "answer": "new"},
        },
    }
    assert status == 0 and f"latest answers to 2 of {len(WHOLE)} questions" in printed
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [hand_in.FILE]


def test_where_it_cannot_be_written_a_sentence_names_the_place(copy, typed, tmp_path, monkeypatch):
    monkeypatch.setattr(hand_in, "NOTEBOOKS", tmp_path / "nowhere")
    store.Store().add(bank.items()[0], None, "a text")
    status, printed = typed(arguments=["hand-in"])
    assert status == 2 and f"{hand_in.FILE} cannot be written" in printed and printed.count("\n") == 1


def test_a_copy_with_keys_hands_nothing_in(typed):
    status, printed = typed(arguments=["hand-in"])
    assert status == 2 and "has the keys" in printed


def test_half_a_sign_that_a_terminal_gives_can_be_kept_and_handed_in(copy, tmp_path):
    item = next(item for item in bank.items() if item.kind == "open")
    store.Store().add(item, *asking.record(item, "half \udce2 sign", None))
    hand_in.hand_in(store.Store(), tmp_path)
    assert "half ? sign" in (tmp_path / hand_in.FILE).read_text(encoding="utf-8")


# --- a broken file ------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "[]", "{", '{"packed": "x"}', '{"files": 3}', '{"files": {}}', '{"packed": 5}', "{}"])
def test_a_damaged_file_of_questions_is_a_sentence(copy, typed, text):
    (copy / packed.NAME).write_text(text, encoding="utf-8")
    status, printed = typed("a")
    assert status == 2 and "questions.json is damaged" in printed and printed.count("\n") == 1


def test_a_question_that_is_not_as_it_should_be_is_named(copy, typed):
    content = json.loads((copy / packed.NAME).read_text(encoding="utf-8"))
    name = next(iter(content["files"]["sft.toml"]))
    content["files"]["sft.toml"][name]["level"] = "easy"
    (copy / packed.NAME).write_text(json.dumps(content), encoding="utf-8")
    status, printed = typed("a")
    assert status == 2 and f"sft.toml, [{name}], level" in printed
