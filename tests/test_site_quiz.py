"""The quiz of the web edition, by its modules: grading, schedule, beliefs and drill equal Python's, and what is kept stays."""

import json
import re
import sys
import time
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest

from quiz import asking, bank, grading, store
from tests import quiz_site, quiz_table
from tests.browser import chromium, needs_chromium
from tests.quiz_site import quizzes

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    return quiz_site.build(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def page(site, tmp_path_factory):
    """A browser for the modules. Tests that keep something take a browser of their own."""
    with chromium(tmp_path_factory.mktemp("profile")) as opened:
        opened.open(site / "probe.html", "window.probe")
        yield opened


# --- grading ------------------------------------------------------------------------------------


def in_the_browser(page, items: dict, cases: list[dict]) -> list[dict]:
    told = json.dumps([items, cases, quizzes.index()["words"]])
    return page.run(f"(([items, cases, words]) => cases.map((one) => probe.outcome(items[one.item], one, words)))({told})")


def differences(cases: list[dict], found: list[dict], wanted: list[dict]) -> list:
    def same(one: dict, other: dict) -> bool:
        scores = one.get("score"), other.get("score")
        close = scores[0] == scores[1] or (None not in scores and abs(scores[0] - scores[1]) < 1e-12)
        return close and one | {"score": 0} == other | {"score": 0}

    return [rows for rows in zip(cases, found, wanted) if not same(*rows[1:])][:5]


def test_python_grades_the_table():
    items, cases = quiz_table.stored()
    made = {name: quiz_table.item(fields) for name, fields in items.items()}
    found = [quiz_table.given(case) | quiz_table.outcome(made[case["item"]], case) for case in cases]
    assert len(cases) > 500 and not differences(cases, found, cases)


def test_the_browser_grades_the_table(page):
    items, cases = quiz_table.stored()
    found = in_the_browser(page, items, cases)
    assert not differences(cases, [quiz_table.given(case) | one for case, one in zip(cases, found)], cases)


def test_both_grade_every_question_of_the_bank_alike(page):
    cases = quiz_table.of_the_bank()
    found = in_the_browser(page, {one.id: quizzes.packed(one) for one in bank.items()}, cases)
    wanted = [quiz_table.outcome(bank.item(case["item"]), case) for case in cases]
    assert len(cases) > 3000 and not differences(cases, found, wanted)
    assert {case["item"] for case in cases} == {one.id for one in bank.items()}


def test_the_table_reaches_each_line_of_pythons_grading():
    """Each reply and each refusal stands on a line of its own."""
    names = ("understand", "marks", "_tokens", "_place", "verdict")
    ours = [
        one for one in vars(grading).values() if getattr(one, "__module__", "") == grading.__name__ and hasattr(one, "__code__")
    ]
    wanted = {one.__code__ for one in ours if one not in (grading.grade, grading.right_answer)}
    wanted |= {getattr(asking, name).__code__ for name in names}
    reached = set()

    def trace(frame, event, argument):
        if frame.f_code not in wanted:
            return None
        reached.add((frame.f_code, frame.f_lineno))
        return trace

    items, cases = quiz_table.stored()
    made = {name: quiz_table.item(fields) for name, fields in items.items()}
    before = sys.gettrace()
    sys.settrace(trace)
    try:
        for case in cases:
            quiz_table.outcome(made[case["item"]], case)
    finally:
        sys.settrace(before)
    lines = {(code, line) for code in wanted for _, _, line in code.co_lines() if line and line > code.co_firstlineno}
    missed = sorted((Path(code.co_filename).name, line) for code, line in lines - reached)
    assert not missed


def test_the_table_reaches_each_branch_of_the_browsers_grading(site, tmp_path):
    script = (site / "probe.js").read_text(encoding="utf-8")
    # how the bundle writes a module: without its imports and the word export
    body = re.sub(r"^export ", "", (quizzes.SCRIPTS / "grading.js").read_text(encoding="utf-8"), flags=re.M)
    body = body[body.index("// What an answer is worth") :].strip()
    start = script.index(body)
    with chromium(tmp_path) as page:
        page.send("Profiler.enable")
        page.send("Profiler.startPreciseCoverage", callCount=True, detailed=True)
        page.open(site / "probe.html", "window.probe")
        in_the_browser(page, *quiz_table.stored())
        [told] = [one for one in page.send("Profiler.takePreciseCoverage")["result"] if one["url"].endswith("probe.js")]
    ranges = [one for function in told["functions"] for one in function["ranges"] if not one["count"]]
    missed = [
        script[one["startOffset"] : one["endOffset"]] for one in ranges if start <= one["startOffset"] < start + len(body)
    ]
    assert not [text for text in missed if text.strip(" \n;})")]


def test_an_order_follows_from_the_seed_and_tells_nothing(page):
    items = [quizzes.packed(one) for one in bank.items() if one.choices]
    orders = page.run(
        f"{json.dumps(items)}.map((one) => [0, 0, ...Array(50).keys()].map((seed) => probe.question(one, seed).order))"
    )
    for item, (first, again, *others) in zip(items, orders):
        assert first == again and len(set(map(tuple, others))) > 3
        assert all(sorted(order) == list(range(len(order))) for order in others)
        if item["kind"] in ("ordering", "matching"):
            assert sorted(first) not in others


# --- the schedule -------------------------------------------------------------------------------


def histories() -> list[list[dict]]:
    chance, found = Random(7), []
    for _ in range(150):
        at, history = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=chance.randrange(10**7)), []
        for _ in range(chance.randrange(1, 25)):
            at += timedelta(
                milliseconds=chance.choice([chance.randrange(10**6), chance.randrange(10**8), chance.randrange(10**10)])
            )
            score, item = chance.choice([0, 0, 0.3, 0.5, 0.75, 1, 1, 1, 1]), chance.choice("ab")
            history.append({"item": item, "score": score, "at": round(at.timestamp() * 1000), "drilled": chance.random() < 0.3})
        found.append(history)
    return found


