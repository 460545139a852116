"""What a solution may import: torch, numpy, the standard library, modules beside it, the references of other problems, and of
transformers the schedules.

A library such as PEFT would answer in a solution's place, and most others cost seconds. So they are not there when a solution
is graded, on the learner's own machine as little as in a classroom.
"""

import builtins
import importlib
import importlib.util
import sys
from collections.abc import Collection
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import ModuleType

from grader.program import imports, modules_beside, run, select
from grader.references import PACKAGE, asked
from grader.submission import Cell

ALLOWED = {"torch", "numpy", "transformers"} | sys.stdlib_module_names
SOURCES = (
    "utils/generic.py",
    "trainer_utils.py",
    "trainer_pt_utils.py",
    "optimization.py",
)  # of the schedules, and what they need
INSTALLED = {"site-packages", "dist-packages"}  # folders of what is installed: for all, for a user, in an environment
NOT_THERE = "is there when a solution is graded"
NEEDS = (
    "A solution needs torch, numpy and the standard library; of transformers, it can import the schedules of the learning "
    "rate. A module of your own must lie beside your notebook, and is handed in with it."
)


def is_installed(module: str) -> bool:
    """Whether a module is one of a library. One that lies beside the submission is its author's own, and may do anything."""
    try:
        spec = importlib.util.find_spec(module.partition(".")[0])
    except (ImportError, ValueError):
        return False
    return spec is not None and not INSTALLED.isdisjoint(Path(spec.origin or "").parts)


def prepare(cells: list[Cell], folder: Path, references: Collection[str]) -> None:
    """Import what code imports anywhere, so that no check pays for that in time. From now on, code can import nothing else.

    Args:
        folder: where the modules beside the submission lie.
        references: the modules of other problems that it may import.
    """
    beside = modules_beside(cells, folder)
    own = {path.relative_to(folder).parts[0].removesuffix(".py") for path in beside}
    for module, name in sorted(
        imports([*cells, *(Cell(path.name, path.read_text(errors="replace")) for path in beside)])
    ):
        root = module.partition(".")[0]
        if root in own:
            continue
        if root == "transformers":
            schedules()
        elif root in ALLOWED or asked(module, [name]) <= set(references):
            with suppress(Exception):  # the code will meet the error itself
                getattr(importlib.import_module(module), name, None)
    _guard(own, {str(path) for path in beside}, set(references))


def _guard(own: set[str], files: set[str], references: set[str]) -> None:
    """Refuse a submission the imports that it does not need. All other code imports as ever.

    Args:
        own: names of the modules beside the submission; `files` are their files.
        references: the modules of other problems that it may import.
    """
    plain, plain_module = builtins.__import__, importlib.import_module

    def refuse(name: str, taken=()) -> None:
        root, importer = name.partition(".")[0], sys._getframe(2).f_globals
        if importer.get("__name__", "submission") != "submission" and importer.get("__file__") not in files or root in own:
            return
        if root == "transformers":
            schedules()
        elif root == PACKAGE and asked(name, taken or ()) <= references:
            return
        elif root and root not in ALLOWED:
            raise ModuleNotFoundError(f"No module named '{root}' {NOT_THERE}", name=root)

    def __import__(name, globals=None, locals=None, fromlist=(), level=0):
        refuse(name if level == 0 else "", fromlist)
        return plain(name, globals, locals, fromlist, level)

    def import_module(name, package=None):
        refuse(name)
        return plain_module(name, package)

    builtins.__import__, importlib.import_module = __import__, import_module


@cache
def schedules() -> None:
    """Make `import transformers` give the schedules of the learning rate, and nothing else of it.

    The functions are those of the installed package. Importing them as usual would load a thousand other modules.
    """
    spec = importlib.util.find_spec("transformers")
    if spec is None:
        return
    files = [Path(spec.submodule_search_locations[0]) / name for name in SOURCES]
    cells = [Cell("logging", "import logging\nlogger = logging.getLogger('transformers')")]
    cells += [Cell(path.name, path.read_text(encoding="utf-8")) for path in files]
    found = ModuleType("found")
    for _ in run(select(cells, {"get_scheduler"}), found, lambda cell: cell.label):
        pass  # what the files import from one another is here already
    for name in ("transformers", "transformers.optimization"):
        module = sys.modules[name] = ModuleType(name, NEEDS)
        vars(module).update({name: value for name, value in vars(found).items() if _is_a_schedule(name)})
        module.__getattr__ = _refuse
    sys.modules["transformers"].optimization = sys.modules["transformers.optimization"]
    sys.modules["transformers"].__path__ = []


def _is_a_schedule(name: str) -> bool:
    return name.startswith("get_") and "schedule" in name or name == "SchedulerType"


def _refuse(name: str):
    if name.startswith("__"):
        raise AttributeError(name)
    raise ImportError(f"No module named 'transformers.{name}' {NOT_THERE}", name="transformers")
