"""How alike honest solutions are, and how much of a copy is left under each disguise: what the limits of likeness rest on.

    .venv/bin/python -m tests.benchmarks.likeness

The honest ones are the right solutions of tests/right, by writers who knew nothing of each other or of the reference, and the
reference. Each is compared with each, whole and in parts of some functions, as of students who handed in a part. The copies are
each of these in every disguise of tests/disguises.py. Takes two minutes.
"""

import random
import time
from collections.abc import Iterator
from itertools import combinations, permutations

from classroom.likeness import similar, texts
from classroom.likeness.fingerprints import Function, functions, prints
from classroom.likeness.similar import FEWEST, LONG, WHOLE, compare
from grader.problems import PROBLEMS, ROOT, Problem
from tests import disguises

PARTS = 40  # of each solution, drawn


def solutions(problem: Problem) -> dict[str, str]:
    paths = [*sorted((ROOT / "tests/right" / problem.id).glob("*.py")), problem.reference]
    return {path.stem: path.read_text(encoding="utf-8") for path in paths}


def parts(found: list[Function], chance: random.Random) -> Iterator[list[Function]]:
    """Some functions of a solution, of which each is as likely to be many as few."""
    for _ in range(PARTS):
        yield chance.sample(found, chance.randint(1, len(found)))


def honest(codes: dict[str, str], given: list[str]) -> dict[str, list[float]]:
    """The shares that honest solutions, their parts and their long functions have in common."""
    usual = prints(functions(given))
    read = {name: functions([code], given) for name, code in codes.items()}
    of = {name: prints(found) - usual for name, found in read.items()}
    chance = random.Random(0)
    drawn = {name: [prints(part) - usual for part in parts(found, chance)] for name, found in read.items()}
    long = {name: [p for one in found if len(p := frozenset(one.lines) - usual) >= LONG] for name, found in read.items()}
    around = list(permutations(codes, 2))
    return {
        "whole": [len(of[a] & of[b]) / min(len(of[a]), len(of[b])) for a, b in combinations(codes, 2)],
        "parts": [len(part & of[b]) / len(part) for a, b in around for part in drawn[a] if len(part) >= FEWEST],
        "long functions": [len(one & of[b]) / len(one) for a, b in around for one in long[a]],
    }


def disguised(codes: dict[str, str], given: list[str]) -> dict[str, list[float]]:
    """For each disguise, how much of each copy and of what it was copied from is the same."""
    usual = prints(functions(given))
    of = {name: prints(functions([code], given)) - usual for name, code in codes.items()}
    found = {}
    for title, disguise in disguises.ALL.items():
        copies = {name: prints(functions([disguise(code)], given)) - usual for name, code in codes.items()}
        found[title] = [len(copies[n] & of[n]) / min(len(copies[n]), len(of[n])) for n in codes]
    return found


def room_with_copies(problem: Problem, codes: dict[str, str], given: list[str]) -> tuple[int, int, int, float]:
    """A room of 44 in which 14 share one solution, each in a disguise, and the others hand in their own.

    Returns:
        How many of the 14 are found, how many others are accused, the room's size, and the seconds that it takes.
    """
    names = list(codes)[:-1]
    copies = {f"copy{n:02}": disguise(codes[names[0]]) for n, disguise in enumerate(disguises.ALL.values())}
    room = {name: [code] for name, code in (copies | {name: codes[name] for name in names[1:]}).items()}
    started = time.perf_counter()
    _, pairs = compare(room, given, {})
    seconds = time.perf_counter() - started
    accused = {folder for pair in pairs for folder in pair[:2]}
    return len(accused & set(copies)), len(accused - set(copies)), len(room), seconds


def large_room(codes: dict[str, str], given: list[str], known: dict, size: int = 500) -> float:
    """The seconds for a room in which everybody has changed somebody's solution a little."""
    names = list(codes)
    room = {f"s{n:03}": [*given, f"{codes[names[n % len(names)]]}\n\ndef own_{n}(x):\n    return x"] for n in range(size)}
    started = time.perf_counter()
    compare(room, given, known)
    return time.perf_counter() - started


def row(title: str, values: list[float], limit: float) -> str:
    over = sum(value >= limit for value in values)
    middle = sorted(values)[len(values) // 2]
    return f"  {title:40} {len(values):6}  {min(values):5.2f} {middle:5.2f} {max(values):5.2f}   {over} from {limit:g} on"


def main() -> None:
    for problem in PROBLEMS.values():
        codes, given = solutions(problem), texts.handed_out(problem)
        print(f"{problem.title}{'':40} number  least  half  most")
        for title, values in honest(codes, given).items():
            print(row(f"honest, {title}", values, WHOLE if title == "long functions" else similar.ALIKE))
        for title, values in disguised(codes, given).items():
            print(row(title, values, similar.ALIKE))
        found, accused, size, seconds = room_with_copies(problem, codes, given)
        print(f"  a room of {size}: {found} of {len(disguises.ALL)} copies found, {accused} others accused, {seconds:.1f} s")
        print(f"  a room of 500: {large_room(codes, given, texts.known(problem)):.1f} s")


if __name__ == "__main__":
    main()
