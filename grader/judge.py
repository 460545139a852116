"""From observations to verdicts: each check against the reference. What explains a failure, `grader.explain` finds."""

from collections.abc import Sequence
from dataclasses import replace

from grader.bank import known_mistakes, mistake_observations, reference_observations, wrong_checks
from grader.checks import checks_of
from grader.compare import difference
from grader.explain import Evidence, Explanation, explain, leaves_out
from grader.observe import MEMORY_LIMIT, Observation, Observed, observe, place
from grader.problems import Problem
from grader.sentences import NothingKnown, Sentences
from grader.submission import Submission, SubmissionError
from grader.verdict import PUBLIC_SEED, Mistake, Report, Result


def prepare(problem: Problem) -> None:
    """Have ready what the first check and the first failure need: some seconds of work, once."""
    reference_observations(problem, PUBLIC_SEED)
    mistake_observations(problem, PUBLIC_SEED)


def grade(
    submission: Submission,
    problem: Problem,
    *,
    stubs: Sequence[str] = (),
    seed: int = PUBLIC_SEED,
    tell=None,
    explained: bool = True,
) -> Report:
    """Check a submission against the reference.

    Args:
        stubs: the part of the problem to report on; none means all of it.
        seed: the inputs of the checks follow from it.
        tell: called as tell(done, total) after each check.
        explained: say why a check fails. Where nobody is told, the known mistakes need not be observed.

    Raises:
        SubmissionError: nothing in the submission can be graded.
    """
    seen = observe(submission, problem, list(checks_of(problem.id)), seed, tell)
    try:
        report = judge(seen, problem, stubs=stubs, seed=seed, notices=submission.notices, live=submission.live, explained=explained)
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
    explained: bool = True,
) -> Report:
    """Compare what was observed with the reference, and explain the failures. The arguments are those of `grade`.

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
        status, message = _verdict(right[check.id], seen.checks[check.id], problem, say)
        if status == "missing":
            absent.add(check.id)
            status, message = say.missing(message)
        results.append(Result(check, status, message))
    report = Report(problem, results, live=live).of(*stubs or problem.stubs)
    wrong = [r.check.id for r in results if r.status in ("failed", "error") and r.check.id not in absent]
    if explained and any(r.check.id in wrong for r in report.results):
        report = replace(report, results=_explained(report.results, results, wrong, seen, problem, seed))
    notices = [*notices, *seen.notices, *say.notices(report)]
    return replace(report, results=_most_telling_first(report.results, problem), notices=notices)


def _explained(
    shown: list[Result], results: list[Result], wrong: list[str], seen: Observed, problem: Problem, seed: int
) -> list[Result]:
    """The results that are shown, each with what can be said of its cause.

    Args:
        results: those of all checks; `wrong` are the ids of the ones that fail with something to compare.
    """
    bank, known = mistake_observations(problem, seed, wrong), known_mistakes(problem)
    evidence = Evidence(
        right=reference_observations(problem, seed),
        seen=seen.checks,
        stubs={check.id: check.stub for check in checks_of(problem.id).values()},
        passed={result.check.id for result in results if result.status == "passed"},
        wrong=wrong,
        bank=bank,
        acts={mistake: wrong_checks(mistake, problem, seed) for mistake in bank},
        leaves_out=leaves_out(known),
        found=seen.rules,
    )
    causes = explain(evidence)
    return [
        _with_cause(result, causes[result.check.id], known) if result.check.id in causes else result for result in shown
    ]


def _with_cause(result: Result, cause: Explanation, known: dict[str, Mistake]) -> Result:
    mistakes = [known[mistake] for mistake in cause.mistakes]
    if len(mistakes) == 1:
        return replace(result, diagnosis=mistakes[0])
    at_once = f"{len(mistakes)} known mistakes act here at once: {' '.join(mistake.title for mistake in mistakes)}"
    return replace(result, fact=at_once if mistakes else cause.fact)


def _most_telling_first(results: list[Result], problem: Problem) -> list[Result]:
    """Of each stub first the failures whose cause is known, and of these first the check that is about the mistake."""

    def rank(result: Result) -> tuple:
        known = result.diagnosis
        about = known is not None and known.shows_in == result.check.id
        return problem.stubs.index(result.check.stub), not result.fails, known is None, not about, not result.fact

    return sorted(results, key=rank)


# --- verdicts -----------------------------------------------------------------------------------


def _verdict(right: Observation, seen: Observation, problem: Problem, say: Sentences) -> tuple[str, str]:
    """Status and message of one check. "missing" and a name, if the submission does not define it."""
    if seen.kind == "value":
        found = difference(right.value, seen.value)
        return ("failed", found + ".") if found else ("passed", "")
    if seen.kind == "tampered":
        return "error", f"Your code has replaced `{seen.value}`, on which the checks rest. Nothing after that counts."
    if seen.kind == "flood":
        return "error", "Your code gives back more than a message to the grader can hold."
    if seen.kind == "untried":
        return "timeout", "Not tried, since checks before it have taken all the time."
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
    if error["kind"] == "todo" and error["lines"]:
        return "todo", say.stub(error)
    if error["kind"] == "waiting":
        return "todo", error["message"]
    if error["kind"] == "missing" and error["message"] in problem.parts:
        return "missing", error["message"]
    if method := say.absent_method(error):
        return "todo", say.method(method)
    return "error", say.exception(error)
