"""The drill: what was missed comes until it is right twice, beliefs are named and asked again, the schedule stays right."""

import io
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from rich.console import Console

from coach import __main__ as coach
from coach import beliefs, drill, opentext
from grader.problems import ROOT
from quiz import __main__ as quiz
from quiz import asking, bank, keyless, store
from quiz import terminal as screen
from quiz.grading import right_answer

DAY = datetime(2026, 5, 4, 18, tzinfo=UTC)
SINGLES = [item for item in bank.items("lora", about="interview") if item.kind == "single"]
OPEN = next(item for item in bank.items(about="interview") if item.kind == "open")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """Whatever is kept lies here, drafts too."""
    monkeypatch.setenv("QUIZ_HOME", str(tmp_path))


@pytest.fixture
def kept(home, monkeypatch):
    monkeypatch.setenv("QUIZ_NOW", DAY.isoformat())
    return store.Store()


@pytest.fixture
def says(monkeypatch, capsys):
    """Runs a drill in which `reply(item, times)` tells whether an item is answered right; None leaves it."""

    def run(reply, *options):
        asked = []

        def pose(terminal, question, heading):
            right = reply(question.item, asked.count(question.item.id))
            asked.append(question.item.id)
            if right is None:
                raise KeyboardInterrupt
            answer = right_answer(question.item) if right else wrong(question.item)
            return drill.grade(question.item, answer), answer

        def ask_open(terminal, heading, task, rubric, *, clock, previous=None, keep=None):
            item = next(one for one in bank.items() if getattr(one, "rubric", ()) == rubric)
            right = reply(item, asked.count(item.id))
            asked.append(item.id)
            return opentext.OpenAnswer("text", tuple(range(len(rubric))) if right else (), 5.0)

        monkeypatch.setattr(screen, "pose", pose)
        monkeypatch.setattr(opentext, "ask_open", ask_open)
        code = coach.main(["drill", *options])
        return asked, code, capsys.readouterr().out

    return run


def wrong(item):
    """An answer that is not right, with a belief behind it where the kind has one."""
    match item.kind:
        case "single":
            return next(index for index, option in enumerate(item.options) if not option.right)
        case "multiple":
            return [next(index for index, option in enumerate(item.options) if not option.right)]
        case "ordering":
            return list(range(len(item.steps)))[::-1]
        case "matching":
            return [*range(1, len(item.pairs)), 0]
        case "numeric":
            return item.slips[0].value if item.slips else item.value * 7
    return "nonsense"


def miss(kept, *items, days=1):
    for item in items:
        kept.add(item, 0.0, wrong(item), DAY - timedelta(days=days))


# --- what is asked, and how often ---------------------------------------------------------------


def test_what_was_missed_is_asked_until_it_is_right_twice_with_others_in_between(kept, says):
    missed = SINGLES[:4]
    miss(kept, *missed)
    asked, code, out = says(lambda item, times: True)
    assert code == 0 and "nothing of this drill is left" in out
    assert asked[:4] == [item.id for item in missed]  # first of all, and in the order in which they were missed
    for item in missed:
        first, second = (place for place, name in enumerate(asked) if name == item.id)
        assert second - first > drill.BETWEEN


def test_one_that_is_missed_again_needs_two_right_answers_more(kept, says):
    miss(kept, *SINGLES[:3])
    asked, _, _ = says(lambda item, times: item.id != SINGLES[1].id or times != 1)  # right, wrong, right, right
    assert asked.count(SINGLES[1].id) == 4 and asked.count(SINGLES[0].id) == 2


def test_a_single_miss_has_others_in_between_too(kept, says):
    miss(kept, SINGLES[0])
    asked, _, _ = says(lambda item, times: True)
    first, second = (place for place, name in enumerate(asked) if name == SINGLES[0].id)
    assert second - first > drill.BETWEEN


def test_a_drill_that_was_left_goes_on_where_it_was(kept, says):
    miss(kept, *SINGLES[:3])
    answered = iter([True, True, None])
    asked, code, out = says(lambda item, times: next(answered))
    assert code == 1 and "go on with the same command" in out
    again, _, _ = says(lambda item, times: True)
    assert [(asked[:2] + again).count(item.id) for item in SINGLES[:3]] == [2, 2, 2]


def test_who_was_right_in_a_review_since_is_not_drilled(kept, says):
    miss(kept, SINGLES[0], days=2)
    kept.add(SINGLES[0], 1.0, right_answer(SINGLES[0]), DAY - timedelta(days=1))
    assert drill.still_to_be_right(SINGLES[0], kept.attempts()) == 0


