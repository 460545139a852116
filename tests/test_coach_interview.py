"""The mock interview: every branch is reached, a kill loses nothing, and the debrief claims only what was measured."""

import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from coach import __main__ as coach
from coach.interview import coding, draw, engine, session, table
from coach.interview.debrief import BY, NOT_SEEN, competences, debrief
from coach.interview.state import fold
from coach.interview.whiteboards import whiteboards
from coach.interview.written import as_html, as_markdown
from grader.problems import PROBLEMS, ROOT
from grader.stubs import solved
from grader.verdict import Check, Mistake, Report, Result
from lab import review
from quiz import bank, followups, keyless, store
from quiz import terminal as screen
from quiz.grading import BadAnswer
from tests.test_coach_drill import wrong

DAY = datetime(2026, 5, 4, 18, tzinfo=UTC)
FILE = {"what": "file", "path": "lora.py", "sort": "stub", "problem": "lora", "task": "Write it.", "title": "`f`", "hints": []}
PASSES = {"solved": True, "message": "All 9 checks pass.", "passed": 9, "of": 9}
FAILS = {"solved": False, "message": "3 of 9 checks pass.", "passed": 3, "of": 9, "hints": ["one", "two", "three"]}


@pytest.fixture
def kept(tmp_path, monkeypatch):
    monkeypatch.setenv("QUIZ_HOME", str(tmp_path / "quiz"))
    monkeypatch.setenv("COURSE_HOME", str(tmp_path / "own"))
    monkeypatch.setenv("QUIZ_NOW", DAY.isoformat())
    monkeypatch.delenv("EDITOR", raising=False)
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setattr(coding, "check", lambda told: PASSES)
    return store.Store()


def plan(seed=1, minutes=45, coding=False, task=None, **more):
    drawn = draw.draw(seed, minutes, "on-site", None, coding)
    return drawn | ({"coding": task} if task else {}) | more


class Round:
    """A round without a store: its events, and what they fold to."""

    def __init__(self, **told):
        self.events = [store.Event(1, "round", plan(**told), DAY)]

    @property
    def state(self):
        return fold(self.events)[1]

    @property
    def prompt(self):
        return engine.next_prompt(self.state)

    def log(self, kind, told):
        self.events.append(store.Event(len(self.events) + 1, kind, {"round": 1} | told, DAY))

    def say(self, text, seconds=1.0, verdict=None):
        for kind, told in engine.take(self.state, self.prompt, text, seconds, verdict):
            self.log(kind, told)


def typed(item, right: bool, led=False) -> str:
    """What one types to answer an item of the bank right, or not."""
    from quiz import asking
    from quiz.grading import right_answer

    shown = asking.question(item, 1)
    answer = right_answer(item) if right else wrong(item)
    if not shown.choices:
        return str(answer)
    answer = [answer] if isinstance(answer, int) else answer
    return " ".join(asking.LETTERS[shown.order.index(index)] for index in answer)


def on(name, **more):
    return Round(questions=[name], **more)


CLOSED = next(name for name in followups.trees() if bank.item(name).kind == "single")
OPEN = next(name for name in followups.trees() if bank.item(name).kind == "open")
MANY = next(name for name in followups.trees() if bank.item(name).kind == "multiple")


# --- the follow-ups -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", followups.trees())
def test_right_leads_deeper_and_wrong_to_the_belief_behind_it(name):
    tree, item = followups.trees()[name], bank.item(name)
    if item.kind == "open":
        return
    for right in (True, False):
        round_ = on(name)
        round_.say(typed(item, right))
        asked = round_.prompt.say[0].text
        named = round_.state.answers[f"q:{name}"]["beliefs"]
        if right:
            assert asked == tree.right.ask
        elif round_.state.answers[f"q:{name}"]["score"] == 0:
            assert asked == next((tree.beliefs[one].ask for one in named if one in tree.beliefs), tree.wrong.ask)


