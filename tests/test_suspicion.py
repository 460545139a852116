"""What the instructor is told to look at in a submission: tricks are named with their place, and honest code is not."""

import ast

import pytest

from classroom.grading import runner, suspicion
from classroom.grading.suspicion import look, sentences
from grader import stubs
from grader.problems import PROBLEMS
from grader.program import Program, select
from grader.submission import Cell, Submission
from tests.conftest import needs_sandbox, write
from tests.trials import solutions, variants

LORA = PROBLEMS["lora"]
REFERENCE = LORA.reference.read_text(encoding="utf-8")
IMPORTS = REFERENCE[: REFERENCE.index("class LoRALinear")]
PASSED = [{"stub": stub, "status": "passed"} for stub in LORA.stubs]


def found_in(code: str, folder, label: str = "code cell 1") -> list[dict]:
    """What is found in code of which all is run, apart from stubs that it does not write."""
    program = Program([(Cell(label, code), ast.parse(code).body)], [], set())
    return [one for one in look(program, LORA, folder) if one["kind"] != suspicion.UNWRITTEN]


def said_of(cells: list[Cell], folder, checks=()) -> list[str]:
    return sentences(look(select(cells, LORA.parts), LORA, folder), checks)


TRICKS = {
    "process": """
        from sys import _getframe as g | import sys as s; s._current_frames()
        import sys; t = sys; getattr(t, "set" + "trace")(f)
        import sys; getattr(sys, "".join(["_get", "frame"]))() | from inspect import getargvalues | from inspect import *
        import inspect as i; i.stack() | import gc; gc.get_referrers(x) | from traceback import walk_stack | f.gi_frame
        import sys; keep = [sys] | import sys; f(sys) | import torch; torch.sys._getframe()
        import threading; threading.settrace(f)
        def f(e): return e.__traceback__.tb_frame | import operator; operator.attrgetter("f_back.f_locals")(x) | c.cr_frame
        n = "f_" + "back"; getattr(x, n) | import sys; vars(sys)["_get" + "frame"] | import weakref; weakref.getweakrefs(x)
        import sys; sys.monitoring | import sys; sys.addaudithook(f) | exec("import gc as g; g.get_objects()") | import _thread
        import random; random._sys.settrace(f) | import sys; [s for s in (sys,)][0].settrace(f)""",
    "insides": """
        f.__globals__ | f.__code__ | f.__closure__[0].cell_contents | object.__subclasses__() | getattr(f, "__glo" + "bals__")
        __builtins__["eval"] | print.__self__ | f.__defaults__ = ()""",
    "grader": """
        from grader import wire | import classroom.grading.inside | import importlib; importlib.import_module("gra" + "der.wire")
        __import__("grader.wire") | import sys; sys.modules["grader." + "wire"] | import __main__""",
    "replaces": """
        import torch; torch.add = f | from torch import nn; nn.Linear.forward = f | import torch; setattr(torch, "add", f)
        import torch, json; [setattr(m, "x", 1) for m in (torch, json)] | import torch; vars(torch)["add"] = f
        import torch; torch.__dict__.update(add=f) | import builtins as b; b.isinstance = f
        from torch import nn as n; del n.Linear
        import torch; torch.Tensor.__setattr__(torch.nn, "Linear", f)
        import torch, functools; functools.partial(setattr, torch, "add")(f)""",
    "text": """
        exec(x) | e = eval; e(x) | import builtins; builtins.compile(x, "", "exec") | import pickle; pickle.loads(x)
        list(map(exec, x))""",
    "roundabout": """
        import sys; getattr(sys, x) | import torch; getattr(torch.nn, x) | getattr(x, "kcab_f"[::-1]) | import base64
        import sys; sys.modules | getattr(x, "".join(chr(n) for n in (102, 95)))
        getattr(x, bytes.fromhex("665f6261636b").decode()) | globals()[x] | f(globals()) | import importlib | __import__("json")
        import torch; torch.__dict__[x]""",
    "memory": """
        import ctypes | x.numpy().__array_interface__ | import numpy as np; np.lib.stride_tricks.as_strided(x)
        x.numpy().ctypes
        from numpy import ctypeslib as c; c.as_array(x)""",
    "hooks": """
        from torch.overrides import TorchFunctionMode | import torch; torch._C | def __torch_function__(self): return x
        from torch.nn.modules.module import register_module_forward_hook""",
    "lies": """
        class A(type): __instancecheck__ = f | type("A", (), {"__eq__": lambda a, b: True}) | class A: __class__ = property(f)
        class A: __contains__ = lambda self, other: True""",
    "system": """
        import multiprocessing | import signal; signal.signal(1, f) | open("x") | o = open | from pathlib import Path
        import os as o; o.listdir() | import threading; threading.Thread(target=f) | from io import open
        import random; random._os.fork()""",
    "imports": "import peft | from trl import SFTTrainer | import transformers_of_mine.models",
}
LINES = [(kind, line.strip()) for kind, lines in TRICKS.items() for line in lines.strip().splitlines()]
CASES = [(kind, code) for kind, line in LINES for code in line.split(" | ")]


