"""Suspiciously equal submissions: copies are found under new names and in another order, honest solutions are not accused."""

import ast
import json
import random
from functools import cache
from pathlib import Path

import pytest

from classroom.incoming.collect import Collection, Student
from classroom.likeness import similar, texts
from classroom.likeness.fingerprints import functions, prints
from classroom.likeness.similar import compare
from grader.bank import known_mistakes
from grader.problems import PROBLEMS, ROOT, Problem
from tests import disguises
from tests.disguises import bare, commented, everything, filled, renamed, reordered

ALL = list(PROBLEMS)
given = cache(lambda problem: texts.handed_out(PROBLEMS[problem]))
known = cache(lambda problem: texts.known(PROBLEMS[problem]))


def reference(problem: str) -> str:
    return PROBLEMS[problem].reference.read_text(encoding="utf-8")


def right(problem: str) -> dict[str, str]:
    """Whole solutions, each by somebody else."""
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests/right" / problem).glob("*.py"))}


def without_right_solutions(problem: str) -> dict:
    """The known texts but for the solutions of strangers, which play the students."""
    return {name: text for name, text in known(problem).items() if not name.startswith("the right solution")}


def told(problem: str, **codes: str) -> dict[str, str]:
    """What is said of each of these submissions."""
    likenesses, _ = compare({name: [code] for name, code in codes.items()}, given(problem), known(problem))
    return {folder: words for words, folders, _ in likenesses for folder in folders}


def said(sources: dict[str, list[str]], given: list[str], known: dict) -> list[tuple[str, list[str]]]:
    """What is told of which submissions, the most alike first."""
    return [(words, folders) for words, folders, _ in compare(sources, given, known)[0]]


def pairs(codes: dict[str, str], given=(), known=None) -> list[tuple[str, str]]:
    """The pairs among these submissions."""
    found = compare({folder: [code] for folder, code in codes.items()}, list(given), known or {})[1]
    return [pair[:2] for pair in found]


def without(code: str, *names: str) -> str:
    """The code without the functions of these names, at the top or in a class."""
    tree = ast.parse(code)
    for owner in [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))]:
        above = f"{owner.name}." if isinstance(owner, ast.ClassDef) else ""
        owner.body = [node for node in owner.body if above + getattr(node, "name", "") not in names] or [ast.Pass()]
    return ast.unparse(tree)


def only(code: str, name: str) -> str:
    return ast.unparse(next(node for node in ast.parse(code).body if getattr(node, "name", "") == name))


# --- fingerprints -------------------------------------------------------------------------------


LONG_ONE = "x.amount * (x.rate + 1) / (x.rate - 1) + x.fee"  # of a size that has fingerprints


