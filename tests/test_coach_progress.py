"""Progress: recall now and on the day, problems, mistakes made and mended, time; on a page and in the terminal."""

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from coach import __main__ as coach
from coach.progress import command, facts
from coach.progress.recall import Memory
from grader import history
from grader.history import Graded
from quiz import bank, store

DAY = datetime(2026, 5, 1, 18, tzinfo=UTC)
ITEMS = bank.items("lora", about="interview")


@pytest.fixture
def kept(tmp_path, monkeypatch):
    monkeypatch.setenv("QUIZ_HOME", str(tmp_path))
    monkeypatch.setenv("QUIZ_NOW", (DAY + timedelta(days=3)).isoformat())
    monkeypatch.setattr(history, "gradings", lambda: [])
    return store.Store()


def graded(at, *mistakes, points=0):
    return Graded(at, "lora", {"LoRALinear.merge": (points, 2)}, {"LoRALinear.merge": list(mistakes)} if mistakes else {})


def gathered(kept, gradings=(), when=""):
    return facts.gather(kept, list(gradings), store.now(), when)


def topic(told, title="LoRA"):
    return next(one for one in told.topics if one.title == title)


def test_recall_is_rated_as_the_schedule_rates(kept):
    for number, score in enumerate((1.0, 0.5, 0.0)):
        kept.add(ITEMS[number], score, [0], DAY)
        kept.add(ITEMS[number], 1.0, [0], DAY + timedelta(days=2 + number))
    drill = kept.begin({"items": [], "seed": 1, "exam": False, "drill": True})
    kept.add(ITEMS[0], 0.0, [0], DAY + timedelta(days=2, hours=1), drill)
    assert {item: card.due for item, card in Memory(kept.attempts()).cards.items()} == store.schedule(kept.attempts())


def test_what_was_not_answered_is_not_measured_and_never_zero(kept):
    kept.add(ITEMS[0], 1.0, [0], DAY)
    told = gathered(kept, when="2026-05-20")
    assert (topic(told).answered, topic(told).count, topic(told).right) == (1, len(ITEMS), 1)
    assert 0.8 < topic(told).now < 1 and topic(told).then < topic(told).now
    assert topic(told, "Preference tuning").now is None
    page = command.page(told)
    assert "not measured" in page and ">0 %" not in page and "Now 0 %" not in page


def test_a_wrong_answer_fades_faster(kept):
    kept.add(ITEMS[0], 0.0, [0], DAY)
    wrong = topic(gathered(kept)).now
    other = store.Store(kept.path.with_name("other.sqlite3"))
    other.add(ITEMS[0], 1.0, [0], DAY)
    assert wrong < topic(gathered(other)).now


def test_the_day_is_the_plans_or_the_one_given(kept):
    kept.add(ITEMS[0], 1.0, [0], DAY)
    assert topic(gathered(kept)).then is None
    kept.log("plan", {"when": "2026-05-30"})
    planned = gathered(kept)
    assert planned.interview == "2026-05-30" and topic(planned).then < topic(gathered(kept, when="2026-05-10")).then
    over = gathered(kept, when="2026-04-01")
    assert topic(over).then is None and "was on 2026-04-01" in command.opening(over)


def test_a_mistake_is_mended_by_the_first_grading_without_it_and_can_come_back():
    days = [DAY + timedelta(days=number) for number in range(5)]
    gradings = [
        graded(days[0], "scale_is_ignored"),
        graded(days[1], "scale_is_ignored", "other"),
        graded(days[2], "other"),
        graded(days[3], points=2),
        graded(days[4], "other"),
    ]
    found = [(slip.title, slip.made, slip.mended) for slip in facts._slips(gradings)]
    on = [facts._day(day) for day in days]
    assert [(made, mended) for _, made, mended in found] == [(on[0], on[2]), (on[1], on[3]), (on[4], "")]
    assert found[1][0] == "other"


def test_a_mistake_that_is_hidden_by_a_worse_one_is_not_mended():
    gradings = [graded(DAY, "scale_is_ignored", points=1), graded(DAY + timedelta(days=1), points=0)]
    assert [slip.mended for slip in facts._slips(gradings)] == [""]
    gradings.append(graded(DAY + timedelta(days=2), points=2))
    assert [slip.mended for slip in facts._slips(gradings)] == [facts._day(DAY + timedelta(days=2))]


def test_recall_counts_parts_of_a_day(kept):
    kept.add(ITEMS[0], 0.0, [0], DAY)
    exact = Memory(kept.attempts())
    hours = [exact.recall([ITEMS[0].id], DAY + timedelta(hours=hours)) for hours in (0, 6, 15, 23)]
    assert hours[0] == 1 and hours == sorted(hours, reverse=True) and hours[3] < 0.8
    card = store.memory(kept.attempts())[1][ITEMS[0].id]
    whole = exact.scheduler.get_card_retrievability(card, DAY + timedelta(days=3))
    assert exact.recall([ITEMS[0].id], DAY + timedelta(days=3)) == pytest.approx(whole)