def test_a_belief_leads_to_its_own_branch():
    reached = 0
    for name, tree in followups.trees().items():
        item = bank.item(name)
        for option in getattr(item, "options", ()) if item.kind == "single" else ():
            if option.belief in tree.beliefs:
                round_ = on(name)
                letter = next(letter for letter, text in round_.prompt.choices if text == option.text)
                round_.say(letter)
                assert round_.prompt.say[0].text == tree.beliefs[option.belief].ask
                reached += 1
    assert reached >= 10


def test_partly_right_is_asked_what_exactly():
    round_ = on(MANY)
    right = typed(bank.item(MANY), True).split()
    round_.say(right[0])
    assert 0 < round_.state.answers[f"q:{MANY}"]["score"] < 1
    assert round_.prompt.say[0].text == followups.trees()[MANY].vague.ask


@pytest.mark.parametrize("letters, branch", [("0", "wrong"), ("a", "vague"), ("all", "right")])
def test_the_marks_of_a_text_decide_what_is_asked_next(letters, branch):
    round_ = on(OPEN)
    round_.say("my text")
    assert round_.prompt.kind == "marks" and round_.prompt.say[0].text == "my text"
    round_.say(" ".join(letter for letter, _ in round_.prompt.choices) if letters == "all" else letters)
    assert round_.prompt.say[0].text == getattr(followups.trees()[OPEN], branch).ask


def test_the_second_follow_up_depends_on_the_first():
    for name, tree in followups.trees().items():
        if bank.item(name).kind != "open" and tree.right.right and tree.right.wrong:
            break
    for letters, branch in (("all", "right"), ("0", "wrong")):
        round_ = on(name)
        round_.say(typed(bank.item(name), True))
        round_.say("my text")
        assert any(block.text == tree.right.answer for block in round_.prompt.say)  # a good answer stands beside the text
        round_.say(" ".join(letter for letter, _ in round_.prompt.choices) if letters == "all" else letters)
        assert round_.prompt.say[0].text == getattr(tree.right, branch).ask


def test_who_leaves_a_question_out_is_not_asked_on():
    round_ = on(CLOSED)
    round_.say("skip")
    assert round_.prompt.part == "whiteboard"


# --- time ---------------------------------------------------------------------------------------


def test_a_part_whose_time_is_over_says_so_and_goes_on_only_if_wished():
    round_ = Round()
    round_.log("round-part", {"what": "left", "part": "warmup", "seconds": 1800})
    assert round_.prompt.kind == "over"
    with pytest.raises(BadAnswer, match="more"):
        round_.say("hm")
    round_.say("more")
    assert round_.prompt.part == "warmup" and round_.prompt.kind != "over"
    assert any("went on when its time was over" in row for row in debrief(round_.state).times)
    other = Round()
    other.log("round-part", {"what": "left", "part": "warmup", "seconds": 1800})
    other.say("")
    assert other.prompt.part == "whiteboard"
    assert any("ended when its time was over" in row for row in debrief(other.state).times)


def test_a_round_whose_time_is_over_says_so_once_and_closes_or_goes_on():
    round_ = Round()
    round_.log("round-part", {"what": "left", "part": "warmup", "seconds": 45 * 60})
    assert round_.prompt.id == "over:round" and "45 minutes" in round_.prompt.say[0].text
    closed = Round()
    closed.events = list(round_.events)
    closed.say("")
    assert closed.prompt.part == "close"
    round_.say("more")
    assert round_.prompt.id == "over:warmup"
    round_.say("")
    assert round_.prompt.part == "whiteboard" and round_.prompt.kind != "over"  # it is not asked at each part again


def test_marks_are_asked_even_when_the_time_is_over():
    round_ = on(OPEN)
    round_.say("my text", seconds=10_000)
    assert round_.prompt.kind == "marks"


def test_one_prompt_costs_no_more_than_its_limit():
    round_ = on(CLOSED)
    limit = round_.prompt.limit
    round_.say("a", seconds=100_000)
    assert round_.state.used["warmup"] == limit


@pytest.mark.parametrize("minutes", table.LENGTHS)
def test_the_parts_fill_the_round(minutes):
    for has_coding in (True, False):
        parts = table.budget(minutes, has_coding)
        assert sum(parts.values()) == minutes and ("coding" in parts) == has_coding
        assert list(parts) == [part for part in table.PARTS if part in parts]