def test_all_asks_all_of_a_topic_and_goes_on_after_it_was_left(kept, says):
    wanted = {item.id for item in bank.items("code", about="interview")}
    first = bank.items("code", about="interview")[-1]
    miss(kept, first)
    asked, _, out = says(lambda item, times: True if item.id == first.id else None, "--topic", "code", "--all")
    assert f"{len(wanted)} questions for this drill" in out and asked[0] == first.id
    again, code, out = says(lambda item, times: True, "--topic", "code", "--all")
    assert "go on with the drill that you left" in out and code == 0 and set(again) == wanted
    more, _, out = says(lambda item, times: True, "--topic", "code", "--all")  # that one is done: all once more
    assert len(more) == len(wanted)


def test_the_quiz_asks_all_of_a_topic_too(kept, monkeypatch, capsys):
    monkeypatch.setattr(screen.Terminal, "ask", lambda self, prompt: _line(iter(())))
    assert quiz.main(["--topic", "code", "--all"]) == 0
    count = len(bank.items("code", about="interview"))
    assert count > 10 and f"There are {count} questions" in capsys.readouterr().out
    assert len(kept.unfinished()[1]["items"]) == count


def test_a_count_that_is_too_large_is_named_and_a_small_one_kept(kept, says):
    miss(kept, *SINGLES[:5])
    asked, _, out = says(lambda item, times: True, "--count", "2")
    assert set(asked) == {SINGLES[0].id, SINGLES[1].id}
    _, _, out = says(lambda item, times: True, "--count", "400")
    assert "questions for this drill" in out


def test_nothing_missed_says_what_to_do(kept, says):
    asked, code, out = says(lambda item, times: True)
    assert asked == [] and code == 0 and "Nothing was missed" in out and "--all" in out


@pytest.mark.parametrize("options", [["--topic", "cooking"], ["--count", "0"], ["--count", "many"]])
def test_wrong_options_are_named(kept, options, capsys):
    with pytest.raises(SystemExit) as left:
        coach.main(["drill", *options])
    assert left.value.code == 2 and options[1] in capsys.readouterr().err


def test_a_copy_without_keys_says_so(kept, monkeypatch, capsys):
    monkeypatch.setattr(bank, "has_keys", lambda: False)
    assert coach.main(["drill"]) == 2 and keyless.WHO in capsys.readouterr().err


# --- beliefs ------------------------------------------------------------------------------------


def shared(count=2):
    """A belief that so many questions know, and these."""
    for name in bank.misconceptions():
        found = beliefs.questions(name)
        if len(found) >= count and all(item.kind == "single" for item in found):
            return name, found
    raise AssertionError(f"no belief is shared by {count} questions")


def falls_for(item, belief):
    return next(index for index, option in enumerate(item.options) if option.belief == belief)


def test_a_belief_is_shown_and_another_question_on_it_is_asked(kept, says):
    belief, (one, other, *_) = shared()
    kept.add(one, 0.0, falls_for(one, belief), DAY - timedelta(days=2))
    kept.add(one, 0.0, falls_for(one, belief), DAY - timedelta(days=1))
    asked, _, out = says(lambda item, times: True)
    told = " ".join(out.split())
    assert f"You seem to believe: - {' '.join(bank.misconceptions()[belief].claim.split())} (named twice)" in told
    assert asked[0] == one.id and asked[1] == other.id


def test_of_several_questions_on_a_belief_the_least_lately_answered_is_asked(kept):
    belief, (one, other, third, *_) = shared(3)
    kept.add(other, 1.0, right_answer(other), DAY - timedelta(days=3))
    kept.add(one, 0.0, falls_for(one, belief), DAY - timedelta(days=1))
    assert drill.plan(kept.attempts(), None, 2)["items"] == [one.id, third.id]


def test_a_belief_is_given_up_after_two_right_answers(kept):
    belief, (one, other, *_) = shared()
    kept.add(one, 0.0, falls_for(one, belief), DAY)
    assert [(held.belief, held.times, held.since) for held in beliefs.held(kept.attempts())] == [(belief, 1, 0)]
    kept.add(other, 1.0, right_answer(other), DAY)
    assert beliefs.held(kept.attempts())[0].since == 1
    kept.add(one, 1.0, right_answer(one), DAY)
    assert beliefs.held(kept.attempts()) == []


