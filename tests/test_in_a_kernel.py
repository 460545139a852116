"""check() and hint() in a real kernel: what they say of cells that were run, run again, mended, or not run."""

import re

import pytest
from jupyter_client.manager import start_new_kernel

from grader import stubs
from grader.problems import ROOT

START = 'from grader.notebook import start\ncheck, hint = start("lora")'
SETUP = "import math\nfrom collections.abc import Sequence\nimport torch\nimport torch.nn.functional as F\nfrom torch import nn"


class Kernel:
    """A kernel, asked as JupyterLab does it: each request names its cell."""

    def __init__(self):
        self.manager, self.client = start_new_kernel(cwd=str(ROOT / "notebooks"), startup_timeout=120)

    def run(self, source: str, cell: str = "", store_history: bool = True) -> tuple[str, int]:
        """Run a cell. Returns its text, errors too, and the number that the front end shows beside it."""
        content = {"code": source, "silent": False, "store_history": store_history, "allow_stdin": False}
        content |= {"user_expressions": {}, "stop_on_error": False}
        message = self.client.session.msg("execute_request", content, metadata={"cellId": cell})
        self.client.shell_channel.send(message)
        said, number = [], 0
        while True:
            reply = self.client.get_iopub_msg(timeout=120)
            if reply["parent_header"].get("msg_id") != message["header"]["msg_id"]:
                continue
            kind, told = reply["msg_type"], reply["content"]
            number = told["execution_count"] if kind == "execute_input" else number
            said.append(told.get("text", "") + "\n".join(told.get("traceback", [])))
            said.append(told.get("data", {}).get("text/plain", ""))
            if kind == "status" and told["execution_state"] == "idle":
                return "".join(said), number

    def begin(self) -> "Kernel":
        """Forget what was run, as after a restart, and run the notebook's first cell."""
        self.run("import grader.notebook as n, IPython; n._SESSIONS.clear(); IPython.get_ipython().events.reset_all()")
        self.run(f"{SETUP}\n{START}", "start")
        return self


@pytest.fixture(scope="module")
def process():
    kernel = Kernel()
    yield kernel
    kernel.client.stop_channels()
    kernel.manager.shutdown_kernel(now=True)


@pytest.fixture
def kernel(process):
    """A kernel that has run the first cell of the notebook, and nothing else that the grader knows of."""
    return process.begin()


@pytest.fixture(scope="module")
def code():
    """The solved stub cells of the problem LoRA, by their first stub."""
    from grader.problems import PROBLEMS

    problem = PROBLEMS["lora"]
    return {cell[0]: stubs.solved(problem, cell) for cell in problem.cells}


def test_nothing_run_yet(kernel):
    said, _ = kernel.run('check("LoRALinear")')
    assert said == "`LoRALinear` is not known to this kernel yet. Run its cell, then check again."
    assert kernel.run('check("sft_loss")')[0].endswith("It stands in the notebook 06_problem_sft.")
    said, _ = kernel.run("check()")
    assert said == "None of the stubs of LoRA is known to this kernel yet. Run their cells, then check again."


def test_a_stub_whose_cell_was_not_run(kernel, code):
    kernel.run(code["LoRALinear"], "class")
    said, _ = kernel.run('check("inject_lora")')
    assert said.count("`inject_lora` is not known to this kernel yet. Run its cell, then check again.") == 1
    assert "reset" not in said and "another problem" not in said
    assert "0 of 15 points" not in kernel.run('check("LoRALinear")')[0]
    assert kernel.run('hint("inject_lora")')[0].startswith("`inject_lora` is not known to this kernel yet.")


def test_a_class_that_was_run_again_loses_its_methods(kernel, code):
    for name in ("LoRALinear", "LoRALinear.delta_weight", "LoRALinear.merge", "LoRALinear"):
        kernel.run(code[name], name)
    said, _ = kernel.run('check("LoRALinear.merge")')
    assert said.count("run its cell after the class's") == 1
    assert "`LoRALinear.merge` is not on the class. If you have written it, run its cell after the class's." in said
    kernel.run(code["LoRALinear.merge"], "LoRALinear.merge")
    kernel.run(code["LoRALinear.delta_weight"], "LoRALinear.delta_weight")
    assert "solved" in kernel.run('check("LoRALinear.merge")')[0]


