"""The follow-ups of an interviewer: every branch is reached, and each keeps the craft."""

import re
from collections import Counter

import pytest

from quiz import bank, followups, register
from quiz.register import Broken

TREES = followups.trees()
NODES = [(name, path, node) for name, tree in TREES.items() for path, node in followups.walk(tree)]
each_tree = pytest.mark.parametrize("name", TREES)


def asked(name: str, *steps) -> followups.Node | None:
    """The node at the end of a way. A step is an outcome, or an outcome and the beliefs that the answer showed."""
    node = TREES[name]
    for step in steps:
        outcome, beliefs = (step, ()) if isinstance(step, str) else step
        node = followups.follow(node, outcome, beliefs)
    return node


# --- coverage -----------------------------------------------------------------------------------


def test_the_trees_cover_every_topic_that_interviewers_ask_about():
    counts = Counter(bank.item(name).topic for name in TREES)
    assert len(TREES) >= 44
    assert all(counts[topic] >= 4 for topic in bank.TOPICS if topic != "code")
    assert {bank.item(name).level for name in TREES} == set(bank.LEVELS)


def test_many_go_deeper_than_one_follow_up():
    deep = {name for name, path, _ in NODES if path.removeprefix("beliefs.").count(".")}
    assert len(deep) >= 15


def test_no_tree_begins_at_a_question_about_the_article():
    assert all(bank.item(name).about == "interview" for name in TREES)


# --- each branch --------------------------------------------------------------------------------


@each_tree
def test_every_branch_is_reached_and_every_way_ends(name):
    reached, waiting = [], [TREES[name]]
    while waiting:
        node = waiting.pop()
        ways = [(outcome, ()) for outcome in ("right", "wrong", "vague")]
        ways += [("wrong", (belief,)) for belief in getattr(node, "beliefs", ())]
        found = [follow for way in ways if (follow := followups.follow(node, *way))]
        reached += found
        waiting += found
    assert sorted(node.ask for node in reached) == sorted(node.ask for _, node in followups.walk(TREES[name]))


@each_tree
def test_a_wrong_option_leads_to_the_branch_of_its_belief(name):
    item, tree = bank.item(name), TREES[name]
    slips = [one for one in (*getattr(item, "options", ()), *getattr(item, "slips", ())) if one.belief]
    for slip in slips:
        assert asked(name, ("wrong", (slip.belief,))) is tree.beliefs.get(slip.belief, tree.wrong)
    assert set(tree.beliefs) <= {slip.belief for slip in slips}


def test_the_first_belief_with_a_branch_decides_and_only_after_a_wrong_answer():
    beliefs = TREES["lora-start"].beliefs
    assert asked("lora-start", ("wrong", ("Nobody knows.", "D9", "D8"))) is beliefs["D9"]
    assert asked("lora-start", ("vague", ("D8",))) is TREES["lora-start"].vague


def test_where_nothing_follows_there_is_none():
    assert asked("lora-start", "right", "right").ask.startswith("Could you start the other way round")
    assert asked("lora-start", "right", "right", "right") is None


def test_an_unknown_outcome_is_refused():
    with pytest.raises(ValueError, match="there is no outcome 'maybe'; there are right, wrong, vague"):
        followups.follow(TREES["lora-start"], "maybe")


# --- the craft ----------------------------------------------------------------------------------

CLOSED = re.compile(r"(Is|Are|Was|Were|Do|Does|Did|Can|Could|Will|Would|Should|May|Must|Has|Have)\b")
OPENING = re.compile(r"\b(why|how|what|which|where|who|when)\b", re.I)


def sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.?!])(?<!al\.)\s+", text)


def faults(node: followups.Node) -> list[str]:
    """What an editor would say of a branch."""
    found = []
    if not node.ask.endswith(("?", ".")) or len(node.ask.split()) > 38:
        found.append("the question is no short whole sentence")
    if any(map(CLOSED.match, sentences(node.ask))) and not OPENING.search(node.ask):
        found.append("yes or no would answer the question: ask why")
    if len(sentences(node.answer)) > 3 or len(node.answer.split()) > 75 or not node.answer.endswith("."):
        found.append("the answer is not one to three sentences")
    if any(not point.strip() or point.endswith(".") or len(point.split()) > 22 for point in node.points):
        found.append("a point is empty, too long, or a sentence")
    if len({point.casefold() for point in node.points}) < len(node.points):
        found.append("two points are equal")
    if re.search(r"\b(the|this|that) article\b", f"{node.ask} {node.answer}", re.I):
        found.append("it speaks of the article")
    return found


def test_the_texts_keep_the_craft():
    assert {f"{name}, {path}": words for name, path, node in NODES if (words := faults(node))} == {}


def test_no_question_is_asked_in_two_places():
    counts = Counter(node.ask.casefold() for _, _, node in NODES)
    stems = {item.stem.casefold() for item in bank.items()}
    assert [ask for ask, count in counts.items() if count > 1 or ask in stems] == []


# --- a broken file ------------------------------------------------------------------------------

BRANCH = 'ask = "Why?"\npoints = ["one", "two"]\nanswer = "So."\nsources = ["lora"]\n'
GOOD = "".join(f"[lora-start.{branch}]\n{BRANCH}" for branch in ("right", "wrong", "vague", "beliefs.D8", "right.right"))


@pytest.fixture
def read(tmp_path, monkeypatch):
    """Reads the trees of a text as those of the bank."""

    def trees(text):
        (tmp_path / "followups.toml").write_text(text, encoding="utf-8")
        monkeypatch.setattr(followups, "read", lambda name, validate: register.read(name, validate, tmp_path))
        followups.trees.cache_clear()
        return followups.trees()

    yield trees
    followups.trees.cache_clear()


@pytest.mark.parametrize(
    "old, new, words",
    [
        ("[lora-start.vague]", "[lora-start.fog]", r"\[lora-start\], vague: Field required"),
        ('["one", "two"]', '["one"]', r"\[lora-start\], right.*points: .*at least 2"),
        ('"Why?"', '"Why?"\ncolour = 1', r"\[lora-start\], right.*colour"),
        ('["lora"]', '["nowhere"]', r"\[lora-start\], right.*sources: there is no 'nowhere' in sources.toml"),
        ("lora-start", "lora-end", r"\[lora-end\]: no item of the bank has this id"),
        ("beliefs.D8", "beliefs.D1", r"\[lora-start\], beliefs.D1: no wrong answer of the item has this misconception"),
        ("[lora-start.right]", "[lora-start.right", "followups.toml cannot be read: .*line 1"),
    ],
)
def test_a_broken_file_is_refused_by_tree_and_field(read, old, new, words):
    with pytest.raises(Broken, match=words):
        read(GOOD.replace(old, new))


def test_the_same_file_unbroken_is_read(read):
    tree = read(GOOD)["lora-start"]
    assert list(followups.branches(tree)) == ["right", "wrong", "vague", "beliefs.D8"]
    assert list(followups.branches(tree.right)) == ["right"]


def test_a_copy_without_keys_has_no_trees(monkeypatch):
    monkeypatch.setattr(bank, "has_keys", lambda: False)
    followups.trees.cache_clear()
    assert followups.trees() == {}
    followups.trees.cache_clear()
