"""Rules on a learner's syntax tree: patterns that cannot be right, and the checks that each can explain.

`found` reads the code, which is a stranger's, so it runs in the child process and sends data only: ids of rules, cells, lines. The
sentences stay here. `facts` is the parent's part. A rule speaks only of a stub in which it explains every failure that is left.

A pattern is written so that no right solution shows it; the tests look for it in many. The rules of a problem are one module.
"""

import ast
import importlib
import pkgutil
from collections.abc import Sequence

from grader.problems import PROBLEMS
from grader.rules.register import RULES
from grader.rules.tree import Tree, last
from grader.submission import Cell, statements_of

MOST = 200  # rules that are told of

for _, name, _ in pkgutil.iter_modules(__path__):
    if name in PROBLEMS:
        importlib.import_module(f"{__name__}.{name}")


# --- in the child -------------------------------------------------------------------------------


def found(cells: Sequence[Cell], problem_id: str) -> list[dict]:
    """Which rules the code of which stubs shows, and where: dicts of "rule", "stub", "cell" and "line"."""
    source = Source([cell for cell in cells if cell.kind == "code"])
    told = []
    for stub in PROBLEMS[problem_id].stubs:
        rules = [rule for rule in RULES.values() if rule.problem == problem_id and stub in rule.stubs]
        tree = Tree(source.code_of(stub)) if rules else Tree([])
        for rule in rules:
            node = next(iter(rule.shows(tree)), None)
            if node is not None:
                told.append({"rule": rule.id, "stub": stub, "cell": source.labels.get(node, ""), "line": node.lineno})
    return told[:MOST]


class Source:
    """The definitions of a submission, by name. Of two with one name the last one counts, unless it builds on the other."""

    def __init__(self, cells: Sequence[Cell]):
        self.defined: dict[str, list[ast.stmt]] = {}
        self.labels: dict[ast.AST, str] = {}  # the cell of each node
        for cell in cells:
            for statement in statements_of(cell) or ():
                self.labels.update(dict.fromkeys(ast.walk(statement), cell.label))
                self._note(statement)

    def _note(self, statement: ast.stmt) -> None:
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            bases = getattr(statement, "bases", [])
            earlier = self.defined.get(statement.name, []) if any(last(b) == statement.name for b in bases) else []
            self.defined[statement.name] = [*earlier, statement]
        elif isinstance(statement, (ast.If, ast.Try)):
            for part in ast.iter_child_nodes(statement):
                if isinstance(part, ast.stmt):
                    self._note(part)

    def code_of(self, stub: str) -> list[ast.AST]:
        """What a stub defines, and what that uses in turn. Of a method, the method and what it calls on `self`."""
        owner, _, method = stub.partition(".")
        waiting = self._method(owner, method) if method else list(self.defined.get(owner, []))
        kept: dict[ast.AST, None] = {}
        while waiting:
            node = waiting.pop()
            if node in kept:
                continue
            kept[node] = None
            for part in ast.walk(node):
                if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load):
                    waiting += self.defined.get(part.id, [])
                elif method and isinstance(part, ast.Attribute) and last(part.value) == "self":
                    waiting += self._method(owner, part.attr)
        return list(kept)

    def _method(self, owner: str, name: str) -> list[ast.AST]:
        """A method: written as a function that is put on the class, or in the body of the class."""
        parts = [part for node in self.defined.get(owner, []) for part in getattr(node, "body", [])]
        inside = [part for part in parts if isinstance(part, ast.FunctionDef) and part.name == name]
        return self.defined.get(name, [])[-1:] or inside[-1:]


# --- in the parent ------------------------------------------------------------------------------


def facts(told: Sequence[dict], stub: str, checks: Sequence[str]) -> dict[str, str]:
    """A sentence for each of these failing checks of a stub, if a rule explains them all. Of two such rules the narrower speaks.

    Args:
        told: what `found` has told; a stranger's process may have told anything of these types.
    """
    mine = [one for one in told if one["stub"] == stub and one["rule"] in RULES]
    fitting = [one for one in mine if RULES[one["rule"]].explains(stub, checks)]
    if not checks or not fitting:
        return {}
    first = min(fitting, key=lambda one: len(RULES[one["rule"]].checks) or 1000)
    return dict.fromkeys(checks, f"In {first['cell']}, line {first['line']}: {RULES[first['rule']].sentence}")
