"""From observations to verdicts: compare with the reference, and name the known mistake."""

import ast
import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from grader import recorded
from grader.checks import Check, checks_of
from grader.compare import difference
from grader.observe import MEMORY_LIMIT, Observation, Observed, observation, observe, observe_trusted, place
from grader.problems import Problem
from grader.submission import Broken, Cell, Submission, SubmissionError, binds, parse, reads

PUBLIC_SEED = 2021  # the seed of the learner's own checks; a teacher may take another


@dataclass(frozen=True)
class Mistake:
    """A known wrong implementation: code that runs after the reference, as a later cell would.

    Attributes:
        id: its file's name.
        title: the misconception in a sentence.
        lesson: why it is wrong.
        source: the code.
    """

    id: str
    title: str
    lesson: str
    source: str


@dataclass(frozen=True)
class Result:
    """The verdict on one check. `status`: passed, failed, error, timeout or todo."""

    check: Check
    status: str
    message: str = ""
    diagnosis: Mistake | None = None

    @property
    def points(self) -> int:
        return self.check.points if self.status == "passed" else 0

    @property
    def fails(self) -> bool:
        """Whether it was attempted and does not pass."""
        return self.status not in ("passed", "todo")


@dataclass(frozen=True)
class Report:
    """The verdicts on one submission."""

    problem: Problem
    results: list[Result]
    notices: list[str] = field(default_factory=list)

    @property
    def score(self) -> int:
        return sum(result.points for result in self.results)

    @property
    def max_score(self) -> int:
        return sum(result.check.points for result in self.results)

    @property
    def first_failure(self) -> Result | None:
        """The first check that was attempted and does not pass."""
        return next((r for r in self.results if r.fails), None)

    @property
    def next_stub(self) -> str | None:
        """The first stub that is still to do."""
        return next((r.check.stub for r in self.results if r.status == "todo"), None)

    def of(self, *stubs: str) -> "Report":
        """The part of the report that concerns these stubs. ValueError if there is no such stub."""
        unknown = [stub for stub in stubs if stub not in self.problem.stubs]
        if unknown:
            raise ValueError(f"there is no stub {unknown[0]!r}; there are {', '.join(self.problem.stubs)}")
        results = [result for result in self.results if result.check.stub in stubs]
        return Report(self.problem, results, self.notices)


def grade(
    submission: Submission, problem: Problem, *, stubs: Sequence[str] = (), seed: int = PUBLIC_SEED, tell=None
) -> Report:
    """Check a submission against the reference.

    Args:
        stubs: the part of the problem to report on; none means all of it.
        seed: the inputs of the checks follow from it.
        tell: called as tell(done, total) after each check.

    Raises:
        SubmissionError: nothing in the submission can be graded.
    """
    seen = observe(submission, problem, list(checks_of(problem.id)), seed, tell)
    try:
        return judge(seen, problem, stubs=stubs, seed=seed, notices=submission.notices)
    except SubmissionError as error:
        raise SubmissionError(f"{submission.path or 'The notebook'} {error}") from None


def judge(
    seen: Observed, problem: Problem, *, stubs: Sequence[str] = (), seed: int = PUBLIC_SEED, notices: Sequence[str] = ()
) -> Report:
    """Compare what was observed with the reference, and name the known mistakes. The arguments are those of `grade`.

    Raises:
        SubmissionError: the submission defines nothing that the problem asks for.
    """
    broken = {name: cell for cell in seen.broken for name in cell.defines}
    if not problem.names & (seen.defined | set(broken)):
        why = f"Is it the notebook of another problem? This one is {problem.notebook}."
        why = _syntax_notice(seen.broken[0]) if seen.broken else why
        raise SubmissionError(f"defines none of {', '.join(sorted(problem.names))}. {why}")
    right = reference_observations(problem, seed)
    results, absent = [], set()
    for check in checks_of(problem.id).values():
        status, message = _verdict(right[check.id], seen.checks[check.id], problem)
        if status == "missing":
            absent.add(check.id)
            status, message = "error", _missing(message, problem, seen.load_errors, broken, seen.defined)
        results.append(Result(check, status, message))
    notices = [*notices, *seen.notices, *(_syntax_notice(cell) for cell in seen.broken)]
    report = Report(problem, results, notices).of(*stubs or problem.stubs)
    wrong = [r for r in report.results if r.status in ("failed", "error") and r.check.id not in absent]
    bank = mistake_observations(problem, seed, [r.check.id for r in wrong]) if wrong else {}
    named = {r.check.id: _diagnosed(r, results, seen, bank, problem, seed) for r in wrong}
    return Report(problem, [named.get(r.check.id, r) for r in report.results], notices)


# --- verdicts -----------------------------------------------------------------------------------


def _verdict(right: Observation, seen: Observation, problem: Problem) -> tuple[str, str]:
    """Status and message of one check. "missing" and a name, if the submission does not define it."""
    if seen.kind == "value":
        found = difference(right.value, seen.value)
        return ("failed", found + ".") if found else ("passed", "")
    if seen.kind == "memory":
        return "error", f"This check was ended: it took more than {MEMORY_LIMIT / 2**30:.0f} GB of memory."
    if seen.kind == "forged":
        return "error", "Your code has written into the grader's own channel, so this check does not count."
    if seen.kind == "crash":
        return "error", "Your code ended the Python process. Look for exit(), os._exit() or a crash in C code."
    error = seen.error
    if seen.kind == "timeout":
        where = f", in {place(error['lines'][-1])}" if error and error["lines"] else ""
        return "timeout", f"Still running after the time limit{where}. Is there a loop that never ends?"
    if error["type"] == "NotImplementedError" and error["raised_by_learner"]:
        return "todo", f"`{error['message'] or error['lines'][-1]['function']}` is still a stub."
    method = _absent_method(error, problem)
    if method:
        return "todo", f"`{method}` is not on the class. If you have written it, run its cell after the class's."
    if error["type"] == "Missing":
        return "missing", error["message"]
    return "error", _exception(error)


