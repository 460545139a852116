"""The docstrings on this machine become questions and answers: cleaned, without copies, split without leaks."""

import random
import subprocess
import sys
from itertools import combinations

import pytest

from lab import data, docstrings
from lab.docstrings import Doc, Pair

MODULE = '''
from json import loads
__all__ = ["mean", "average", "loads", "Box", "_hidden", "gone_on_this_system", "NUMBER"]
NUMBER = 3
def mean(x):
    """Compute the mean of ``x``. More follows."""
average = mean
def _hidden():
    """Do something in secret."""
class _Base:
    def inherited(self):
        """Come from a hidden base."""
class Box(_Base):
    """Hold some things."""
    @staticmethod
    def build():
        """Build a new box."""
    def empty(self):
        pass
'''


@pytest.fixture(scope="module")
def pairs():
    """Those of the course. Not to be changed."""
    return docstrings.to_pairs(docstrings.collect())


@pytest.fixture
def docs(tmp_path, monkeypatch):
    (tmp_path / "_module_of_the_test.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield docstrings.collect(["_module_of_the_test"])
    del sys.modules["_module_of_the_test"]


def pair(name: str, answer: str, thing: str = "") -> Pair:
    return Pair(f"What does `{name}` do?", answer, name, thing or name)


# --- collecting ---------------------------------------------------------------------------------


def test_public_functions_classes_and_methods_are_collected_in_order(docs):
    names = [doc.name.removeprefix("_module_of_the_test.") for doc in docs]
    assert names == ["Box", "Box.build", "Box.inherited", "average", "loads", "mean"]


def test_aliases_name_the_same_thing(docs):
    things = {doc.name.rpartition(".")[2]: doc.thing for doc in docs}
    assert things["mean"] == things["average"] == "_module_of_the_test.average" and things["loads"] != things["mean"]


def test_the_order_does_not_depend_on_the_process():
    code = "from lab import docstrings as d; print(*d.split(d.to_pairs(d.collect(['json', 'shutil', 'heapq', 'builtins']))))"
    said = [subprocess.check_output([sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}) for seed in ("1", "2")]
    assert said[0] == said[1] and said[0].count(b"Pair(") > 100


def test_there_are_thousands_and_real_copies(pairs):
    assert len(docstrings.without_duplicates(pairs)) > 3000
    assert len(docstrings.exact_duplicates(pairs)) > 300
    assert {"numpy.mean", "torch.Tensor.backward", "shutil.copy"} <= {pair.name for pair in pairs}
    by_name = {pair.name: pair for pair in pairs}
    assert by_name["numpy.mean"].prompt == "What does `numpy.mean` do?"
    assert by_name["numpy.mean"].answer == "Compute the arithmetic mean along the specified axis."
    assert by_name["numpy.abs"].thing == by_name["numpy.absolute"].thing
    assert len(by_name) == len(pairs)


# --- cleaning -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("Return the mean. Then more.", "Return the mean."),
        ("Return\n    the mean\n    of it.\n\n    More.", "Return the mean of it."),
        ("Use e.g. Numbers, i.e. Those. More.", "Use e.g. Numbers, i.e. Those."),
        ("Load version 1.5 of it.", "Load version 1.5 of it."),
        ("abs(input: Tensor, *, out: Optional[Tensor]) -> Tensor\n\nComputes it.", "Computes it."),
        ("empty(size,\n    dtype=torch.get()) -> Tensor\n\nMakes one.", "Makes one."),
        ("range(stop) -> range object\nrange(start, stop) -> range object\n\nReturn numbers.", "Return numbers."),
        ("getrandbits(k) -> x.  Generates an int.", "Generates an int."),
        ("E.add_note(note) --\nadd a note to it", "add a note to it"),
        ("partial(func, *args) - new function with them.", "new function with them."),
        ("sum(a, b) adds both.", "sum(a, b) adds both."),
        (".. deprecated:: 1.0\n   Use another.", ""),
        (">>> f(1)\n2", ""),
        ("Does it.\n.. note:: Slow.", "Does it."),
        (":func:`f` in place.", ":func:`f` in place."),
        ("f(x)", ""),
    ],
)
def test_first_sentence(text, sentence):
    assert docstrings.first_sentence(text) == sentence