@pytest.mark.parametrize("kind, code", CASES)
def test_a_trick_is_found(kind, code, tmp_path):
    assert kind in [one["kind"] for one in found_in(code, tmp_path)]


@pytest.mark.parametrize(
    "kind, code",
    [
        ("process", "def f(x):\n    match x:\n        case object(f_back=caller):\n            return caller"),
        ("roundabout", "def f():\n    global s\n    import sys as s\n\ndef g():\n    return s.modules"),
        ("roundabout", "import sys\n\nclass A:\n    sys = None\n\n    def f(self):\n        return sys.modules"),
        ("process", "import sys\n\nclass A:\n    held = sys"),
        ("roundabout", "import sys\n\ndef f(s=sys):\n    return s.modules"),
        ("lies", "class A:\n    def __eq__(self, other):\n        return True"),
        ("lies", "class A:\n    pass\n\nA.__eq__ = lambda self, other: True"),
        ("replaces", "import torch\n\nfor torch.add in [f]:\n    pass"),
    ],
)
def test_a_trick_of_several_lines_is_found(kind, code, tmp_path):
    assert kind in [one["kind"] for one in found_in(code, tmp_path)]


HONEST = """
import copy, functools, gc, inspect, io, logging, math, operator, os, re, sys, types, warnings, weakref
from collections import namedtuple
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

logger = logging.getLogger(__name__)
sys.path.insert(0, "..")
os.environ["OMP_NUM_THREADS"] = os.path.join("1", "")
torch.backends.cudnn.deterministic = True
torch.manual_seed(0)
gc.collect()
Count = namedtuple("Count", "trainable total")
kernel = torch.jit.script(F.gelu)
globals()["helper"] = Count
pattern = re.compile("bias$")

def checked(function):
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    return functools.wraps(function)(lambda *given: function(*given)), names, inspect.signature(function).parameters

class Wrapped(nn.Module):
    def __init__(self, base: "nn.Linear"):
        super().__init__()
        self.base = base
        self.base.weight.requires_grad = False
        self.__dict__["model"] = weakref.ref(base)
        object.__setattr__(self, "owner", base)
        nn.Module.__setattr__(self, "other", base)

    def __getattr__(self, name):
        return getattr(super().__getattr__("base"), name)

    def __eq__(self, other):
        return isinstance(other, Wrapped) and self.base == other.base

Wrapped.merge = lambda self: None
setattr(Wrapped, "unmerge", types.MethodType(Wrapped.merge, None))

def inject(model, path, names):
    if locals()["path"] < 1:
        raise ValueError(f"{path} of {model.__class__.__name__}")
    parent = functools.reduce(getattr, path.split("."), model)
    copy = parent.eval()
    copy.weight = operator.attrgetter("base.weight")(model)
    f_code = parent
    while f_code:
        f_code = f_code.next
    for name in names:
        getattr(parent, f"weight")
        setattr(parent, name, Wrapped(getattr(parent, f"lora_{name}")))
        getattr(parent, "lora_A" if name else "lora_B").data_ptr()
    model.__class__ = Wrapped
    with warnings.catch_warnings(), torch.no_grad():
        torch._foreach_mul_([p.grad for p in model.parameters()], 2)
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
"""