def found(body: str, before: str = "") -> set[int]:
    """The fingerprints of a function of two parameters with this body."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return set(prints(functions([f"{before}\ndef f(x, y):\n{lines}"])))


@pytest.mark.parametrize(
    "one, other",
    [
        (f"z: int = {LONG_ONE}\nreturn z", f"{'result = ' + LONG_ONE}\nreturn result"),
        (f"return {LONG_ONE}", f"z = {LONG_ONE}\nreturn z"),
        (f"return {LONG_ONE}", "a = x.rate - 1\nb = x.rate + 1\nc = x.amount * b\nreturn x.fee + c / a"),
        (f"return {LONG_ONE}", f"_ = None\n0\npass\nassert True\nz = {LONG_ONE}\nz = z\nif False:\n    z = 3\nreturn z\nz = 4"),
        (f"return {LONG_ONE}", f"if True:\n    with x:\n        pass\n    return {LONG_ONE}"),
        (f"return {LONG_ONE}", "return x.fee + (1 + x.rate) * x.amount / (x.rate - 1)"),
        (f"z = 0\nz += {LONG_ONE}\nreturn z", f"z = 0\nz = z + {LONG_ONE}\nreturn z"),
        (f"if x.a < y.b:\n    return {LONG_ONE}\nreturn 1", f"if not x.a < y.b:\n    return 1\nelse:\n    return {LONG_ONE}"),
        (f"a, b = y, {LONG_ONE}\nreturn b", f"a = y\nb = {LONG_ONE}\nreturn b"),
        (
            f"z = [{LONG_ONE} for x in y.items()]\nreturn z",
            f"z = [{LONG_ONE.replace('x.', 'one.')} for one in y.items()]\nreturn z",
        ),
        (f"raise ValueError(f'a {{x}} b') if {LONG_ONE} else y", "raise TypeError('c ' + str(x)) from None"),
        (f"'''What it does.'''\nimport os\nreturn {LONG_ONE}", f"return {LONG_ONE}"),
        (f"def g(a: int, *, b=1) -> int:\n    return {LONG_ONE}\nreturn g", f"async def h():\n    return {LONG_ONE}\nreturn h"),
    ],
)
def test_a_disguise_leaves_no_trace(one, other):
    smaller, larger = sorted((found(one), found(other)), key=len)
    assert smaller <= larger and (smaller or "raise" in one)


def test_what_is_never_run_leaves_no_trace():
    never = LONG_ONE.replace("x.", "y.")
    for dead in (f"return x\nreturn {never}", f"if False:\n    y.put({never})", f"while 0:\n    y.put({never})"):
        assert found(f"z = {LONG_ONE}\nx.put(z)\n{dead}") <= found(f"z = {LONG_ONE}\nx.put(z)\nreturn x")


def test_what_is_computed_leaves_a_trace():
    values = ("a(b)", "a + b", "a - b", "a @ b", "a[b]", "a / b", "a if b else c", "a.norm(b)", "a.mean(b)", "[a for c in b]")
    whole = [found(f"return x.add_({value}, {value}).view({value})", "a = b = c = 1") for value in values]
    assert all(whole) and len(set(map(frozenset, whole))) == len(values)


def test_what_a_library_has_named_counts_and_however_it_was_imported():
    body = "return nn.Linear(y.size + 1, y.size - x.size, bias=x.bias)"
    others = {
        "import torch.nn as tn": body.replace("nn.", "tn."),
        "from torch.nn import Linear as L": body.replace("nn.Linear", "L"),
        "import torch": body.replace("nn.", "torch.nn."),
    }
    assert all(found(other, before) == found(body, "from torch import nn") for before, other in others.items())
    assert not found(body, "from torch import nn") & found(body.replace("Linear", "Bilinear"), "from torch import nn")


def test_a_function_is_known_by_its_place():
    cells = [
        "class A:\n    x = 1\n    def f(self):\n        def g(): pass",
        "try:\n    def h(): pass\nexcept E:\n    def i(): pass",
    ]
    assert [function.name for function in functions(cells)] == ["A.f", "h", "i"]


# --- copies of a known text ---------------------------------------------------------------------


@pytest.mark.parametrize("problem", ALL)
def test_a_copy_of_the_reference_is_told_in_any_disguise(problem):
    copy, wanted = reference(problem), "equals the reference"
    disguised = bare(reordered(renamed(copy)))
    assert not set(copy.split()) >= set(disguised.split())
    found = told(
        problem, a=copy, b=renamed(copy), c=reordered(copy), d=bare(copy), e=commented(copy), f=disguised, g=filled(copy)
    )
    assert found == dict.fromkeys("abcdefg", wanted)
    words = told(problem, a=everything(copy))["a"]
    assert words == wanted or int(words.removeprefix("holds ").removesuffix(" % of the reference")) > 60


@pytest.mark.parametrize("problem", ALL)
def test_the_reference_with_two_functions_rewritten_is_told_with_its_share(problem):
    first, second = [name for cell in PROBLEMS[problem].cells for name in cell if name.islower()][:2]
    rest = without(reference(problem), first, second) + "\n\n" + only(right(problem)["beginner_loops"], first)
    words = told(problem, ada=bare(renamed(rest)))["ada"]
    share = int(words.removeprefix("holds ").removesuffix(" % of the reference"))
    assert 50 <= share < 100


def test_one_long_function_of_the_reference_is_told_and_a_short_one_is_not():
    own = right("sft")["beginner_loops"]
    long, short = (renamed(only(reference("sft"), name)) for name in ("finetune", "collate"))
    codes = {"a": [long], "b": [own, filled(long)], "c": [short], "d": [own, short]}
    assert said(codes, given("sft"), without_right_solutions("sft")) == [("holds `finetune` of the reference", ["a", "b"])]


@pytest.mark.parametrize("problem", ALL)
def test_a_copy_of_a_right_solution_is_told_by_its_name(problem):
    found = told(problem, **{name: renamed(code) for name, code in right(problem).items()})
    assert all(words.endswith(f" the right solution {name}") for name, words in found.items()) and len(found) == len(
        right(problem)
    )
    assert sum(words.startswith("equals") for words in found.values()) > len(found) / 2


def test_a_variant_or_a_known_mistake_in_the_reference_is_told_by_its_name():
    variant = (ROOT / "tests/variants/lora/injection_by_recursion.py").read_text(encoding="utf-8")
    mistake = known_mistakes(PROBLEMS["sft"])["accumulated_without_dividing"].source
    found = told("lora", ada=without(reference("lora"), "inject_lora", "merge_lora") + "\n\n" + renamed(variant))
    assert found == {"ada": "equals the reference with the variant injection_by_recursion"}
    found = told("sft", ada=without(reference("sft"), "train_step") + "\n\n" + renamed(mistake))
    assert found == {"ada": "equals the reference with the known mistake accumulated_without_dividing"}


@pytest.mark.parametrize("problem", ALL)
def test_the_handed_out_stubs_are_told_and_are_no_pair(problem):
    blank, begun = given(problem), [*given(problem), only(reference(problem), PROBLEMS[problem].stubs[-1].partition(".")[0])]
    codes = {"a": blank, "b": [*blank, "print('solved')"], "c": begun, "d": []}
    likenesses = said(codes, blank, known(problem))
    assert ("equals the handed-out stubs", ["a", "b"]) in likenesses and compare(codes, blank, known(problem))[1] == []
    assert not any({"c", "d"} & set(folders) for words, folders in likenesses if "stubs" in words)


def test_the_most_equal_is_said_first_and_the_same_is_said_once():
    codes = {"a": only(reference("sft"), "finetune"), "b": reference("sft"), "c": renamed(reference("sft"))}
    likenesses = said({name: [code] for name, code in codes.items()} | {"d": given("sft")}, given("sft"), known("sft"))
    assert [folders for _, folders in likenesses] == [["b", "c"], ["a"], ["d"]]


def test_an_installation_without_tests_knows_the_reference_and_the_mistakes(tmp_path, monkeypatch):
    monkeypatch.setattr(texts, "TESTS", tmp_path)
    names = list(texts.known(PROBLEMS["lora"]))
    assert names[0] == "the reference" and len(names) == 1 + len(known_mistakes(PROBLEMS["lora"]))
    assert all("known mistake" in name for name in names[1:])
    assert texts.known(Problem("none", "A copy without solutions", "09_none", (), ROOT / "none")) == {}


# --- honest students ----------------------------------------------------------------------------


@pytest.mark.parametrize("problem", ALL)
def test_right_solutions_of_strangers_are_not_accused_by_a_wide_margin(problem, monkeypatch):
    monkeypatch.setattr(similar, "ALIKE", 0.4)
    monkeypatch.setattr(similar, "WHOLE", 0.75)
    solutions = {name: [code] for name, code in right(problem).items()}
    assert len(solutions) >= 20
    assert compare(solutions, given(problem), without_right_solutions(problem)) == ([], [])


def test_short_submissions_are_never_accused():
    one_method = "def delta_weight(self):\n    return self.scaling * (self.lora_B @ self.lora_A)\n"
    assert compare({"a": [one_method], "b": [one_method]}, given("lora"), known("lora")) == ([], [])


@pytest.mark.parametrize("problem", ALL)
def test_a_solution_that_a_third_of_the_room_shares_is_found_in_each_disguise(problem):
    others = right(problem)
    shared = others.pop("beginner_loops")
    copies = {
        f"copy{number:02}": disguise(shared)
        for number, disguise in enumerate([*list(disguises.ALL.values())[:8], disguises.turned])
    }
    found = pairs(others | copies, given(problem), without_right_solutions(problem))
    assert {folder for pair in found for folder in pair} == set(copies)


def test_a_solution_that_most_of_the_room_share_is_found_too():
    others = dict(list(right("lora").items())[:8])
    shared = right("lora")["terse_oneliners"]
    copies = {f"copy{number:02}": disguise(shared) for number, disguise in enumerate(disguises.ALL.values())}
    assert len(copies) > len(others)
    assert {folder for pair in pairs(others | copies, given("lora")) for folder in pair} == set(copies)


def test_what_was_shown_to_all_accuses_nobody_and_hides_no_copy():
    """Everybody has the same long function, from the board, and one solution was copied beside that."""
    board = only(right("lora")["cpp_programmer"], "inject_lora").replace("inject_lora", "from_the_board")
    room = {name: f"{without(code, 'inject_lora')}\n\n{board}" for name, code in right("lora").items()}
    assert pairs({name: f"{code}" for name, code in room.items()}, given("lora")) == []
    assert pairs(room | {"a-copy": filled(renamed(room["labml_annotated"]))}, given("lora")) == [("a-copy", "labml_annotated")]


def test_in_a_large_group_each_is_paired_with_who_is_most_alike():
    copy = right("lora")["defensive_checks"]
    group = {f"copy{number:02}": disguise(copy) for number, disguise in enumerate(disguises.ALL.values())}
    found = pairs(right("peft") | group, given("lora"))
    assert len(found) == len(group) - 1 and {folder for pair in found for folder in pair} == set(group)
    small = dict(list(group.items())[:5])
    assert len(pairs(right("peft") | small, given("lora"))) == 10


# --- copies of each other -----------------------------------------------------------------------


@pytest.mark.parametrize("problem", ALL)
def test_a_friends_solution_is_found_in_any_disguise(problem):
    friends = {f"friend{number}": code for number, code in enumerate(right(problem).values())}
    copy = friends["friend7"]
    for disguise in (disguises.split, disguises.unlooped, everything):
        assert pairs(friends | {"a-copy": disguise(copy)}, given(problem)) == [("a-copy", "friend7")]


def test_a_part_that_was_copied_and_continued_is_found():
    friend, mine = right("lora")["defensive_checks"], right("lora")["beginner_loops"]
    part = without(friend, "merge_lora", "load_lora_state_dict") + "\n\n" + only(mine, "merge_lora")
    assert pairs(right("lora") | {"a-part": renamed(part)}, given("lora")) == [("a-part", "defensive_checks")]


def test_one_long_function_that_was_copied_into_other_work_is_found_and_named():
    friend, mine = right("lora")["defensive_checks"], right("lora")["beginner_loops"]
    copy = f"{without(mine, 'inject_lora')}\n\n{filled(renamed(only(friend, 'inject_lora')))}"
    found = compare({"a": [copy], "b": [friend], "c": [mine]}, given("lora"), {})[1]
    assert ("a", "b", ("inject_lora",)) in [(pair.one, pair.other, pair.functions) for pair in found]


def test_equal_solutions_are_reported_however_many_they_are():
    copy = right("lora")["defensive_checks"]
    copies = {f"copy{i:02d}": bare(renamed(copy)) if i % 2 else copy for i in range(12)}
    found = compare({folder: [code] for folder, code in (right("peft") | copies).items()}, given("lora"), {})[1]
    assert [pair[:3] for pair in found] == [("copy00", name, 1.0) for name in sorted(copies)[1:]]


def test_who_hold_the_same_known_text_are_a_pair_only_by_what_else_they_share():
    both, more = reference("lora"), right("peft")["defensive_checks"]
    codes = {"a": both, "b": renamed(both), "c": both + more, "d": both + renamed(more)}
    assert pairs(codes, given("lora"), known("lora")) == [("c", "d")]


def test_the_order_of_the_submissions_does_not_matter():
    sources = right("lora") | {
        "z": reference("lora"),
        "a": reference("lora"),
        "half": without(reference("lora"), "inject_lora"),
    }
    sources = {folder: [code] for folder, code in sources.items()}
    found = compare(sources, given("lora"), {})
    assert found == compare(dict(reversed(sources.items())), given("lora"), {})
    assert [pair[:2] for pair in found[1]] == [("a", "half"), ("a", "z"), ("half", "z")]


# --- texts of strangers -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "'''",
        "def f(((\\",
        "x = 'abc",
        "\x00\ud800 + " * 20,
        "\t\n  \x0c",
        '"""\\' * 500,
        "f'{'",
        "-" * 5000 + "1",
        "x = " + "1 + " * 900 + "1",
    ],
)
def test_a_broken_cell_hides_itself_alone(broken):
    sources = {"a": [broken], "b": [broken], "c": [broken, reference("lora")], "d": [f"%time\n{reference('lora')}", broken]}
    assert compare(sources, given("lora"), known("lora")) == ([("equals the reference", ["c", "d"], "the reference")], [])