def test_a_known_mistake_is_told_in_its_own_sentence():
    name = next((facts.PROBLEMS["lora"].mistakes).glob("*.py")).stem
    assert facts._title("lora", name) not in (name, name.replace("_", " "))
    assert facts._title("lora", "no_such_one") == facts._title("nothing", "no_such_one") == "no such one"


def test_problems_tell_the_last_points_and_the_first_time_solved(kept):
    days = [DAY + timedelta(days=number) for number in range(3)]
    told = gathered(kept, [graded(day, points=points) for day, points in zip(days, (1, 2, 1))])
    ((_, (count, stubs)),) = told.problems.items()
    assert count > 1 and [(stub.points, stub.most, stub.solved) for stub in stubs] == [(1, 2, facts._day(days[1]))]


def test_time_counts_gaps_of_ten_minutes_at_most(kept):
    for minutes in (0, 10, 15, 40, 44):
        kept.add(ITEMS[0], 1.0, [0], DAY + timedelta(minutes=minutes))
    kept.log("plan-done", {"step": "x"}, DAY + timedelta(minutes=46))
    assert gathered(kept, [graded(DAY + timedelta(minutes=50))]).minutes == {facts._day(DAY): 15 + 4 + 2 + 4}


def test_practice_is_there_as_its_events_tell(kept):
    essay = next(item for item in bank.items() if item.kind == "open")
    for marked in ([0], [0, 1]):
        kept.log("open", {"item": essay.id, "text": "t", "marked": marked, "seconds": 60, "points": 4}, DAY)
    kept.log("debug", {"problem": "lora", "solved": True, "left": False, "seconds": 300, "hints": 1}, DAY)
    kept.log("debug", {"problem": "lora", "solved": False, "left": True, "seconds": 3, "hints": 0}, DAY)
    number = kept.log("round", {}, DAY)
    kept.log("round-answer", {"round": number, "seconds": 600}, DAY)
    kept.log("round-end", {"round": number}, DAY)
    told = gathered(kept)
    assert [(one.times, one.first, one.last, one.points) for one in told.written] == [(2, 1, 2, 4)]
    assert [words for _, _, words in told.exercises] == ["mended after 5 min, 1 hint"]
    assert told.rounds == ((facts._day(DAY), 10),)


def test_beliefs_are_shown_and_hostile_text_stays_text(kept, monkeypatch):
    held = SimpleNamespace(claim="<script>x</script>", correction="no & no", times=2)
    monkeypatch.setattr(facts, "_beliefs", lambda attempts: (held,))
    page = command.page(gathered(kept))
    assert "<script" not in page and "&lt;script&gt;" in page and "no &amp; no" in page


def test_the_page_needs_nothing_else_and_its_bars_have_words(kept, tmp_path, capsys):
    kept.add(ITEMS[0], 1.0, [0], DAY)
    kept.add(ITEMS[1], 1.0, [0], DAY + timedelta(minutes=5))
    path = tmp_path / "page.html"
    assert coach.main(["progress", "--out", str(path), "--when", "a week"]) == 0
    text = path.read_text()
    assert "default-src 'none'" in text and not re.search(r"<(script|link|img)|url\(|https?://", text)
    bars = re.findall(r"<svg[^>]*>", text)
    assert len(bars) == 3 and all('role="img"' in bar and "aria-label=" in bar for bar in bars)
    assert "2026-05-11" in text and "FSRS" in text and str(path) in capsys.readouterr().out.replace("\n", "")


def test_the_terminal_tells_the_same_in_80_columns(kept, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    kept.add(ITEMS[0], 1.0, [0], DAY)
    assert coach.main(["progress", "--text", "--when", "2026-05-20"]) == 0
    said = capsys.readouterr().out
    assert "on the day" in said and "not measured" in said and max(map(len, said.splitlines())) <= 80


def test_with_nothing_done_it_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("QUIZ_HOME", str(tmp_path / "none"))
    monkeypatch.setattr(history, "gradings", lambda: [])
    assert coach.main(["progress", "--out", str(tmp_path / "page.html")]) == 0
    assert "Nothing was graded yet" in (tmp_path / "page.html").read_text() and not (tmp_path / "none").exists()
    assert coach.main(["progress", "--when", "yesterday"]) == 2
    assert "is no day" in capsys.readouterr().err


def test_a_copy_without_keys_says_that_recall_is_not_known(kept, monkeypatch):
    kept.add(ITEMS[0], 1.0, [0], DAY)
    monkeypatch.setattr(facts.bank, "has_keys", lambda: False)
    told = gathered(kept, when="2026-05-20")
    assert topic(told).answered == 1 and topic(told).now is None
    assert "cannot grade" in command.page(told) and "right at the last attempt" not in command.page(told)


def test_torch_is_not_loaded(tmp_path):
    code = "import sys; from coach.__main__ import main; main(['progress', '--text']); sys.exit('torch' in sys.modules)"
    env = {"QUIZ_HOME": str(tmp_path), "PATH": ""}
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env)
    assert told.returncode == 0, told.stderr
