"""Which statements of a submission are run, and that they run as Python runs them."""

import ast
import dataclasses
import inspect
from dataclasses import replace

import pytest

from grader import stubs
from grader.problems import PROBLEMS
from grader.program import imports, module_of, run, select
from grader.submission import Cell, read

DEFINES = "def f(x):\n    return x"


def cells_of(*sources: str) -> list[Cell]:
    return [Cell(str(number), source) for number, source in enumerate(sources)]


def kept(*sources: str, names=("f",)) -> list[str]:
    program = select(cells_of(*sources), set(names))
    return [ast.unparse(statement) for _, statements in program.parts for statement in statements]


def ran(*sources: str, names=("f",)):
    """The module of a submission. An exception of a statement is raised."""
    program = select(cells_of(*sources), set(names))
    module = module_of(program, lambda cell: f"<{cell.label}>")
    for _, _, error in run(program, module, lambda cell: f"<{cell.label}>"):
        if error:
            raise error
    return module


# Code that registers, patches or fills, in front of an `f` that needs it: f(1) is 2.
SIDE_EFFECTS = {
    "a registry filled by a decorator": (
        "REGISTRY = {}\ndef register(name):\n    def keep(g):\n        REGISTRY[name] = g\n        return g\n    return keep",
        "@register('double')\ndef _(x): return 2 * x",
        "def f(x): return REGISTRY['double'](x)",
    ),
    "a registry with a method": (
        "class Registry(dict):\n    def add(self, name):\n        return lambda g: self.setdefault(name, g)\nLAYERS = Registry()",
        "@LAYERS.add('double')\ndef _double(x): return 2 * x",
        "def f(x): return LAYERS['double'](x)",
    ),
    "singledispatch": (
        "import functools\n@functools.singledispatch\ndef f(x): return 0",
        "@f.register\ndef _(x: int): return 2 * x",
    ),
    "register called": ("import functools\n@functools.singledispatch\ndef f(x): return 0\nf.register(int, lambda x: 2 * x)",),
    "a list that is filled": ("STEPS = []", "STEPS.append(lambda x: 2 * x)", "def f(x): return STEPS[0](x)"),
    "a dict that is updated": ("TABLE = dict(k=0)\nTABLE.update(k=2)", "def f(x): return TABLE['k'] * x"),
    "an entry in a loop": ("TABLE = {}\nfor k in (2,):\n    TABLE['k'] = k", "def f(x): return TABLE['k'] * x"),
    "patch_to": (
        "def patch_to(cls):\n    def put(g):\n        setattr(cls, g.__name__, g)\n        return g\n    return put",
        "class f:\n    def __new__(cls, x): return cls.go(x)",
        "@patch_to(f)\ndef go(x): return 2 * x",
    ),
    "patch by annotation": (
        "import typing\ndef patch(g):\n    cls = list(typing.get_type_hints(g).values())[0]\n    setattr(cls, g.__name__, g)\n    return g",
        "class A: pass",
        "@patch\ndef go(self: A, x): return 2 * x",
        "def f(x): return A().go(x)",
    ),
    "patch by a string": (
        "def patch(g):\n    cls = globals()[next(iter(g.__annotations__.values()))]\n    setattr(cls, g.__name__, g)",
        "class A: pass",
        "@patch\ndef go(self: 'A', x): return 2 * x",
        "def f(x): return A().go(x)",
    ),
    "patch on a class of a library": (
        "import inspect\ndef patch(g):\n    cls = next(iter(inspect.signature(g).parameters.values())).annotation\n"
        "    setattr(cls, g.__name__, g)\n    return g",
        "import collections",
        "@patch\ndef double_of_mine(self: collections.Counter, x): return 2 * x",
        "def f(x): return collections.Counter().double_of_mine(x)",
    ),
    "attach": (
        "def attach(cls, *methods):\n    for method in methods:\n        setattr(cls, method.__name__, method)",
        "class A: pass\ndef go(self, x): return 2 * x",
        "attach(A, go)",
        "def f(x): return A().go(x)",
    ),
    "attach through another function": (
        "def put(owner, g):\n    owner.go = g\ndef attach(cls, g):\n    put(cls, g)",
        "class A: pass",
        "attach(A, lambda self, x: 2 * x)",
        "def f(x): return A().go(x)",
    ),
    "a loop over classes": (
        "class A: pass\nclass B: pass\nfor cls in (A, B):\n    cls.go = lambda self, x: 2 * x",
        "def f(x): return A().go(x)",
    ),
    "methods from a dict": (
        "class A: pass\nfor name, g in {'go': lambda self, x: 2 * x}.items():\n    setattr(A, name, g)",
        "def f(x): return A().go(x)",
    ),
    "another name for the class": ("class A: pass\nAlias = A\nAlias.go = lambda self, x: 2 * x", "def f(x): return A().go(x)"),
    "init_subclass": (
        "class Base:\n    kinds = {}\n    def __init_subclass__(cls, key, **more):\n        Base.kinds[key] = cls",
        "class Double(Base, key='double'):\n    def go(self, x): return 2 * x",
        "def f(x): return Base.kinds['double']().go(x)",
    ),
    "a metaclass": (
        "KINDS = {}\nclass Meta(type):\n    def __init__(cls, name, bases, body):\n        KINDS[name] = cls",
        "class Double(metaclass=Meta):\n    def go(self, x): return 2 * x",
        "def f(x): return KINDS['Double']().go(x)",
    ),
    "a global set by a call": ("K = 0\ndef set_up():\n    global K\n    K = 2\nset_up()", "def f(x): return K * x"),
    "globals()": ("globals()['factor'] = 2", "def f(x): return factor * x"),
    "looked up by a string": ("def double(x): return 2 * x", "def f(x): return globals()['double'](x)"),
    "exec": ("exec('factor = 2')", "def f(x): return factor * x"),
    "a module's own attribute": ("import sys\nsetattr(sys.modules[__name__], 'factor', 2)", "def f(x): return factor * x"),
    "update_wrapper": (
        "import functools\ndef g(x):\n    'two'\ndef f(x): return len(f.__doc__) - 2 + x\nfunctools.update_wrapper(f, g)",
    ),
    "a method registered on the class": (
        "class Area:\n    ways = []\n    @classmethod\n    def use(cls, g): cls.ways.append(g)\nArea.use(lambda x: 2 * x)",
        "def f(x): return Area.ways[0](x)",
    ),
    "deleted": ("TABLE = {0: 3, 1: 2}\ndel TABLE[0]", "def f(x): return min(TABLE.values(), default=0) * x if len(TABLE) == 1 else 0"),
    "one that fills itself": ("def f(x): return f.factor * x\nf.factor = 2",),
    "string annotations": (
        "from __future__ import annotations\nfrom dataclasses import dataclass\n@dataclass\nclass P:\n    k: Later = 2\nclass Later: pass",
        "def f(x): return P().k * x",
    ),
    "forward references": ("from __future__ import annotations", "def f(x: Never) -> NeverEither: return 2 * x"),
    "a protocol under TYPE_CHECKING": (
        "from __future__ import annotations\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from nowhere import Thing",
        "def f(x: Thing): return 2 * x",
    ),
    "its own source": ("import inspect\ndef double(x): return 2 * x", "def f(x): return 2 * x if 'return 2' in inspect.getsource(double) else 0"),
    "a main guard": ("K = 2\nif __name__ == '__main__':\n    K = 5", "def f(x): return K * x"),
}


