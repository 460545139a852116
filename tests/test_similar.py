"""Suspiciously equal submissions: copies are found under new names and in another order, honest solutions are not accused."""

import ast
import json
import random
from functools import cache
from pathlib import Path

import pytest

from classroom.incoming.collect import Collection, Student
from classroom.likeness import similar, texts
from classroom.likeness.fingerprints import WINDOW, K, functions, hashes, winnowed
from classroom.likeness.similar import compare
from grader.bank import known_mistakes
from grader.problems import PROBLEMS, ROOT, Problem

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
    return {folder: words for words, folders in likenesses for folder in folders}


def pairs(codes: dict[str, str], given=(), known=None) -> list[tuple[str, str]]:
    """The pairs among these submissions."""
    found = compare({folder: [code] for folder, code in codes.items()}, list(given), known or {})[1]
    return [(one, other) for one, other, _ in found]


# --- what a copier does -------------------------------------------------------------------------


class Renamed(ast.NodeTransformer):
    """Other names for what the text itself names: variables, parameters, attributes of self, private helpers."""

    def __init__(self, tree: ast.Module):
        nodes = list(ast.walk(tree))
        own = {node.arg for node in nodes if isinstance(node, ast.arg)}
        own |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        own |= {node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)}
        own |= {node.name for node in nodes if isinstance(node, ast.FunctionDef) and node.name[:2].count("_") == 1}
        self.new = {name: f"my_{number}" for number, name in enumerate(sorted(own))}

    def visit(self, node):
        for field in ("id", "arg", "attr", "name"):
            if isinstance(old := getattr(node, field, None), str):
                setattr(node, field, self.new.get(old, old))
        return self.generic_visit(node)


class Bare(ast.NodeTransformer):
    """Other texts, and no docstrings or annotations."""

    def visit_Constant(self, node):
        return ast.Constant("my own words") if isinstance(node.value, str) else node

    def visit_JoinedStr(self, node):
        return ast.Constant("my own words")

    def visit_AnnAssign(self, node):
        return ast.Assign([node.target], node.value) if node.value else ast.Pass()

    def visit_arg(self, node):
        return ast.arg(node.arg)

    def visit_FunctionDef(self, node):
        node.returns = None
        node.body = node.body[1:] if ast.get_docstring(node) and node.body[1:] else node.body
        return self.generic_visit(node)


def renamed(code: str) -> str:
    tree = ast.parse(code)
    return ast.unparse(Renamed(tree).visit(tree))


def bare(code: str) -> str:
    return ast.unparse(ast.fix_missing_locations(Bare().visit(ast.parse(code))))


def reordered(code: str) -> str:
    tree = ast.parse(code)
    for owner in [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))]:
        owner.body = [node for node in owner.body if not isinstance(node, ast.FunctionDef)] + [
            node for node in reversed(owner.body) if isinstance(node, ast.FunctionDef)
        ]
    return ast.unparse(tree)


def commented(code: str) -> str:
    return code.replace("\n    ", "\n\n\n    # my own thought\n    ").replace(", ", " ,\t")


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


@pytest.mark.parametrize(
    "one, other",
    [
        ("y: int = g(x)", "z = h(z)"),
        ("y: int\ny = x", "y = x"),
        ("raise ValueError(f'a {x} b')", "raise TypeError('c ' + str(x)) from None"),
        ("assert x, 'words'", "assert y"),
        ("return 'a' f'{x}' 'b'", "return '''c'''"),
        ("'''What it does.'''\nimport os\npass\nreturn x", "return y"),
        ("def g(a: int, *, b=1) -> int:\n    return a\nreturn g", "async def h():\n    return c\nreturn h"),
    ],
)
def test_names_texts_and_types_leave_no_trace(one, other):
    bodies = ("\n".join(f"    {line}" for line in body.splitlines()) for body in (one, other))
    first, second = (functions([f"def f(x):\n{body}"]) for body in bodies)
    assert first == second and first[0].tokens


def test_what_is_computed_leaves_a_trace():
    values = ("x", "x + y", "x - y", "x(y)", "x[y]", "x.y")
    assert len({functions([f"def f(x, y):\n    return {value}"])[0].tokens for value in values}) == len(values)


def test_a_function_is_known_by_its_place():
    cells = [
        "class A:\n    x = 1\n    def f(self):\n        def g(): pass",
        "try:\n    def h(): pass\nexcept E:\n    def i(): pass",
    ]
    assert [function.name for function in functions(cells)] == ["A.f", "h", "i"]


def test_texts_share_a_fingerprint_of_each_run_that_they_share_and_have_few():
    chance = random.Random(0)
    one, other = (tuple(chance.choices("abcdef", k=400)) for _ in range(2))
    run = tuple(chance.choices("abcdef", k=K + WINDOW - 1))
    assert not winnowed(hashes(one)) & winnowed(hashes(other))
    assert winnowed(hashes(one + run + other)) & winnowed(hashes(other + run + one)) & winnowed(hashes(run))
    assert len(winnowed(hashes(one))) < len(one) / 2