def test_no_depth_of_nesting_hides_a_function():
    sums = "1 + " * 600 + "1"
    nested = reference("lora").replace("        self.scaling = ", f"        extra = {sums}\n        self.scaling = ")
    chain = "".join(f"    elif x == {n}:\n        pass\n" for n in range(900))
    chain = f"if x == 0:\n    pass\n{chain.replace('    elif', 'elif')}else:\n" + "\n".join(
        f"    {line}" for line in reference("lora").splitlines()
    )
    found = told("lora", ada=nested, bob=chain)
    assert found == dict.fromkeys(["ada", "bob"], "equals the reference")


def test_no_variable_that_doubles_itself_takes_long():
    doubled = "".join(f"    {name} = {name} * {name} + 1\n" for name in "xy" for _ in range(60))
    assert functions([f"def f(x, y):\n{doubled}    z = x + y\n    return f(z=z, y=x, x=y)\n"])


def test_what_is_too_long_to_be_compared_is_told():
    found = told("lora", ada="x = 1\n" * 40_000 + reference("lora"))
    assert found == {"ada": "has more than 200,000 characters of code, so it was compared with nothing"}


def test_no_submissions_give_nothing():
    assert compare({}, [], {}) == ([], [])
    assert compare({"alone": [reference("lora")]}, [], {}) == ([], [])


