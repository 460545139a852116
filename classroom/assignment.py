"""What is graded and how it counts, as the instructor states it: `--problem lora`, or an assignment.toml.

    problems = ["sft", "lora"]
    points = 100                     # what all of it is worth; without it, the points of the checks
    due = 2025-11-20T23:59:00+01:00
    missing = 0                      # what nothing handed in counts; without it, no grade
    column = "HW3: LoRA"             # the platform's name for the assignment
    seed = "secret"                  # drawn once, nobody has seen it (the default); or "public", that of `make check`; or a number

    [weights]                        # of the problems; without it, the points of their checks
    sft = 1
    lora = 2

    [late]                           # per cent of the points that were earned
    per_day = 10                     # for each day that has begun
    grace_hours = 2
    most = 50

    [drop]                           # what does not count
    checks = ["lora.learns_a_small_problem"]
    stubs = ["merge_lora"]
    lowest = 1                       # so many problems: of each student, those with the lowest share
"""

import difflib
import math
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from grader.checks import checks_of
from grader.problems import PROBLEMS

FILE = "assignment.toml"
DAY = 86_400  # seconds


class AssignmentError(Exception):
    """The assignment is not stated, or not in a way that can be followed. The message says where and what to do."""


def _no_bool(value: Any) -> Any:
    """TOML's true is no number, though Python takes it for one."""
    if isinstance(value, bool):
        raise ValueError("true and false are no numbers")
    return value


Number = Annotated[float, BeforeValidator(_no_bool), Field(allow_inf_nan=False)]
Positive = Annotated[Number, Field(gt=0)]
PerCent = Annotated[Number, Field(ge=0, le=100)]
Text = Annotated[str, Field(min_length=1)]


def _end_of_day(value: Any) -> Any:
    """A day alone means its end."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value, time(23, 59, 59))
    return value


def _text_or_table(value: Any) -> Any:
    texts = value.values() if isinstance(value, dict) else [value]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("it should be a text, or a table with a text for each problem")
    return value


def _seed(value: Any) -> Any:
    if value in ("secret", "public") or (type(value) is int and 0 <= value < 2**31):
        return value
    raise ValueError('it should be "secret", "public" or a whole number below 2147483648')


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Late(_Table):
    """How much being late takes away. Without a rule, nothing."""

    per_day: PerCent = 0
    grace_hours: Annotated[Number, Field(ge=0)] = 0
    most: PerCent = 100

    def per_cent(self, seconds: int) -> float:
        """What is taken from the points of a work that came so many seconds late. A day that has begun counts as a day."""
        days = math.ceil(seconds / DAY) if seconds > 3600 * self.grace_hours else 0
        return min(self.per_day * days, self.most)


class Drop(_Table):
    """What does not count: checks (`id`, or `problem.id`), stubs by name, and of each student the problems with the lowest share."""

    checks: list[Text] = []
    stubs: list[Text] = []
    lowest: Annotated[int, BeforeValidator(_no_bool), Field(ge=0)] = 0


class Assignment(_Table):
    """An assignment, as stated.

    problems: by id. None, if only answers to the quiz were handed in.
    points: what all problems together are worth; None is the sum of their checks' points.
    weights: by problem; empty is by the points of the checks.
    due: when it was to be handed in. A time without a zone is as the platform's clock showed it.
    missing: what a problem counts that was not handed in; None is no grade.
    column: the platform's name for the assignment, or one for each problem.
    seed: of the inputs. "secret" is drawn once for a run; "public" is that of `make check`.
    """

    problems: list[Text]
    points: Positive | None = None
    weights: dict[str, Positive] = {}
    due: Annotated[datetime | None, BeforeValidator(_end_of_day)] = None
    missing: Annotated[Literal[0] | None, BeforeValidator(_no_bool)] = None
    column: Annotated[str | dict[str, str], BeforeValidator(_text_or_table)] = ""
    seed: Annotated[int | Literal["secret", "public"], BeforeValidator(_seed)] = "secret"
    late: Late = Late()
    drop: Drop = Drop()

    @model_validator(mode="after")
    def _is_about_the_course(self) -> "Assignment":
        _known(self.problems, list(PROBLEMS), "problems")
        if len(set(self.problems)) < len(self.problems):
            raise ValueError("problems: one is named twice")
        if self.weights:
            _known(self.weights, self.problems, "weights")
            if left := [problem for problem in self.problems if problem not in self.weights]:
                raise ValueError(f"weights: {', '.join(left)} has none; give each problem one, or none at all")
        if isinstance(self.column, dict):
            _known(self.column, self.problems, "column")
        self._can_be_dropped()
        return self

    def _can_be_dropped(self) -> None:
        checks = [(problem, check) for problem in self.problems for check in checks_of(problem).values()]
        for name in self.drop.checks:
            _known([name], [f"{problem}.{check.id}" for problem, check in checks] + [check.id for _, check in checks], "drop.checks")
            homes = [problem for problem, check in checks if check.id == name]
            if len(homes) > 1:
                raise ValueError(f"drop.checks: “{name}” is in {' and '.join(homes)}; write {homes[0]}.{name} or another of them")
        _known(self.drop.stubs, [check.stub for _, check in checks], "drop.stubs")
        for problem in self.problems:
            if not self.full(problem):
                raise ValueError(f"drop: nothing of {problem} is left; take it out of the problems instead")
        if self.drop.lowest and self.drop.lowest >= len(self.problems):
            raise ValueError(f"drop.lowest: of {len(self.problems)} problems, {self.drop.lowest} cannot be dropped")

    @property
    def titles(self) -> dict[str, str]:
        """The titles of the problems by id, in the order of the course."""
        return {id: problem.title for id, problem in PROBLEMS.items() if id in self.problems}

    def counts(self, problem: str, check: str, stub: str) -> bool:
        """Whether a check of a problem's stub counts."""
        return not {check, f"{problem}.{check}"} & set(self.drop.checks) and stub not in self.drop.stubs

    def full(self, problem: str) -> int:
        """The points of the checks that count."""
        return sum(check.points for check in checks_of(problem).values() if self.counts(problem, check.id, check.stub))

    @property
    def whole(self) -> float:
        """What the assignment is worth."""
        return float(self.points or sum(map(self.full, self.problems)))

    def most(self, problem: str) -> float:
        """What a problem is worth: its share of the whole."""
        weights = self.weights or {problem: self.full(problem) for problem in self.problems}
        return self.whole * weights[problem] / sum(weights.values())

    def column_of(self, problem: str = "") -> str:
        """The platform's name for a problem, or for the assignment. "" if none is stated."""
        if isinstance(self.column, dict):
            return self.column.get(problem, "")
        return self.column