def test_honest_code_is_not_named(tmp_path):
    assert found_in(HONEST, tmp_path) == []


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=list(PROBLEMS))
def test_right_solutions_are_not_named(problem, tmp_path):
    reference = Submission([Cell("reference", problem.reference.read_text(encoding="utf-8"))])
    for name, right in ({"reference": reference} | variants(problem) | solutions("right", problem)).items():
        assert look(select(right.cells, problem.parts), problem, tmp_path) == [], name


# --- where ----------------------------------------------------------------------------------------


def test_the_cell_and_the_line_are_told(tmp_path):
    trick = "\n\ndef merge_lora(model):\n    return open(model)"
    cells = [Cell("code cell 1", REFERENCE), Cell("code cell 2 (under “A”)", trick)]
    said = "In code cell 2 (under “A”), line 4, the code may use files, processes, threads or signals: `open`."
    assert said_of(cells, tmp_path) == [said]


def test_code_that_the_grader_does_not_run_is_not_looked_at(tmp_path):
    unused = [Cell("code cell 2", "import ctypes\nopen('x')"), Cell("a text", "f.__globals__", "Markdown")]
    assert said_of([Cell("code cell 1", REFERENCE), *unused], tmp_path) == []


def test_a_cell_that_is_broken_hides_no_other(tmp_path):
    good = Cell("code cell 2", f"{REFERENCE}\n%matplotlib inline\nmerge_lora.x = merge_lora.__code__")
    cells = [Cell("code cell 1", "def f(:"), good]
    assert ["`__code__`" in sentence for sentence in said_of(cells, tmp_path)] == [True]


def test_modules_beside_are_looked_at_and_are_no_strange_import(tmp_path):
    write(tmp_path, "helper.py", "import sys as hidden\nfrom other import x\n")
    write(tmp_path, "other.py", "x = 1\n\nx.f_back\n")
    write(tmp_path, "unused.py", "import ctypes\n")
    found = found_in("from helper import hidden\nhidden.modules", tmp_path)
    places = [(one["name"], one["cell"], one["line"]) for one in found]
    assert places == [("f_back", "other.py", 3), ("sys.modules", "code cell 1", 2)]


def test_a_package_beside_is_looked_at_file_by_file(tmp_path):
    (tmp_path / "tools").mkdir()
    write(tmp_path, "tools/__init__.py", "x = 1\nx.f_back\n")
    write(tmp_path, "tools/more.py", "import os\nos.fork()\n")
    found = found_in("import tools.more", tmp_path)
    assert [(one["name"], one["cell"]) for one in found] == [("f_back", "tools/__init__.py"), ("os.fork", "tools/more.py")]


def test_a_file_beside_with_the_name_of_a_library_hides_nothing(tmp_path):
    write(tmp_path, "ctypes.py", "x = 1\n")
    assert [one["name"] for one in found_in("import ctypes", tmp_path)] == ["ctypes"]


def test_text_that_is_run_is_looked_at_where_it_is_run(tmp_path):
    (found,) = found_in("x = 1\n\nexec('y = 1\\nimport ctypes\\n')", tmp_path)
    assert (found["name"], found["line"]) == ("ctypes", 3)


# --- stubs that nobody has written --------------------------------------------------------------

BLANK = {cell: stubs.blank(LORA, cell) for cell in LORA.cells}
SOLVED = {cell: stubs.solved(LORA, cell) for cell in LORA.cells}


def without(stub: str, instead: str) -> list[Cell]:
    return [Cell("code cell 1", IMPORTS), *(Cell(cell[0], instead if stub in cell else SOLVED[cell]) for cell in LORA.cells)]


@pytest.mark.parametrize("stub", ["inject_lora", "LoRALinear", "LoRALinear.delta_weight", "merge_lora"])
@pytest.mark.parametrize("gone", [False, True])
def test_checks_that_pass_without_code_are_named(stub, gone, tmp_path):
    (cell,) = [cell for cell in LORA.cells if stub in cell]
    cells = without(stub, "" if gone else BLANK[cell])
    assert f"1 check of `{stub}` passes, although the code does not write it." in said_of(cells, tmp_path, PASSED)
    assert said_of(cells, tmp_path, [{"stub": stub, "status": "todo"}] * 3) == []


def test_the_checks_that_pass_are_counted(tmp_path):
    checks = [{"stub": "inject_lora", "status": status} for status in ("passed", "failed", "passed", "passed")]
    said = "3 checks of `inject_lora` pass, although the code does not write it."
    assert said_of(without("inject_lora", ""), tmp_path, checks) == [said]