def test_a_class_of_five_hundred():
    chance = random.Random(0)
    line = "a{0} = b.{1}({2}, c).{3}(b[{4}] + {2}).{1}({2} - c)"
    words = [f"w{number}" for number in range(60)]
    sources = {
        f"s{i}": "def f(b, c):\n    " + "\n    ".join(line.format(n, *chance.choices(words, k=4)) for n in range(12))
        for i in range(500)
    }
    assert pairs(sources | {"copier": filled(sources["s123"])}) == [("copier", "s123")]


# --- files --------------------------------------------------------------------------------------


def collection(folder: Path, files: dict[str, bytes]) -> Collection:
    """One student's files. Those that are named after the notebook are answers, the others are modules."""
    (folder / "ada").mkdir()
    for name, data in files.items():
        (folder / "ada" / name).write_bytes(data)
    answers = [name for name in files if name.startswith("08_")]
    modules = [name for name in files if not name.startswith("08_")]
    return Collection(folder, [Student("ada", "Ada", "", "", "folder", False, {"lora": answers}, modules)])


def notebook(*cells: str) -> bytes:
    return json.dumps({"cells": [{"cell_type": "code", "source": cell.splitlines(True)} for cell in cells]}).encode()


@pytest.mark.parametrize(
    "files",
    [
        {"08_problem_lora.py": reference("lora").encode("utf-16")},
        {"08_problem_lora.ipynb": notebook("x = 1", reference("lora"))},
        {
            "08_problem_lora.ipynb": notebook("x = 1"),
            "08_problem_lora.md": f"# A\n\n```python\n{reference('lora')}\n```\n".encode(),
        },
        {
            "08_problem_lora.md": f"~~~~python\r\n{reference('lora')}\r\n~~~\r\n~~~~\r\n".replace("~~~\r\n", "", 1).encode(
                "utf-16"
            )
        },
        {"08_problem_lora.md": f"```` python\n{reference('lora')}".encode()},
        {"08_problem_lora.py": b"from engine import *", "engine.py": reference("lora").encode()},
    ],
)
def test_a_copy_is_told_wherever_the_grader_would_find_it(files, tmp_path):
    sources = texts.handed_in(collection(tmp_path, files), PROBLEMS["lora"])
    assert said(sources, given("lora"), known("lora")) == [("equals the reference", ["ada"])]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b'{"cells": 3}',
        b'{"cells": [1]}',
        b'{"cells": [{"cell_type": "code"}]}',
        b"\xff\xfe\x00",
        b"[" * 99999,
    ],
)
@pytest.mark.parametrize("suffix", [".ipynb", ".md", ".py"])
def test_a_file_that_cannot_be_read_holds_no_code(data, suffix, tmp_path):
    sources = texts.handed_in(collection(tmp_path, {f"08_problem_lora{suffix}": data}), PROBLEMS["lora"])
    assert compare(sources, given("lora"), known("lora")) == ([], [])


def test_both_halves_of_a_notebook_count_once(tmp_path):
    files = {
        "08_problem_lora.ipynb": notebook("x = 1", "def f():\n    pass"),
        "08_problem_lora.md": b"```python\nx = 1\n```\n\n```python\ny = 2\n```\n",
    }
    assert texts.handed_in(collection(tmp_path, files), PROBLEMS["lora"]) == {"ada": ["x = 1", "def f():\n    pass", "y = 2"]}


def test_stubs_that_the_instructor_has_solved_are_not_handed_out(tmp_path, monkeypatch):
    cells = json.loads(PROBLEMS["lora"].notebook_path(".ipynb").read_text(encoding="utf-8"))
    for cell in cells["cells"]:
        if any(tag == "stub:inject_lora" for tag in cell["metadata"].get("tags", [])):
            cell["source"] = reference("lora")
    (tmp_path / "08_problem_lora.ipynb").write_text(json.dumps(cells), encoding="utf-8")
    monkeypatch.setattr(Problem, "notebook_path", lambda self, suffix: tmp_path / f"{self.notebook}{suffix}")
    assert said({"ada": [reference("lora")]}, texts.handed_out(PROBLEMS["lora"]), known("lora")) == [
        ("equals the reference", ["ada"])
    ]