@pytest.mark.parametrize("sources", SIDE_EFFECTS.values(), ids=SIDE_EFFECTS)
def test_what_changes_a_needed_thing_is_run(sources):
    assert ran(*sources).f(1) == 2
    assert ran("\n\n".join(sources)).f(1) == 2, "in one cell"


USES = {
    "a call": "f(3)",
    "a training": "history = train(f)\nhistory.append(3)",
    "a check": "from grader.notebook import start\ncheck, hint = start('lora')\ncheck('f')\ncheck(f)",
    "a figure": "import matplotlib.pyplot as plt\nplt.plot(f(3))\nplt.show()",
    "its gradients": "f(3).backward()\nf(x=3)[0].loss.backward()",
    "a print": "print(f)\nhelp(f)\nimport inspect\nprint(inspect.getsource(f))",
    "a loop": "losses = []\nfor x in range(3):\n    losses.append(f(x))",
    "a demonstration of its own": "def demo(g):\n    losses = []\n    losses.append(g(3))\n    print(losses)\ndemo(f)",
    "an object": "thing = f(3)\nthing.go()\nthing.x = 3",
    "a seed": "import torch\ntorch.manual_seed(3)\nimport numpy as np\nnp.random.seed(3)",
    "a subclass": "class Other(f): pass\nOther(3)",
    "a wrapper": "import functools\nimport torch\n@torch.no_grad()\ndef report(x): return f(x)\nreport(3)",
    "variables of another thing": "def put(o, n, v): vars(o)[n] = v\nthing = train(f)\nput(thing, 'x', 1)",
    "a typed wrapper": "import torch\nfrom torch import nn\n@torch.no_grad()\ndef report(m: nn.Module): return f(m)\nreport(3)",
}


