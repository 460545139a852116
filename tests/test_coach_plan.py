"""The plan: what is asked, what goes in and in which order, what ticks it off, and what becomes of missed days."""

import json
import math
import re
import signal
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import pytest

from coach import __main__ as coach
from coach.plan import build, catalog, measure, standing, wish
from coach.plan import kept as plans
from grader import history
from grader.problems import PROBLEMS, ROOT
from quiz import bank, keyless, store
from quiz import terminal as screen
from quiz.grading import right_answer

FRIDAY = datetime(2026, 5, 1, 18, tzinfo=UTC)
EVENING = ["--when", "tomorrow", "--minutes", "150", "--round", "on-site", "--coding", "--without-questions"]
WISH = {"when": "2026-05-02", "minutes": 90, "round": "on-site", "coding": False}
WEEK = ["--when", "a week", "--minutes", "90", "--round", "on-site", "--no-coding", "--without-questions"]


@pytest.fixture
def kept(tmp_path, monkeypatch):
    monkeypatch.setenv("QUIZ_HOME", str(tmp_path))
    monkeypatch.setattr(history, "gradings", lambda: [])
    at(monkeypatch, FRIDAY)
    return store.Store()


def at(monkeypatch, moment):
    monkeypatch.setenv("QUIZ_NOW", moment.isoformat())


@pytest.fixture
def run(kept, monkeypatch, capsys):
    """Runs the plan's command. `typed` are the lines that are typed; when they are used up, input ends."""

    def run(*options, typed=()):
        lines = iter(typed)

        def ask(self, prompt):
            line = next(lines, None)
            if line is None:
                raise EOFError
            return line

        monkeypatch.setattr(screen.Terminal, "ask", ask)
        code = coach.main(["plan", *options])
        shown = capsys.readouterr()
        return code, " ".join(shown.out.split()), shown.err

    return run


@pytest.fixture
def answers(monkeypatch):
    """Lets questions be answered by `reply(item, number)`: right, wrong, or None to leave. Returns what was asked."""

    def install(reply):
        asked = []

        def pose(terminal, question, heading):
            right = reply(question.item, len(asked))
            if right is None:
                raise KeyboardInterrupt
            asked.append(question.item)
            return screen.grade(question.item, right_answer(question.item)) if right else WRONG, 0

        monkeypatch.setattr(screen, "pose", pose)
        return asked

    return install


WRONG = screen.Grade(0.0, (), "")


def plan(days=1, minutes=150, round_="on-site", coding=True, knowledge=None, done=(), spent=0):
    today = FRIDAY.date()
    return build.build(build.days_until(today, today + timedelta(days)), minutes, round_, coding, knowledge or {}, done, spent)


def ids(built) -> list[str]:
    return [step.id for steps in built.days.values() for step in steps]


# --- the data say what the notebooks say --------------------------------------------------------


def sections(notebook: str) -> dict[str, str]:
    """The text of each section by its heading, with the code and without metadata and markup."""
    text = (ROOT / "notebooks" / f"{notebook}.md").read_text(encoding="utf-8").partition("\n---\n")[2]
    found, heading, is_code = {}, "", False
    for line in text.splitlines():
        is_code ^= line.startswith("```")
        title = None if is_code else re.match(r"#{1,3} (.+)", line)
        heading = title[1].strip() if title else heading
        found[heading] = found.get(heading, "") + ("" if title else re.sub(r"<[^>]+>", " ", line) + "\n")
    return found


READINGS = [
    (told["notebook"], group["headings"], group["minutes"])
    for told in catalog.table()["topics"].values()
    for group in [told[key] for key in ("answers", "next") if key in told] + told.get("read", [])
]


@pytest.mark.parametrize(("notebook", "headings", "minutes"), READINGS, ids=[f"{n}-{h[0]}" for n, h, _ in READINGS])
def test_reading_takes_its_words_at_200_a_minute(notebook, headings, minutes):
    found = sections(notebook)
    words = sum(len(found[heading].split()) for heading in headings)  # a KeyError: the notebook has no such section
    assert abs(minutes - words / 200) <= 1, f"{headings} has {words} words: write {math.ceil(words / 200)} minutes"


