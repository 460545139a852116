"""A student's page: the grade and why, then problem by problem, stub by stub, check by check; and what was handed in."""

from classroom.outgoing.markup import number, page
from classroom.outgoing.shown import Shown
from classroom.outgoing.standing import BY_HAND, EXCUSED, MISSING, Standing
from classroom.words import counted
from grader.report import todo_notes

STATUS_WORDS = {  # of a check that fails
    "failed": "does not hold",
    "error": "ended with an error",
    "timeout": "did not end in time",
}


def student_page(shown: Shown, folder: str) -> str:
    """A student's page as HTML."""
    student = shown.student(folder)
    return page(
        "student.html",
        student=student,
        parts=[_part(shown, student, problem) for problem in shown.titles],
        total=shown.total[folder],
        total_words=_grade(shown.total[folder], bool(student["notes"])),
        seed_note=shown.seed_note,
        quiz=shown.quiz.get(folder),
        words=STATUS_WORDS,
    )


def _part(shown: Shown, student: dict, problem: str) -> dict:
    """What a student's page says about one problem."""
    standing = shown.own[student["folder"]][problem]
    result = shown.results.get((student["folder"], problem))
    graded = result is not None and not result["refused"]
    stubs: dict[str, list[dict]] = {}
    for check in result["checks"] if graded else []:
        counts = shown.assignment.counts(problem, check["id"], check["stub"])
        stubs.setdefault(check["stub"], []).append(check | {"counts": counts})
    return {
        "id": problem,
        "title": shown.titles[problem],
        "result": result,
        "graded": graded,
        "standing": standing,
        "grade": _grade(standing, bool(student["notes"])),
        "headline": _headline(standing, bool(student["notes"])),
        "reasons": _reasons(standing, result),
        "stubs": [_stub(stub, checks) for stub, checks in stubs.items()],
        "files": student["files"].get(problem, []),
        "source": student["sources"].get(problem, "").rpartition("/")[2],  # the rest is the archive's, not the student's
    }


def _grade(standing: Standing, noted: bool) -> str:
    """A grade in words, such as “52 of 59”.

    noted: something is told of what was handed in. Then nobody says that nothing was.
    """
    if standing.points is not None:
        return f"{number(standing.points)} of {number(standing.most)}"
    nothing = "nothing to grade" if noted else "not handed in"
    return {MISSING: nothing, BY_HAND: "to be graded by hand", EXCUSED: "excused"}.get(standing.status, "no grade")


def _headline(standing: Standing, noted: bool) -> str:
    grade = _grade(standing, noted)
    return f"{grade} points." if standing.points is not None else f"{grade[0].upper()}{grade[1:]}."


def _reasons(standing: Standing, result: dict | None) -> list[str]:
    """Why the grade is what it is, and what the checks gave where that is another number, in sentences."""
    said = [standing.why] if standing.why and (result or standing.status != MISSING) else []
    if result is None or result["refused"] or (standing.points, standing.most) == (result["score"], result["max_score"]):
        return said
    return [*said, f"The checks below give {result['score']} of {counted(result['max_score'], 'point')}."]


def _stub(name: str, checks: list[dict]) -> dict:
    """A stub's checks in groups, its points, and its status as in the notebook: `solved`, `to do`, or how many fail."""
    failing = [check for check in checks if check["status"] not in ("passed", "todo")]
    todo = [check for check in checks if check["status"] == "todo"]
    if failing:
        sign, status = "✗", f"{len(failing)} of {counted(len(checks), 'check')} {'fails' if len(checks) == 1 else 'fail'}"
    else:
        sign, status = ("·", "to do") if todo else ("✓", "solved")
    return {
        "name": name,
        "sign": sign,
        "status": status,
        "points": sum(check["points"] for check in checks),
        "most": sum(check["max_points"] for check in checks),
        "failing": failing,
        "todo": todo,
        "passed": [check for check in checks if check["status"] == "passed"],
        "notes": todo_notes([check["message"] for check in todo]),
    }
