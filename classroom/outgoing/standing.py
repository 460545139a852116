"""What counts: from the grader's points to grades, by the assignment's rules and the instructor's overrides.

Every gradebook and every page takes its numbers from here, so all of them agree.

    own = standings(collection, results, assignment, overrides)   # by folder and problem
    all = totals(own, assignment, overrides)                      # by folder
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from classroom.assignment import Assignment
from classroom.incoming.collect import Collection, Student
from classroom.incoming.times import in_words, late_by, parsed
from classroom.outgoing.overrides import TOTAL, Override

GRADED, MISSING, BY_HAND, EXCUSED = "graded", "not handed in", "by hand", "excused"

Overrides = Mapping[tuple[str, str], Override]  # by folder and problem


@dataclass(frozen=True)
class Standing:
    """What one student gets for one problem, or for all of them, and why.

    points: the grade; None: there is none, and its cell is empty in every gradebook.
    most: what the problem is worth.
    status: "graded", "not handed in", "by hand" (it could not be graded) or "excused".
    earned: what the grader gave on the same scale, before a late rule and an override; None if it gave nothing.
    why: a sentence when the points differ from what was earned, or when there are none; else "".
    comment: the instructor's, from the overrides; else "".
    """

    points: float | None
    most: float
    status: str
    earned: float | None
    why: str = ""
    comment: str = ""


def key_of(person: Mapping[str, str]) -> str:
    """Where someone stands who handed nothing in and so has no folder: a name that no folder can have."""
    return f"{person['name']}/{person['id']}/{person['email']}"


def by_the_due_date(collection: Collection, assignment: Assignment) -> Collection:
    """The same, with who is late by the assignment's due date, where the platform tells when something was handed in.

    Of the others, the platform itself says whether they are late.
    """
    students = []
    for student in collection.students:
        submitted = parsed(student.submitted) if assignment.due and student.submitted else None
        if submitted:
            seconds = late_by(submitted, assignment.due)
            student = replace(student, late=f"{in_words(seconds)} late" if seconds else "", late_seconds=seconds)
        students.append(student)
    return replace(collection, students=students)


def standings(
    collection: Collection,
    results: Mapping[tuple[str, str], Mapping],
    assignment: Assignment,
    overrides: Overrides | None = None,
) -> dict[str, dict[str, Standing]]:
    """What everybody gets for each problem of the assignment.

    Args:
        results: by folder and problem, as the grading gives them.
        overrides: by folder and problem.

    Returns:
        By the student's folder and the problem. Those in `collection.missing` stand at their `key_of`.
    """
    found = {student.folder: student for student in collection.students}
    found |= {key_of(person): None for person in collection.missing}
    own: dict[str, dict[str, Standing]] = {key: {} for key in found}
    for key, student in found.items():
        for problem in assignment.titles:
            override = _override(overrides or {}, key, problem)
            standing = _by_the_rules(student, problem, results.get((key, problem)), assignment, override)
            own[key][problem] = _overridden(standing, override, assignment)
    return own


def _override(overrides: Overrides, key: str, problem: str) -> Override | None:
    """The instructor's word on a problem. Who is excused from the whole, or in time with it, is so with each problem."""
    own, of_total = overrides.get((key, problem)), overrides.get((key, TOTAL))
    if of_total and (of_total.excused or of_total.status == "in time") and (own is None or own == Override(comment=own.comment)):
        return replace(of_total, comment=own.comment if own else "")
    return own


def totals(
    own: Mapping[str, Mapping[str, Standing]], assignment: Assignment, overrides: Overrides | None = None
) -> dict[str, Standing]:
    """What everybody gets for the whole assignment, by folder."""
    overrides = overrides or {}
    return {key: _overridden(total(of_problem, assignment), overrides.get((key, TOTAL)), assignment) for key, of_problem in own.items()}