@pytest.mark.parametrize("problem", catalog.table()["problems"])
def test_exercises_and_problems_take_what_their_notebook_says(problem):
    told, found = catalog.table()["problems"][problem], sections(PROBLEMS[problem].notebook)
    assert len(told["exercises"]) == len(PROBLEMS[problem].cells)
    for exercise in told["exercises"]:
        assert f", {exercise['minutes']} minutes.*" in found[exercise["heading"]], exercise["heading"]
    assert re.search(rf"Plan\s+about\s+{told['plan']}\s+minutes", "\n".join(found.values()))


def test_the_code_review_takes_what_the_notebook_gives_it():
    told = catalog.table()["topics"]["code"]
    everything = sections(told["notebook"])
    assert set(told["codereview"]["headings"]) <= everything.keys()
    assert f"you would have {told['codereview']['minutes']} for the review" in "\n".join(everything.values())


def test_each_topic_of_the_quiz_is_in_the_table_and_needs_come_before():
    assert catalog.table()["topics"].keys() == bank.TOPICS.keys()
    assert all(one in catalog.steps() for step in catalog.steps().values() for one in step.needs)
    assert set(catalog.table()["rounds"]) == set(bank.LEVELS)


# --- what goes in -------------------------------------------------------------------------------


@pytest.mark.parametrize("days", [1, 3, 7, 30])
@pytest.mark.parametrize("minutes", [45, 60, 150, 400])
def test_only_what_fits_goes_in_and_the_mock_interview_and_the_cheat_sheet_end_it(days, minutes):
    built = plan(days, minutes)
    assert len(built.days) == days and all(built.spent(day) <= minutes for day in built.days)
    assert ids(built)[-1] == "cheatsheet" and "mock" in list(built.days.values())[-1][-2].id
    assert set(ids(built)).isdisjoint(step.id for step in built.out) and len(set(ids(built))) == len(ids(built))
    assert set(ids(built)) | {step.id for step in built.out} >= catalog.steps().keys()


@pytest.mark.parametrize(("days", "minutes"), [(1, 200), (7, 200), (7, 47), (14, 31), (14, 33)])
def test_nothing_stands_before_what_it_needs(days, minutes):
    order = ids(plan(days, minutes))
    for name in order:
        for needed in catalog.steps()[name].needs if name in catalog.steps() else ():
            assert order.index(needed) < order.index(name)


def test_when_an_evening_is_very_short_the_cheat_sheet_is_in_and_the_mock_interview_is_named_as_left_out():
    built = plan(minutes=25)
    assert ids(built)[-1] == "cheatsheet" and built.out[0].id == "mock"


def test_a_weak_topic_comes_first_and_gets_more_time():
    strong = dict.fromkeys(catalog.table()["topics"], 0.9)
    built = plan(knowledge=strong | {"data": 0.1})
    times = {topic: sum(step.minutes for step in built.days["2026-05-01"] if step.topic == topic) for topic in strong}
    assert built.days["2026-05-01"][0].topic == "data" and times["data"] == max(times.values())


def test_a_topic_that_is_asked_more_comes_first_where_all_are_known_alike():
    order = list(dict.fromkeys(step.topic for step in plan(minutes=400).days["2026-05-01"] if step.topic))
    assert order[0] == "sft" and order.index("peft") < order.index("lora") < order.index("qlora")


def test_a_topic_stands_behind_those_that_it_needs_however_weak_it_is():
    built = plan(minutes=400, knowledge={"qlora": 0.0, "lora": 0.9, "peft": 0.9, "data": 0.5})
    order = list(dict.fromkeys(step.topic for step in built.days["2026-05-01"] if step.topic))
    assert order.index("peft") < order.index("lora") < order.index("qlora") < order.index("data")


