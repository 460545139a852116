"""The quiz as someone types it."""

import io
import json
import os
import re
import signal
import subprocess
import sys
from datetime import timedelta

import pytest
from rich.console import Console

from grader.problems import ROOT
from quiz import asking, bank, store, terminal
from quiz.__main__ import main
from quiz.grading import grade
from quiz.register import link
from tests.test_quiz_grading import of, right_answer


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("QUIZ_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("QUIZ_NOW", "2026-05-04T09:00")
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path / "home"


@pytest.fixture
def typed(monkeypatch, capsys):
    """Runs the quiz with these lines typed, and gives its status and what it printed."""

    def run(*lines, arguments=()):
        monkeypatch.setattr(sys, "stdin", io.StringIO("".join(line + "\n" for line in lines)))
        status = main(list(arguments))
        printed = capsys.readouterr()
        return status, printed.out + printed.err

    return run


def letters_of(name: str, seed: int, answer=None) -> str:
    """What someone types who knows the answer."""
    asked = asking.question(bank.item(name), seed)
    answer = right_answer(asked.item) if answer is None else answer
    match asked.item.kind:
        case "single":
            return asking.LETTERS[asked.order.index(answer)]
        case "numeric" | "prints":
            return str(answer)
        case "open":
            return "my words\nin two lines\n\n" + "".join(asking.LETTERS[: len(asked.item.rubric)])
    return "".join(asking.LETTERS[asked.order.index(index)] for index in answer)


class Screen(terminal.Terminal):
    """Types what it is given, and keeps what is shown."""

    def __init__(self, *lines, width=80):
        super().__init__(Console(file=io.StringIO(), width=width, highlight=False))
        self.lines = list(lines)

    def ask(self, prompt):
        self.say(prompt)
        return self.lines.pop(0)

    @property
    def shown(self):
        return self.console.file.getvalue()


@pytest.mark.parametrize("kind", ["single", "multiple", "numeric", "prints", "ordering", "matching", "open"])
def test_nonsense_is_asked_again_and_the_right_answer_is_taken(kind):
    asked = asking.question(of(kind), 3)
    nonsense = {"numeric": ["", "a lot"], "prints": [""], "open": [""]}.get(kind, ["", "zzz", "a a a a a a a a", "99"])
    screen = Screen(*nonsense, *letters_of(asked.item.id, 3).split("\n"))
    result, answer = terminal.pose(screen, asked, "Question 1 of 1")
    assert result.right
    assert screen.shown.count("your answers are kept") == len(nonsense)


@pytest.mark.parametrize("item", bank.items(), ids=lambda item: item.id)
def test_every_question_fits_eighty_columns_and_shows_its_text(item):
    screen = Screen()
    terminal.show(screen, asking.question(item), "Question 1 of 1")
    assert max(map(len, screen.shown.splitlines())) <= 80 or item.code  # code is not wrapped
    words = re.sub(r"\s+", " ", screen.shown)
    assert item.stem.split()[-1] in words and "\x1b" not in screen.shown


def test_feedback_names_the_belief_and_the_proof():
    item = bank.item("lora-form")
    wrong = next(index for index, option in enumerate(item.options) if option.belief == "D1")
    screen = Screen()
    terminal.feedback(screen, asking.question(item), grade(item, wrong))
    words = re.sub(r"\s+", " ", screen.shown)
    assert "Not right." in words and item.options[wrong].reply in words and f"Proof: notebooks/{link(item.cell)}, “" in words


def test_a_link_stays_whole_in_a_narrow_terminal():
    item = bank.item("lora-form")
    screen = Screen(width=40)
    terminal.feedback(screen, asking.question(item), grade(item, 0))
    assert link(item.cell) in screen.shown


@pytest.mark.parametrize("kind", ["single", "multiple", "ordering", "matching"])
def test_what_was_answered_and_what_is_right_have_the_letters_of_the_question(kind):
    """The screen shows “a  text” in the question. No answer may show the text behind another letter, or behind none."""
    asked = asking.question(of(kind), 5)
    wrong = asked.order[0] if kind == "single" else list(asked.order)
    screen = Screen(width=200)
    terminal._tell(screen, "Your answer:", asking.in_words(asked, wrong))
    terminal.feedback(screen, asked, grade(asked.item, wrong))
    for letter, text in zip(asking.LETTERS, asked.choices):
        for line in screen.shown.splitlines():
            if line.removeprefix("Answer: ").endswith(text):
                assert re.search(rf"\b{letter}  (.*: )?{re.escape(text)}$", line), line
    assert "Answer:" in screen.shown and "Your answer:" in screen.shown


def test_what_a_wrong_option_reveals_stands_behind_its_letter():
    asked = asking.question(of("multiple"), 5)
    screen = Screen(width=200)
    terminal.feedback(screen, asked, grade(asked.item, list(range(len(asked.item.options)))))
    for letter, index in zip(asking.LETTERS, asked.order):
        option = asked.item.options[index]
        assert option.right or f"\n{letter}  {option.reply}\n" in screen.shown


def test_an_open_answer_takes_lines_until_an_empty_one_or_the_end_of_input():
    asked = asking.question(of("open"))
    screen = Screen("one", "quite another", "", "a")
    result, answer = terminal.pose(screen, asked, "Question 1 of 1")
    assert answer == [0] and screen.lines == [] and "An empty line ends your answer." in re.sub(r"\s+", " ", screen.shown)

    class Ends(Screen):
        def ask(self, prompt):
            line = super().ask(prompt)
            if line is None:
                raise EOFError
            return line

    assert terminal.pose(Ends("one", None, "a b"), asked, "Question 1 of 1")[1] == [0, 1]
    with pytest.raises(EOFError):
        terminal.pose(Ends("one", None, None), asked, "Question 1 of 1")


def test_a_round_ends_with_scores_by_topic_and_what_to_read(typed):
    plan = terminal.plan("lora", "screening", 2, 3, False, [])
    first, second = plan["items"]
    wrong = "b" if letters_of(second, 3) != "b" else "a"
    status, printed = typed(letters_of(first, 3), wrong, arguments=["--topic", "lora", "--level", "screening", "--count", "2", "--seed", "3"])
    assert status == 0
    assert "Score: 1 of 2" in printed and "LoRA: 1 of 2" in printed and "Read again:" in printed
    assert [a.score for a in store.Store().attempts()] == [1.0, 0.0]


def test_an_exam_tells_only_at_the_end(typed):
    plan = terminal.plan("lora", "screening", 2, 3, True, [])
    status, printed = typed(*(letters_of(n, 3) for n in plan["items"]), arguments=["--topic", "lora", "--level", "screening", "--count", "2", "--seed", "3", "--exam"])
    questions, _, results = printed.partition("Exam. ")
    assert "Right" not in questions and results.count("Right.") == 2 and results.count("Your answer:") == 2


@pytest.mark.parametrize("leave", ["quit", None], ids=["quit", "end of input"])
def test_who_leaves_can_go_on(typed, leave):
    chosen = ["--topic", "lora", "--count", "3", "--seed", "3"]
    plan = terminal.plan("lora", None, 3, 3, False, [])
    lines = letters_of(plan["items"][0], 3).split("\n") + ([leave] if leave else [])
    status, printed = typed(*lines, arguments=chosen)
    assert status == 0 and "Stopped. What you answered is kept" in printed
    assert [a.item for a in store.Store().attempts()] == plan["items"][:1]
    rest = [line for name in plan["items"][1:] for line in letters_of(name, 3).split("\n")]
    status, printed = typed(*rest, arguments=["--resume"])
    assert "Question 1 of 3" not in printed and "Question 2 of 3" in printed and "Score: 3 of 3" in printed
    assert "No round was left unfinished" in typed(arguments=["--resume"])[1]


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_ctrl_c_in_a_real_terminal_keeps_what_was_answered(home):
    process = subprocess.Popen(
        [sys.executable, "-m", "quiz", "--topic", "lora", "--seed", "3"], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, bufsize=1, env={**os.environ, "PYTHONUNBUFFERED": "1"},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job has none
    )  # fmt: skip
    first = terminal.plan("lora", None, 10, 3, False, [])["items"][0]
    process.stdin.write(letters_of(first, 3) + "\n")
    process.stdin.flush()
    for line in process.stdout:
        if line.startswith("Question 2"):
            break
    process.send_signal(signal.SIGINT)
    try:
        assert process.wait(timeout=60) == 0
    finally:
        process.kill()
    rest = process.stdout.read()
    process.stdin.close()
    process.stdout.close()
    assert "Stopped. What you answered is kept" in rest and "Traceback" not in rest
    assert len(store.Store().attempts()) == 1


def test_the_same_seed_asks_the_same_and_without_one_the_unanswered_come_first(typed):
    one = terminal.plan("lora", None, 5, 7, False, [])
    assert terminal.plan("lora", None, 5, 7, False, []) == one
    answered = [store.Attempt(name, "lora", 1.0, 0, store.now()) for name in [i.id for i in bank.items("lora")][:-3]]
    fresh = terminal.plan("lora", None, 3, None, False, answered)["items"]
    assert set(fresh) == {i.id for i in bank.items("lora")[-3:]}


def test_fewer_questions_than_asked_for_are_told_before_the_first(typed):
    expert = len(bank.items("lora", "expert", "interview"))
    printed = typed("quit", arguments=["--topic", "lora", "--level", "expert", "--count", str(expert + 1)])[1]
    assert printed.startswith(f"There are {expert} questions of this kind.\n\nQuestion 1 of {expert}")
    assert "of this kind" not in typed("quit", arguments=["--topic", "lora", "--level", "expert", "--count", str(expert)])[1]


def test_who_has_answered_all_is_told_so(typed):
    for item in bank.items("lora", "expert"):
        store.Store().add(item, 1.0, 0, store.now())
    assert "You have answered all of them before." in typed("quit", arguments=["--topic", "lora", "--level", "expert"])[1]
    assert "answered" not in typed("quit", arguments=["--topic", "lora", "--level", "screening"])[1].partition("Question 1")[0]


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--topic", "hyperparameters", "--level", "expert"], "no question of topic hyperparameters and of level expert."),
        (["--topic", "lora", "--article"], "no question about the article and of topic lora."),
    ],
)
def test_no_question_of_this_kind_is_a_sentence(typed, monkeypatch, arguments, words):
    served = [item for item in bank.items() if (item.topic, item.level) != ("hyperparameters", "expert")]
    monkeypatch.setattr(bank, "_all", lambda: {item.id: item for item in served})
    status, printed = typed(arguments=arguments)
    assert status == 2 and words in printed and "Leave out one" in printed