# --- wrong input --------------------------------------------------------------------------------


@pytest.mark.parametrize("part, inputs", [
    ("question", ["", "z", "a b c", "7 8"]),
    ("text", [""]),
    ("marks", ["", "z", "a,zz", "12"]),
    ("review", ["", "x", "0 0 999", "-3", "4.5", "²"]),
    ("code", ["what", "def f(): pass", "hint"]),
])  # fmt: skip
def test_wrong_input_changes_nothing_and_gets_a_sentence(part, inputs):
    round_ = on(CLOSED, coding=part == "code")
    if part in ("text", "marks"):
        round_.say(typed(bank.item(CLOSED), True))
    if part == "marks":
        round_.say("my text")
    while part == "review" and round_.prompt.part != "review" or part == "code" and round_.prompt.part != "coding":
        round_.say("skip")
    if part == "code":
        round_.log("round-part", FILE)
    before = len(round_.events), round_.prompt
    for text in inputs:
        with pytest.raises(BadAnswer) as told:
            round_.say(text)
        assert str(told.value).strip() and "\n" not in str(told.value)
    assert (len(round_.events), round_.prompt) == before


# --- the other parts ----------------------------------------------------------------------------


def at(part, **told):
    round_ = Round(**told)
    while round_.prompt.part != part:
        round_.say("skip")
    return round_


@pytest.mark.parametrize("name", review.names())
def test_a_review_is_scored_by_its_faults(name):
    script = review.load(name)
    last = len(script.script.splitlines())
    all_faults = " ".join(str(fault.lines[0]) for fault in script.faults) or "0"
    for lines, score in ((all_faults, 1), (" ".join(map(str, range(1, last + 1))), 0)):
        round_ = at("review")
        round_.state.plan["review"] = name
        round_.events[0].content["review"] = name
        round_.say(lines)
        evidence = next(one for one in competences(round_.state) if one.key == "debugging").evidence[0]
        assert evidence.score == score and evidence.by == "course"


def test_the_whiteboard_weighs_its_points():
    round_ = at("whiteboard")
    board = whiteboards()[round_.state.plan["whiteboard"]]
    round_.say("dL/dB = …")
    assert any(block.text == board.solution for block in round_.prompt.say)
    round_.say("a")
    evidence = next(one for one in competences(round_.state) if one.key == "derivation").evidence[0]
    assert evidence.score == board.rubric[0].worth / 10 and evidence.by == "self"
    assert evidence.answered == "dL/dB = …"


def test_code_is_graded_hinted_and_may_be_given_up():
    round_ = at("coding", coding=True)
    round_.log("round-part", FILE)
    round_.say("", verdict=FAILS)
    assert "3 of 9 checks pass." in [block.text for block in round_.prompt.say]
    for hint in ("one", "two", "three", "three"):
        round_.say("hint")
        assert hint in [block.text for block in round_.prompt.say]
    solved, given_up = round_, None
    given_up = Round(coding=True)
    given_up.events = list(solved.events)
    solved.say("check", verdict=PASSES)
    given_up.say("give up")
    for one, words in ((solved, "Solved. All 9 checks pass."), (given_up, "Not solved. 3 of 9 checks pass.")):
        assert one.prompt.part == "close"
        evidence = next(c for c in competences(one.state) if c.key == "coding").evidence[0]
        assert evidence.measured == words and "4 hints" in evidence.answered