def test_without_coding_nothing_is_to_be_written():
    built = plan(7, 300, coding=False)
    assert not [step for steps in built.days.values() for step in steps if step.kind in catalog.CODING]
    assert [step for steps in plan(7, 300).days.values() for step in steps if step.kind in catalog.CODING]


@pytest.mark.parametrize("round_", list(bank.LEVELS))
def test_an_evening_with_coding_holds_an_exercise_and_leaves_most_of_the_time_for_the_rest(round_):
    steps = plan(minutes=150, round_=round_).days["2026-05-01"]
    code = [step for step in steps if step.kind in catalog.CODING]
    assert code and sum(step.minutes for step in code) <= 50
    assert [step.kind for step in steps if step.topic == code[0].topic][-1] in catalog.CODING  # behind what is read for it


def test_an_expert_reads_more_and_a_screening_needs_less_code():
    def minutes(round_, *kinds):
        return sum(step.minutes for steps in plan(2, round_=round_).days.values() for step in steps if step.kind in kinds)

    assert minutes("expert", "read") > minutes("screening", "read")
    assert minutes("screening", "core", "code", "debug") < minutes("on-site", "core", "code", "debug")


def test_what_is_solved_is_not_planned_and_opens_what_needs_it():
    done = {"lora-exercise-1", "lora-answers", "peft-answers"}
    assert done.isdisjoint(ids(plan(7, 300, done=done))) and "lora-exercise-4" in ids(plan(7, 300, done=done))


def test_a_week_has_a_review_each_day_and_a_first_mock_interview_in_the_middle():
    built = plan(7, 90)
    assert [steps[0].kind for steps in list(built.days.values())[1:]] == ["review"] * 6
    assert built.days["2026-05-04"][-1].id == "first-mock"


# --- what one stands for ------------------------------------------------------------------------


def attempt(item, score, days=0):
    return store.Attempt(item.id, item.topic, score, 0, FRIDAY - timedelta(days))


def level(topic, name):
    return bank.items(topic, name, "interview")[0]


def test_a_topic_without_answers_is_unknown_and_answers_move_it():
    item = level("lora", "on-site")
    assert standing.knowledge([], "on-site", FRIDAY) == {}
    right, wrong = (standing.knowledge([attempt(item, score)], "on-site", FRIDAY) for score in (1.0, 0.0))
    assert list(right) == ["lora"] and right["lora"] > 0.5 > wrong["lora"]
    assert standing.knowledge([attempt(item, 0.0), attempt(item, 1.0)], "on-site", FRIDAY) == right  # the last counts
    assert standing.knowledge([attempt(item, 0.0, days=90)], "on-site", FRIDAY) == {}


def test_a_harder_question_says_more_if_it_is_right_and_less_if_it_is_wrong():
    hard, easy = level("lora", "expert"), level("lora", "screening")

    def known(item, score):
        return standing.knowledge([attempt(item, score)], "on-site", FRIDAY)["lora"]

    assert 1 > known(hard, 1.0) > known(easy, 1.0) and known(hard, 0.0) > known(easy, 0.0) > 0


def test_the_last_grading_of_a_stub_counts(monkeypatch):
    def graded(points):
        return history.Graded(FRIDAY, "lora", {"LoRALinear": (points, 3)}, {})

    monkeypatch.setattr(history, "gradings", lambda: [graded(1), graded(3)])
    assert standing.solved() == {"lora": {"LoRALinear"}}
    monkeypatch.setattr(history, "gradings", lambda: [graded(3), graded(1)])
    assert standing.solved() == {"lora": set()}


# --- the twelve questions -----------------------------------------------------------------------


def measured(kept, answers, reply):
    asked = answers(reply)
    session = measure.begin(kept, "on-site")
    measure.run(screen.Terminal(), kept, session, "on-site")
    return asked