@pytest.mark.parametrize(
    "text, plain",
    [
        ("the ``input`` and `other`", "the input and other"),
        ("of :attr:`input` by :py:func:`numpy.mean`", "of input by numpy.mean"),
        ("a :class:`~torch.nn.Linear`", "a Linear"),
        ("like :func:`the mean <numpy.mean>`", "like numpy.mean"),
        ("in `a paper <https://example.org/x>`_ of theirs", "in a paper of theirs"),
        ("**strong** and *weak*", "strong and weak"),
        ("call f(*args, **kwargs)", "call f(*args, **kwargs)"),
        ("a * b * c, a ** b", "a * b * c, a ** b"),
    ],
)
def test_clean_markup(text, plain):
    assert docstrings.clean_markup(text) == plain


NO_SENTENCES = ["", "See torch.add", "one, two, three,", "x \\cdot y is it.", "f -> Tensor or so.", "word " * 41]


@pytest.mark.parametrize("text", NO_SENTENCES)
def test_what_is_no_sentence_is_left_out(text):
    assert docstrings.to_pairs([Doc("f", text, "f")]) == []


def test_no_markup_is_left(pairs):
    assert [pair for pair in pairs if "`" in pair.answer or ":func:" in pair.answer or ":class:" in pair.answer] == []


# --- duplicates and splitting -------------------------------------------------------------------


def test_exact_duplicates_differ_in_case_and_spaces_alone():
    one, same, other = pair("a", "Add both numbers."), pair("b", "add  both numbers"), pair("c", "Same as a + b.")
    assert docstrings.exact_duplicates([one, same, other, pair("d", "Same as a - b.")]) == [[one, same]]
    assert docstrings.without_duplicates([one, same, other]) == [one, other]


@pytest.mark.parametrize("threshold", [0.3, 0.55, 0.7, 1.0])
def test_near_duplicates_are_those_that_comparing_all_finds(pairs, threshold):
    some = docstrings.without_duplicates(pairs)[::9]
    found = {frozenset((one.name, other.name)) for one, other in docstrings.near_duplicates(some, threshold)}
    sets = {one.name: docstrings.shingles(one.answer) for one in some}
    assert found == {frozenset(two) for two in combinations(sets, 2) if docstrings.jaccard(*map(sets.get, two)) >= threshold}
    assert found or threshold == 1.0


def test_a_family_is_linked_by_thing_by_answer_and_by_likeness():
    base = "Return the mean of all the numbers along one axis of it"
    alias, named = pair("abs", "Give one thing here.", "t"), pair("absolute", "Give quite another one.", "t")
    copy, near = pair("other", "Give quite another one."), [pair("n1", f"{base}."), pair("n2", f"{base} too.")]
    alone = pair("alone", "Nothing like the others.")
    found = docstrings.families([alias, near[0], named, alone, copy, near[1]])
    assert found == [[alias, named, copy], near, [alone]]


def test_a_split_leaks_nothing_and_loses_nothing(pairs):
    train, test = docstrings.split(pairs, 0.2, seed=1)
    assert docstrings.leaks(train, test) == []
    assert sorted(train + test, key=str) == sorted(pairs, key=str)
    assert 0.15 < len(test) / len(pairs) <= 0.2
    assert not {one.thing for one in train} & {one.thing for one in test}
    assert not {one.answer for one in train} & {one.answer for one in test}
    assert (train, test) == docstrings.split(pairs, 0.2, seed=1) != docstrings.split(pairs, 0.2, seed=2)


def test_a_split_by_chance_leaks(pairs):
    mixed = random.Random(0).sample(pairs, len(pairs))
    test, train = mixed[:500], mixed[500:]
    leaked = docstrings.leaks(train, test)
    answers = {one.answer for one in train}
    assert {one for one in test if one.answer in answers} <= set(leaked) <= set(test) and len(leaked) > 100


def test_they_make_a_batch(pairs, tiny):
    batch = data.chat_batch(tiny[1], pairs[:4])
    assert batch["input_ids"].shape[0] == 4 and (batch["labels"] != data.IGNORE_INDEX).any(dim=1).all()
