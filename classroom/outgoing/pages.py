"""What the class reads: one page for each student, and one page about the class for the instructor.

A page is one HTML file. It needs no network and no script. Every text may come from a stranger, so all of them are
cleaned and escaped.
"""

import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from urllib.parse import quote

import jinja2
from markupsafe import Markup, escape

from classroom.grading import answers
from classroom.outgoing import figures
from grader.problems import PROBLEMS
from grader.quote import clean
from grader.report import todo_notes

STATUS_WORDS = {  # of a check that fails
    "failed": "does not hold",
    "error": "ended with an error",
    "timeout": "did not end in time",
}
GROUPS = 10  # columns of a figure of scores
MOST_NOTES = 3  # on one student's work for one problem, in the table of the class. The student's page has all
MOST_QUESTIONS = 15  # of the quiz in the table of those that the room misses. More are in a fold
MOST_LINKS = 8  # students that are named beside a mistake. More are in a fold


def student_page(
    student: dict,
    results_of_student: dict[str, dict],
    seed_note: str = "",
    problems: dict[str, str] | None = None,
    quiz: answers.Marked | None = None,
) -> str:
    """A student's page as HTML: points, then problem by problem, stub by stub.

    Args:
        student: folder, name, id, email, late, notes.
        results_of_student: by problem, as the grading gives them.
        seed_note: a sentence on the seed with which the class was graded.
        problems: titles by id; those without a result are shown as not handed in. None: those with a result.
        quiz: the answers to the quiz, if some were handed in.
    """
    titles = problems or {problem: _title(problem) for problem in results_of_student}
    parts = [_part(problem, title, results_of_student.get(problem)) for problem, title in titles.items()]
    graded = [part["result"] for part in parts if part["graded"]]
    return _ENVIRONMENT.get_template("student.html").render(
        student=student,
        parts=parts,
        score=sum(result["score"] for result in graded),
        most=sum(result["max_score"] for result in graded) if len(graded) == len(parts) else None,
        seed_note=seed_note,
        quiz=quiz,
    )


def teacher_page(
    students: list[dict],
    results: dict[tuple[str, str], dict],
    problems: dict[str, str],
    missing: list[dict],
    unreadable: list[dict],
    pairs: list[tuple[str, str, str, float]],
    quiz: dict[str, answers.Marked] | None = None,
    likenesses: Sequence[tuple[str, str, list[str]]] = (),
) -> str:
    """The page about the class as HTML: scores, the hardest checks, the known mistakes, all students, what to look at.

    Args:
        students: in any order. They are shown by folder.
        results: by folder and problem. What was not handed in is not there.
        problems: titles by id, in the order of the course.
        missing: people on the list of the class of whom nothing was found.
        unreadable: dicts of "where" and "why".
        pairs: the problem's title, and what `similar` found: two folders and a share.
        likenesses: the problem's title, what `similar` says of some submissions, and their folders.
        quiz: the answers to the quiz by folder, of those who handed some in.
    """
    quiz = quiz or {}
    students = sorted(students, key=lambda student: student["folder"])
    names = {student["folder"]: student["name"] or student["folder"] for student in students}
    of_problem = {p: [results[f, p] for f in names if (f, p) in results] for p in problems}
    hard, mistakes = _hardest(of_problem), _mistakes(of_problem)
    return _ENVIRONMENT.get_template("teacher.html").render(
        names=names,
        problems=problems,
        scores=[_scores(problem, problems[problem], of_problem[problem], len(students)) for problem in problems],
        hard=hard,
        hard_figure=_hard_figure(hard),
        mistakes=mistakes,
        mistakes_figure=_mistakes_figure(mistakes),
        rows=[_row(student, results, problems) for student in students],
        most={problem: max((r["max_score"] for r in found), default=None) for problem, found in of_problem.items()},
        missing=missing,
        unreadable=unreadable,
        incidents=[
            (r["student"], problem, text)
            for problem in problems
            for r in of_problem[problem]
            for text in [*r["incidents"], *r.get("suspicions", ())]
        ],
        pairs=pairs,
        likenesses=likenesses,
        quiz=quiz,
        missed=answers.missed(quiz.values()),
    )