@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_what_only_uses_it_is_not_run(use):
    assert kept(DEFINES, use) == [DEFINES]


def test_a_name_in_a_string_is_not_looked_up_by_getattr():
    source = "def f(x):\n    'A model with a weight.'\n    return getattr(x, 'weight')"
    assert len(kept("weight = train()\nmodel = train()", source)) == 1
    looks = "def f(x):\n    'A model.'\n    return globals()['weight']"
    assert kept("weight = 3\nmodel = train()", looks)[0] == "weight = 3" and len(kept("weight = 3\nmodel = train()", looks)) == 2


def test_a_class_may_have_the_name_of_its_base():
    assert len(kept("class f: pass", "class f(f):\n    def go(self): return 1", "class A(B): pass\nclass B(A): pass")) == 2


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
def test_the_experiments_of_the_courses_notebooks_are_not_run(problem):
    def solved(cell: Cell) -> Cell:
        found = [stub_cell for stub_cell in problem.cells if set(stub_cell) & set(cell.stubs)]
        return replace(cell, source=stubs.solved(problem, found[0])) if found else cell

    cells = [solved(cell) for cell in read(problem.notebook_path(".ipynb")).cells]
    experiments = [
        ast.unparse(statement)
        for cell, statements in select(cells, problem.parts).parts
        for statement in statements
        if not cell.stubs and not isinstance(statement, (ast.Import, ast.ImportFrom, ast.ClassDef))
    ]
    assert set(experiments) <= {"IGNORE_INDEX = -100"}


def test_a_plain_method_of_a_class_is_a_use():
    assert kept("class f:\n    def go(self): return 1", "f.go(f())") == ["class f:\n\n    def go(self):\n        return 1"]


def test_paths_are_set_before_modules_beside_the_file_are_imported():
    assert kept("import sys\nsys.path.insert(0, 'more')", "from helpers import g", "def f(): return g()")[1].startswith("sys.path")
    assert kept("import sys\nsys.path.insert(0, 'more')") == []


def test_code_lies_in_a_module_that_others_find(tmp_path):
    module = ran("import dataclasses\n@dataclasses.dataclass\nclass f:\n    x: 'int' = 1\n    def go(self):\n        return self.x")
    assert dataclasses.asdict(module.f()) == {"x": 1}
    assert inspect.getsource(module.f.go).strip().startswith("def go") and "class f" in inspect.getsource(module.f)


def test_a_class_of_several_cells_has_its_source():
    module = ran("import math", "K = 2", "class f:\n    k = K * math.pi")
    assert inspect.getsource(module.f) == "class f:\n    k = K * math.pi\n"


def test_line_numbers_are_those_of_the_cell():
    with pytest.raises(ZeroDivisionError) as raised:
        ran("\n\n\ndef f(x):\n\n    return 1 / 0").f(1)
    assert raised.traceback[-1].lineno + 1 == 6


def test_a_statement_that_fails_does_not_stop_the_next():
    program = select(cells_of("K = 1 / 0\nJ = 2\ndef f(): return (K, J)"), {"f"})
    module = module_of(program, lambda cell: "<a>")
    errors = [type(error) for _, _, error in run(program, module, lambda cell: "<a>")]
    assert errors == [ZeroDivisionError, type(None), type(None)] and module.J == 2


def test_imports_are_found_at_any_depth():
    found = imports(cells_of("import a.b as c", "def f():\n    from d import e\n    from . import g", "broken(", "%magic\nimport h"))
    assert found == {("a.b", ""), ("d", "e"), ("h", "")}


def test_a_long_file_is_chosen_from_without_reading_all_of_it():
    source = "\n".join(f"def g{n}(x):\n    return x + {n}" for n in range(3000))
    assert len(kept(f"{source}\ndef f(x): return g7(x)")) == 2