def _known(names: Iterable[str], known: Sequence[str], key: str) -> None:
    """ValueError for a name that is not known, with the nearest ones, or all if they are few."""
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3) or list(dict.fromkeys(known))
            few = f"; there is {_listed(near, 'or')}" if len(near) <= 10 else ""
            raise ValueError(f"{key}: there is no “{name}” {'in the course' if key == 'problems' else 'in this assignment'}{few}")


def _listed(words: Sequence[str], last: str = "and") -> str:
    return f" {last} ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


# --- from where it is stated --------------------------------------------------------------------


class NotStated(AssignmentError):
    """Nobody has said which problems count.

    Attributes:
        proposed: those that at least half of the class handed in.
    """

    def __init__(self, message: str, proposed: list[str]):
        super().__init__(message)
        self.proposed = proposed


def of_problems(problems: Iterable[str]) -> Assignment:
    """An assignment of these problems, in which nothing else is stated. AssignmentError if there is no such problem."""
    return _checked({"problems": list(dict.fromkeys(problems))}, "--problem")


def read_assignment(path: Path, problems: Sequence[str] = ()) -> Assignment | None:
    """Read an assignment.toml.

    Args:
        problems: those that are named on the command line. The file may leave them out, but not name others.

    Returns:
        None if neither names a problem: then it is still to be asked.

    Raises:
        AssignmentError: with the file and the key.
    """
    try:
        data = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise AssignmentError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise AssignmentError(f"{path} is not in UTF-8. Save it as UTF-8.") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise AssignmentError(f"{path} is no valid TOML: {error}.") from None
    if isinstance(data.get("weights"), dict):
        data.setdefault("problems", list(data["weights"]))
    if problems and sorted(map(str, _as_list(data.get("problems", problems)))) != sorted(set(problems)):
        raise AssignmentError(f"{path} and --problem name different problems. Change one of them, or leave --problem out.")
    if not problems and "problems" not in data:
        _checked(data | {"problems": list(PROBLEMS)}, path)
        return None
    if data.get("problems", problems) == []:
        raise AssignmentError(f"{path}: problems: at least one must be named.")
    return _checked({"problems": list(dict.fromkeys(problems))} | data, path)


def _as_list(value: Any) -> list:
    return value if isinstance(value, list) else [value]


def proposed(handed_in: Mapping[str, int], students: int) -> NotStated:
    """What to ask, where nobody has stated the problems.

    Args:
        handed_in: by problem, how many students handed it in.
        students: how many handed in anything.
    """
    counts = {problem: handed_in.get(problem, 0) for problem in PROBLEMS}
    usual = [problem for problem, count in counts.items() if count and 2 * count >= students]
    told = ", ".join(f"{problem} ({count} of {students})" for problem, count in counts.items() if count) or "nothing"
    words = f"Which problems count is not stated. Handed in: {told}."
    if usual:
        words += f" At least half of the class handed in {_listed(usual)}."
    return NotStated(words, usual)


def _checked(data: dict, where: Path | str) -> Assignment:
    try:
        return Assignment(**data)
    except ValidationError as error:
        raise AssignmentError("\n".join(dict.fromkeys(f"{where}: {_sentence(one)}" for one in error.errors()))) from None


def _sentence(error: dict) -> str:
    """What pydantic found, with the key in front."""
    words = error["msg"].removeprefix("Value error, ")
    if not error["loc"]:
        return f"{words}."
    key = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        table = {"late": Late, "drop": Drop}.get(str(error["loc"][0]), Assignment) if len(error["loc"]) > 1 else Assignment
        return f"there is no key {key}; it may be {_listed(list(table.model_fields), 'or')}."
    return f"{key} does not fit: {words[0].lower()}{words[1:]}, not {error['input']!r}."
