"""`python -m coach debug`: every exercise is fair and true, and a session loses nothing."""

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from coach import __main__ as coach
from coach import debug
from coach.debug import exercises, files, judging, kept, session
from desk import place
from grader.checks import checks_of
from grader.problems import PROBLEMS, ROOT
from quiz import store
from quiz.terminal import Terminal

ALL = [(problem, mistake) for problem in exercises.problems() for mistake in exercises.told_of(problem)]
MOST_CHANGED = 8  # lines: a fault is looked for, not another style
made = cache(exercises.made)
LEAST = {"sft": 20, "peft": 20, "lora": 20, "preference": 12, "qlora": 12}


def test_there_are_enough_of_each_level():
    for problem, least in LEAST.items():
        levels = Counter(told["level"] for told in exercises.told_of(problem).values())
        assert levels.total() >= least
        assert levels.keys() == {*exercises.LEVELS}


@pytest.mark.parametrize("problem, mistake", ALL, ids=map("-".join, ALL))
def test_the_fault_lies_in_few_lines_that_are_found(problem, mistake):
    one, right = made(problem, mistake), exercises.reference(PROBLEMS[problem])
    compile(one.source, mistake, "exec")
    assert files.changed_lines(right, one.source) <= MOST_CHANGED
    assert 1 <= len(one.faulty_lines) <= MOST_CHANGED
    lines, before = one.source.splitlines(), set(right.splitlines())
    changed = {number for number, line in enumerate(lines, 1) if line not in before and not line.startswith("#")}
    assert changed <= set(one.faulty_lines)  # and where something is missing, the lines around it
    assert not re.search(r"(?m)^[^'\"#]*\s# ", one.source.partition("\n\n")[2])  # no comment gives it away
    assert one.symptom in " ".join(line.lstrip("# ") for line in lines[: lines.index("")])


@pytest.mark.parametrize("problem, mistake", ALL, ids=map("-".join, ALL))
def test_the_symptom_does_not_tell_the_diagnosis(problem, mistake):
    one = made(problem, mistake)
    title, lesson = exercises.explained(one)
    told, seen = ({*re.findall(r"\w{5,}", text.lower())} for text in (title, one.symptom))
    assert len(told & seen) <= len(told) / 2
    assert title not in one.source and lesson not in one.source and mistake not in one.source


@pytest.mark.parametrize("problem", LEAST)
def test_numbers_in_symptoms_are_those_that_the_file_shows(problem):
    right = exercises.reference(PROBLEMS[problem])
    for mistake, told in exercises.told_of(problem).items():
        if "shows" in told:
            wrong = made(problem, mistake)
            seen = _printed(wrong.source, told["shows"])
            assert seen and seen in wrong.symptom, mistake
            assert seen != _printed(right, told["shows"]), mistake


def _printed(source: str, code: str) -> str:
    out, names = io.StringIO(), {"__name__": "exercise"}
    with contextlib.redirect_stdout(out):
        exec(source, names)
        exec(code, names)
    return out.getvalue().strip()


@pytest.mark.parametrize("problem", LEAST)
def test_every_exercise_fails_a_check(problem):
    """One check of each is enough; all checks of all exercises would take a minute."""
    from grader.bank import reference_observations
    from grader.compare import same
    from grader.observe import observe_trusted
    from grader.submission import Cell, Submission
    from grader.verdict import PUBLIC_SEED

    told = exercises.told_of(problem)
    jobs = [(Submission([Cell("file", made(problem, name).source)]), [told[name]["check"]]) for name in told]
    right = reference_observations(PROBLEMS[problem], PUBLIC_SEED)
    for (name, one), seen in zip(told.items(), observe_trusted(jobs, PROBLEMS[problem], PUBLIC_SEED)):
        assert not same(seen[one["check"]], right[one["check"]]), name


# --- drawing and grading --------------------------------------------------------------------------