def test_twelve_questions_ask_each_topic_once_or_twice_and_none_twice(kept, answers):
    asked = measured(kept, answers, lambda item, number: number % 2 == 0)
    topics = [item.topic for item in asked]
    assert len(asked) == len({item.id for item in asked}) == 12
    assert {topics.count(topic) for topic in bank.TOPICS} == {1, 2}
    assert not [item for item in asked if item.kind == "open" or item.about == "article"]


def test_no_question_comes_twice_where_chance_would_choose_the_same(kept, answers, monkeypatch):
    monkeypatch.setattr(measure, "Random", lambda seed=None: SimpleNamespace(choice=lambda found: found[0], randrange=int))
    asked = measured(kept, answers, lambda item, number: True)
    assert len({item.id for item in asked}) == 12


def test_the_level_goes_up_after_a_right_answer_and_down_after_a_wrong_one(kept, answers):
    up = [item.level for item in measured(kept, answers, lambda item, number: True)]
    down = [item.level for item in measured(kept, answers, lambda item, number: False)]
    assert up[:2] == ["on-site", "expert"] and down[:2] == ["on-site", "screening"]
    assert set(up[1:]) == {"expert"} and "expert" not in down


def test_what_was_answered_lately_is_not_asked_again(kept, answers):
    first = measured(kept, answers, lambda item, number: True)
    second = measured(kept, answers, lambda item, number: True)
    assert {item.id for item in first}.isdisjoint(item.id for item in second)


def test_questions_that_were_left_go_on_and_then_the_plan_is_made(kept, run, answers):
    asked = answers(lambda item, number: None if number == 5 else True)
    code, out, _ = run(*EVENING[:-1])
    assert code == 1 and "Stopped" in out and plans.current(kept) is None and len(asked) == 5
    more = answers(lambda item, number: True)
    code, out, _ = run()
    assert code == 0 and len(more) == 7 and plans.current(kept).wish["minutes"] == 150
    assert {item.id for item in asked}.isdisjoint(item.id for item in more)
    assert kept.unfinished() is None  # “quiz --resume” knows nothing of them


def test_a_copy_without_keys_makes_a_plan_without_measuring(kept, run, monkeypatch):
    monkeypatch.setattr(bank, "has_keys", lambda: False)
    code, out, _ = run(*EVENING[:-1])
    assert code == 0 and keyless.WHO in out and "The mock interview" in out


# --- asking -------------------------------------------------------------------------------------


def test_what_is_not_given_is_asked_and_a_wrong_answer_is_named(kept, run):
    code, out, _ = run("--without-questions", typed=["soon", "3 days", "ten", "5000", "", "4", "expert", "perhaps", "n"])
    assert code == 0
    for said in ("'soon' is no day", "'ten' is no number", "'5000' is no number", "'4' is no round", "'perhaps' is neither"):
        assert said in out
    wanted = {"when": "2026-05-04", "minutes": 150, "round": "expert", "coding": False}
    assert {key: plans.current(kept).wish[key] for key in wanted} == wanted


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_plan_that_was_left_at_any_question_goes_on_there(kept, run, count):
    lines = ["3 days", "60", "screening", "y"]
    code, _, _ = run("--without-questions", typed=lines[:count])
    assert code == 1
    code, out, _ = run("--without-questions", typed=lines[count:])
    assert code == 0 and ("You go on with the plan" in out) == (count > 0)
    assert plans.current(kept).wish["round"] == "screening"


def test_a_new_plan_forgets_what_was_said_for_the_one_that_was_left(kept, run):
    run("--without-questions", typed=["3 days"])
    code, out, _ = run("--new", "--without-questions", typed=["5 days", "60", "1", "n"])
    assert code == 0 and plans.current(kept).wish["when"] == "2026-05-06" and "You go on" not in out


@pytest.mark.parametrize(
    ("text", "days"),
    [("tonight", 0), ("Today", 0), ("tomorrow", 1), ("3 days", 3), ("in 1 day", 1), ("a week", 7), ("2 weeks", 14)],
)
def test_days_are_read(text, days):
    assert wish.when(text, FRIDAY.date()) == (FRIDAY.date() + timedelta(days)).isoformat()


