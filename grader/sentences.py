"""What is said of code that is missing, broken or raises: a sentence that names the cause and the next step."""

import re

from grader.libraries import NEEDS, NOT_THERE
from grader.observe import Observed, place
from grader.problems import STILL_A_STUB, Problem, alike
from grader.program import Broken
from grader.quote import code, quoted
from grader.remarks import LAST_COUNTS
from grader.submission import SubmissionError

IMPORT_ERRORS = ("ImportError", "ModuleNotFoundError")


class NothingKnown(SubmissionError):
    """A kernel has not run the cell of any stub yet. The message is a whole sentence."""


class Sentences:
    """The sentences on one submission.

    Args:
        live: the submission is what a kernel has run so far, so what is missing may stand in the notebook all the same.
    """

    def __init__(self, problem: Problem, seen: Observed, live: bool):
        self.problem, self.seen, self.live = problem, seen, live
        self.broken = {name: cell for cell in seen.broken for name in cell.defines}

    def must_know_something(self, stubs) -> None:
        """SubmissionError if nothing is there that the problem asks for.

        Args:
            stubs: those that were asked for; none means all.
        """
        problem, seen = self.problem, self.seen
        perhaps_from_a_star = "*" in seen.defined and "*" not in seen.load_errors
        if problem.names & (seen.defined | set(self.broken)) or seen.remarks or perhaps_from_a_star:
            return
        if self.live and len(stubs) == 1:
            raise NothingKnown(self._not_run(stubs[0]))
        if self.live:
            raise NothingKnown(
                f"None of the stubs of {problem.title} is known to this kernel yet. Run their cells, then check again."
            )
        why = f"Is it the notebook of another problem? This one is {problem.notebook}."
        if seen.broken:
            why = _syntax_error(seen.broken[0])
        elif "*" in seen.load_errors:
            why = self._star()
        raise SubmissionError(f"defines none of {', '.join(sorted(problem.names))}. {why}")

    # --- names that are not there ---

    def missing(self, name: str) -> tuple[str, str]:
        """Status and message of a check that asks for a function or class that is not there."""
        known_why = self._why_undefined(name)
        if known_why:
            return "error", known_why
        if self.live:
            return "todo", self._not_run(name)
        return "error", self._undefined(name)

    def method(self, stub: str) -> str:
        """Why `LoRALinear.merge` is not on the class, although the class is there."""
        name = stub.rpartition(".")[2]
        if name not in self.seen.defined:
            return self._why_undefined(name) or (self._not_run(stub) if self.live else self._undefined(stub))
        if self.live:
            return f"`{stub}` is not on the class. If you have written it, run its cell after the class's."
        return f"`{stub}` is not on the class. The line `{stub} = {name}` must stand in a cell below that of the class."

    def absent_method(self, error: dict) -> str | None:
        """The stub that is a method and was called in vain: its class was defined anew after it, or it is gone."""
        found = re.match(r"'(\w+)' object has no attribute '(\w+)'", error["message"])
        stub = ".".join(found.groups()) if found and error["type"] == "AttributeError" else None
        return stub if stub in self.problem.stubs else None

    def _why_undefined(self, name: str, asked: tuple[str, ...] = ()) -> str | None:
        """The cause, if it is known: a statement that failed, a syntax error, a cell that is not run.

        Args:
            asked: the names that led here, each of which needs the next one.
        """
        remark, error = self.seen.remarks.get(name), self.seen.load_errors.get(name)
        if error and name not in asked:
            return f"{remark} {self._failed(name, error, asked)}" if remark else self._failed(name, error, asked)
        if name in self.broken:
            return f"`{name}` could not be read. {_syntax_error(self.broken[name])}"
        if remark:
            return remark
        if "*" in self.seen.load_errors and name not in self.seen.defined:
            return f"`{name}` is not defined. {self._star()}"
        return None

    def _failed(self, name: str, error: dict, asked: tuple[str, ...] = ()) -> str:
        if error["type"] in IMPORT_ERRORS:
            module = re.match(r"No module named '([\w.]+)'", error["message"])
            if module and error["message"].endswith(NOT_THERE):
                where = f" — in {place(error['lines'][-1])}" if error["lines"] else ""
                return f"`{module[1]}` could not be imported: it is not there when a solution is graded{where}. {NEEDS}"
            return f"`{module[1] if module else name}` could not be imported: {self.exception(error, (*asked, name))}"
        return f"`{name}` could not be defined: {self.exception(error, (*asked, name))}"

    def _star(self) -> str:
        error = self.seen.load_errors["*"]
        return f"It may belong to a star import, but {self._failed('import *', error, ('*',))}"

    def _not_run(self, name: str) -> str:
        return f"`{name}` is not known to this kernel yet. Run its cell, then check again.{self._similar(name)}"

    def _undefined(self, stub: str) -> str:
        return (
            f"`{stub}` is not defined.{self._similar(stub)} `make reset PROBLEM={self.problem.id} STUB={stub}` "
            f"brings this one stub back into notebooks/{self.problem.notebook}."
        )

    def _similar(self, stub: str) -> str:
        found = alike(stub.rpartition(".")[2], self.seen.defined - self.problem.parts)
        return f" There is `{found}`: was it renamed? Give it back its name." if found else ""

    # --- code that does not do its work ---

    def stub(self, error: dict) -> str:
        """On a NotImplementedError of the learner's code."""
        name = error["message"] or error["lines"][-1]["function"]
        remark = self.seen.remarks.get(name.rpartition(".")[2])
        if remark and not remark.endswith(LAST_COUNTS):
            return remark
        if error["message"] and name not in self.problem.names | set(self.problem.stubs):
            return self.exception(error)
        return f"`{name}` {STILL_A_STUB}"

    def exception(self, error: dict, asked: tuple[str, ...] = ()) -> str:
        """What was raised and where; or, for a name that is not defined, why it is not."""
        undefined = re.match(r"name '(\w+)' is not defined", error["message"]) if error["type"] == "NameError" else None
        if undefined and undefined[1] not in asked:
            cause = self._why_undefined(undefined[1], asked)
            if cause is None and undefined[1] in self.problem.names - self.seen.defined:
                cause = self.missing(undefined[1])[1]
            if cause:
                return cause
        what = f"{error['type']}: {quoted(error['message'])}" if error["message"] else error["type"]
        if error["kind"] == "unusable":
            what = f"The check could not go on: {quoted(error['message'])}"
        return f"{what} — in {place(error['lines'][-1])}" if error["lines"] else f"{what}."

    # --- notes on the whole ---

    def notices(self, report) -> list[str]:
        """What the report should say of the submission as a whole: of the stubs that it is about, and of broken cells."""
        broken = [cell for cell in self.seen.broken if cell.defines or not self.live]  # a kernel has told of the others
        found = [_syntax_error(cell) for cell in broken]
        open_stubs = {result.check.stub for result in report.results if result.status != "passed"}
        for stub in dict.fromkeys(result.check.stub for result in report.results):
            remark = self.seen.remarks.get(stub.rpartition(".")[2]) or self._from_a_star(stub)
            if remark and (stub in open_stubs or not remark.endswith(LAST_COUNTS)):
                found.append(remark)
        return list(dict.fromkeys(found))

    def _from_a_star(self, stub: str) -> str | None:
        name = stub.partition(".")[0]
        if name in self.seen.defined or "*" not in self.seen.defined or "*" in self.seen.load_errors:
            return None
        return (
            f"`{name}` does not stand here; it may come with a star import. What counts is your own code, so write `{name}` "
            "in the notebook or file itself."
        )


def _syntax_error(cell: Broken) -> str:
    return f"Syntax error in {cell.label}, line {cell.line}: {code(cell.text)} ({cell.message})."
