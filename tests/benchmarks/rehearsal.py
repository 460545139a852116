"""A dress rehearsal: 500 submissions in Moodle's zip, collected and graded in one run that is killed half way.

    .venv/bin/python tests/benchmarks/rehearsal.py

There are right solutions, every known mistake, the hostile submissions of the tests, and broken files. Each grade is
compared with what is expected. Takes some minutes, so it is no part of `make test`.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from pathlib import Path

from classroom.grading import runner
from grader import bank
from grader.checks import checks_of
from grader.problems import PROBLEMS, ROOT

COUNT, SEED = 500, 77
BROKEN = ["", "{", "def f(:\n", "x = 1\n", "\x00", '{"cells": 3}', "[" * 9000, "class LoRALinear:\n"]


def submissions() -> dict[str, tuple[str, str, object]]:
    """By the student's name: the file's name, its text, and the score that is expected (a number, or the most it may be)."""
    found = {}
    for problem in PROBLEMS.values():
        file, reference = f"{problem.notebook}.py", problem.reference.read_text(encoding="utf-8")
        points = {check.id: check.points for check in checks_of(problem.id).values()}
        for path in sorted((ROOT / "tests" / "variants" / problem.id).glob("*.py")):
            found[f"Variant {path.stem}"] = file, f"{reference}\n\n{path.read_text(encoding='utf-8')}", sum(points.values())
        runner.prepare(problem, SEED)
        for mistake in bank.known_mistakes(problem).values():
            wrong = bank.wrong_checks(mistake.id, problem, SEED)
            expected = sum(count for name, count in points.items() if name not in wrong)
            found[f"Mistake {problem.id} {mistake.id}"] = file, f"{reference}\n\n{mistake.source}", expected
    lora = PROBLEMS["lora"]
    reference = lora.reference.read_text(encoding="utf-8")
    for path in sorted((ROOT / "tests" / "hostile").glob("*.py")):
        found[f"Hostile {path.stem}"] = f"{lora.notebook}.py", f"{reference}\n\n{path.read_text(encoding='utf-8')}", "at most full"
    for number, text in enumerate(BROKEN):
        suffix = ".ipynb" if text[:1] in "{[" and text else ".py"
        found[f"Broken {number}"] = f"{lora.notebook}{suffix}", text, 0
    for number in range(COUNT - len(found)):
        found[f"Right {number}"] = f"{lora.notebook}.py", f"{reference}\n# by student {number}\n", 59
    return found


def moodle_zip(path: Path, found: dict) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, (name, (file, text, _)) in enumerate(found.items()):
            archive.writestr(f"{name}_{1000 + number}_assignsubmission_file_/{file}", text)


def main() -> None:
    found = submissions()
    print(f"{len(found)} submissions: {dict(Counter(name.split()[0] for name in found))}")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        moodle_zip(work / "all.zip", found)
        run = [sys.executable, "-m", "classroom"]
        subprocess.run([*run, "collect", work / "all.zip", "--out", work / "all"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        grade = [*run, "grade", work / "all", "--out", work / "out", "--seed", str(SEED), "--jobs", "2"]
        grade += [part for problem in PROBLEMS for part in ("--problem", problem)]
        started = time.perf_counter()
        process = subprocess.Popen(grade, cwd=ROOT)
        results = work / "out" / runner.RESULTS
        while process.poll() is None and not (results.exists() and results.read_bytes().count(b"\n") > len(found) // 2):
            time.sleep(0.2)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        print(f"killed after {len(runner.read_results(results))} results")
        subprocess.run(grade, cwd=ROOT, check=True)
        print(f"graded in {time.perf_counter() - started:.0f} s, both runs together")
        compare(found, {r["student"]: r for r in runner.read_results(results)})


def compare(found: dict, results: dict) -> None:
    """Print every grade that is not as expected."""
    by_name = {name.rsplit("-", 1)[0]: result for name, result in results.items()}
    wrong = 0
    for name, (_, _, expected) in found.items():
        result = by_name.get(name.lower().replace(" ", "-").replace("_", "-"))
        if result is None:
            print(f"{name}: not collected")
        elif expected != "at most full" and result["score"] != expected:
            wrong += 1
            print(f"{name}: {result['score']} of {result['max_score']}, expected {expected}; {result['refused']} {result['incidents']}")
    print(f"{len(results)} results, {wrong} not as expected")


if __name__ == "__main__":
    main()