@pytest.mark.parametrize("text", ["", "soon", "2026-04-30", "2026-13-01", "9999 weeks", "2099-01-01", "-3 days"])
def test_other_days_are_refused_in_a_sentence(text):
    with pytest.raises(ValueError, match=r"\.$"):
        wish.when(text, FRIDAY.date())


def test_a_wrong_option_is_named_and_nothing_is_kept(kept, run):
    code, _, err = run("--when", "2020-01-01")
    assert code == 2 and "2020-01-01 is over" in err and kept.events() == []


# --- ticking off --------------------------------------------------------------------------------


def state(kept, id_):
    return next(planned.done for planned in plans.current(kept).steps if planned.step.id == id_)


def test_questions_of_the_quiz_tick_their_step_off(kept, run):
    run(*EVENING)
    items = [item for item in bank.items("sft", about="interview")][:10]
    for number, item in enumerate(items):
        assert not state(kept, "sft-quiz"), number
        kept.add(item, 1.0, 0, FRIDAY)
    assert state(kept, "sft-quiz")


def test_what_was_answered_before_the_plan_ticks_nothing(kept, run):
    for item in bank.items("sft", about="interview"):
        kept.add(item, 0.0, 0, FRIDAY - timedelta(days=1))
    run(*EVENING)
    assert not state(kept, "sft-quiz")


def test_answers_of_a_drill_do_not_count_as_those_of_the_quiz(kept, run):
    run(*EVENING)
    session = kept.begin({"items": [], "drill": True})
    for item in bank.items("sft", about="interview"):
        kept.add(item, 1.0, 0, FRIDAY, session)
    assert not state(kept, "sft-quiz")


def ids_of(kept):
    return [planned.step.id for planned in plans.current(kept).steps]


def test_solved_stubs_rounds_and_drills_tick_off(kept, run, monkeypatch):
    run("--when", "a week", "--minutes", "300", "--round", "on-site", "--coding", "--without-questions")
    names = ("lora-exercise-1", "first-mock", "mock", "lora-drill", "lora-debug")
    assert [state(kept, name) for name in names] == [False] * 5
    monkeypatch.setattr(history, "gradings", lambda: [history.Graded(FRIDAY, "lora", {"LoRALinear": (3, 3)}, {})])
    a_round(kept, FRIDAY)
    for item in bank.items("lora", about="interview")[:10]:
        kept.add(item, 1.0, 0, FRIDAY)
    kept.log("debug", {"problem": "lora", "solved": False, "left": False}, FRIDAY)
    kept.log("debug", {"problem": "sft", "solved": False, "left": True}, FRIDAY)  # another one was taken instead
    assert [state(kept, name) for name in names] == [True, True, False, True, True]  # the last round is still to come
    assert not state(kept, "sft-debug")
    a_round(kept, FRIDAY + timedelta(days=6))
    assert state(kept, "mock")


def a_round(kept, at, minutes=20, **plan):
    """A round of 30 minutes, of which so many were used."""
    number = kept.log("round", plan | {"minutes": 30}, at)
    kept.log("round-answer", {"round": number, "seconds": 30, "skipped": True}, at)
    kept.log("round-answer", {"round": number, "seconds": 60 * minutes}, at)
    kept.log("round-end", {"round": number, "why": "ended"}, at)


def test_a_round_that_was_hardly_begun_or_led_for_a_friend_is_none_of_ones_own(kept, run):
    run(*EVENING)
    a_round(kept, FRIDAY, minutes=1)
    a_round(kept, FRIDAY, interviewer=True)
    assert not state(kept, "mock")
    a_round(kept, FRIDAY)
    assert state(kept, "mock")


