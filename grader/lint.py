"""What a problem lacks: `python -m grader lint PROBLEM`. CONTRIBUTING.md tells how to add one.

Each part gives sentences on what is missing or wrong, and nothing if all is well. A part is looked at if those before it are well.
"""

import argparse
import ast
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from rich.console import Console

from grader import stubs, trials
from grader.bank import known_mistakes, reference_observations
from grader.checks import checks_of, module_of
from grader.problems import BROKEN, PROBLEMS, Problem
from grader.submission import SubmissionError
from grader.verdict import PUBLIC_SEED

SEEDS = (PUBLIC_SEED, 100, 101, 102)  # on which a problem is tried, unless it is said otherwise
SHORTEST_HINT, SHORTEST_LESSON, LONGEST_LESSON, LONGEST_TITLE = 15, 40, 400, 130  # characters
LONGEST_RUN = 90  # seconds of a notebook on two cores

Part = Callable[[Problem, Sequence[int]], Iterator[str]]


def reference(problem: Problem, seeds: Sequence[int] = SEEDS) -> Iterator[str]:
    """The reference is there, and defines each stub with a docstring."""
    if not problem.reference.exists():
        yield f"The reference is missing: {problem.reference}."
        return
    try:
        tree = ast.parse(problem.reference.read_text(encoding="utf-8"))
    except SyntaxError as error:
        yield f"The reference has a syntax error in line {error.lineno}: {error.msg}."
        return
    top = {node.name: node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    for stub in problem.stubs:
        owner, _, method = stub.partition(".")
        inside = {node.name: node for node in getattr(top.get(owner), "body", []) if isinstance(node, ast.FunctionDef)}
        node = inside.get(method) if method else top.get(owner)
        if node is None:
            yield f"The reference does not define {stub}."
        elif not ast.get_docstring(node):
            yield f"{stub} has no docstring in the reference. It is the contract that a learner reads."
    for one in problem.uses:
        if one not in PROBLEMS:
            yield f"problem.toml says that it uses {one}, and there is no such problem."


def checks(problem: Problem, seeds: Sequence[int] = SEEDS) -> Iterator[str]:
    """Each stub has checks, and each check has a title, points and three hints."""
    for stub in problem.stubs:
        if not (problem.checks / f"{module_of(stub)}.py").exists():
            yield f"The checks of {stub} are missing: {problem.checks / module_of(stub)}.py."
            return
    found = checks_of(problem.id).values()
    for stub in problem.stubs:
        if not any(check.stub == stub for check in found):
            yield f"No check is about {stub}."
    for check in found:
        if check.stub not in problem.stubs:
            yield f"The check {check.id} is about {check.stub}, which is no stub."
        if check.points < 1:
            yield f"The check {check.id} is worth no point."
        if not check.title.endswith("."):
            yield f"The docstring of the check {check.id} must begin with a sentence, which is its title."
        if len(check.hints) != 3 or len(set(check.hints)) != 3 or min(map(len, check.hints)) <= SHORTEST_HINT:
            yield f"The check {check.id} needs three unlike hints of more than {SHORTEST_HINT} characters: a nudge, the formula, nearly the solution."


def right_code(problem: Problem, seeds: Sequence[int] = SEEDS) -> Iterator[str]:
    """The reference passes, and so do the variants, on several seeds."""
    failed = [check for check, seen in reference_observations(problem, PUBLIC_SEED).items() if seen.kind != "value"]
    for check in failed:
        yield f"The check {check} ends in an error with the reference: {reference_observations(problem, PUBLIC_SEED)[check].error['message']}"
    if failed:
        return
    found = trials.variants(problem)
    if not found:
        yield f"There are no variants, which are right code in other words: {problem.variants}/*.py."
        return
    for seed in seeds:
        for name, refused in trials.failures(found, problem, seed).items():
            if refused:
                yield f"The variant {name} is right, and fails {', '.join(refused)} with seed {seed}."


def chance(problem: Problem, seeds: Sequence[int] = SEEDS) -> Iterator[str]:
    """Each check sees unlike things on any two seeds, so that nothing recorded earns a point."""
    for line in trials.alike(problem, seeds):
        check, _, where = line.partition(", ")
        yield f"The check {check} sees the same on {where}, so a recorded answer would pass. Draw more of it."


def mistakes(problem: Problem, seeds: Sequence[int] = SEEDS) -> Iterator[str]:
    """Each known mistake teaches, is refused, and is named as itself; and each check is failed by one."""
    known = known_mistakes(problem)
    if not known:
        yield f"There are no known mistakes: {problem.mistakes}/*.py."
        return
    for mistake in known.values():
        if not mistake.title.endswith(".") or len(mistake.title) >= LONGEST_TITLE:
            yield f"The title of the mistake {mistake.id} must be a sentence of less than {LONGEST_TITLE} characters."
        if not SHORTEST_LESSON < len(mistake.lesson) < LONGEST_LESSON:
            yield f"The mistake {mistake.id} must teach in {SHORTEST_LESSON} to {LONGEST_LESSON} characters, below its title."
    failed = set()
    for seed in seeds:
        for line in trials.misnamed(problem, seed):
            name, _, named = line.partition(": ")
            yield f"The mistake {name} passes with seed {seed}." if named == "passes" else f"The mistake {name} is taken for {named} with seed {seed}."
        seen = trials.wrong(problem, seed)
        failed |= {check for found in seen.values() for check in found}
        for name, mistake in known.items():
            if mistake.shows_in and mistake.shows_in not in seen[name]:
                yield f"The mistake {name} says that it shows in {mistake.shows_in}, and it does not, with seed {seed}."
    for check in checks_of(problem.id):
        if check not in failed:
            yield f"No known mistake fails the check {check}."


def notebook(problem: Problem, seeds: Sequence[int] = SEEDS) -> Iterator[str]:
    """The notebook holds the stubs as the reference gives them, each with its check."""
    found = {suffix: problem.notebook_path(suffix) for suffix in (".ipynb", ".md")}
    for path in found.values():
        if not path.exists():
            yield f"The notebook is missing: {path}."
            return
    import jupytext

    cells = jupytext.read(found[".ipynb"]).cells
    if [cell.source for cell in cells] != [cell.source for cell in jupytext.read(found[".md"]).cells]:
        yield f"The halves of {problem.notebook} differ. Bring them in step: .venv/bin/jupytext --sync notebooks/{problem.notebook}.md"
    for stub_cell in problem.cells:
        names = " and ".join(stub_cell)
        tagged = [cell for cell in cells if set(stubs.tags(stub_cell)) <= set(cell.metadata.get("tags", []))]
        if len(tagged) != 1:
            yield f"{problem.notebook} has {len(tagged)} cells with the tags {', '.join(stubs.tags(stub_cell))}, and needs one."
        elif tagged[0].source != stubs.blank(problem, stub_cell):
            yield f"The stub of {names} is not as the reference gives it. `make reset PROBLEM={problem.id}` mends it."
        call = f"check({', '.join(f'{chr(34)}{stub}{chr(34)}' for stub in stub_cell)})"
        if not any(cell.source == call for cell in cells):
            yield f"{problem.notebook} has no cell {call}."
    for claim in (check for cell in cells for check in cell.metadata.get("tags", []) if check.startswith("claim:")):
        if not any("assert " in cell.source for cell in cells if claim in cell.metadata.get("tags", [])):
            yield f"The cell of {claim} asserts nothing."


def runs(problem: Problem, seeds: Sequence[int] = SEEDS) -> Iterator[str]:
    """The notebook runs from top to bottom, blank and solved, and solved it gets full points."""
    import jupytext

    for state, source in (("blank", stubs.blank), ("solved", stubs.solved)):
        copy = jupytext.read(problem.notebook_path(".ipynb"))
        stubs.put(copy, problem, source)
        begin = time.monotonic()
        error = _run(copy)
        if error:
            yield f"{problem.notebook}, {state}, stops: {error}"
            return
        seconds = time.monotonic() - begin
        if seconds > LONGEST_RUN:
            yield f"{problem.notebook}, {state}, has run for {seconds:.0f} s here. On two cores that do nothing else, {LONGEST_RUN} s are the most."
    waiting = [cell for cell in copy.cells if cell.cell_type == "code" and "To do:" in _text(cell)]
    for cell in waiting:
        yield f"A cell of {problem.notebook} still waits for a stub when all are solved: {cell.source.splitlines()[0]}"
    most = sum(check.points for check in checks_of(problem.id).values())
    results = [_text(cell) for cell in copy.cells if cell.source == f'check("{problem.id}")']
    if not results or f"{most} of {most} points" not in results[0]:
        yield f'{problem.notebook} needs a cell check("{problem.id}"), which gives {most} of {most} points when all is solved.'


def _run(copy) -> str:
    """Run all cells in a fresh kernel. The error in which that ends, in a line; else nothing."""
    import nbclient

    from grader.problems import ROOT

    client = nbclient.NotebookClient(copy, timeout=600, kernel_name="python3", resources={"metadata": {"path": ROOT / "notebooks"}})
    try:
        client.execute()
    except nbclient.exceptions.CellExecutionError as error:
        return f"{error.ename}: {error.evalue}"
    return ""


def _text(cell) -> str:
    outputs = cell.get("outputs", [])
    return "".join(output.get("text", "") or str(output.get("data", {}).get("text/plain", "")) for output in outputs)


PARTS: dict[str, Part] = {
    "reference": reference,
    "checks": checks,
    "right code": right_code,
    "chance": chance,
    "known mistakes": mistakes,
    "notebook": notebook,
    "runs": runs,
}


def lint(problem: Problem, parts: dict[str, Part] = PARTS, seeds: Sequence[int] = SEEDS) -> Iterator[tuple[str, list[str]]]:
    """What each part lacks, one part after another, until one lacks something."""
    for name, part in parts.items():
        try:
            lacks = list(part(problem, seeds))
        except SubmissionError as error:
            lacks = [f"{problem.id} {error}"]
        yield name, lacks
        if lacks:
            return


def main(arguments: list[str]) -> int:
    """Exit status 0: nothing is lacking; 1: something is; 2: there is no such problem."""
    parser = argparse.ArgumentParser(prog="python -m grader lint", description="What a problem lacks.")
    parser.add_argument("problem", metavar="PROBLEM", help=", ".join(chain(PROBLEMS, BROKEN)))
    parser.add_argument("--without-runs", action="store_true", help="do not run the notebook, which takes up to three minutes")
    options = parser.parse_args(arguments)
    if options.problem in BROKEN:
        print(BROKEN[options.problem])
        return 1
    if options.problem not in PROBLEMS:
        print(f"There is no problem {options.problem!r}. There are {', '.join(chain(PROBLEMS, BROKEN))}.", file=sys.stderr)
        return 2
    problem, console = PROBLEMS[options.problem], Console(highlight=False)
    parts = {name: part for name, part in PARTS.items() if not (options.without_runs and part is runs)}
    lacks: list[str] = []
    with console.status("…") as status:
        told = lint(problem, parts)
        for part in parts.values():
            status.update(part.__doc__.splitlines()[0])
            name, lacks = next(told)
            console.print(f"{'✗' if lacks else '✓'} {name}: {part.__doc__.splitlines()[0]}", markup=False)
            for sentence in lacks:
                console.print(f"    {sentence}", markup=False, soft_wrap=True)
            if lacks:
                break
    print("Nothing is lacking." if not lacks else "Mend this, and run it again: the parts below were not looked at.")
    return 1 if lacks else 0
