"""Imports point one way, so that each part can be read without those above it."""

import ast

import pytest

from grader.problems import ROOT

OWN = {"lab", "grader", "quiz", "solutions", "tests", "classroom"}
MAY_IMPORT = {"solutions": set(), "lab": set(), "quiz": set(), "grader": {"lab", "solutions"}, "classroom": {"grader", "quiz"}}


def imported(path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module.partition(".")[0])
    return names


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_a_package_imports_only_what_lies_below_it(package):
    for path in (ROOT / package).rglob("*.py"):
        assert (imported(path) & OWN) - {package} <= MAY_IMPORT[package], path


def test_the_solutions_need_nothing_but_torch():
    standard = {"math", "collections", "dataclasses", "copy", "typing"}
    for path in (ROOT / "solutions").glob("*.py"):
        assert imported(path) <= standard | {"torch"}, path


def test_every_requirement_is_pinned_and_has_its_reason():
    text = "".join(path.read_text() for path in ROOT.glob("requirements*.txt"))
    for line in text.splitlines():
        if line and not line.startswith(("#", "-e")):
            package, _, reason = line.partition("#")
            assert "==" in package and len(reason) > 10, line