@pytest.mark.parametrize(
    "code",
    [
        "inject_lora = lambda *given: []",
        "def other(*given):\n    return []\n\nglobals()['inject_lora'] = other",
        "from helper import inject_lora",
        "for name in NAMES:\n    globals()[name] = print",
        "exec(TEXT)",
        "if True:\n    def inject_lora(*given):\n        return []",
    ],
)
def test_a_stub_that_is_filled_elsewhere_is_written(code, tmp_path):
    cells = [*without("inject_lora", BLANK[("inject_lora",)]), Cell("last", code)]
    assert not [sentence for sentence in said_of(cells, tmp_path, PASSED) if "does not write" in sentence]


@pytest.mark.parametrize(
    "code",
    [
        "class LoRALinear(LoRALinear):\n    def delta_weight(self):\n        return 1",
        "def put(f):\n    setattr(LoRALinear, f.__name__, f)\n\n@put\ndef delta_weight(self):\n    return 1",
        "LoRALinear.delta_weight = lambda self: 1",
        "setattr(LoRALinear, 'delta_weight', lambda self: 1)",
    ],
)
def test_a_method_that_is_put_on_its_class_is_written(code, tmp_path):
    cells = [*without("LoRALinear.delta_weight", ""), Cell("last", code)]
    assert not [sentence for sentence in said_of(cells, tmp_path, PASSED) if "does not write" in sentence]


# --- what is said -------------------------------------------------------------------------------


def test_three_sentences_are_said_the_worst_first(tmp_path):
    code = "import peft\nimport os\nos.listdir()\nimport sys\nsys._getframe().f_back.f_locals\nimport torch\ntorch.add = 1\n"
    said = sentences(found_in(code, tmp_path), [])
    assert len(said) == 3
    assert said[0] == "In code cell 1, line 7, the code puts something of its own in the place of `torch.add`."
    assert "`f_locals`, `f_back`, `sys._getframe`" in said[1] and said[2].endswith("`os.listdir`. And 1 more.")


def test_many_names_of_one_kind_are_cut(tmp_path):
    (said,) = sentences(found_in("import os\nos.a, os.b, os.c, os.d, os.e, os.f", tmp_path), [])
    assert said.endswith("`os.a`, `os.b`, `os.c`, `os.d` and 2 more.")


BOMBS = {
    "a chain of attributes": "x" + ".a" * 400,
    "names that are bound to each other": "a = b\nb = a\na = a.c\n",
    "more and more origins": "import sys as x0\n" + "\n".join(f"x{i + 1} = x{i}.a if f else x{i}.b" for i in range(60)),
    "a chain of names": "import sys\nx0 = sys\n" + "\n".join(f"x{i + 1} = x{i}" for i in range(2000)),
    "a long sum": "x = " + " + ".join(["'a'"] * 900),
    "text in text": f"exec({f'exec({chr(34)}import ctypes{chr(34)})'!r})",
    "many findings": "import os\n" + "\n".join(f"os.a{i}" for i in range(2_000)),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_a_sentence_at_most(name, tmp_path):
    found = found_in(BOMBS[name], tmp_path, label="x" * 100_000)
    assert len(found) <= suspicion.MOST and len(str(found)) < 60_000 and len(sentences(found, [])) <= 1


def test_a_module_beside_that_is_a_bomb_costs_a_sentence(tmp_path):
    write(tmp_path, "helper.py", "x = " + "-" * 100_000 + "1")
    (found,) = found_in("import helper", tmp_path)
    assert (found["kind"], found["cell"]) == ("unread", "helper.py")


# --- in a class ---------------------------------------------------------------------------------


@needs_sandbox
def test_a_submission_cannot_take_back_what_was_said_of_it():
    attack = """
class LoRALinear(LoRALinear):
    import sys
    for module in list(sys.modules.values()):
        if hasattr(module, "suspicion"):
            module.suspicion.look = print
"""
    code = REFERENCE + attack
    try:
        result = runner.grade_job(runner.Job("ada", "lora", (("lora.py", 1, code.encode()),), 2021, "key"))
    finally:
        runner.close()
    assert any("`sys.modules" in sentence for sentence in result["suspicions"])