def _absent_method(error: dict, problem: Problem) -> str | None:
    """The method stub that a probe has called in vain: the class was defined anew after it, or it is gone."""
    if error["type"] != "AttributeError" or error["lines"]:
        return None
    found = re.match(r"'(\w+)' object has no attribute '(\w+)'", error["message"])
    stub = ".".join(found.groups()) if found else None
    return stub if stub in problem.stubs else None


def _exception(error: dict) -> str:
    what = f"{error['type']}: {error['message']}" if error["message"] else error["type"]
    if error["type"] in ("Unusable", "TooMuchPrinted", "TooMuchReturned", "Tampered"):  # the grader's own: the message says it all
        what = error["message"]
    if not error["lines"]:
        return f"{what}."
    return f"{what} — in {place(error['lines'][-1])}"


def _missing(name: str, problem: Problem, load_errors: dict, broken: dict[str, Broken], defined: set[str]) -> str:
    """Why a name of the contract is not there."""
    if name in load_errors:
        return f"`{name}` could not be defined: {_exception(load_errors[name])}"
    if name in broken:
        return f"`{name}` could not be read. {_syntax_notice(broken[name])}"
    close = difflib.get_close_matches(name, defined, n=1, cutoff=0.6)
    similar = f" There is `{close[0]}`: was it renamed? Give it back its name." if close else ""
    return f"`{name}` is not defined.{similar} `make reset PROBLEM={problem.id}` brings a missing stub back."


def _syntax_notice(cell: Broken) -> str:
    return f"Syntax error in {cell.label}, line {cell.line}: `{cell.text}` ({cell.message})."


# --- reference and known mistakes ---------------------------------------------------------------


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
    return observe_trusted([(Submission([_reference_cell(problem)]), list(checks_of(problem.id)))], problem, seed)[0]


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
    wanted, jobs = [], {}
    for mistake in known_mistakes(problem).values():
        changed = _changed_names(mistake, problem)
        touched = [check_id for check_id, seen in right.items() if changed & set(seen.asked)]
        if check_ids is None or set(check_ids) & set(touched):
            wanted.append(mistake.id)
            if mistake.id not in known:
                jobs[mistake.id] = (mistake_submission(mistake, problem), touched)
    if jobs:
        seen = observe_trusted(list(jobs.values()), problem, seed)
        known.update({mistake: right | observed for mistake, observed in zip(jobs, seen)})
    return {mistake: known[mistake] for mistake in wanted}


@cache
def _observed_mistakes(problem: Problem, seed: int) -> dict[str, dict[str, Observation]]:
    """The store of `mistake_observations`: it grows as mistakes are needed."""
    return {}


@cache
def _changed_names(mistake: Mistake, problem: Problem) -> set[str]:
    """What a mistake defines anew, and what in the reference uses that, directly or not."""
    changed = {name for statement in parse(mistake.source).body for name in binds(statement)}
    definitions = [(binds(statement), reads(statement)) for statement in parse(_reference_cell(problem).source).body]
    for _ in definitions:  # as many rounds as the longest chain could need
        changed |= {name for bound, used in definitions if used & changed for name in bound}
    return changed


def mistake_submission(mistake: Mistake, problem: Problem) -> Submission:
    """The mistake as a learner would hand it in: the reference, and the wrong code in a later cell."""
    return Submission([_reference_cell(problem), Cell(mistake.id, mistake.source)], mistake.id)


def _reference_cell(problem: Problem) -> Cell:
    return Cell(problem.reference.name, problem.reference.read_text(encoding="utf-8"))


def _read_mistake(path: Path) -> Mistake:
    source = path.read_text(encoding="utf-8")
    title, _, lesson = ast.get_docstring(ast.parse(source)).partition("\n\n")
    return Mistake(path.stem, " ".join(title.split()), " ".join(lesson.split()), source)


@cache
def _wrong_checks(mistake: str, problem: Problem, seed: int) -> frozenset[str]:
    """The checks that see a known mistake otherwise than the reference."""
    right, observed = reference_observations(problem, seed), _observed_mistakes(problem, seed)[mistake]
    return frozenset(check for check in right if not same(observed[check], right[check]))


def _diagnosed(
    result: Result, results: list[Result], seen: Observed, bank: dict, problem: Problem, seed: int
) -> Result:
    """The result with the known mistake that gives the same observation, if there is one.

    A mistake that fails a check which the submission passes is not the submission's. If several are left, the
    one that agrees with the submission on most checks is named.
    """
    passed = {other.check.id for other in results if other.status == "passed"}
    others = [other.check.id for other in results if other.status != "passed"]
    matching = [
        mistake
        for mistake, observed in bank.items()
        if not passed & _wrong_checks(mistake, problem, seed)
        and same(observed[result.check.id], seen.checks[result.check.id])
    ]
    if not matching:
        return result

    def agreement(mistake: str) -> int:
        return sum(same(bank[mistake][check], seen.checks[check]) for check in others)

    best = max(matching, key=agreement)
    return Result(result.check, result.status, result.message, known_mistakes(problem)[best])


def same(one: Observation, other: Observation) -> bool:
    """Whether two observations are equal within tolerance."""
    if one.kind != other.kind:
        return False
    if one.kind == "error":
        return (one.error["type"], one.error["message"]) == (other.error["type"], other.error["message"])
    return one.kind == "value" and difference(one.value, other.value) is None
