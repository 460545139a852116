"""What the checks see in our own code: in the reference, and in the known mistakes. Seen once, it is kept."""

import ast
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from grader import recorded, store, wire
from grader.checks import checks_of
from grader.compare import same
from grader.effects import binds
from grader.observe import Observation, observation, observe_trusted
from grader.problems import Problem
from grader.program import reads
from grader.submission import Cell, Submission, SubmissionError, parse
from grader.verdict import Mistake


@cache
def reference_observations(problem: Problem, seed: int) -> dict[str, Observation]:
    """What the probes see in the reference, by check id.

    Raises:
        SubmissionError: this copy of the course has no solutions, and nothing is recorded for the seed.
    """
    kept = recorded.read(problem)
    if kept and kept["seed"] != seed:
        raise SubmissionError(
            f"cannot be graded with seed {seed}: this copy of the course has no solutions, "
            f"and holds what they give for seed {kept['seed']} only."
        )
    if kept:
        return {check_id: observation(message) for check_id, message in kept["observations"].items()}
    name = f"{problem.id}-reference"
    with store.alone(name, seed):
        found = store.observed(name, seed, _observations)
        if not found:
            job = Submission([_reference_cell(problem)]), list(checks_of(problem.id))
            found = {"reference": observe_trusted([job], problem, seed)[0]}
            store.keep_observed(name, seed, _as_bytes(found))
    return found["reference"]


@cache
def known_mistakes(problem: Problem) -> dict[str, Mistake]:
    """The bank of wrong implementations, by id."""
    return {path.stem: _read_mistake(path) for path in sorted(problem.mistakes.glob("*.py"))}


def mistake_observations(
    problem: Problem, seed: int, check_ids: Sequence[str] | None = None
) -> dict[str, dict[str, Observation]]:
    """What the probes see in the known mistakes, by the mistake's id and the check's.

    A mistake shows only in checks that use what it changes. All others see in it what they see in the reference.

    Args:
        check_ids: only the mistakes that show in one of these checks; None means all mistakes.
    """
    right, known = reference_observations(problem, seed), _observed_mistakes(problem, seed)
    touched = _touched_checks(problem, seed)
    wanted = [mistake for mistake, checks in touched.items() if check_ids is None or set(check_ids) & set(checks)]
    if not known.keys() >= set(wanted):
        name = f"{problem.id}-mistakes"
        with store.alone(name, seed):
            known.update(store.observed(name, seed, _observations) or {})
            missing = [mistake for mistake in wanted if mistake not in known]
            jobs = [(mistake_submission(known_mistakes(problem)[mistake], problem), touched[mistake]) for mistake in missing]
            if jobs:
                known.update(zip(missing, observe_trusted(jobs, problem, seed)))
                store.keep_observed(name, seed, _as_bytes(known))
    return {mistake: right | known[mistake] for mistake in wanted}


@cache
def wrong_checks(mistake: str, problem: Problem, seed: int) -> frozenset[str]:
    """The checks that see a known mistake, one that was observed, otherwise than the reference."""
    right, observed = reference_observations(problem, seed), _observed_mistakes(problem, seed)[mistake]
    return frozenset(check for check, seen in observed.items() if not same(seen, right[check]))


@cache
def _touched_checks(problem: Problem, seed: int) -> dict[str, list[str]]:
    """By mistake, the checks that use what it changes."""
    asked = {check_id: set(seen.asked) for check_id, seen in reference_observations(problem, seed).items()}
    return {
        mistake.id: [check_id for check_id, names in asked.items() if _changed_names(mistake, problem) & names]
        for mistake in known_mistakes(problem).values()
    }


@cache
def _observed_mistakes(problem: Problem, seed: int) -> dict[str, dict[str, Observation]]:
    """What `mistake_observations` has seen in this process, in the checks that a mistake touches."""
    return {}


def _as_bytes(seen: dict[str, dict[str, Observation]]) -> bytes:
    """Observations of our own code, which never hangs or crashes, for the store."""

    def message(one: Observation) -> dict:
        content = {"value": one.value} if one.kind == "value" else {"error": one.error}
        return {**content, "asked": list(one.asked)}

    return wire.dumps({name: {check: message(one) for check, one in checks.items()} for name, checks in seen.items()})


def _observations(data: bytes) -> dict[str, dict[str, Observation]]:
    """The observations in the bytes of `_as_bytes`."""
    return {name: {check: observation(one) for check, one in checks.items()} for name, checks in wire.loads(data).items()}


def _changed_names(mistake: Mistake, problem: Problem) -> set[str]:
    """What a mistake defines anew, and what in the reference uses that, directly or not."""
    changed = {name for statement in parse(mistake.source).body for name in binds(statement)}
    definitions = _definitions(problem)
    for _ in definitions:  # as many rounds as the longest chain could need
        changed |= {name for bound, used in definitions if used & changed for name in bound}
    return changed


@cache
def _definitions(problem: Problem) -> list[tuple[set[str], set[str]]]:
    """What each statement of the reference defines, and what it uses."""
    return [(binds(statement), reads(statement)) for statement in parse(_reference_cell(problem).source).body]


def mistake_submission(mistake: Mistake, problem: Problem) -> Submission:
    """The mistake as a learner would hand it in: the reference, and the wrong code in a later cell."""
    return Submission([_reference_cell(problem), Cell(mistake.id, mistake.source)], mistake.id)


def _reference_cell(problem: Problem) -> Cell:
    if not problem.reference.exists():
        raise SubmissionError(f"cannot be graded: the reference {problem.reference} is missing.")
    return Cell(problem.reference.name, problem.reference.read_text(encoding="utf-8"))


def _read_mistake(path: Path) -> Mistake:
    source = path.read_text(encoding="utf-8")
    title, _, lesson = ast.get_docstring(ast.parse(source)).partition("\n\n")
    about = re.search(r"^# Shows in: (\w+)$", source, re.MULTILINE)
    return Mistake(path.stem, " ".join(title.split()), " ".join(lesson.split()), source, about[1] if about else "")