def test_the_belief_that_is_named_most_stands_first(kept):
    rare, often = SINGLES[0], SINGLES[1]
    miss(kept, often, often, rare)
    assert [held.times for held in beliefs.held(kept.attempts())] == [2, 1]


def test_an_answer_that_the_question_no_longer_has_names_nothing(kept):
    kept.add(SINGLES[0], 0.0, 17, DAY)
    kept.add(SINGLES[0], 0.0, "text", DAY)
    assert beliefs.held(kept.attempts()) == []


# --- the schedule -------------------------------------------------------------------------------


def attempts(*given):
    """(hours after DAY, score, drilled) as attempts on one item."""
    item = SINGLES[0]
    return [store.Attempt(item.id, item.topic, s, 0, DAY + timedelta(hours=hours), 1, drilled) for hours, s, drilled in given]


def test_repetitions_in_a_drill_do_not_move_the_schedule(kept, says):
    miss(kept, *SINGLES[:3], days=0)
    before = store.schedule(kept.attempts())
    says(lambda item, times: True)
    after = store.schedule(kept.attempts())
    assert {name: after[name] for name in before} == before


def test_a_drill_after_midnight_belongs_to_the_evening(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    evening = attempts((5, 0.0, False), (7, 1.0, True))  # 23:00 and 1:00
    assert store.schedule(evening) == store.schedule(evening[:1])


def test_the_first_answer_of_a_day_counts_in_a_drill_too():
    miss, drilled = attempts((0, 0.0, False), (24, 1.0, True))
    plain = attempts((24, 1.0, False))[0]
    assert store.schedule([miss, drilled]) == store.schedule([miss, plain]) != store.schedule([miss])


def test_who_never_drills_has_the_same_dates_as_ever():
    """Repetitions on one day outside of drills count, as FSRS has them."""
    twice = attempts((0, 0.0, False), (1, 1.0, False))
    assert store.schedule(twice) != store.schedule(twice[:1])


def test_answers_of_a_drill_are_known_as_such_and_quiz_resume_does_not_find_them(kept, says):
    miss(kept, SINGLES[0])
    says(lambda item, times: None if times else True)
    assert [attempt.drilled for attempt in kept.attempts()][:2] == [False, True]
    assert kept.unfinished() is None


# --- open questions -----------------------------------------------------------------------------


def typed(*lines, width=80):
    """A terminal in which these lines are typed; then the input ends."""
    given = iter(lines)
    terminal = screen.Terminal(Console(width=width, highlight=False, record=True, no_color=True, file=io.StringIO()))

    def ask(prompt):
        line = next(given, None)
        if line is None:
            raise EOFError
        if line in screen.LEAVE:
            raise KeyboardInterrupt
        return line

    terminal.ask = ask
    return terminal


def test_a_text_of_several_lines_is_marked_point_by_point():
    terminal = typed("", "one", "two", "", "maybe", "y", "n", "yes")
    found = opentext.ask_open(terminal, "Question 1", "Why?", ["first", "second", "third"], clock=True)
    assert (found.text, found.marked) == ("one\ntwo", (0, 2)) and found.seconds >= 0
    shown = terminal.console.export_text()
    assert "You took" in shown and "Type y or n" in shown and "2 of 3 key points" in shown
    assert shown.index("one") < shown.index("first") < shown.index("second") < shown.index("third")
    assert max(map(len, shown.splitlines())) <= 80


def test_in_a_wide_terminal_text_and_points_stand_side_by_side():
    terminal = typed("mine", "", "n", width=120)
    opentext.ask_open(terminal, "Question 1", "Why?", ["the point"], clock=False)
    assert any("mine" in line and "a  the point" in line for line in terminal.console.export_text().splitlines())


@pytest.mark.parametrize("width", [80, 120])
def test_the_second_attempt_is_shown_beside_the_first(width):
    before = opentext.OpenAnswer("what I said then", (1,), 9.0)
    terminal = typed("what I say now", "", "y", "y", width=width)
    opentext.ask_open(terminal, "Question 1", "Why?", ["first", "second"], clock=False, previous=before)
    shown = terminal.console.export_text()
    assert shown.index("Why?") < shown.index("what I said then") and "2 of 2 key points, 1 before" in shown
    is_beside = any("said then" in line and "say now" in line for line in shown.splitlines())
    assert is_beside == (width == 120)


def test_lines_that_were_typed_are_gone_on_with_after_a_kill():
    with pytest.raises(KeyboardInterrupt):
        opentext.write(typed("one", "two", "quit"), "Q", "Why?", clock=False)
    terminal = typed("three", "")
    text, _ = opentext.write(terminal, "Q", "Why?", clock=False)
    assert text == "one\ntwo\nthree" and "two" in terminal.console.export_text()
    opentext.discard_draft("Why?")
    assert opentext.write(typed("new", ""), "Q", "Why?", clock=False)[0] == "new"


def test_no_answer_is_an_answer():
    found = opentext.ask_open(typed("-", "n"), "Question 1", "Why?", ["first"], clock=False)
    assert (found.text, found.marked) == ("", ())


def test_an_editor_writes_the_text_and_what_it_saved_survives(kept, monkeypatch, tmp_path):
    (tmp_path / "editor.py").write_text(
        "import sys, pathlib\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "text = path.read_text(encoding='utf-8')\n"
        "path.write_text('added ' + text, encoding='utf-8')\n"
    )
    monkeypatch.setenv("VISUAL", f"{sys.executable} {tmp_path / 'editor.py'}")
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    with pytest.raises(EOFError):  # killed at the marks: the draft is kept until the text is
        opentext.ask_open(typed(""), "Q", "Why?", ["first"], clock=False, keep=print)
    opentext.write(typed(""), "Q", "How?", clock=False)
    text, _ = opentext.write(typed(""), "Q", "How?", clock=False)
    assert text == "added added"
    opentext.discard_draft("How?")
    assert opentext.write(typed(""), "Q", "How?", clock=False)[0] == "added"


def test_an_editor_that_saved_nothing_is_opened_again(kept, monkeypatch):
    monkeypatch.setenv("VISUAL", f"{sys.executable} -c pass")
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    terminal = typed("", "typed", "")
    assert opentext.write(terminal, "Q", "Why?", clock=False)[0] == "typed"
    assert "Nothing was saved" in terminal.console.export_text()


def test_an_editor_that_cannot_be_started_is_named_and_one_types(kept, monkeypatch):
    monkeypatch.setenv("VISUAL", "no-such-editor-here --wait")
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: True, raising=False)
    terminal = typed("", "typed", "")
    assert opentext.write(terminal, "Q", "Why?", clock=False)[0] == "typed"
    assert "no-such-editor-here cannot be started" in " ".join(terminal.console.export_text().split())