@pytest.mark.parametrize("store_history", [True, False])
def test_cells_are_cited_by_the_number_that_the_front_end_shows(kernel, code, store_history):
    kernel.run(code["LoRALinear"], "class")
    kernel.run("1 + 1", store_history=False)  # a cell that takes no number of its own
    broken = "def delta_weight(self):\n    return self.nothing\nLoRALinear.delta_weight = delta_weight"
    _, number = kernel.run(broken, "delta", store_history)
    said, _ = kernel.run('check("LoRALinear.delta_weight")')
    assert f"in In [{number}], line 2: `return self.nothing`" in said
    said, number = kernel.run(broken + '\ncheck("LoRALinear.delta_weight")')  # the cell that is running
    assert f"in In [{number}], line 2: `return self.nothing`" in said


def test_a_syntax_error_counts_until_it_is_mended(kernel, code):
    kernel.run(code["LoRALinear"], "class")
    _, number = kernel.run("def inject_lora(model:\n    return 1", "inject")
    assert f"Syntax error in In [{number}], line 1" in kernel.run('check("inject_lora")')[0]
    kernel.run(code["inject_lora"], "inject")
    assert "Syntax error" not in kernel.run('check("inject_lora")')[0]


@pytest.mark.parametrize("broken", ["x = (1,", "def inject_lora(model:\n    return 1"])
def test_a_syntax_error_is_mended_by_another_cell(kernel, code, broken):
    kernel.run(code["LoRALinear"], "class")
    kernel.run(broken, "one")
    kernel.run(code["inject_lora"], "two")
    assert "Syntax error" not in kernel.run('check("inject_lora")')[0]


def test_a_blank_copy_that_was_run_last_is_told_and_a_cell_run_again_is_none(kernel, code, lora):
    kernel.run(code["LoRALinear"], "class")
    blank = stubs.blank(lora, ("inject_lora",))
    kernel.run(blank, "inject")
    _, number = kernel.run(code["inject_lora"], "inject")
    kernel.run(code["inject_lora"], "inject")
    assert "twice" not in kernel.run('check("inject_lora")')[0]
    kernel.run(blank, "copy")
    said, _ = kernel.run('check("inject_lora")')
    assert said.count(f"`inject_lora` is defined twice: in In [{number + 1}], and then as a blank stub") == 1


@pytest.mark.parametrize(
    "call, words",
    [
        ('check("LoraLinear")', "There is no `LoraLinear`. Did you mean `LoRALinear`?"),
        ('check("LoRALinear.forword")', "There is no `LoRALinear.forword`. Did you mean `LoRALinear"),
        ('hint("injectLora")', "There is no `injectLora`. Did you mean `inject_lora`?"),
        ('check("xyzzy")', "There is no `xyzzy`. There are `LoRALinear`, `LoRALinear.delta_weight`"),
        ('check("sft_los")', "There is no `sft_los`. Did you mean `sft_loss`?"),
        ('check("LoRALinear", "sft_loss")', "belong to different problems"),
        ("check(3)", "Name what you mean, for example `LoRALinear`."),
        ("check(LoRALinear)", "LoRALinear: solved"),
        ("check(LoRALinear.merge)", "LoRALinear.merge: solved"),
        ("check(LoRALinear.forward)", "LoRALinear: solved"),
        ("check(LoRALinear, LoRALinear.merge)", "LoRALinear.merge: solved"),
        ("hint(LoRALinear.merge)", "There is nothing to hint at."),
    ],
)
def test_names_and_objects(all_run, call, words):
    assert words in all_run.run(call)[0]


@pytest.fixture(scope="module")
def all_run(process, code):
    process.begin()
    for name, source in code.items():
        process.run(source, name)
    return process


def test_the_hint_is_for_the_check_that_is_shown_first(kernel, code):
    kernel.run(code["LoRALinear"].replace("alpha / rank", "1.0"), "class")
    said = kernel.run('check("LoRALinear")')[0]
    title = re.search("What must hold: (.*)", said)[1]
    assert kernel.run('hint("LoRALinear")')[0].startswith(f"{title}\nHint 1 of 3: ")
