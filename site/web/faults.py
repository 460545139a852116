"""The data of “spot the fault”: the reference of a problem once, and each exercise as what differs from it. Runs no Python.

    courseFaults["lora"] = {
      lines: the reference without comments, line by line, as HTML,
      exercises: [{
        id, level, symptom,
        changes: [[start, end, lines], ...]   lines that stand in the place of those of the reference, counted from 0,
        parts: [[first, last], ...]           what is shown of the file, its lines counted from 1,
        faulty: [line, ...]                   any of which is right,
        title, lesson, check: {id, title}
      }, ...]
    };

Where nothing is said, a text is that of `coach.debug`.
"""

import ast
import json
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from hashlib import sha256

from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from coach.debug.exercises import Exercise, explained, made, reference, told_of
from grader.checks import checks_of
from grader.problems import PROBLEMS, Problem
from grader.program import reads

FEWEST_LINES = 16  # of code: among fewer a guess would do
SHORT = 20  # lines: what is used and is longer has a contract, and is shown with the whole file
# Who mends the file puts what is missing where it fits. Who names one line can be right and not be told so in these exercises:
# what is missing may stand at several places.
LEFT_OUT = {
    "sft.gradients_not_cleared": "before the loop, before backward() or behind the step",
    "sft.trains_in_eval_mode": "anywhere before the first micro-batch",
    "preference.dpo_gradients_never_cleared": "before backward() or behind the step",
    "peft.model_left_trainable": "anywhere before the adapters are set to train",
    "peft.trainable_weights_left": "anywhere before the chosen parameters are set to train",
    "lora.injection_leaves_the_rest_trainable": "anywhere before the factors are set to train",
    "lora.merge_under_autograd": "above the method, or around the line that stops",
    "qlora.parameters_not_frozen": "anywhere behind the question for the embeddings",
}


def script(problem: Problem) -> str:
    """The exercises of a problem as a script that a page adds when a reader asks for one."""
    data = {"lines": _coloured(reference(problem)), "exercises": [_told(one) for one in exercises(problem)]}
    told = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return f"(globalThis.courseFaults ??= {{}})[{json.dumps(problem.id)}] = {told};\n"


@cache
def exercises(problem: Problem) -> list[Exercise]:
    """The exercises of a problem that are fair in a page, in an order that mixes the functions, the same for every reader."""
    names = [name for name in told_of(problem.id) if f"{problem.id}.{name}" not in LEFT_OUT]
    return [made(problem.id, name) for name in sorted(names, key=lambda name: sha256(name.encode()).digest())]


def _told(one: Exercise) -> dict:
    problem = PROBLEMS[one.problem]
    wrong, above = without_header(one.source)
    title, lesson = explained(one)
    check = checks_of(one.problem)[told_of(one.problem)[one.mistake]["check"]]
    faulty = [line - above for line in one.faulty_lines]
    return {
        "id": one.mistake,
        "level": one.level,
        "symptom": one.symptom,
        "changes": _changes(reference(problem), wrong),
        "parts": parts(wrong, faulty),
        "faulty": faulty,
        "title": title,
        "lesson": lesson,
        "check": {"id": check.id, "title": check.title},
    }


def without_header(source: str) -> tuple[str, int]:
    """The file of an exercise without the comment at its top, and how many lines that had."""
    lines = source.splitlines(keepends=True)
    above = next(number for number, line in enumerate(lines) if line.strip() and not line.startswith("#"))
    return "".join(lines[above:]), above


def _changes(right: str, wrong: str) -> list[list]:
    """Where the file differs: first line and end in the reference, and the lines that stand there instead."""
    coloured = _coloured(wrong)
    matcher = SequenceMatcher(None, right.splitlines(), wrong.splitlines(), autojunk=False)
    return [[i, i_end, coloured[j:j_end]] for kind, i, i_end, j, j_end in matcher.get_opcodes() if kind != "equal"]


def _coloured(source: str) -> list[str]:
    """Lines of Python as HTML, in the classes of Pygments, which the theme gives its colours."""
    return highlight(source, PythonLexer(stripnl=False), HtmlFormatter(nowrap=True)).splitlines()


# --- what is shown of a file --------------------------------------------------------------------


@dataclass(frozen=True)
class Block:
    """A function, a class or an assignment of the top level, with the lines that it takes.

    Attributes:
        code: how many lines hold code; those of a docstring do not.
        reads: the names that it reads.
    """

    names: frozenset[str]
    first: int
    last: int
    code: int
    reads: frozenset[str]


def parts(source: str, faulty: list[int]) -> list[list[int]]:
    """First and last lines of what a reader needs: what holds the faulty lines, the short ones that it uses, enough else."""
    blocks = list(_blocks(ast.parse(source)))
    shown = [block for block in blocks if any(block.first <= line <= block.last for line in faulty)]
    private = {name for block in shown for name in block.names if name.startswith("_")}
    shown += [block for block in blocks if block.reads & private and block not in shown]  # a helper says little by itself
    short = [block for block in blocks if block.last - block.first < SHORT]
    for block in shown:  # which grows on the way
        shown += [other for other in short if other.names & block.reads and other not in shown]
    while sum(block.code for block in shown) < FEWEST_LINES and len(shown) < len(blocks):
        shown.append(_neighbour(shown, blocks))
    return _joined(sorted((block.first, block.last) for block in shown), source.splitlines())


def _blocks(tree: ast.Module) -> Iterator[Block]:
    for node in tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom, ast.Expr)):
            continue
        targets = {target.id for target in getattr(node, "targets", []) if isinstance(target, ast.Name)}
        names = targets or {getattr(node, "name", "")}
        first = min(one.lineno for one in (node, *getattr(node, "decorator_list", ())))
        docstrings = [one.body[0] for one in ast.walk(node) if hasattr(one, "body") and _has_docstring(one)]
        told = sum(one.end_lineno - one.lineno + 1 for one in docstrings)
        yield Block(frozenset(names), first, node.end_lineno, node.end_lineno - first + 1 - told, frozenset(reads(node)))


def _has_docstring(node: ast.AST) -> bool:
    return isinstance(node, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node) is not None


def _neighbour(shown: list[Block], blocks: list[Block]) -> Block:
    """Of the nearest blocks before and behind the first one that is shown, the shorter one."""
    at = blocks.index(shown[0])
    before = [block for block in blocks[:at] if block not in shown][-1:]
    behind = [block for block in blocks[at:] if block not in shown][:1]
    return min(before + behind, key=lambda block: block.last - block.first)


def _joined(ranges: list[tuple[int, int]], lines: list[str]) -> list[list[int]]:
    """The ranges, with those as one between which there are blank lines alone."""
    found: list[list[int]] = []
    for first, last in ranges:
        if found and not "".join(lines[found[-1][1] : first - 1]).strip():
            found[-1][1] = last
        else:
            found.append([first, last])
    return found
