"""What the pages of a run show."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from classroom.assignment import Assignment
from classroom.grading.answers import Marked
from classroom.likeness.report import Alike
from classroom.outgoing.overrides import TOTAL, Override
from classroom.outgoing.standing import Standing


@dataclass(frozen=True)
class Shown:
    """A run, as its pages show it.

    students: the fields of each `Student`, in any order. They are shown by folder.
    results: by folder and problem, as the grading gives them. What was not handed in is not there.
    own, total: what everybody gets, for each problem and in all, by folder. Those who are missing stand at their `key_of`.
    overrides: the instructor's, by folder and problem.
    missing: people on the list of the class of whom nothing was found.
    unreadable: dicts of "where" and "why".
    quiz: the answers to the quiz by folder, of those who handed some in.
    seed_note: a sentence on the seed with which the class was graded.
    """

    students: list[dict]
    results: Mapping[tuple[str, str], dict]
    assignment: Assignment
    own: Mapping[str, Mapping[str, Standing]]
    total: Mapping[str, Standing]
    overrides: Mapping[tuple[str, str], Override] = field(default_factory=dict)
    missing: list[dict] = field(default_factory=list)
    unreadable: list[dict] = field(default_factory=list)
    alike: Alike = field(default_factory=Alike)
    quiz: Mapping[str, Marked] = field(default_factory=dict)
    seed_note: str = ""

    @property
    def titles(self) -> dict[str, str]:
        """The titles of the problems by id, in the order of the course."""
        return self.assignment.titles

    def student(self, folder: str) -> dict:
        return next(student for student in self.students if student["folder"] == folder)

    def overridden(self, folder: str, problem: str) -> bool:
        """Whether the instructor's word counts, and is more than a comment."""
        found = [self.overrides[key] for key in ((folder, problem), (folder, TOTAL)) if key in self.overrides]
        return any(one != Override(comment=one.comment) for one in found)