def test_without_a_terminal_no_editor_opens(monkeypatch):
    monkeypatch.setenv("EDITOR", "vi")
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    assert opentext.editor() is None


def test_two_thirds_of_the_key_points_are_right_and_once_is_enough(kept):
    def marked(share, drilled):
        return store.Attempt(OPEN.id, OPEN.topic, share, [], DAY, 1, drilled)

    assert drill.still_to_be_right(OPEN, [marked(0.5, False)]) == 1
    assert drill.still_to_be_right(OPEN, [marked(0.5, False), marked(0.7, True)]) == 0


def test_a_text_that_was_not_marked_is_marked_when_the_drill_goes_on(kept, monkeypatch, capsys):
    kept.add(OPEN, 0.0, [], DAY - timedelta(days=1))
    lines = iter(["my text", "", "quit"])
    monkeypatch.setattr(screen.Terminal, "ask", lambda self, prompt: _line(lines))
    assert coach.main(["drill", "--count", "1"]) == 1
    assert kept.events("open") == [] and kept.events("open-text")[0].content["text"] == "my text"
    lines = iter(["y"] * len(OPEN.rubric))
    assert coach.main(["drill", "--count", "1"]) == 0
    assert kept.events("open")[0].content["text"] == "my text"
    assert kept.attempts()[-1].score == 1 and kept.attempts()[-1].drilled
    assert drill.last_text(kept, OPEN.id).text == "my text"


def _line(lines):
    line = next(lines, None)
    if line in (None, *screen.LEAVE):
        raise KeyboardInterrupt
    return line


# --- kills --------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
def test_a_kill_at_a_prompt_loses_nothing(kept):
    miss(kept, *SINGLES[:2])
    command = [sys.executable, "-m", "coach", "drill"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
    process.stdin.write("a\n")
    process.stdin.flush()
    for line in process.stdout:  # the second question stands there: the first answer must be kept
        if line.startswith("Question 2"):
            process.send_signal(signal.SIGKILL)
            break
    process.wait()
    process.stdout.close(), process.stdin.close()
    given = kept.attempts()[-1]
    assert (given.item, given.drilled) == (SINGLES[0].id, True)
    assert given.answer == asking.question(SINGLES[0], kept.events("drill")[0].content["seed"] + 1).order[0]