def total(of_problem: Mapping[str, Standing], assignment: Assignment) -> Standing:
    """The sum of a student's problems, before an override of the total.

    Who is excused from a problem gets the share of the others. A problem that is to be graded by hand leaves the total open.
    What was not handed in counts nothing, as soon as something was.
    """
    whole = assignment.whole
    asked = {problem: one for problem, one in of_problem.items() if one.status != EXCUSED}
    if not of_problem:
        return Standing(None, whole, MISSING, None)
    if not asked:
        return Standing(None, whole, EXCUSED, None, "Excused.")
    if pending := [assignment.titles[problem] for problem, one in asked.items() if one.status == BY_HAND]:
        return Standing(None, whole, BY_HAND, None, f"To be graded by hand: {', '.join(pending)}.")
    if all(one.points is None for one in asked.values()):
        return Standing(None, whole, MISSING, None, "Nothing was handed in.")
    kept, left = _without_the_lowest(asked, assignment.drop.lowest)
    possible = sum(one.most for one in kept.values())
    points = whole * sum(one.points or 0 for one in kept.values()) / possible
    earned = whole * sum(one.earned or 0 for one in kept.values()) / possible
    status = MISSING if all(one.status == MISSING for one in asked.values()) else GRADED
    why = [f"{assignment.titles[problem]} does not count: it has the lowest share." for problem in left]
    why += [f"Excused from {assignment.titles[problem]}." for problem in of_problem if problem not in asked]
    why += [one.why for one in of_problem.values() if one.why and len(of_problem) == 1]
    return Standing(points, whole, status, earned if status == GRADED else None, " ".join(why))


def _without_the_lowest(asked: Mapping[str, Standing], count: int) -> tuple[dict[str, Standing], list[str]]:
    """The problems that count, and those that are dropped. One always counts."""
    shares = sorted(asked, key=lambda problem: (asked[problem].points or 0) / asked[problem].most)
    left = shares[: min(count, len(asked) - 1)]
    return {problem: one for problem, one in asked.items() if problem not in left}, left


def _by_the_rules(
    student: Student | None, problem: str, result: Mapping | None, assignment: Assignment, override: Override | None
) -> Standing:
    """What a problem counts without the instructor's word on its points."""
    most = assignment.most(problem)
    if result is None and student and not student.files and not student.quiz:
        return Standing(None, most, BY_HAND, None, "Something was handed in, but nothing that can be graded.")
    if result is None:
        return _not_handed_in(most, assignment)
    if result["refused"]:
        return Standing(None, most, BY_HAND, None, f"It could not be graded. {result['refused']}")
    got = sum(check["points"] for check in result["checks"] if assignment.counts(problem, check["id"], check["stub"]))
    earned = most * got / assignment.full(problem)
    in_time = override is not None and override.status == "in time"
    taken, why = (0.0, "") if in_time else _late(student, assignment)
    return Standing(earned * (1 - taken / 100), most, GRADED, earned, why)


def _not_handed_in(most: float, assignment: Assignment) -> Standing:
    return Standing(assignment.missing, most, MISSING, None, "Not handed in.")


def _late(student: Student, assignment: Assignment) -> tuple[float, str]:
    """How many per cent being late takes away, and why."""
    if not student.late or not assignment.late.per_day:
        return 0.0, ""
    if student.late_seconds is None:
        return 0.0, "Late, but the platform does not say by how much: nothing was taken off."
    taken = assignment.late.per_cent(student.late_seconds)
    return taken, f"Late by {in_words(student.late_seconds)}: {taken:g} % is taken off." if taken else ""


def _overridden(standing: Standing, override: Override | None, assignment: Assignment) -> Standing:
    """The instructor's word counts."""
    if override is None:
        return standing
    standing = replace(standing, comment=override.comment)
    if override.excused:
        return replace(standing, points=None, status=EXCUSED, why="Excused by the instructor.")
    if override.points is not None:
        return replace(standing, points=override.points, status=GRADED, why="Set by the instructor.")
    if override.status == BY_HAND:
        return replace(standing, points=None, status=BY_HAND, why="The instructor grades it by hand.")
    if override.status == MISSING:
        return replace(_not_handed_in(standing.most, assignment), earned=standing.earned, comment=override.comment)
    return standing