@pytest.mark.parametrize("told", table.table()["coding"], ids=lambda told: told["stubs"][0])
def test_the_file_of_a_stub_names_nothing_that_is_not_there(told):
    """Every name that the reference's code for the stub reads stands in the file, and so does the stub, empty."""
    import ast
    import builtins

    from grader.program import reads

    problem, cell = PROBLEMS[told["problem"]], tuple(told["stubs"])
    assert cell in problem.cells
    source = coding.stub_file(problem, cell, told.get("given", ()))
    tree = ast.parse(source)
    there = {name for node in tree.body for name in coding._names(node)} | set(dir(builtins))
    imports = [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
    there |= {(alias.asname or alias.name).partition(".")[0] for node in imports for alias in node.names}
    for text in (source, solved(problem, cell)):
        nodes = ast.parse(text).body
        own = {name for node in nodes for name in coding._names(node)}
        for node in nodes:
            assert reads(node) <= there | own | {"__class__"}, source
    for stub in cell:
        assert f'raise NotImplementedError("{stub}")' in source
        assert source.count(f"def {stub.rpartition('.')[2]}(") <= 1 and source.count(f"class {stub}(") <= 1


# --- what is drawn ------------------------------------------------------------------------------


@pytest.mark.parametrize("topic", [topic for topic in bank.TOPICS if topic != "code"])
@pytest.mark.parametrize("level", bank.LEVELS)
def test_a_round_can_be_drawn_for_each_topic_and_level(topic, level):
    drawn = draw.draw(3, 45, level, topic, True)
    assert drawn == draw.draw(3, 45, level, topic, True)
    assert {bank.item(name).topic for name in drawn["questions"]} == {topic}
    assert drawn["whiteboard"] in whiteboards() and drawn["review"] in review.names()
    assert drawn["coding"]["problem"] == table.table()["problems"][topic]


def test_without_a_seed_the_next_round_asks_something_else():
    first = draw.draw(1, 60, "on-site", None, True)
    second = draw.draw(2, 60, "on-site", None, True, [first])
    assert not set(first["questions"]) & set(second["questions"])
    assert first["whiteboard"] != second["whiteboard"] and first["review"] != second["review"]
    topics = [bank.item(name).topic for name in first["questions"]]
    assert len(set(topics)) == len(topics)


def test_what_was_answered_lately_is_asked_last():
    first = draw.draw(3, 30, "on-site", None, False)
    names = first["questions"]
    again = draw.draw(3, 30, "on-site", None, False, known=names)
    assert not {*names} & {*again["questions"]}


def test_a_copy_without_solutions_draws_stubs_that_need_nothing_else(monkeypatch):
    monkeypatch.setattr(type(PROBLEMS["lora"]), "reference", property(lambda problem: problem.folder / "gone.py"))
    for problem in set(table.table()["problems"].values()):
        stub = draw.stub_instead(plan(coding=True, task={"problem": problem}))
        assert stub["alone"] and not stub.get("given")


# --- kills --------------------------------------------------------------------------------------

REPLIES = {"line": "0", "text": "my text", "marks": "a", "code": "check", "over": "next"}


def reply(prompt, random):
    if prompt.id.startswith("q:") and prompt.kind == "line":
        return typed(bank.item(prompt.id[2:]), random.random() < 0.5)
    return REPLIES[prompt.kind]


def begun(kept, **told):
    return session.begin(kept, plan(**told))


@pytest.mark.parametrize("has_coding", [True, False])
def test_a_round_that_is_killed_at_each_prompt_is_the_same_as_one_that_is_not(kept, has_coding):
    """Each step is taken by a process of its own: nothing but the store goes from one to the next."""
    number, steps, random = begun(kept, coding=has_coding).number, 0, Random(1)
    while prompt := session.Session(store.Store(), number).prompt():
        again = session.Session(store.Store(), number).prompt()
        assert again == prompt
        session.Session(store.Store(), number).answer(prompt, reply(prompt, random), 2.0)
        steps += 1
    state = session.rounds(store.Store())[number]
    assert state.ended == "done" and session.unfinished(store.Store()) is None
    assert sum(state.used.values()) == 2.0 * steps == 2.0 * len(state.answers)
    graded = {name for name in state.plan["questions"]}
    attempts = store.Store().attempts(state.plan["session"])
    assert {attempt.item for attempt in attempts} == graded and len(attempts) == len(graded)


def test_a_kill_between_the_round_and_the_quiz_loses_no_attempt(kept):
    one = begun(kept, questions=[CLOSED])
    for kind, told in engine.take(one.state(), one.prompt(), "a", 1):
        kept.log(kind, told)  # and here it is killed
    assert not kept.attempts(one.state().plan["session"])
    one.keep_attempts()
    one.keep_attempts()
    assert len(kept.attempts(one.state().plan["session"])) == 1


def test_an_answer_in_two_windows_is_taken_once(kept):
    one = begun(kept)
    prompt = one.prompt()
    one.answer(prompt, "skip", 1)
    with pytest.raises(BadAnswer, match="answered already"):
        one.answer(prompt, "skip", 1)


def test_the_file_is_written_once_and_what_stands_in_it_stays(kept):
    one = begun(kept, coding=True, parts={"coding": 14, "close": 2})
    prompt = one.prompt()
    path = one.folder / f"{one.state().plan['coding']['problem']}.py"
    assert prompt.part == "coding" and path.read_text()
    path.write_text("mine")
    kept.log("round", one.state().plan)  # another round has another file
    assert one.prompt().id == prompt.id and path.read_text() == "mine"
    assert coding.begin(path, one.state().plan["coding"]) and path.read_text() == "mine"


def test_a_file_that_is_not_there_is_written_anew(kept):
    one = session.begin(kept, plan(coding=True, task={"sort": "stub", "problem": "sft", "stubs": ["sft_loss"]}))
    while one.prompt().kind != "code":
        one.answer(one.prompt(), "next" if one.prompt().kind == "over" else "skip", 1)
    path = Path(one.state().file["path"])
    text = path.read_text()
    path.unlink()  # or the round came from another computer
    assert one.prompt().kind == "code" and Path(one.state().file["path"]).read_text() == text


def test_where_no_bug_can_be_drawn_a_stub_is(kept, monkeypatch):
    def nothing(task):
        raise ValueError("This copy of the course has no solutions.")

    monkeypatch.setattr(coding, "_bug", nothing)
    one = begun(kept, parts={"coding": 14, "close": 2}, task={"sort": "bug", "problem": "lora", "seed": 1})
    words = " ".join(block.text for block in one.prompt().say)
    assert "no bug to find" in words and "raise NotImplementedError" in (one.folder / "lora.py").read_text()


# --- the terminal -------------------------------------------------------------------------------


@pytest.fixture
def says(kept, monkeypatch, capsys):
    """Runs the command; `replies` are typed in order, then input ends. A function gets the prompt's words."""

    def run(replies, *options):
        left = iter(replies)

        def ask(terminal, words):
            try:
                text = next(left)
            except StopIteration:
                raise EOFError from None
            if text == "quit":
                raise KeyboardInterrupt
            return text

        monkeypatch.setattr(screen.Terminal, "ask", ask)
        code = coach.main(["interview", *options])
        return code, capsys.readouterr().out

    return run


def test_a_round_in_the_terminal_that_is_left_and_gone_on_with(kept, says, tmp_path):
    code, out = says(["skip", "quit"], "--seed", "5", "--minutes", "30", "--no-coding")
    assert code == 1 and "--resume" in out and "[the round: 30 min left;" in out
    code, out = says(["skip"] * 30, "--resume")
    assert code == 0 and "You go on" in out and "Question 2 of 4" in out and "Question 1 of 4" not in out
    (page,) = (tmp_path / "own" / "interview").glob("2026-05-04-*/debrief.html")
    assert page.exists() and str(page) in out and page.with_suffix(".md").exists()
    assert all(len(line) <= 80 for line in out.splitlines() if str(tmp_path) not in line and not line.startswith("    "))
    assert "No round was left" in says([], "--resume")[1]


@pytest.mark.parametrize("options, named", [(["--minutes", "30"], "--minutes"), (["--no-coding", "--topic", "lora"], "--topic, --no-coding")])
def test_a_round_that_goes_on_takes_no_new_wishes(kept, says, capsys, options, named):
    with pytest.raises(SystemExit):
        says([], "--resume", *options)
    assert f"leave out {named}, or" in " ".join(capsys.readouterr().err.split())


def test_lines_that_were_typed_survive_a_kill(kept, says):
    code, _ = says(["quit"], "--seed", "5", "--minutes", "30", "--no-coding")
    one = session.unfinished(kept)
    while one.prompt().kind != "text":
        one.answer(one.prompt(), "skip", 1)
    prompt = one.prompt()
    assert says(["line one", "line two", "quit"], "--resume")[0] == 1
    code, out = says(["line three", "", "0", "end"], "--resume")
    assert "You have written so far" in out and "line two" in out
    assert one.state().answers[prompt.id]["text"] == "line one\nline two\nline three"


def test_a_pause_counts_no_time_and_help_tells_what_can_be_typed(kept, says, monkeypatch):
    times = iter([0.0, 5.0, 10.0, 1000.0, 1005.0, *[1005.0] * 50])
    monkeypatch.setattr("coach.interview.terminal.time.monotonic", lambda: next(times))
    _, out = says(["help", "nonsense is no answer", "pause", "", "skip", "end"], "--seed", "5", "--no-coding")
    state = session.rounds(kept)[1]
    assert state.pauses == 1 and "The clock stands" not in out  # it is a prompt, which the test has answered
    assert sum(state.used.values()) == 15
    assert "“pause” stops the clock" in out and "“help” lists" in out


def test_the_time_at_a_prompt_that_was_left_counts(kept, says, monkeypatch):
    times = iter([0.0, 42.0])
    monkeypatch.setattr("coach.interview.terminal.time.monotonic", lambda: next(times))
    says(["quit"], "--seed", "5", "--no-coding")
    assert session.rounds(kept)[1].used == {"warmup": 42}


def test_a_copy_without_keys_says_so(kept, monkeypatch, capsys):
    monkeypatch.setattr(bank, "has_keys", lambda folder=None: False)
    assert coach.main(["interview"]) == 2
    assert keyless.WHO in capsys.readouterr().err


def test_a_process_that_is_killed_loses_no_answer(kept, tmp_path):
    command = [sys.executable, "-m", "coach", "interview", "--seed", "5", "--minutes", "30", "--no-coding"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
    process.stdin.write(b"skip\n")
    process.stdin.flush()
    deadline = time.monotonic() + 60
    while not kept.events("round-answer") and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    one = session.unfinished(store.Store())
    assert len(one.state().answers) == 1 and one.prompt().heading.startswith("Question 2 of 4")


# --- the grader ---------------------------------------------------------------------------------


ADAPTER = {"sort": "stub", "problem": "peft", "stubs": ["Adapter"], "minutes": 8}


def test_a_file_is_graded_in_a_child(tmp_path):
    path = tmp_path / "peft.py"
    told = coding.begin(path, ADAPTER)
    path.write_text(path.read_text().partition("class Adapter")[0] + solved(PROBLEMS["peft"], ("Adapter",)))
    verdict = coding.check(told)
    assert verdict["solved"] and verdict["passed"] == verdict["of"] > 0


def test_a_bug_shows_its_symptom_and_keeps_the_fault_for_the_debrief(kept):
    one = begun(kept, parts={"coding": 14, "close": 2}, task={"sort": "bug", "problem": "lora", "seed": 1})
    told = one.prompt() and one.state().file
    words = " ".join(block.text for block in one.prompt().say)
    assert "What is seen: " in words and told["fault"] not in words and told["mistake"] not in words
    assert (one.folder / "lora.py").read_text() and told["hints"]
    one.answer(one.prompt(), "hint", 1)
    assert "Look between the lines" in " ".join(block.text for block in one.prompt().say)
    one.answer(one.prompt(), "check", 1)  # the grader says that it is mended
    evidence = next(c for c in competences(one.state()) if c.key == "debugging").evidence[0]
    assert evidence.answer == told["fault"] and evidence.score == 1 and "1 hints" not in evidence.answered


def test_a_verdict_tells_the_first_failure_and_keeps_the_known_mistake_for_the_debrief():
    check = Check("one", "Adapter", 2, ("a", "b", "c"), "The start changes nothing.")
    known = Mistake("id", "The last layer is random.", "Because.", "")
    report = Report(PROBLEMS["peft"], [Result(check, "failed", "0.5 was expected.", known), Result(check, "passed")])
    verdict = coding.verdict_on(report)
    assert verdict == {
        "solved": False, "passed": 1, "of": 2, "hints": ["a", "b", "c"], "mistake": "The last layer is random.",
        "message": "1 of 2 checks pass. The start changes nothing. 0.5 was expected.",
    }  # fmt: skip
    round_ = at("coding", coding=True)
    round_.log("round-part", FILE)
    round_.say("check", verdict=verdict)
    assert "random" not in " ".join(block.text for block in round_.prompt.say)
    assert "random" in as_markdown(debrief(round_.state))


def test_a_file_that_cannot_be_read_is_no_verdict_on_the_code(tmp_path):
    told = coding.begin(tmp_path / "peft.py", ADAPTER)
    (tmp_path / "peft.py").unlink()
    assert coding.judged(told)["ungraded"]
    (tmp_path / "peft.py").write_text("")
    assert coding.judged(told)["ungraded"]


def test_a_check_that_dies_is_no_verdict_on_the_code(monkeypatch):
    monkeypatch.setattr(coding.sys, "executable", "/bin/false")
    assert coding.check(FILE)["ungraded"]


# --- the debrief --------------------------------------------------------------------------------


def finished(led=False, coding=False, right=True, **told):
    round_, random = Round(coding=coding, interviewer=led, **told), Random(1)
    while prompt := round_.prompt:
        if prompt is engine.BEFORE_FILE:
            round_.log("round-part", FILE)
            continue
        if prompt.id.startswith("q:") and prompt.kind == "line":
            item = bank.item(prompt.id[2:])
            round_.say(typed(item, right) if not led else "r" if right else "w / not sure")
        else:
            round_.say(reply(prompt, random), verdict=PASSES)
    round_.log("round-end", {"why": "done"})
    return round_.state


def test_what_was_not_seen_is_called_so():
    round_ = Round()
    round_.log("round-end", {"why": "ended"})
    told = debrief(round_.state)
    assert [one.verdict for one in told.competences] == [NOT_SEEN] * len(table.COMPETENCES)
    assert as_markdown(told).count(NOT_SEEN) == len(table.COMPETENCES) and "before all of it was asked" in as_markdown(told)
    assert not told.study


def test_what_was_left_out_or_never_marked_is_no_measurement():
    round_ = on(CLOSED)
    round_.say("skip")
    round_.say("my derivation")
    concepts, derivation, *_ = competences(round_.state)
    for one in (concepts, derivation):
        assert not one.shares and one.verdict == "Asked, and nothing was answered that could be marked."
    assert derivation.evidence[0].measured == "not marked"


@pytest.mark.parametrize("led", [False, True])
def test_the_debrief_says_who_has_marked_what(led):
    state = finished(led=led, coding=True)
    told = debrief(state)
    text = as_markdown(told)
    assert (BY["self"] in text) == (not led) and (BY["partner"] in text) == led
    assert BY["course"] in text  # the review, and the checks of the file
    for one in told.competences:
        for evidence in one.evidence:
            assert (evidence.score is None) == (not evidence.by)
    by = {one.key: set(one.shares) for one in told.competences}
    who = "partner" if led else "self"
    assert by["communication"] == {who} and by["derivation"] == {who} and by["coding"] == {"course"} == by["debugging"]
    assert by["concepts"] == ({"partner"} if led else {"course", "self"})


def test_each_number_of_the_debrief_is_that_of_the_answers():
    state = finished(right=False)
    concepts = competences(state)[0]
    scores = [told["score"] for prompt, told in state.answers.items() if prompt.startswith("q:") and told.get("by") == "course"]
    assert concepts.share("course") == pytest.approx(sum(scores) / len(scores))
    assert f"{len(scores)} answers, graded by the course" in concepts.verdict


def test_what_was_wrong_names_what_to_study_and_what_was_right_does_not():
    questions = [name for name in followups.trees() if bank.item(name).kind == "single"][:5]
    wrong_, right = (finished(right=one, questions=questions, depth=0) for one in (False, True))
    def studied(state):
        return {one.anchor for *_, seen in debrief(state).study for one in seen if one.anchor.startswith("q-")}

    assert studied(wrong_) == {f"q-{name}" for name in questions} and not studied(right)
    text = as_html(debrief(wrong_))
    assert "https://" in text and "<script" not in text and 'ipynb"' not in text  # a browser cannot open a notebook
    told = debrief(wrong_)
    assert told.near and all(title.split(",")[0] in text for title, *_ in told.near)
    assert text.index(told.near[0][0][:20]) < text.index("for another day")
    for name in questions:
        assert f'id="q-{name}"' in text


def test_earlier_rounds_of_the_same_candidate_are_compared():
    from dataclasses import replace

    before = finished(right=False)
    before = replace(before, number=1, at=DAY - timedelta(days=3))
    led = replace(finished(led=True), at=DAY - timedelta(days=2))
    told = debrief(finished(), [before, led])
    assert [day for day, _ in told.earlier] == [debrief(before).title.removeprefix("Mock interview of ")]
    for text in (as_markdown(told), as_html(told)):
        assert "1 May 2026" in text and "% graded" in text
    assert "no earlier round" in as_markdown(debrief(finished()))


def test_what_is_written_is_shown_as_text_and_never_as_markup():
    round_ = at("whiteboard")
    round_.say("<b>bold</b>\n```\n<script>x</script>")
    page = as_html(debrief(round_.state))
    assert "<b>bold" not in page and "&lt;b&gt;bold" in page and "<script>" not in page


# --- with a partner -----------------------------------------------------------------------------


def test_who_leads_the_round_sees_answers_and_rubrics_and_marks():
    round_ = on(CLOSED, interviewer=True)
    item = bank.item(CLOSED)
    key = next(option.text for option in item.options if option.right)
    assert any(key in block.text for block in round_.prompt.aside)
    round_.say("p / hesitates")
    told = round_.state.answers[f"q:{CLOSED}"]
    assert (told["score"], told["by"], told["note"]) == (0.5, "partner", "hesitates")
    vague = followups.trees()[CLOSED].vague
    assert round_.prompt.kind == "marks" and round_.prompt.say[0].text == vague.ask
    assert [text for _, text in round_.prompt.choices] == list(vague.points)
    assert vague.answer in [block.text for block in round_.prompt.aside]
    while round_.prompt.part != "whiteboard":
        round_.say("0")
    assert whiteboards()[round_.state.plan["whiteboard"]].solution in [block.text for block in round_.prompt.aside]
    round_.say("a b / quick")
    script = review.load(round_.state.plan["review"])
    assert all(any(fault.why in block.text for block in round_.prompt.aside) for fault in script.faults)


def test_a_candidate_sees_nothing_of_it():
    round_ = Round(coding=True)
    while prompt := round_.prompt:
        if prompt is engine.BEFORE_FILE:
            round_.log("round-part", FILE | {"aside": [{"kind": "code", "title": "The reference", "text": "secret"}]})
            continue
        assert not prompt.aside
        round_.say("skip")


def test_what_the_candidate_chose_may_be_typed_and_is_graded():
    round_ = on(CLOSED, interviewer=True)
    round_.say(typed(bank.item(CLOSED), True))
    assert round_.state.answers[f"q:{CLOSED}"]["by"] == "course"


def test_the_answers_of_a_led_round_are_not_those_of_who_leads_it(kept):
    one = begun(kept, interviewer=True, candidate="Ada", questions=[CLOSED])
    one.answer(one.prompt(), typed(bank.item(CLOSED), True), 1)
    assert not kept.attempts() and "Ada" in debrief(one.state()).title


def test_every_prompt_says_what_to_type():
    for led in (False, True):
        round_ = Round(coding=True, interviewer=led)
        while prompt := round_.prompt:
            if prompt is engine.BEFORE_FILE:
                round_.log("round-part", FILE)
                continue
            assert prompt.how and prompt.heading and prompt.say and prompt.limit <= 2700
            round_.say("skip")
