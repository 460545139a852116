"""Imports point one way, so that each part can be read without those above it. And each install takes the same packages."""

import ast
import re
from importlib import metadata

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from grader.problems import ROOT

OWN = {"lab", "desk", "grader", "quiz", "solutions", "tests", "classroom", "classify", "coach"}
MAY_IMPORT = {
    "solutions": {"solutions"},
    "lab": set(),
    "desk": set(),
    "quiz": {"desk"},
    "grader": {"desk", "lab", "solutions"},
    "classroom": {"desk", "grader", "quiz"},
    "classify": {"lab", "solutions"},
    "coach": {"desk", "grader", "lab", "quiz", "solutions"},
}


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


def test_the_solutions_need_nothing_but_torch_and_one_another():
    standard = {"math", "collections", "contextlib", "dataclasses", "copy", "itertools", "typing", "warnings"}
    for path in (ROOT / "solutions").glob("*.py"):
        assert imported(path) <= standard | {"torch", "solutions"}, path


# --- the packages -------------------------------------------------------------------------------


def requirements(path) -> list[Requirement]:
    """The packages that a file names, without comments and without the course itself."""
    lines = [line.partition("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines()]
    return [Requirement(line) for line in lines if line and not line.startswith("-e")]


DIRECT = [requirement for path in sorted(ROOT.glob("requirements*.txt")) for requirement in requirements(path)]
LOCK = [requirement for requirement in requirements(ROOT / "constraints.txt") if not requirement.marker or requirement.marker.evaluate()]


def needed() -> set[tuple[str, Requirement]]:
    """All that the course's packages need on this machine: who needs it, and what."""
    found, waiting = set(), [("the course", requirement) for requirement in DIRECT]
    while waiting:
        who, requirement = waiting.pop()
        of_cuda = requirement.name.startswith(("cuda-", "nvidia-"))  # each build of torch pins its own
        if of_cuda or (who, requirement) in found:
            continue
        found.add((who, requirement))
        try:
            needs = map(Requirement, metadata.requires(requirement.name) or ())
        except metadata.PackageNotFoundError:  # the cluster's packages are installed on few machines
            continue
        for need in needs:
            extras = [{"extra": extra} for extra in (requirement.extras or {""})]
            if not need.marker or any(map(need.marker.evaluate, extras)):
                waiting.append((requirement.name, need))
    return found


def test_every_requirement_is_pinned_and_has_its_reason():
    text = "".join(path.read_text() for path in ROOT.glob("requirements*.txt"))
    for line in text.splitlines():
        if line and not line.startswith(("#", "-e")):
            package, _, reason = line.partition("#")
            assert "==" in package and len(reason) > 10, line


def test_the_lock_pins_all_that_the_packages_need():
    pinned = {canonicalize_name(pin.name): next(iter(pin.specifier)).version for pin in LOCK}
    assert len(pinned) == len(LOCK), "a package is pinned twice"
    for who, requirement in needed():
        version = pinned.get(canonicalize_name(requirement.name))
        assert version, f"{requirement.name}, which {who} needs, is not in constraints.txt: make lock"
        assert requirement.specifier.contains(version, prereleases=True), f"{who} needs {requirement}, not {version}: make lock"


def test_every_install_takes_the_lock():
    files = [ROOT / "Makefile", ROOT / ".ci" / "run", *ROOT.glob("*.txt"), *ROOT.glob("*.md")]
    files += [path for folder in ("classroom", "grader", "quiz", "lab") for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".md")]
    lines = [line for path in files for line in path.read_text(encoding="utf-8").splitlines()]
    installs = [line for line in lines if re.search(r"pip install .*-r requirements", line)]
    assert len(installs) > 4
    for line in installs:
        assert "-c constraints.txt" in line, line