# --- copies of a known text ---------------------------------------------------------------------


@pytest.mark.parametrize("problem", ALL)
def test_a_copy_of_the_reference_is_told_in_any_disguise(problem):
    copy, wanted = reference(problem), "equals the reference"
    disguised = bare(reordered(renamed(copy)))
    assert not set(copy.split()) >= set(disguised.split())
    found = told(problem, a=copy, b=renamed(copy), c=reordered(copy), d=bare(copy), e=commented(copy), f=disguised)
    assert found == dict.fromkeys("abcdef", wanted)


@pytest.mark.parametrize("problem", ALL)
def test_the_reference_with_two_functions_rewritten_is_told_with_its_share(problem):
    first, second = [name for cell in PROBLEMS[problem].cells for name in cell if name.islower()][:2]
    rest = without(reference(problem), first, second) + "\n\n" + only(right(problem)["beginner_loops"], first)
    words = told(problem, ada=bare(renamed(rest)))["ada"]
    share = int(words.removeprefix("holds ").removesuffix(" % of the reference"))
    assert 40 <= share < 100


def test_one_long_function_of_the_reference_is_told_and_a_short_one_is_not():
    own = right("sft")["beginner_loops"]
    long, short = (renamed(only(reference("sft"), name)) for name in ("train_step", "_count"))
    codes = {"a": [long], "b": [own, long], "c": [short], "d": [own, short]}
    likenesses, _ = compare(codes, given("sft"), without_right_solutions("sft"))
    assert likenesses == [("holds `train_step` of the reference", ["a", "b"])]


@pytest.mark.parametrize("problem", ALL)
def test_a_copy_of_a_right_solution_is_told_by_its_name(problem):
    found = told(problem, **{name: renamed(code) for name, code in right(problem).items()})
    assert found == {name: f"equals the right solution {name}" for name in right(problem)}


def test_a_variant_or_a_known_mistake_in_the_reference_is_told_by_its_name():
    variant = (ROOT / "tests/variants/lora/injection_by_recursion.py").read_text(encoding="utf-8")
    mistake = known_mistakes(PROBLEMS["sft"])["accumulated_without_dividing"].source
    found = told("lora", ada=without(reference("lora"), "inject_lora", "merge_lora") + "\n\n" + renamed(variant))
    assert found == {"ada": "equals the reference with the variant injection_by_recursion"}
    found = told("sft", ada=without(reference("sft"), "train_step") + "\n\n" + renamed(mistake))
    assert found == {"ada": "equals the reference with the known mistake accumulated_without_dividing"}


@pytest.mark.parametrize("problem", ALL)
def test_the_handed_out_stubs_are_told_and_are_no_pair(problem):
    blank, begun = given(problem), [*given(problem), only(reference(problem), PROBLEMS[problem].cells[-1][0])]
    likenesses, found = compare({"a": blank, "b": [*blank, "print('solved')"], "c": begun, "d": []}, blank, known(problem))
    assert ("equals the handed-out stubs", ["a", "b"]) in likenesses and found == []
    assert not any({"c", "d"} & set(folders) for words, folders in likenesses if "stubs" in words)


def test_much_of_a_mistake_that_lacks_most_of_the_reference_is_little():
    whole = ast.parse(only(reference("sft"), "finetune"))
    short = [*functions([ast.unparse(whole)]), *functions([right("lora")["defensive_checks"]])[:1]]
    whole.body[0].body[9:9] = ast.parse("print([x for x in range(9)])").body
    texts = {"the reference": functions([reference("sft")]), "the reference with a mistake": short}
    assert compare({"ada": [ast.unparse(whole)]}, [], texts) == ([], [])


def test_the_most_equal_is_said_first_and_the_same_is_said_once():
    codes = {"a": only(reference("sft"), "finetune"), "b": reference("sft"), "c": renamed(reference("sft"))}
    likenesses, _ = compare({name: [code] for name, code in codes.items()} | {"d": given("sft")}, given("sft"), known("sft"))
    assert [folders for _, folders in likenesses] == [["b", "c"], ["a"], ["d"]]


def test_an_installation_without_tests_knows_the_reference_and_the_mistakes(tmp_path, monkeypatch):
    monkeypatch.setattr(texts, "TESTS", tmp_path)
    names = list(texts.known(PROBLEMS["lora"]))
    assert names[0] == "the reference" and len(names) == 1 + len(known_mistakes(PROBLEMS["lora"]))
    assert all("known mistake" in name for name in names[1:])
    assert texts.known(Problem("none", "A copy without solutions", "09_none", ())) == {}


# --- honest students ----------------------------------------------------------------------------