def test_a_drill_is_done_when_the_questions_are_answered_and_nothing_missed_is_left(kept, run):
    run(*EVENING[:3], "400", *EVENING[4:])
    items, drill = bank.items("sft", about="interview")[:10], kept.begin({"items": [], "drill": True})
    kept.add(items[0], 0.0, 1, FRIDAY)
    for session in (drill, drill):
        kept.add(items[0], 1.0, 0, FRIDAY, session)
    assert not state(kept, "sft-drill"), "the quiz comes first"
    for item in items[1:]:
        kept.add(item, 0.0 if item is items[5] else 1.0, 0, FRIDAY)
    assert state(kept, "sft-quiz") and not state(kept, "sft-drill")
    kept.add(items[5], 1.0, 0, FRIDAY, drill)
    assert not state(kept, "sft-drill")
    kept.add(items[5], 1.0, 0, FRIDAY, drill)
    assert state(kept, "sft-drill") and not state(kept, "lora-drill")
    kept.add(items[6], 0.0, 1, FRIDAY + timedelta(hours=1))
    assert state(kept, "sft-drill"), "what is missed later does not undo it"


def test_what_the_first_questions_have_shown_is_drilled_first_and_their_time_counts(kept, run):
    sft, lora = (bank.items(topic, about="interview")[0] for topic in ("sft", "lora"))
    session = kept.begin({"items": [], "measure": "on-site"})
    for item in (sft, lora):
        kept.add(item, 0.0, 1, FRIDAY, session)
    plan, _ = plans.make(kept, {"when": "2026-05-02", "minutes": 90, "round": "on-site", "coding": False, "session": session})
    assert plan.steps[0].step.do == "python -m coach drill" and sum(one.step.minutes for one in plan.steps) <= 88
    drilled = kept.begin({"items": [], "drill": True})
    for item in (sft, sft, lora):
        kept.add(item, 1.0, 0, FRIDAY, drilled)
        assert not state(kept, "missed")
    kept.add(lora, 1.0, 0, FRIDAY, drilled)
    assert state(kept, "missed")


def test_other_answers_of_the_day_take_no_time_of_a_plan_that_measured_nothing(kept, run):
    minutes = sum(one.step.minutes for one in plans.make(kept, WISH)[0].steps)
    for item in bank.items("lora", about="interview")[:12]:
        kept.add(item, 1.0, 0, FRIDAY)  # in a notebook, which has no session
    assert sum(one.step.minutes for one in plans.make(kept, WISH)[0].steps) > minutes - 6


def test_the_day_of_the_interview_is_for_a_review_and_the_cheat_sheet(kept, run, monkeypatch):
    kept.add(bank.items("lora", about="interview")[0], 0.0, 0, FRIDAY)
    run(*EVENING)
    at(monkeypatch, FRIDAY + timedelta(hours=20))
    assert "made anew" in run()[1]
    today = [planned.step for planned in plans.current(kept).of("2026-05-02")]
    assert today[-1].id == "cheatsheet" and sum(step.minutes for step in today) <= 25
    assert "review-2026-05-02" in ids_of(kept)


def test_a_review_that_was_missed_is_not_the_next_step(kept, run, monkeypatch):
    kept.add(bank.items("lora", about="interview")[0], 0.0, 0, FRIDAY)
    run("--when", "2 days", "--minutes", "60", "--round", "on-site", "--no-coding", "--without-questions")
    run("--done", *map(str, range(1, len(plans.current(kept).steps) + 1)))
    run("--undone", "review-2026-05-02")
    at(monkeypatch, FRIDAY + timedelta(days=1))
    assert "Next: step" in run()[1] and "Review what is due" in run()[1]
    at(monkeypatch, FRIDAY + timedelta(days=2))
    assert "All steps are done." in run()[1]
    at(monkeypatch, FRIDAY + timedelta(days=4))
    assert "Next:" not in run()[1] and "--new" in run()[1]


def test_what_is_due_is_reviewed_on_the_first_day_of_a_plan_too(kept, run, monkeypatch):
    kept.add(bank.items("lora", about="interview")[0], 0.0, 0, FRIDAY)
    run(*WEEK)
    assert "review-2026-05-01" not in ids_of(kept)
    at(monkeypatch, FRIDAY + timedelta(days=2))
    assert "made anew" in run()[1] and "review-2026-05-03" in ids_of(kept)