def test_questions_about_the_article_are_asked_of_who_wants_them_alone(typed):
    about = {item.id for item in bank.items(about="article")}
    for topic in (None, *bank.TOPICS):
        assert not about & set(terminal.plan(topic, None, 999, None, False, [])["items"])
    assert set(terminal.plan(None, None, 999, None, False, [], "article")["items"]) == about
    printed = typed("quit", arguments=["--article", "--count", "3"])[1]
    assert "Question 1 of 3. Reading code, " in printed and ", about the article." in printed.replace("\n", " ")


def test_an_answered_question_about_the_article_comes_back_and_is_counted_apart(typed, monkeypatch):
    item = bank.items(about="article")[0]
    store.Store().add(item, 0.0, 0, store.now())
    served = len(bank.items("code", about="interview"))
    printed = typed(arguments=["stats"])[1]
    assert f"0 answered, {served} in all" in printed and f"0 right, 1 answered, {len(bank.items(about='article'))} in all" in printed
    monkeypatch.setenv("QUIZ_NOW", "2026-05-05T08:00")
    assert "Question 1 of 1. Reading code" in typed("quit", arguments=["review"])[1]
    total = len(bank.items(about="interview"))
    assert terminal.line(store.Store().attempts(), store.now()) == f"Quiz: 0 of {total} questions answered, 0 right, 1 due today."


