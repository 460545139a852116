"""The coding part: a file of one's own, with a stub to write or a bug to find, and the grader in a child process.

torch is loaded in the child alone, so no prompt waits for it. The child is this module, run as a program: it reads what is to
be graded as JSON from its input, and prints the verdict as JSON.
"""

import ast
import json
import subprocess
import sys
from pathlib import Path

from desk.files import write
from desk.place import COURSE
from grader.problems import PROBLEMS, Problem
from grader.verdict import Report

LONGEST = 300  # seconds that a check may take


def begin(path: Path, task: dict) -> dict:
    """Writes the file, unless it is there, and tells what is to be kept of it: path, sort, task, hints, and what a leader sees.

    Args:
        task: what was drawn, see `draw`.

    Raises:
        ValueError: there is no such exercise in this copy of the course.
        OSError: the file cannot be written.
    """
    source, told = _bug(task) if task["sort"] == "bug" else _stub(task)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, source.encode("utf-8"))
    return {"path": str(path), **task, **told}


def check(told: dict) -> dict:
    """What the grader says of the file: solved, passed, of, message, hints."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "coach.interview.coding"],
            input=json.dumps(told), capture_output=True, text=True, encoding="utf-8", timeout=LONGEST, cwd=COURSE,
        )  # fmt: skip
        return json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        return _cannot(f"The check took more than {LONGEST // 60} minutes and was ended. Does a loop never end?")
    except (ValueError, OSError):
        return _cannot("The check has ended without a verdict. Save the file and try again.")


def _cannot(message: str) -> dict:
    return {"solved": False, "message": message, "ungraded": True}


# --- the files ----------------------------------------------------------------------------------


def _bug(task: dict) -> tuple[str, dict]:
    from coach.debug import exercise

    drawn = exercise(task["problem"], task["seed"])
    first, last = min(drawn.faulty_lines), max(drawn.faulty_lines)
    fault = f"Line {' or '.join(map(str, drawn.faulty_lines))}. {_lesson(PROBLEMS[task['problem']], drawn.mistake)}"
    told = {
        "task": f"Something in this file is wrong. What is seen: {drawn.symptom} Find it and mend it.",
        "title": f"A bug in the code of “{PROBLEMS[task['problem']].title}”: {drawn.symptom}",
        "mistake": drawn.mistake,
        "fault": fault,
        "hints": [f"Look between the lines {max(1, first - 12)} and {last + 12}."],
        "aside": [{"kind": "text", "title": "The fault", "text": fault}],
    }
    return drawn.source, told


def _lesson(problem: Problem, mistake: str) -> str:
    """What a known mistake is and why it is wrong, from its file."""
    text = (problem.mistakes / f"{mistake}.py").read_text(encoding="utf-8")
    return " ".join((ast.get_docstring(ast.parse(text)) or "").split())


def _stub(task: dict) -> tuple[str, dict]:
    problem = PROBLEMS[task["problem"]]
    names = " and ".join(f"`{stub}`" for stub in task["stubs"])
    aside = []
    if problem.reference.exists():
        from grader.stubs import solved

        aside = [{"kind": "code", "title": "The reference", "text": solved(problem, tuple(task["stubs"]))}]
    words = "The docstring says what it must do. What stands above it is given."
    told = {"task": f"Write {names}. {words}", "title": f"{names}, from “{problem.title}”", "hints": [], "aside": aside}
    return stub_file(problem, tuple(task["stubs"]), task.get("given", ())), told


def stub_file(problem: Problem, cell: tuple[str, ...], given=()) -> str:
    """A file with the imports of the reference, what the stubs of a cell need, and the cell with an empty body.

    given: stubs that stand in it already, since the checks use them.
    """
    from grader.stubs import blank

    parts = ["import torch\nimport torch.nn.functional as F\nfrom torch import nn"]
    if problem.reference.exists():
        parts = [_given(problem, cell, given)]
    return "\n\n\n".join([*parts, blank(problem, cell)]) + "\n"


def _given(problem: Problem, cell: tuple[str, ...], given) -> str:
    """What of the reference a cell needs, or the stubs that are given: imports, constants, classes and helpers."""
    from grader.program import reads
    from grader.stubs import solved

    text = problem.reference.read_text(encoding="utf-8")
    nodes = ast.parse(text).body
    defined = {name: node for node in nodes for name in _names(node)}
    own = {stub.partition(".")[0] for stub in cell if "." not in stub}
    queue = [*(name for node in ast.parse(solved(problem, cell)).body for name in reads(node)), *given]
    needed = set()
    while queue:
        name = queue.pop()
        if name in defined and name not in needed | own:
            needed.add(name)
            queue += reads(defined[name])
    kept = [node for node in nodes if isinstance(node, (ast.Import, ast.ImportFrom)) or _names(node) & needed]
    hidden = {(owner, method) for owner, _, method in (stub.partition(".") for stub in cell) if method}
    return "\n".join(("\n\n" if hasattr(node, "name") else "") + _source(text, node, hidden) for node in kept)


def _names(node: ast.stmt) -> set[str]:
    if hasattr(node, "name"):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _source(text: str, node: ast.stmt, hidden: set[tuple[str, str]]) -> str:
    """A statement as it stands in the reference, without the methods that are to be written."""
    lines = text.splitlines()
    first = min([node.lineno, *(decorator.lineno for decorator in getattr(node, "decorator_list", []))])
    out = {
        line
        for child in getattr(node, "body", ())
        if isinstance(child, ast.FunctionDef) and (getattr(node, "name", ""), child.name) in hidden
        for line in range(child.lineno - 1, child.end_lineno + 1)  # with the empty line above it
    }
    return "\n".join(lines[number - 1] for number in range(first, node.end_lineno + 1) if number not in out)


# --- the child ----------------------------------------------------------------------------------


def judged(told: dict) -> dict:
    """The verdict on the file. Imports torch."""
    from grader.submission import SubmissionError, read

    try:
        submission = read(Path(told["path"]))
        return _judged_bug(told, submission) if told["sort"] == "bug" else _judged_stub(told, submission)
    except (SubmissionError, ValueError) as error:
        return _cannot(str(error))


def _judged_bug(told: dict, submission) -> dict:
    from coach.debug import exercise, judge

    verdict = judge(exercise(told["problem"], told["seed"]), "\n".join(cell.source for cell in submission.cells))
    hints = [*told.get("hints", ()), *getattr(verdict, "hints", ())]
    return {"solved": verdict.solved, "message": verdict.message, "hints": hints}


def _judged_stub(told: dict, submission) -> dict:
    from grader.judge import grade

    return verdict_on(grade(submission, PROBLEMS[told["problem"]], stubs=told["stubs"]))


def verdict_on(report: Report) -> dict:
    """What is told of a report: how much passes, and the first failure with its hints. The known mistake is for the debrief."""
    wrong = [result for result in report.results if result.status != "passed"]
    passed = {"passed": len(report.results) - len(wrong), "of": len(report.results)}
    if not wrong:
        return {"solved": True, "message": f"All {passed['of']} checks pass."} | passed
    first = next((result for result in wrong if result.fails), wrong[0])
    message = f"{passed['passed']} of {passed['of']} checks pass. {first.check.title} {first.words}".strip()
    known = {"mistake": first.diagnosis.title} if first.diagnosis else {}
    return {"solved": False, "message": message, "hints": list(first.check.hints)} | passed | known


if __name__ == "__main__":
    print(json.dumps(judged(json.load(sys.stdin))))
