"""The quiz as someone types it."""

import io
import json
import os
import re
import signal
import subprocess
import sys

import pytest
from rich.console import Console

from grader.problems import ROOT
from quiz import asking, bank, store, terminal
from quiz.__main__ import main
from quiz.grading import grade
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
            return "my words\n" + "".join(asking.LETTERS[: len(asked.item.rubric)])
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
    assert "Not right." in words and item.options[wrong].reply in words and item.cell in words.replace(" claim:", "claim:")


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
    )  # fmt: skip
    first = terminal.plan("lora", None, 10, 3, False, [])["items"][0]
    process.stdin.write(letters_of(first, 3) + "\n")
    process.stdin.flush()
    for line in process.stdout:
        if line.startswith("Question 2"):
            break
    process.send_signal(signal.SIGINT)
    rest = process.stdout.read()
    assert process.wait() == 0
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


def test_review_asks_what_is_due_and_nothing_else(typed, monkeypatch):
    assert "Nothing is due today" in typed(arguments=["review"])[1]
    missed, known = bank.items("lora")[:2]
    store.Store().add(missed, 0.0, 1, store.now())
    store.Store().add(known, 1.0, 0, store.now())
    assert "Nothing is due today" in typed(arguments=["review"])[1]
    monkeypatch.setenv("QUIZ_NOW", "2026-05-05T08:00")
    status, printed = typed("quit", arguments=["review"])
    assert "Question 1 of 1" in printed and missed.stem.split()[0] in printed


def test_stats_show_progress_by_topic(typed):
    assert "Nothing was answered yet" in typed(arguments=["stats"])[1]
    item = bank.items("lora")[0]
    store.Store().add(item, 1.0, 0, store.now())
    printed = typed(arguments=["stats"])[1]
    count = len(bank.items("lora"))
    assert "#" + "." * (count - 1) in printed and f"1 right, 1 answered, {count} in all; 0 due today" in printed
    assert "1 answer on 1 day." in printed


def test_the_line_of_make_check():
    total = len(bank.items())
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
    assert typed(arguments=["lint"]) == (0, f"{len(bank.items())} questions, and nothing to mend.\n")


def test_the_quiz_starts_without_torch():
    code = "import sys; sys.argv = ['quiz', 'stats']; import quiz.__main__ as m; m.main([]); print('torch' in sys.modules, 'fsrs' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, input="quit\n", capture_output=True, text=True)
    assert done.stdout.endswith("False False\n")