@pytest.fixture
def zone(request, page, monkeypatch):
    """A time zone for both: of Python, and of the browser."""
    if not hasattr(time, "tzset"):
        pytest.skip("This system cannot change the time zone of a process.")
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    page.send("Emulation.setTimezoneOverride", timezoneId=request.param)
    yield
    page.send("Emulation.setTimezoneOverride", timezoneId="")
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Pacific/Auckland"], indirect=True)  # two with daylight saving
def test_the_dates_and_the_memory_are_those_of_python(page, zone):
    """ts-fsrs rounds stability and difficulty to eight digits, fsrs of Python does not: that is all that differs."""
    told = histories()
    now = max(one["at"] for history in told for one in history)
    cards = page.run(f"{json.dumps(told)}.map((history) => [...probe.memory(history)])")
    waiting = page.run(f"{json.dumps(told)}.map((history) => probe.due(history, {now}))")
    for history, found, due in zip(told, cards, waiting):
        attempts = [
            store.Attempt(
                one["item"], "lora", one["score"], 0, datetime.fromtimestamp(one["at"] / 1000, UTC), None, one["drilled"]
            )
            for one in history
        ]
        _, wanted = store.memory(attempts)
        assert {item for item, _ in found} == set(wanted)
        for item, card in found:
            assert card["stability"] == pytest.approx(wanted[item].stability, rel=1e-6)
            assert card["difficulty"] == pytest.approx(wanted[item].difficulty, abs=1e-6)
            assert abs(card["due"] / 1000 - wanted[item].due.timestamp()) < 1
        assert due == store.due(attempts, datetime.fromtimestamp(now / 1000, UTC))


def test_the_vendored_file_is_the_one_that_its_readme_names():
    folder = quizzes.SCHEDULER.parent
    assert sha256(quizzes.SCHEDULER.read_bytes()).hexdigest() in (folder / "README.md").read_text(encoding="utf-8")
    assert (folder / "LICENSE").read_text(encoding="utf-8").startswith("MIT License")


def test_both_libraries_have_the_same_parameters(page):
    from fsrs import Scheduler

    told = page.run("({ ...new FSRS.FSRS({}).parameters })")
    ours = Scheduler()
    assert told["w"] == list(ours.parameters) and told["request_retention"] == ours.desired_retention
    assert told["maximum_interval"] == ours.maximum_interval


# --- beliefs and the drill ----------------------------------------------------------------------


def answers(chance: Random, count: int) -> list[dict]:
    """Answers of somebody who often chooses a wrong option, some of them in a drill."""
    found, at = [], datetime(2026, 3, 1, 9, tzinfo=UTC)
    items = chance.sample(bank.items(about="interview"), 12)
    for _ in range(count):
        item, at = chance.choice(items), at + timedelta(minutes=chance.randrange(1, 3000))
        answer = grading.right_answer(item)
        if chance.random() < 0.6:
            answer = _wrong(item, chance)
        score, drilled = grading.grade(item, answer).score, chance.random() < 0.4
        moment, session = round(at.timestamp() * 1000), 5 if drilled else None
        row = {"item": item.id, "topic": item.topic, "score": score, "answer": answer, "at": moment, "session": session}
        found.append(row | {"drilled": drilled})
    return found