def test_a_new_plan_that_is_not_made_leaves_the_old_one(kept, run):
    run(*EVENING)
    before = plans.current(kept)
    code, out, _ = run("--new", typed=["3 days"])
    assert code == 1 and "--keep" in out
    assert "Next: step" in run("--done", "1")[1]
    code, out, _ = run("--keep")
    assert code == 0 and plans.current(kept).wish == before.wish and "Next: step" in run()[1]


def test_a_plan_that_was_only_half_asked_for_does_not_move_one_that_came_by_import(kept, run):
    run(typed=["5 days"])
    imported = {"when": "2026-05-03", "minutes": 60, "round": "on-site", "coding": False, "since": FRIDAY.isoformat()}
    kept.log("plan", imported | {"knowledge": {}, "steps": [], "out": []}, FRIDAY - timedelta(hours=1))
    run()
    assert plans.current(kept).wish["when"] == "2026-05-03"


def test_a_tick_can_be_taken_back_and_what_happened_cannot(kept, run):
    run(*EVENING)
    run("--done", "1")
    assert plans.current(kept).steps[0].done
    assert "To do again" in run("--undone", "1")[1] and not plans.current(kept).steps[0].done
    assert "nothing to take back" in run("--undone", "2")[1]
    code, _, err = run("--done", "1", "--undone", "99")
    assert code == 2 and "99" in err and not plans.current(kept).steps[0].done, "nothing is kept of what is half wrong"


def test_a_later_interview_is_prepared_for_at_its_end_again(kept, run, monkeypatch):
    run(*EVENING)
    a_round(kept, FRIDAY)
    run("--done", "cheatsheet")
    assert state(kept, "mock") and state(kept, "cheatsheet")
    run("--when", "5 days")
    assert ids_of(kept)[-2:] == ["mock", "cheatsheet"] and not state(kept, "mock") and not state(kept, "cheatsheet")
    assert "first-mock" not in ids_of(kept)  # there was one


def test_what_was_done_ahead_stands_among_what_is_done(kept, run):
    run(*WEEK)
    ahead = [planned.step.id for planned in plans.current(kept).of("2026-05-03") if planned.step.kind == "answers"][:1]
    run("--done", *ahead)
    run("--minutes", "60")
    days = [planned.day for planned in plans.current(kept).steps]
    assert days == sorted(days) and next(one.day for one in plans.current(kept).steps if one.step.id in ahead) == "2026-05-01"


def test_a_review_is_done_when_nothing_is_due_any_more(kept, run, monkeypatch):
    one, other = bank.items("lora", about="interview")[:2]
    kept.add(one, 0.0, 0, FRIDAY)
    kept.add(other, 0.0, 0, FRIDAY)
    run(*WEEK)
    at(monkeypatch, FRIDAY + timedelta(days=1))
    assert not state(kept, "review-2026-05-02")
    kept.add(one, 1.0, 0, FRIDAY + timedelta(days=1))
    assert not state(kept, "review-2026-05-02")
    kept.add(other, 1.0, 0, FRIDAY + timedelta(days=1))
    assert state(kept, "review-2026-05-02")


def test_reading_is_ticked_off_by_hand_and_the_next_step_is_told(kept, run):
    _, out, _ = run(*EVENING)
    assert "Next: step 1," in out and "0 of" in out
    code, out, _ = run("--done", "1", "2")
    assert code == 0 and "Next: step 3," in out and "2 of" in out
    code, _, err = run("--done", "99")
    assert code == 2 and "There is no step '99'" in err


def test_done_without_a_plan_says_what_to_do(run):
    code, _, err = run("--done", "1")
    assert code == 2 and "There is no plan yet" in err