def test_a_seed_draws_the_same_and_what_was_met_is_left_out():
    one = debug.exercise("lora", 7, "easy")
    assert one == debug.exercise("lora", 7, "easy") and one.level == "easy"
    easy = {name for name, told in exercises.told_of("lora").items() if told["level"] == "easy"}
    last = debug.exercise("lora", 7, "easy", leave_out=easy - {"merge_lora_loses_the_bias"})
    assert last.mistake == "merge_lora_loses_the_bias"
    assert debug.exercise("lora", 7, "easy", leave_out=easy) == one  # all were met: any may come again


def test_the_reference_mends_it_and_the_verdict_gives_no_diagnosis():
    one = made("lora", "merged_twice")
    wrong = debug.judge(one, one.source)
    assert not wrong.solved and len(wrong.hints) == 3
    assert "A second merge() adds" not in wrong.message and wrong.check not in wrong.message
    mended = debug.judge(one, PROBLEMS["lora"].reference.read_text(encoding="utf-8"))
    assert mended.solved and mended.message.startswith("All ")
    broken = debug.judge(one, "def merge(:\n")
    assert not broken.solved and broken.message


def test_hints_lead_to_the_fault_and_not_to_what_it_breaks_elsewhere():
    one = made("lora", "dropout_in_eval_mode")  # a check of the arguments sees it first
    verdict = debug.judge(one, one.source)
    assert verdict.check == checks_of("lora")["no_dropout_in_eval_mode"].title


def test_lines_are_compared_by_syntax():
    right = "def f(x):\n    y = x + 1\n    g(y)\n    return y\n"
    assert files.faulty_lines(right, right.replace("x + 1", "(x +\n        1)")) == ()
    assert files.faulty_lines(right, right.replace("x + 1", "x - 1")) == (2,)
    assert files.faulty_lines(right, right.replace("    g(y)\n", "")) == (2, 3)
    assert files.faulty_lines(right, right.replace("def f", "@g\ndef f")) == (1,)
    assert files.faulty_lines("@g\n" + right, right) == (1,)


def test_a_mistake_of_another_form_is_no_exercise():
    right = "class C(B):\n    def __init__(self, a):\n        super().__init__()\n"
    for wrong in ("def new():\n    pass\n", right.replace("self, a", "self, b"), right.replace("__init__()", "__init__(a)")):
        with pytest.raises(ValueError):
            files.with_definitions(right, wrong)
    with pytest.raises(ValueError, match="2 times"):
        files.with_edits("a a", [("a", "b")])


# --- a session ------------------------------------------------------------------------------------


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.setenv("QUIZ_HOME", str(tmp_path))
    monkeypatch.setenv("QUIZ_NOW", "2026-05-04T18:00+00:00")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(place, "own", lambda: tmp_path)
    return tmp_path


@pytest.fixture
def typed(desk, monkeypatch, capsys):
    """Runs the command with these lines typed, without the grader: a file is mended if the reference's line is in it."""

    def graded(one, source):
        mended = "MENDED" in source
        return judging.Verdict(mended, "said", "" if mended else "It must hold.", () if mended else ("one", "two", "three"))

    monkeypatch.setattr(session, "judge", graded)

    def run(*lines, options=("lora",)):
        left = list(lines)

        def ask(terminal, prompt):
            if not left:
                raise EOFError
            line = left.pop(0)
            if line == "mend":
                path = next((desk / "debug").glob("*.py"))
                path.write_text(path.read_text() + "# MENDED\n")
                line = "check"
            if line == "quit":
                raise KeyboardInterrupt
            return line

        monkeypatch.setattr(Terminal, "ask", ask)
        code = coach.main(["debug", *options])
        return code, capsys.readouterr().out

    return run


