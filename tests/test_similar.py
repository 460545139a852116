"""Suspiciously equal submissions: copies are found under new names, honest solutions are not accused."""

import random
import re
from pathlib import Path

import pytest

from classroom.similar import similar
from grader import submission
from grader.problems import PROBLEMS, ROOT


def code_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def given(problem: str) -> str:
    path = PROBLEMS[problem].notebook_path(".md")
    return "\n".join(cell.source for cell in submission.read(path).cells)


def room(problem: str) -> dict[str, str]:
    """Right solutions of the same problem that were written in unlike ways."""
    paths = sorted((ROOT / "tests" / "variants" / problem).glob("*.py"))
    return {path.stem: code_of(path) for path in paths} | {"reference": code_of(PROBLEMS[problem].reference)}


def disguised(code: str) -> str:
    """What a copier does: other names of variables, other comments and texts, no docstrings."""
    for name in (
        "name",
        "module",
        "factor",
        "factors",
        "problems",
        "targets",
        "layers",
        "bases",
        "low_rank",
        "wrapped",
    ):
        code = re.sub(rf"\b{name}\b", f"my_{name}", code)
    code = re.sub(r'""".*?"""', "", code, flags=re.DOTALL)
    code = re.sub(r"#.*", "# my own thought", code)
    return code.replace("must", "has to").replace(", ", " ,\t").replace("\n\n", "\n\n# so far\n\n\n")


def pairs(found) -> list[tuple[str, str]]:
    return [(one, other) for one, other, _ in found]


@pytest.mark.parametrize("problem", PROBLEMS)
def test_right_solutions_written_in_unlike_ways_are_not_accused(problem):
    assert similar(room(problem), given(problem), least=0.5) == []


@pytest.mark.parametrize("problem", ["lora", "sft"])
def test_a_copy_with_new_names_and_comments_is_found(problem):
    reference = code_of(PROBLEMS[problem].reference)
    copy = disguised(reference)
    assert not set(reference.splitlines()) >= set(copy.splitlines())
    found = similar(room(problem) | {"a-copy": copy}, given(problem))
    assert pairs(found) == [("a-copy", "reference")]
    assert found[0][2] > 0.95


def test_a_part_that_was_copied_and_continued_is_found():
    whole = room("lora")["injection_by_recursion"]
    part = disguised(whole[: len(whole) * 2 // 3])
    assert ("a-part", "injection_by_recursion") in pairs(similar(room("lora") | {"a-part": part}, given("lora")))


def test_the_hand_out_itself_accuses_nobody():
    blank = given("lora")
    assert similar({"a": blank, "b": blank + "\n\nprint('solved')\n"}, blank) == []


def test_a_short_submission_is_never_accused():
    one_method = "def delta_weight(self):\n    return self.scaling * (self.lora_B @ self.lora_A)\n"
    assert similar({"a": one_method, "b": one_method}, given("lora")) == []


def test_what_a_large_part_of_the_room_writes_accuses_nobody_but_a_ring_of_five_is_seen():
    reference = code_of(PROBLEMS["lora"].reference)
    others = {f"other{i}": code for i, code in enumerate(room("peft").values())}
    own = {i: "\n".join(f"own_{i}_{j} = {'x + ' * (i + j)}1" for j in range(3)) for i in range(9)}
    assert len(similar(others | {f"ring{i}": reference + own[i] for i in range(5)}, "")) == 10
    assert similar(others | {f"usual{i}": reference + own[i] for i in range(9)}, "") == []


def test_equal_solutions_are_reported_however_many_they_are():
    reference = code_of(PROBLEMS["lora"].reference)
    copies = {f"copy{i:02d}": disguised(reference) if i % 2 else reference for i in range(12)}
    assert similar(room("peft") | copies, given("lora")) == [("copy00", name, 1.0) for name in sorted(copies)[1:]]


@pytest.mark.parametrize(
    "broken", ["", "'''", "def f(((\\", "x = 'abc", "\x00\ud800 + " * 20, "\t\n  \x0c", '"""\\' * 500, "f'{'"]
)
def test_broken_code_does_not_raise_and_is_not_accused(broken):
    reference = code_of(PROBLEMS["lora"].reference)
    sources = {"a": broken, "b": broken, "c": reference, "d": reference[:-200] + broken}
    assert pairs(similar(sources, given("lora"))) == [("c", "d")]


def test_no_submissions_give_no_pairs():
    assert similar({}, "") == []
    assert similar({"alone": code_of(PROBLEMS["lora"].reference)}, "") == []


def test_the_order_of_the_submissions_does_not_matter():
    reference, sources = code_of(PROBLEMS["lora"].reference), room("lora")
    sources |= {"z": reference, "a": reference, "half": reference[: len(reference) // 2] + sources["state_by_modules"]}
    backwards = dict(reversed(sources.items()))
    found = similar(sources, given("lora"), least=0.3)
    assert found == similar(backwards, given("lora"), least=0.3)
    assert [share for *_, share in found] == sorted((share for *_, share in found), reverse=True)
    assert pairs(found)[:3] == [("a", "reference"), ("a", "z"), ("a", "half")]


def test_a_class_of_five_hundred():
    chance = random.Random(0)
    words = "model layer rank for in if not return self . ( ) [ ] + * = : , weight x def while nn Linear".split()
    sources = {f"s{i}": "\n".join(" ".join(chance.choices(words, k=8)) for _ in range(60)) for i in range(500)}
    sources["copier"] = disguised(sources["s123"])
    assert pairs(similar(sources, "")) == [("copier", "s123")]
