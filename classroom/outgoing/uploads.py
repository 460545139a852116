"""The students' pages in the form in which a platform takes the feedback of all of them at once.

Moodle: “Upload multiple feedback files in a zip” finds the student in a folder's name, `Anna Berg_310001_assignsubmission_file`.
Canvas: “Upload submissions” finds student and upload in the name under which the file was downloaded, `bergann_123_456_….html`.
Gradescope: an autograder finds what was graded here under the number of the submission.
"""

import io
import json
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from classroom.incoming.collect import Student
from classroom.outgoing.gradebooks import Book, Grades

LONG_AGO = (1980, 1, 1, 0, 0, 0)  # a date for all files, so that equal feedback makes equal zips

Pages = Mapping[str, bytes]  # by folder
Results = Mapping[tuple[str, str], Mapping]  # by folder and problem


def uploads(grades: Grades, pages: Pages, results: Results) -> list[Book]:
    """The zips for the platforms from which the students come."""
    made = []
    for kind, (name, files) in _UPLOADS.items():
        students = sorted((one for one in grades.students if one.platform == kind), key=lambda one: one.folder)
        content = dict(files(students, grades, pages, results))
        if content:
            made.append(Book(name, _zipped(content)))
    return made


def _moodle(students: Sequence[Student], grades: Grades, pages: Pages, results: Results) -> Iterable[tuple[str, bytes]]:
    """The number is the participant's. Moodle splits the folder's name at its underscores, so the name has none."""
    for student in students:
        if student.id and student.folder in pages:
            name = re.sub(r"[^\w .'-]|_", " ", student.name).strip(" .") or "Participant"
            yield f"{name}_{student.id}_assignsubmission_file/feedback.html", pages[student.folder]


def _canvas(students: Sequence[Student], grades: Grades, pages: Pages, results: Results) -> Iterable[tuple[str, bytes]]:
    """Canvas looks for the numbers of the student and of the upload, so a page needs the name of one that came from there."""
    for student in students:
        came = next((name for name in map(_last, student.sources.values()) if re.search(r"_\d+_\d+_", name)), None)
        if came and student.folder in pages:
            yield str(PurePosixPath(came).with_suffix(".html")), pages[student.folder]


def _last(path: str) -> str:
    return PurePosixPath(path).name


_SETUP = b"#!/bin/sh\n"
_RUN = b"""#!/usr/bin/env python3
\"\"\"Gives Gradescope what was graded elsewhere: results/NUMBER.json, by the number of the submission.\"\"\"

import json
import shutil
import sys
from pathlib import Path

number = json.loads(Path("/autograder/submission_metadata.json").read_text())["id"]
graded = Path("/autograder/source/results") / f"{number}.json"
if not graded.exists():
    sys.exit(f"Submission {number} has no grade yet.")
shutil.copy(graded, "/autograder/results/results.json")
"""


def _gradescope(students: Sequence[Student], grades: Grades, pages: Pages, results: Results) -> Iterable[tuple[str, bytes]]:
    """An autograder for Gradescope. What has no grade here has no file, so it gets none there."""
    found = {}
    for student in students:
        numbers = [number[1] for path in student.sources.values() if (number := re.search(r"(?:^|/)submission_(\d+)/", path))]
        total = grades.total.get(student.folder)
        if numbers and total and total.points is not None:
            content = gradescope_results(student.folder, grades, results)
            found[f"results/{numbers[0]}.json"] = json.dumps(content, indent=1).encode()
    return [("run_autograder", _RUN), ("setup.sh", _SETUP), *sorted(found.items())] if found else []


def gradescope_results(folder: str, grades: Grades, results: Results) -> dict:
    """A student's results in the form of Gradescope's results.json: the score, and the checks that make it.

    The score is the grade; the points of the checks are those before a late rule and an override.
    """
    tests = []
    for problem, title in grades.assignment.titles.items():
        result = results.get((folder, problem))
        scale = grades.assignment.most(problem) / grades.assignment.full(problem)
        for check in result["checks"] if result and not result["refused"] else ():
            if grades.assignment.counts(problem, check["id"], check["stub"]):
                tests.append(
                    {
                        "name": f"{title}, {check['stub']}: {check['title']}",
                        "score": round(check["points"] * scale, 2),
                        "max_score": round(check["max_points"] * scale, 2),
                        "status": "passed" if check["status"] == "passed" else "failed",
                        "output": check["message"],
                        "output_format": "text",
                        "visibility": "visible",
                    }
                )
    total = grades.total[folder]
    return {"score": round(total.points, 2), "output": grades.feedback.get(folder, ""), "output_format": "text", "tests": tests}


_UPLOADS: dict[str, tuple[str, Callable]] = {
    "moodle": ("feedback-moodle.zip", _moodle),
    "canvas": ("feedback-canvas.zip", _canvas),
    "gradescope": ("autograder-gradescope.zip", _gradescope),
}


def _zipped(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, LONG_AGO)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, (0o755 if content.startswith(b"#!") else 0o644) << 16
            archive.writestr(entry, content)
    return out.getvalue()