def write_pages(
    out: Path,
    students: list[dict],
    results: dict[tuple[str, str], dict],
    problems: dict[str, str],
    missing: list[dict],
    unreadable: list[dict],
    pairs: list[tuple[str, str, str, float]],
    seed_note: str = "",
    quiz: dict[str, answers.Marked] | None = None,
    likenesses: Sequence[tuple[str, str, list[str]]] = (),
) -> Path:
    """Write index.html and students/FOLDER.html, each at once: who reads a page never sees half of it.

    Returns:
        The path of index.html.

    Raises:
        ValueError: a student's folder is no plain name. Nothing was written.
    """
    for student in students:
        if not _plain_name(student["folder"]):
            raise ValueError(f"The student's folder {student['folder']!r} is no plain name. Rename it and grade again.")
    for student in students:
        own = {
            problem: results[student["folder"], problem]
            for problem in problems
            if (student["folder"], problem) in results
        }
        answered = (quiz or {}).get(student["folder"])
        _write(out / "students" / f"{student['folder']}.html", student_page(student, own, seed_note, problems, answered))
    index = out / "index.html"
    _write(index, teacher_page(students, results, problems, missing, unreadable, pairs, quiz, likenesses))
    return index


def _plain_name(folder: str) -> bool:
    return folder.isprintable() and folder not in ("", ".", "..") and not set(folder) & set("/\\:")


def _write(path: Path, text: str) -> None:
    """Write a file at once: through another file, which then takes its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    other = path.with_name(f".{os.getpid()}.tmp")
    try:
        other.write_text(text, encoding="utf-8", newline="\n")
        os.replace(other, path)
    finally:
        other.unlink(missing_ok=True)


# --- text of strangers --------------------------------------------------------------------------


def code(text: str) -> Markup:
    """Escaped text in which `…` becomes code."""
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(clean(text)))))


def _finalized(value):
    """Every value on its way into a page."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        finalize=_finalized,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"code": code, "count": _count, "address": _address}
    environment.globals |= {"words": STATUS_WORDS, "most_links": MOST_LINKS, "most_questions": MOST_QUESTIONS}
    return environment


def _address(folder: str) -> str:
    """Where a student's page lies, seen from index.html."""
    return f"students/{quote(folder, safe='', errors='replace')}.html"


def _count(number: int, noun: str, nouns: str = "") -> str:
    """`1 student`, `2 students`."""
    return f"{number} {noun if number == 1 else nouns or noun + 's'}"


_ENVIRONMENT = _environment()


# --- a student's page ---------------------------------------------------------------------------


def _title(problem: str) -> str:
    return PROBLEMS[problem].title if problem in PROBLEMS else problem


def _part(problem: str, title: str, result: dict | None) -> dict:
    """What a student's page says about one problem."""
    graded = result is not None and not result["refused"]
    stubs: dict[str, list[dict]] = {}
    for check in result["checks"] if graded else []:
        stubs.setdefault(check["stub"], []).append(check)
    return {
        "id": problem,
        "title": title,
        "result": result,
        "graded": graded,
        "stubs": [_stub(stub, checks) for stub, checks in stubs.items()],
    }


def _stub(name: str, checks: list[dict]) -> dict:
    """A stub's checks in groups, and its status as in the notebook: `solved`, `to do`, or how many fail."""
    failing = [check for check in checks if check["status"] not in ("passed", "todo")]
    todo = [check for check in checks if check["status"] == "todo"]
    if failing:
        sign, status = (
            "✗",
            f"{len(failing)} of {_count(len(checks), 'check')} {'fails' if len(checks) == 1 else 'fail'}",
        )
    else:
        sign, status = ("·", "to do") if todo else ("✓", "solved")
    passed = [check for check in checks if check["status"] == "passed"]
    notes = todo_notes([check["message"] for check in todo])
    return {"name": name, "sign": sign, "status": status, "failing": failing, "todo": todo, "passed": passed, "notes": notes}


# --- the page about the class -------------------------------------------------------------------