def _wrong(item, chance: Random):
    match item.kind:
        case "single":
            return chance.choice([place for place, option in enumerate(item.options) if not option.right])
        case "multiple":
            return sorted(chance.sample(range(len(item.options)), 2))
        case "numeric":
            return str(chance.choice([slip.value for slip in item.slips] or [-1]))
        case "prints":
            return chance.choice([slip.text for slip in item.slips] or ["nothing"])
        case "open":
            return [0]
    return list(range(len(item.choices)))[::-1]


def test_beliefs_and_the_drill_are_those_of_the_coach(page):
    from coach import beliefs, drill

    for number in range(25):
        given = answers(Random(number), 40)
        attempts = [
            store.Attempt(one["item"], one["topic"], one["score"], one["answer"], datetime.fromtimestamp(one["at"] / 1000, UTC),
                          one["session"], one["drilled"]) for one in given
        ]  # fmt: skip
        found = page.run(f"probe.drilled({json.dumps(given)})")
        held = beliefs.held(attempts)
        assert found["held"] == [{"belief": one.belief, "times": one.times, "since": one.since} for one in held]
        planned = drill.plan(attempts, None, None)
        known = planned["beliefs"].keys() | {one["item"] for one in given}  # the others are drawn by chance
        assert [[name for name in one["items"] if name in known] for one in (found["plan"], planned)] == [
            [name for name in planned["items"] if name in known]
        ] * 2
        assert found["plan"]["beliefs"] == planned["beliefs"]
        asked = {"items": found["plan"]["items"], "session": 5}
        assert [found["next"]["next"], found["next"]["toGo"]] == list(drill.next_question(asked, attempts))
        sentences = [[beliefs.Held(one.belief, 0, 0).claim, beliefs.Held(one.belief, 0, 0).correction] for one in held]
        assert found["sentences"] == sentences


# --- what is kept -------------------------------------------------------------------------------

STORE = """(() => {
  localStorage.clear();
  const item = { id: "lora-form", topic: "lora" };
  const of = () => new probe.Store({ found: localStorage, note: "" }, () => Date.parse("2026-11-26T09:00Z"));
  %s
})()"""


def test_several_pages_do_not_overwrite_one_another(page):
    told = page.run(STORE % """
      const [one, other] = [of(), of()];
      const sessions = [one, other].map((store) => store.begin({ items: ["lora-form"], seed: 1, exam: false }));
      for (let n = 0; n < 50; n += 1) [one, other].forEach((store, place) => store.add(item, n / 50, n, sessions[place]));
      one.end(sessions[0]);
      const answers = other.attempts(sessions[1]).map(({ answer }) => answer);
      return [one.attempts().length, answers, other.unfinished().number === sessions[1]];
    """)  # fmt: skip
    assert told == [100, list(range(50)), True]


@pytest.mark.parametrize("damage", ["no JSON", "{}", "null", '{"item": "a"}', "[1", '"\\u0000#1"'])
def test_what_is_damaged_is_set_aside_and_said(page, damage):
    told = page.run(STORE % f"""
      of().add(item, 1, 0);
      of().add(item, 0, 1);
      const [key] = Object.keys(localStorage).sort();
      localStorage.setItem(key, {json.dumps(damage)});
      const [store, later] = [of(), of()];
      const left = store.attempts().length;
      const aside = Object.keys(localStorage).filter((one) => one.startsWith("finetuning-course.damaged."));
      return [left, store.note, aside.map((one) => localStorage.getItem(one)), later.attempts().length, later.note];
    """)  # fmt: skip
    assert told[0] == 1 and "set aside" in told[1] and told[2] == [damage] and told[3:] == [1, ""]


def test_numbers_that_javascript_would_change_come_back_and_are_written_as_python_does(page):
    texts = [
        '{"b": 1.0, "a": [1e-7, -0, 12345678901234567890, 1E+2, 0.1, 1e16, 1.50]}',
        '{"é": "\\u00e9\\ud83d\\ude00\\u007f\\n", "𝐛": null, "ﬁ": true}',
    ]
    for text in texts:
        canonical, back = page.run(f"[probe.canonical, probe.text].map((write) => write(probe.parse({json.dumps(text)})))")
        wanted = json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"))
        assert canonical == wanted and json.dumps(json.loads(back), sort_keys=True, separators=(",", ":")) == wanted
