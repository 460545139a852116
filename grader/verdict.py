"""What the grader says, as data: verdicts on checks, and the report that they make up. This module needs no torch."""

from dataclasses import dataclass, field, replace

from grader.problems import Problem

PUBLIC_SEED = 2021  # the seed of the learner's own checks; a teacher may take another


@dataclass(frozen=True)
class Check:
    """One check, as a learner sees it. `grader.checks.Probe` has the function as well.

    Attributes:
        id: the name of its function.
        stub: the stub that it examines.
        points: what passing it is worth.
        hints: three, from a nudge to nearly the solution.
        title: what must hold, in a sentence.
    """

    id: str
    stub: str
    points: int
    hints: tuple[str, str, str]
    title: str


@dataclass(frozen=True)
class Mistake:
    """A known wrong implementation: code that runs after the reference, as a later cell would.

    Attributes:
        id: its file's name.
        title: the misconception in a sentence.
        lesson: why it is wrong.
        source: the code.
        shows_in: the check that is about it, if that is not the first one that it fails.
    """

    id: str
    title: str
    lesson: str
    source: str
    shows_in: str = ""


@dataclass(frozen=True)
class Result:
    """The verdict on one check.

    Attributes:
        status: passed, failed, error, timeout or todo.
        message: what was seen.
        diagnosis: the known mistake that explains it.
        fact: else, in a sentence, what is known of the cause.
    """

    check: Check
    status: str
    message: str = ""
    diagnosis: Mistake | None = None
    fact: str = ""

    @property
    def words(self) -> str:
        """What was seen, and what is known of the cause, for places that hold one text."""
        return f"{self.message} {self.fact}".strip()

    @property
    def points(self) -> int:
        return self.check.points if self.status == "passed" else 0

    @property
    def fails(self) -> bool:
        """Whether it was attempted and does not pass."""
        return self.status not in ("passed", "todo")


@dataclass(frozen=True)
class Report:
    """The verdicts on one submission.

    Attributes:
        results: stub by stub. Of a stub, the failures that tell most come first, then the checks in their order.
        path: the file that was graded, if it was one.
        live: the code is what a kernel has run so far.
    """

    problem: Problem
    results: list[Result]
    notices: list[str] = field(default_factory=list)
    path: str = ""
    live: bool = False

    @property
    def score(self) -> int:
        return sum(result.points for result in self.results)

    @property
    def max_score(self) -> int:
        return sum(result.check.points for result in self.results)

    @property
    def first_failure(self) -> Result | None:
        """Of the first stub that fails, the check that tells most."""
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
        return replace(self, results=results)
