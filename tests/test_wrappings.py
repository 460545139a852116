"""Right code is right however it is wrapped: every variant in eight forms, and every right solution in one of them."""

import ast

import pytest

from grader.bank import reference_observations
from grader.checks import checks_of
from grader.compare import same
from grader.judge import grade
from grader.observe import observe_trusted
from grader.problems import PROBLEMS
from grader.submission import Cell, Submission, read_path
from grader.verdict import PUBLIC_SEED
from tests.trials import solutions, variants
from tests.wrappings import WRAPPINGS, wrapped

each_problem = pytest.mark.parametrize("problem", PROBLEMS.values(), ids=PROBLEMS)


def one_check_a_stub(problem) -> list[str]:
    """What is wrapped wrongly cannot be used at all, so one check a stub shows it."""
    return list({check.stub: check.id for check in checks_of(problem.id).values()}.values())


@each_problem
@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_right_code_is_right_in_every_wrapping(problem, wrapping):
    right, checks = reference_observations(problem, PUBLIC_SEED), one_check_a_stub(problem)
    place = list(WRAPPINGS).index(wrapping)
    named = variants(problem) | dict(list(solutions("right", problem).items())[place :: len(WRAPPINGS)])
    sources = {name: "\n\n".join(cell.source for cell in one.cells) for name, one in named.items()}
    jobs = [(Submission([Cell("a.py", wrapped(source, wrapping))]), checks) for source in sources.values()]
    seen = dict(zip(sources, observe_trusted(jobs, problem, PUBLIC_SEED)))
    wrong = {name: [check for check in checks if not same(found[check], right[check])] for name, found in seen.items()}
    assert {name: failed for name, failed in wrong.items() if failed} == {}


@each_problem
@pytest.mark.parametrize("package", [False, True])
def test_code_may_lie_in_a_module_beside(problem, package, tmp_path):
    source = problem.reference.read_text(encoding="utf-8")
    beside = tmp_path / "mine" / "engine.py" if package else tmp_path / "engine_of_mine.py"
    beside.parent.mkdir(exist_ok=True)
    beside.write_text(source, encoding="utf-8")
    names = {node.name for node in ast.parse(source).body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    (tmp_path / "solution.py").write_text(
        f"import {'mine.engine' if package else 'engine_of_mine'} as engine\n" + "\n".join(f"{name} = engine.{name}" for name in names)
    )
    report = grade(read_path(tmp_path / "solution.py"), problem)
    assert report.score == report.max_score
