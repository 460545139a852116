"""From observations to verdicts: compare with the reference, and name the known mistake."""

from collections.abc import Sequence
from dataclasses import replace

from grader.bank import known_mistakes, mistake_observations, reference_observations, wrong_checks
from grader.checks import checks_of
from grader.compare import difference, same
from grader.observe import MEMORY_LIMIT, Observation, Observed, observe, place
from grader.problems import Problem
from grader.sentences import NothingKnown, Sentences
from grader.submission import Submission, SubmissionError
from grader.verdict import PUBLIC_SEED, Report, Result


def prepare(problem: Problem) -> None:
    """Have ready what the first check and the first failure need: some seconds of work, once."""
    reference_observations(problem, PUBLIC_SEED)
    mistake_observations(problem, PUBLIC_SEED)


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
        report = judge(seen, problem, stubs=stubs, seed=seed, notices=submission.notices, live=submission.live)
    except NothingKnown:
        raise
    except SubmissionError as error:
        raise SubmissionError(f"{submission.path or 'The notebook'} {error}") from None
    return replace(report, path=submission.path)


def judge(
    seen: Observed,
    problem: Problem,
    *,
    stubs: Sequence[str] = (),
    seed: int = PUBLIC_SEED,
    notices: Sequence[str] = (),
    live: bool = False,
) -> Report:
    """Compare what was observed with the reference, and name the known mistakes. The arguments are those of `grade`.

    Args:
        live: the submission is what a kernel has run so far.

    Raises:
        SubmissionError: the submission defines nothing that the problem asks for.
    """
    say = Sentences(problem, seen, live)
    say.must_know_something(stubs)
    right = reference_observations(problem, seed)
    results, absent = [], set()
    for check in checks_of(problem.id).values():
        status, message = _verdict(right[check.id], seen.checks[check.id], say)
        if status == "missing":
            absent.add(check.id)
            status, message = say.missing(message)
        results.append(Result(check, status, message))
    report = Report(problem, results, live=live).of(*stubs or problem.stubs)
    wrong = [r for r in report.results if r.status in ("failed", "error") and r.check.id not in absent]
    bank = mistake_observations(problem, seed, [r.check.id for r in wrong]) if wrong else {}
    named = {r.check.id: _diagnosed(r, results, seen, bank, problem, seed) for r in wrong}
    notices = [*notices, *seen.notices, *say.notices(report)]
    results = _most_telling_first([named.get(r.check.id, r) for r in report.results], problem)
    return replace(report, results=results, notices=notices)


def _most_telling_first(results: list[Result], problem: Problem) -> list[Result]:
    """Of each stub first the failures whose mistake is known, and of these first the check that is about the mistake."""

    def rank(result: Result) -> tuple:
        known = result.diagnosis
        about = known is not None and known.shows_in == result.check.id
        return problem.stubs.index(result.check.stub), not result.fails, known is None, not about

    return sorted(results, key=rank)


# --- verdicts -----------------------------------------------------------------------------------


def _verdict(right: Observation, seen: Observation, say: Sentences) -> tuple[str, str]:
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
        return "todo", say.stub(error)
    if error["type"] == "Missing":
        return "missing", error["message"]
    if method := say.absent_method(error):
        return "todo", say.method(method)
    return "error", say.exception(error)


# --- naming the mistake --------------------------------------------------------------------------


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
        if not passed & wrong_checks(mistake, problem, seed)
        and same(observed[result.check.id], seen.checks[result.check.id])
    ]
    if not matching:
        return result

    def agreement(mistake: str) -> int:
        return sum(same(bank[mistake][check], seen.checks[check]) for check in others)

    best = max(matching, key=agreement)
    return Result(result.check, result.status, result.message, known_mistakes(problem)[best])
