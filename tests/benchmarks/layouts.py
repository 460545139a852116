"""A class of 44 in the layout of each platform, collected and graded: does everybody get what their work is worth?

    python -m tests.benchmarks.layouts

For each layout: the points of everybody, against those of the first layout, and which files were written.
"""

import csv
import io
import json
import tempfile
import time
from dataclasses import replace
from itertools import cycle
from pathlib import Path

from classroom import room
from classroom.incoming.collect import collect
from classroom.incoming.roster import read_roster
from grader.problems import ROOT
from tests.classes import LAYOUTS, NOTEBOOK, archive, class_list, the_class

SEED = 7


def works() -> list[str]:
    """Right and wrong solutions as notebooks, in turn."""
    right = sorted((ROOT / "tests" / "right" / "lora").glob("*.py"))[:8]
    wrong = sorted((ROOT / "tests" / "wrong" / "lora").glob("*.py"))[:8]
    texts = [path.read_text(encoding="utf-8") for pair in zip(right, wrong) for path in pair]
    return [json.dumps({"cells": [{"cell_type": "code", "source": text}], "nbformat": 4}) for text in texts]



def words(name: str) -> str:
    """Some lists write “Berg, Anna”. The namesakes Al Li and Ali Al stay two."""
    last, comma, first = name.partition(", ")
    return f"{first} {last}" if comma else name


def main() -> None:
    pupils = [replace(pupil, files={NOTEBOOK: work}) for pupil, work in zip(the_class(), cycle(works()))]
    due: dict[str, float] = {}
    for layout in LAYOUTS:
        with tempfile.TemporaryDirectory() as made:
            started, folder = time.perf_counter(), Path(made)
            roster = folder / "list.csv"
            roster.write_text(class_list(layout, pupils), encoding="utf-8", newline="")
            collection = collect([archive(folder / "in", layout, pupils)], folder / "collected", read_roster(roster))
            room.grade(collection, folder / "out", room.Stated(problems=["lora"], roster=roster, seed=SEED))
            table = list(csv.DictReader(io.StringIO((folder / "out" / "gradebook.csv").read_text(encoding="utf-8-sig"))))
            by_number = layout == "moodle blind"  # it hides the names
            got = {row["id"] if by_number else words(row["name"]): float(row["total"]) for row in table}
            points = {str(pupil.number) if by_number else words(pupil.name): pupil for pupil in pupils}
            due = due or {pupil.name: got[words(pupil.name)] for pupil in pupils}
            wrong = [key for key, pupil in points.items() if got.get(key) != due[pupil.name]]
            books = sorted(path.name for path in (folder / "out").iterdir() if path.suffix in (".csv", ".zip"))
            print(f"{layout:<28} {len(table)} rows, {len(wrong)} wrong, {time.perf_counter() - started:.0f} s; {', '.join(books)}", flush=True)
            for key in wrong[:5]:
                print(f"    {key}: {got.get(key)}, not {due[points[key].name]}")


if __name__ == "__main__":
    main()