def test_when_all_is_done_it_says_so(kept, run):
    run(*EVENING)
    _, out, _ = run("--done", *map(str, range(1, len(ids_of(kept)) + 1)))
    assert "All steps are done" in out


# --- missed days --------------------------------------------------------------------------------


def test_after_a_missed_day_the_plan_is_made_anew_and_says_what_moved_and_fell_out(kept, run, monkeypatch):
    run(*WEEK)
    run("--done", "1")
    before = plans.current(kept)
    at(monkeypatch, FRIDAY + timedelta(days=3))
    code, out, _ = run()
    after = plans.current(kept)
    assert code == 0 and "Not done on Fri 1 May and Sat 2 May and Sun 3 May" in out
    assert "Moved to a later day: " in out and "Fell out: " in out
    assert [planned.step.id for planned in after.steps if planned.day < "2026-05-04"] == [before.steps[0].step.id]
    for planned in before.steps:
        gone = planned.step.id not in ids_of(kept) and planned.step.kind != "review"
        assert gone == (f"Fell out: {planned.step.label}." in out)
    assert ids_of(kept)[-2:] == ["mock", "cheatsheet"] and after.since == before.since
    assert "made anew" not in run()[1]  # once is enough


def test_a_day_on_which_all_was_done_changes_nothing(kept, run, monkeypatch):
    run(*WEEK)
    first = plans.current(kept)
    run("--done", *map(str, range(1, len(first.of("2026-05-01")) + 1)))
    at(monkeypatch, FRIDAY + timedelta(days=1))
    assert "made anew" not in run()[1] and len(kept.events("plan")) == 1


def test_fewer_minutes_make_a_smaller_plan_and_keep_what_is_done(kept, run):
    run(*EVENING)
    run("--done", "1")
    code, out, _ = run("--minutes", "80")
    after = plans.current(kept)
    assert code == 0 and "Fell out: " in out and after.steps[0].done
    assert sum(planned.step.minutes for planned in after.steps) <= 80


def test_after_the_interview_a_new_plan_is_offered_and_asks_anew(kept, run, monkeypatch):
    run(*EVENING)
    at(monkeypatch, FRIDAY + timedelta(days=9))
    _, out, _ = run()
    assert "--new" in out and "made anew" not in out
    code, out, _ = run("--new", "--without-questions", typed=["2 days", "60", "1", "n"])
    assert code == 0 and plans.current(kept).wish["when"] == "2026-05-12"
    assert not any(planned.done for planned in plans.current(kept).steps)


# --- on the screen ------------------------------------------------------------------------------


def test_an_evening_fits_80_columns_and_says_all_in_words(kept, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    coach.main(["plan", *EVENING])
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert not [line for line in out.splitlines() if len(line) > 80 and "http" not in line and ".ipynb#" not in line]
    assert "Today, Fri 1 May: " in out and "Left out, since the time is too short" in out and "[ ]" in out


@pytest.mark.skipif(sys.platform == "win32", reason="kills by signal")
def test_a_kill_at_a_question_loses_nothing_and_torch_is_not_loaded(kept, tmp_path):
    code = "import sys\nfrom coach.__main__ import main\nmain(sys.argv[1:])\nprint('torch' in sys.modules)"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "plan", "--when", "3 days", "--minutes", "90"],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    process.stdin.write("expert\nn\n")
    process.stdin.flush()
    for line in process.stdout:
        if line.startswith("Question 1"):
            process.send_signal(signal.SIGKILL)
            break
    process.wait()
    process.stdout.close(), process.stdin.close()
    known = plans.pending(kept)
    assert json.dumps([known[key] for key in plans.KEYS]) == '["2026-05-04", 90, "expert", false]'
    again = [sys.executable, "-c", code, "plan", "--without-questions"]
    shown = subprocess.run(again, cwd=ROOT, capture_output=True, text=True)
    assert shown.stdout.splitlines()[-1] == "False" and plans.current(kept).wish["round"] == "expert"
    assert date.fromisoformat(plans.current(kept).days[0]) == FRIDAY.date()