def test_who_does_not_know_need_not_guess(typed):
    item = bank.items("lora", "screening", "interview")[0]
    status, printed = typed("?", "quit", arguments=["--topic", "lora", "--level", "screening"])
    said = " ".join(printed.split())
    assert status == 0 and "? means that you do not know." in said and "Not right" in said and "Answer:" in said
    (kept,) = store.Store().attempts()
    assert kept.score == 0 and kept.answer is None and item.topic == kept.topic
    status, printed = typed("?", arguments=["--topic", "lora", "--level", "screening", "--count", "1", "--exam"])
    assert "I do not know" in " ".join(printed.split())


def test_a_terminal_that_lacks_a_sign_shows_the_rest(tmp_path):
    environment = os.environ | {"QUIZ_HOME": str(tmp_path), "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    command = [sys.executable, "-m", "quiz", "--topic", "lora", "--all", "--seed", "1"]
    done = subprocess.run(command, cwd=ROOT, env=environment, input="?\n" * 40, capture_output=True, text=True)
    assert "codec" not in done.stderr and "Question 5 of" in done.stdout


def test_help_says_what_the_levels_are(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    words = re.sub(r"\s+", " ", capsys.readouterr().out)
    assert all(f"{level}: {meaning}" in words for level, meaning in bank.LEVELS.items()) and "--article" in words


def test_review_asks_what_is_due_and_nothing_else(typed, monkeypatch):
    assert "Nothing is due today" in typed(arguments=["review"])[1]
    missed, known = bank.items("lora")[:2]
    store.Store().add(missed, 0.0, 1, store.now())
    store.Store().add(known, 1.0, 0, store.now())
    assert "Nothing is due today" in typed(arguments=["review"])[1]
    monkeypatch.setenv("QUIZ_NOW", "2026-05-05T08:00")
    status, printed = typed("quit", arguments=["review"])
    assert "Question 1 of 1" in printed and missed.stem.split()[0] in printed and "--all" not in printed
    store.Store().add(bank.items("lora")[2], 0.0, 1, store.now() - timedelta(days=1))
    assert "2 questions are due. The longest overdue comes first; --all asks all." in typed("quit", arguments=["review", "--count", "1"])[1]


def test_stats_show_progress_by_topic(typed):
    assert "Nothing was answered yet" in typed(arguments=["stats"])[1]
    assert "About the article" not in typed(arguments=["stats"])[1]
    item = bank.items("lora")[0]
    store.Store().add(item, 1.0, 0, store.now())
    printed = typed(arguments=["stats"])[1]
    count = len(bank.items("lora"))
    assert "#" + "." * (count - 1) in printed and f"1 right, 1 answered, {count} in all; 0 due today" in printed
    assert "1 answer on 1 day." in printed


def test_the_line_of_make_check():
    total = len(bank.items(about="interview"))
    assert terminal.line([], store.now()) == f"Quiz: none of {total} questions answered yet. Begin with make quiz."
    item = bank.items("lora")[0]
    store.Store().add(item, 1.0, 0, store.now())
    assert terminal.line(store.Store().attempts(), store.now()) == f"Quiz: 1 of {total} questions answered, 1 right, 0 due today."


@pytest.mark.parametrize("arguments", [["--topic", "lore"], ["--count", "0"], ["--count", "many"], ["--seed", "x"], ["play"]])
def test_a_wrong_word_is_named(arguments, capsys):
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2 and arguments[-1] in capsys.readouterr().err


def test_trouble_with_the_clock_or_the_folder_is_a_sentence(typed, monkeypatch, tmp_path):
    monkeypatch.setenv("QUIZ_NOW", "soon")
    status, printed = typed("a", arguments=["stats"])
    assert status == 2 and "QUIZ_NOW is 'soon'" in printed
    monkeypatch.delenv("QUIZ_NOW")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("QUIZ_HOME", str(tmp_path / "file"))
    status, printed = typed("a")
    assert status == 2 and "Name another folder in QUIZ_HOME" in printed


def test_a_damaged_file_is_told(home, typed):
    home.mkdir()
    (home / store.FILE).write_bytes(b"no database" * 100)
    assert "was damaged" in typed("quit")[1]


def test_export_and_lint_as_commands(typed):
    status, printed = typed(arguments=["export"])
    assert status == 0 and json.loads(printed)["format"] == 1
    assert json.loads(typed(arguments=["export", "--format", "schema"])[1])["title"] == "Export"
    status, printed = typed(arguments=["lint"])
    assert status == 0 and printed.endswith(f"\n\n{len(bank.items())} questions, and nothing to mend.\n")


def test_the_quiz_starts_without_torch():
    code = "import sys; sys.argv = ['quiz', 'stats']; import quiz.__main__ as m; m.main([]); print('torch' in sys.modules, 'fsrs' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, input="quit\n", capture_output=True, text=True)
    assert done.stdout.endswith("False False\n")