@pytest.mark.parametrize("problem", ALL)
def test_right_solutions_of_strangers_are_not_accused_by_a_wide_margin(problem, monkeypatch):
    monkeypatch.setattr(similar, "KNOWN", 0.3)
    monkeypatch.setattr(similar, "PAIR", 0.4)
    solutions = {name: [code] for name, code in right(problem).items()}
    assert len(solutions) >= 20
    assert compare(solutions, given(problem), without_right_solutions(problem)) == ([], [])


def test_short_submissions_are_never_accused():
    one_method = "def delta_weight(self):\n    return self.scaling * (self.lora_B @ self.lora_A)\n"
    assert compare({"a": [one_method], "b": [one_method]}, given("lora"), known("lora")) == ([], [])


def test_what_a_large_part_of_the_room_writes_accuses_nobody_but_a_ring_of_five_is_seen():
    others = [(f"other{i}", code) for i, code in enumerate(right("peft").values())]
    own = {
        i: f"\n\ndef own_{i}(x):\n    return {' + '.join('[' * (i + 2) + 'x' + ']' * (i + 2) for _ in range(9))}"
        for i in range(9)
    }
    assert len(pairs(dict(others[:8]) | {f"ring{i}": reference("lora") + own[i] for i in range(5)})) == 10
    assert pairs(dict(others) | {f"usual{i}": reference("lora") + own[i] for i in range(9)}) == []


# --- copies of each other -----------------------------------------------------------------------


@pytest.mark.parametrize("problem", ALL)
def test_a_friends_solution_is_found_in_any_disguise(problem):
    friends = {f"friend{number}": code for number, code in enumerate(right(problem).values())}
    copy = friends["friend7"]
    for disguise in (renamed, reordered, bare, commented, lambda code: bare(reordered(renamed(code)))):
        assert pairs(friends | {"a-copy": disguise(copy)}, given(problem)) == [("a-copy", "friend7")]


def test_a_part_that_was_copied_and_continued_is_found():
    friend, mine = right("lora")["defensive_checks"], right("lora")["beginner_loops"]
    part = only(friend, "LoRALinear") + "\n\n" + only(friend, "inject_lora") + "\n\n" + only(mine, "merge_lora")
    assert pairs(right("lora") | {"a-part": renamed(part)}, given("lora")) == [("a-part", "defensive_checks")]


def test_equal_solutions_are_reported_however_many_they_are():
    copy = right("lora")["defensive_checks"]
    copies = {f"copy{i:02d}": bare(renamed(copy)) if i % 2 else copy for i in range(12)}
    found = compare({folder: [code] for folder, code in (right("peft") | copies).items()}, given("lora"), {})[1]
    assert found == [("copy00", name, 1.0) for name in sorted(copies)[1:]]


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
    assert [pair[:2] for pair in found[1]] == [("a", "half"), ("a", "z")]


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
    assert compare(sources, given("lora"), known("lora")) == ([("equals the reference", ["c", "d"])], [])


def test_no_depth_of_nesting_hides_a_function():
    sums = "1 + " * 600 + "1"
    nested = reference("lora").replace("        self.scaling = ", f"        extra = {sums}\n        self.scaling = ")
    chain = "".join(f"    elif x == {n}:\n        pass\n" for n in range(900))
    chain = f"if x == 0:\n    pass\n{chain.replace('    elif', 'elif')}else:\n" + "\n".join(
        f"    {line}" for line in reference("lora").splitlines()
    )
    found = told("lora", ada=nested, bob=chain)
    assert found["bob"] == "equals the reference" and found["ada"].endswith(" % of the reference")


def test_what_is_too_long_to_be_compared_is_told():
    found = told("lora", ada="x = 1\n" * 40_000 + reference("lora"))
    assert found == {"ada": "has more than 200,000 characters of code, so it was compared with nothing"}


def test_no_submissions_give_nothing():
    assert compare({}, [], {}) == ([], [])
    assert compare({"alone": [reference("lora")]}, [], {}) == ([], [])


def test_a_class_of_five_hundred():
    chance = random.Random(0)
    lines = [
        line
        for line in ast.unparse(ast.parse(reference("lora"))).splitlines()
        if line.startswith("    ") and line.strip()[-1] not in ":([{,"
    ]
    lines = [line.strip() for line in lines if functions([f"def f():\n    {line.strip()}"])]
    sources = {f"s{i}": "def f(self):\n    " + "\n    ".join(chance.choices(lines, k=40)) for i in range(500)}
    assert pairs(sources | {"copier": renamed(sources["s123"])}) == [("copier", "s123")]


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
    assert compare(sources, given("lora"), known("lora"))[0] == [("equals the reference", ["ada"])]


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
    assert compare({"ada": [reference("lora")]}, texts.handed_out(PROBLEMS["lora"]), known("lora"))[0] == [
        ("equals the reference", ["ada"])
    ]
