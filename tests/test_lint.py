"""What a problem lacks, and a problem that an instructor adds in a folder of their own."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from grader.lint import PARTS, lint, runs
from grader.problems import PROBLEMS, ROOT
from grader.verdict import PUBLIC_SEED

OWN = Path(__file__).parent / "own" / "softmax"
WITHOUT_RUNS = {name: part for name, part in PARTS.items() if part is not runs}  # test_notebooks.py runs them


@pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)
def test_the_problems_of_the_course_lack_nothing(problem):
    assert dict(lint(problem, WITHOUT_RUNS, (PUBLIC_SEED, 77))) == dict.fromkeys(WITHOUT_RUNS, [])


@pytest.fixture(scope="module")
def course(tmp_path_factory) -> Path:
    """A copy of the course to which an instructor has added a problem, and some that are not finished."""
    course = tmp_path_factory.mktemp("course")
    for name in ("grader", "solutions", "lab", "desk", "quiz"):
        shutil.copytree(ROOT / name, course / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("softmax", *LACKING):
        own = shutil.copytree(OWN, course / "problems" / name, ignore=shutil.ignore_patterns("13_*", "__pycache__"))
        for file, change in LACKING.get(name, ("", {}))[1].items():
            _change(own / file, change)
    (course / "notebooks").mkdir()
    for path in OWN.glob("13_*"):
        shutil.copyfile(path, course / "notebooks" / path.name)
    return course


def _change(path: Path, change: tuple[str, str] | None) -> None:
    if change is None:
        return path.unlink()
    text = path.read_text(encoding="utf-8")
    assert change[0] in text
    path.write_text(text.replace(*change), encoding="utf-8")


def run(course: Path, *arguments: str) -> subprocess.CompletedProcess:
    command, environment = [sys.executable, "-m", "grader", *arguments], os.environ | {"PYTHONPATH": str(course)}
    return subprocess.run(command, cwd=course, capture_output=True, text=True, env=environment, timeout=300)


def test_an_instructor_adds_a_problem_in_a_folder_of_their_own(course):
    done = run(course, "lint", "softmax")
    assert done.returncode == 0 and done.stdout.endswith("Nothing is lacking.\n"), done.stdout + done.stderr
    reference = run(course, "softmax", str(course / "problems" / "softmax" / "reference.py"))
    assert reference.returncode == 0 and "4 of 4 points" in reference.stdout
    wrong = run(course, "softmax", str(course / "problems" / "softmax" / "mistakes" / "temperature_multiplied.py"))
    assert wrong.returncode == 1 and "The logits are multiplied by the temperature." in wrong.stdout


# By the name of a problem: what its lint says, and the changes that make it so. A text is replaced by another one, or a file deleted.
DRAWN = "2000 + rand(rng, 3, 5)"
LACKING = {
    "no_reference": ("The reference is missing", {"reference.py": None}),
    "no_docstring": ("softmax has no docstring", {"reference.py": ('"""The probabilities', 'x = """The probabilities')}),
    "no_such_stub": ("The reference does not define argmax", {"problem.toml": ('[["softmax"]]', '[["softmax"], ["argmax"]]')}),
    "no_checks": ("The checks of softmax are missing", {"checks/softmax.py": None}),
    "no_third_hint": (
        "The check large_logits_stay_finite needs three unlike hints",
        {"checks/softmax.py": ("Take the largest logit of each row off before exp.", "")},
    ),
    "refuses_a_variant": (
        "The variant by_logarithms is right, and fails rows_are_probabilities",
        {"checks/softmax.py": ("return {\n", 'return {"variables": list(code.softmax.__code__.co_varnames),\n')},
    ),
    "sees_the_same": (
        "The check large_logits_stay_finite sees the same",
        {"checks/softmax.py": (DRAWN, "2000 + 0 * rand(rng, 3, 5)")},
    ),
    "mistake_passes": (
        "The mistake overflow passes",
        {"mistakes/overflow.py": ("(logits / temperature)", "((logits - logits.amax(-1, True)) / temperature)")},
    ),
    "two_alike": (
        "The mistake sum_over_all_rows is taken for nothing",
        {"mistakes/sum_over_all_rows.py": ("exponentials / exponentials.sum()", "(logits * temperature).softmax(dim=-1)")},
    ),
    "check_without_mistake": (
        "No known mistake fails the check large_logits_stay_finite",
        {"checks/softmax.py": (DRAWN, "5 * rand(rng, 1, 5)"), "mistakes/overflow.py": None},
    ),
    "no_notebook": ("The notebook is missing", {"problem.toml": ("13_problem_softmax", "14_problem_softmax")}),
    "badly_described": ("describes no problem: title is missing", {"problem.toml": ('title = "Softmax"', "")}),
}


@pytest.fixture(scope="module")
def told(course) -> dict[str, str]:
    """What the lint says of each of these problems, from one process."""
    program = "import sys; from grader import lint\nfor name in sys.argv[1:]: print(f'== {name}'); lint.main([name, '--without-runs'])"
    command, environment = [sys.executable, "-c", program, *LACKING], os.environ | {"PYTHONPATH": str(course)}
    done = subprocess.run(command, cwd=course, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    return dict(part.split("\n", 1) for part in done.stdout.removeprefix("== ").split("\n== "))


@pytest.mark.parametrize("name", LACKING)
def test_the_lint_tells_what_a_problem_lacks(told, name):
    assert LACKING[name][0] in " ".join(told[name].split()) and "Nothing is lacking" not in told[name]