def _scores(problem: str, title: str, found: list[dict], room: int) -> dict:
    """How the points in a problem are spread."""
    graded = [result for result in found if not result["refused"]]
    points = [result["score"] for result in graded]
    most = max((result["max_score"] for result in graded), default=0)
    width = -(-(most + 1) // GROUPS)  # whole points, rounded up
    groups = {low: min(low + width - 1, most) for low in range(0, most + 1, width)}
    labels = {low: f"{low}–{high}" if high > low else f"{low}" for low, high in groups.items()}
    counts = Counter(score // width * width for score in points)
    columns = {label: counts[low] for low, label in labels.items()}
    alt = f"Points in {clean(title)}, and how many students have them: "
    alt += "; ".join(f"{label}: {count}" for label, count in columns.items() if count) + "."
    return {
        "title": title,
        "figure": figures.columns(columns, f"scores-{problem}", alt, x=f"points, of {most}") if points else None,
        "graded": len(graded),
        "refused": len(found) - len(graded),
        "absent": room - len(found),
        "median": f"{median(points):g}" if points else None,
        "full": sum(score == most for score in points),
        "most": most,
    }


def _hardest(of_problem: dict[str, list[dict]]) -> list[dict]:
    """The checks that the smallest share passes of those who have tried, at most as many as a figure shows."""
    tried, passed, checks = Counter(), Counter(), {}
    for problem, found in of_problem.items():
        for check in (check for result in found for check in result["checks"]):
            key = (problem, check["id"])
            checks.setdefault(key, check)
            tried[key] += check["status"] != "todo"
            passed[key] += check["status"] == "passed"
    hard = [
        {
            "problem": key[0],
            "check": check,
            "tried": tried[key],
            "passed": passed[key],
            "share": passed[key] / tried[key],
        }
        for key, check in checks.items()
        if passed[key] < tried[key]
    ]
    return sorted(hard, key=lambda row: (row["share"], -row["tried"]))[: figures.MOST_BARS]


def _hard_figure(hard: list[dict]) -> Markup | None:
    rows = [
        (
            clean(row["check"]["title"]),
            100 * row["share"],
            f"{100 * row['share']:.0f} % ({row['passed']} of {row['tried']})",
        )
        for row in hard
    ]
    alt = "The checks that the fewest pass, of those who have tried: "
    alt += "; ".join(f"{label} {text}" for label, _, text in rows)
    return figures.bars(rows, "hardest", alt, most=100) if rows else None


def _mistakes(of_problem: dict[str, list[dict]]) -> list[dict]:
    """The known mistakes with the students who make them, the most frequent first. Each student counts once."""
    made: dict[tuple[str, str], dict] = {}
    for problem, found in of_problem.items():
        for result in found:
            for mistake in (check["diagnosis"] for check in result["checks"] if check["diagnosis"]):
                row = made.setdefault((problem, mistake["id"]), {"problem": problem, "mistake": mistake, "folders": []})
                if result["student"] not in row["folders"]:
                    row["folders"].append(result["student"])
    return sorted(made.values(), key=lambda row: (-len(row["folders"]), row["problem"], row["mistake"]["id"]))


def _mistakes_figure(mistakes: list[dict]) -> Markup | None:
    rows = [(clean(row["mistake"]["title"]), len(row["folders"]), str(len(row["folders"]))) for row in mistakes]
    rows = rows[: figures.MOST_BARS]
    alt = "The known mistakes and how many students make them: " + "; ".join(
        f"{label} {text}" for label, _, text in rows
    )
    return figures.bars(rows, "mistakes", alt, most=rows[0][1]) if rows else None


def _row(student: dict, results: dict, problems: dict[str, str]) -> dict:
    """A student's row in the table: points per problem, the total, and what is to be noted."""
    found = {problem: results.get((student["folder"], problem)) for problem in problems}
    graded = {problems[p]: result for p, result in found.items() if result}
    refused = [f"{title}: {result['refused']}" for title, result in graded.items() if result["refused"]]
    noted = [f"{title}: {notice}" for title, result in graded.items() for notice in result["notices"][:MOST_NOTES]]
    return {
        "folder": student["folder"],
        "points": [_points(result) for result in found.values()],
        "total": sum(result["score"] for result in found.values() if result and not result["refused"]),
        "late": student["late"],
        "notes": [*student["notes"], *refused, *noted],
    }


def _points(result: dict | None) -> int | str:
    if result is None:
        return "–"
    return "not graded" if result["refused"] else result["score"]