def test_a_session_from_the_line_to_the_fix(typed, desk):
    one = debug.exercise("lora", 11)
    code, text = typed("1", str(one.faulty_lines[0]), "999", "check", "hint", "hint", "mend", options=("lora", "--seed", "11"))
    assert code == 0
    assert (desk / "debug" / "lora_11.py").read_text().startswith(one.source)
    flat = " ".join(text.split())
    assert one.symptom in flat and "No, the fault lies elsewhere." in flat and "Yes, the fault is there." in flat
    assert "has no line 999" in flat
    assert flat.index("It must hold.") < flat.index("Hint 1 of 3: one")
    title, lesson = exercises.explained(one)
    assert flat.index(title) > flat.index("Hint 1 of 3") and lesson in flat
    (told,) = kept.ended(store.Store())
    assert told["solved"] and told["line_found"] and (told["lines_tried"], told["checks"], told["hints"]) == (2, 2, 2)
    assert told.items() >= {"problem": "lora", "mistake": one.mistake}.items()
    assert max(map(len, text.splitlines())) <= 130 and "\x1b" not in text


def test_giving_up_shows_the_difference_and_is_listed(typed):
    code, text = typed("give up", options=("lora", "--level", "hard"))
    (told,) = kept.ended(store.Store())
    assert code == 0 and not told["solved"] and told["level"] == "hard"
    assert re.search(r"^    [+-]", text, re.MULTILINE)
    _, text = typed(options=("--list",))
    assert "given up: " in text and "peft: " in text and told["mistake"] not in text
    begun = store.Store().events("debug-begin")
    assert kept.met_lately(store.Store(), "lora") == {begun[0].content["mistake"]}


def test_what_was_left_goes_on_at_any_prompt(typed, desk):
    code, text = typed("1")  # then the end of input
    assert code == 1 and "Your file is kept" in text
    path = next((desk / "debug").glob("*.py"))
    path.write_text(path.read_text() + "# mine\n")
    code, text = typed("quit")
    assert code == 1 and "You go on with the file that you left." in text
    assert path.read_text().endswith("# mine\n") and len(list((desk / "debug").glob("*.py"))) == 1
    path.unlink()
    _, text = typed("quit")
    assert "written anew" in text and path.exists()
    memory = store.Store()
    path.unlink()
    begun = memory.events("debug-begin")[0].content | {"path": r"C:\Users\me\course\debug\lora_7.py"}  # as an import brings it
    memory._write("UPDATE events SET content = ? WHERE kind = ?", (json.dumps(begun), "debug-begin"))
    _, text = typed("quit")
    assert "written anew" in text and (desk / "debug" / "lora_7.py").exists()
    assert len(memory.events("debug-begin")) == 1 and [
        one["step"] for one in kept.steps(memory, kept.running(memory, "lora")) if one["step"] != "left"
    ] == ["line"]
    _, text = typed("give up", options=("lora", "--new"))
    assert "You go on" not in text and len(kept.ended(store.Store())) == 1  # the one that was left does not count


def test_what_it_cannot_do_is_said_in_a_sentence(desk, capsys, monkeypatch):
    assert coach.main(["debug"]) == 2
    assert "Which problem?" in capsys.readouterr().err
    monkeypatch.setattr(type(PROBLEMS["lora"]), "reference", property(lambda problem: Path("none.py")))
    assert coach.main(["debug", "lora"]) == 2
    assert "has no solutions" in capsys.readouterr().err
    monkeypatch.setattr(exercises, "_told", dict)
    assert coach.main(["debug", "lora"]) == 2
    assert "has no solutions" in capsys.readouterr().err
    assert not store.Store().events("debug-begin")


def test_a_kill_loses_nothing_and_the_start_needs_no_torch(tmp_path):
    env = os.environ | {"QUIZ_HOME": str(tmp_path), "COURSE_HOME": str(tmp_path), "NO_COLOR": "1", "TERM": "dumb"}
    script = "import sys; sys.modules['torch'] = None; from coach.__main__ import main; main(['debug', 'sft', '--seed', '3'])"
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    process.stdin.write("1\n")
    process.stdin.flush()
    said = ""
    while "elsewhere" not in said and "is there" not in said:
        said += process.stdout.read(1)
    process.kill()
    process.wait()
    memory = store.Store(tmp_path / store.FILE)
    left = kept.running(memory, "sft")
    assert left.path == tmp_path / "debug" / "sft_3.py" and left.path.read_text() == left.exercise.source
    assert [step["lines"] for step in kept.steps(memory, left)] == [[1]]
    assert left.exercise == debug.exercise("sft", 3)
