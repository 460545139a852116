"""In this copy of the course, these modules give what you have written yourself.

`from solutions.sft import sft_loss` takes `sft_loss` out of your notebooks/06_problem_sft, as you saved it last. So the
notebooks that use it run on your own code. A stub that is still blank raises NotImplementedError with its name when it
is called; in a notebook, the cell then says so in one line. After a change of the problem's notebook, restart the kernel
of the notebook that uses it.
"""

import sys

from IPython import get_ipython

from desk import place
from grader.notebook import start
from grader.problems import PROBLEMS
from grader.program import run, select
from grader.submission import SubmissionError, read_pair


def fill(namespace: dict, problem_id: str, others: list[str]) -> None:
    """Put your definitions for a problem into the namespace of a module.

    Args:
        others: names beside the stubs that notebooks may ask for.
    """
    if get_ipython():
        start(problem_id)  # so that cells which need a blank stub say so
    problem, errors = PROBLEMS[problem_id], {}
    names = problem.parts | set(others)

    def missing(name: str):
        """Called for a name that the module does not have."""
        if name not in names:
            raise AttributeError(f"module {namespace['__name__']!r} has no attribute {name!r}")
        why = errors.get(name) or errors.get("*") or f"it is not there. `make reset PROBLEM={problem_id}` brings stubs back"
        raise ImportError(f"`{name}` should come from your notebooks/{problem.notebook}, but {why}.")

    namespace["__getattr__"] = missing
    try:
        program = select(read_pair(problem.notebook_path(".ipynb", place.notebooks())).cells, names)
    except SubmissionError as error:
        errors["*"] = str(error).rstrip(".")
        return
    for cell in program.broken:
        errors.update({name: f"{cell.label} has a syntax error in line {cell.line}: {cell.message}" for name in cell.defines})
    for cell, statement, error in run(program, sys.modules[namespace["__name__"]], lambda cell: f"<{cell.label}>"):
        if isinstance(error, Exception):
            errors[getattr(statement, "name", "*")] = f"{cell.label} raises {type(error).__name__}: {error}"
        elif error is not None:
            raise error
