"""Code review as an exercise: a script with faults, the lines that a reader marks, and the score."""

import textwrap
import tomllib
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent / "reviews"


@dataclass(frozen=True)
class Remark:
    """What is to be said of one place in the script.

    Attributes:
        lines: the line numbers that mean it. Each of them counts.
        title: what is wrong, or what is right although it may look wrong.
        why: the reason.
    """

    lines: tuple[int, ...]
    title: str
    why: str


@dataclass(frozen=True)
class Review:
    """A script, its faults, and what in it is right although readers often accuse it."""

    script: str
    faults: list[Remark]
    right: list[Remark]

    def show(self) -> None:
        """Print the script with line numbers."""
        for number, line in enumerate(self.script.splitlines(), 1):
            print(f"{number:2}  {line}".rstrip())

    def score(self, marked: list[int], *, reveal: bool = False) -> None:
        """Print which faults the marked lines have found, and which lines were accused falsely.

        Args:
            marked: line numbers.
            reveal: also print the faults that were missed.
        """
        last = len(self.script.splitlines())
        unknown = [line for line in marked if type(line) is not int or not 1 <= line <= last]
        if unknown:
            print(f"{unknown[0]!r} is no line of the script. Mark whole numbers from 1 to {last}, for example [1, 5].")
            return
        found = [fault for fault in self.faults if set(fault.lines) & set(marked)]
        missed = [fault for fault in self.faults if fault not in found]
        accused = sorted(set(marked) - {line for fault in self.faults for line in fault.lines})
        print(
            f"Found: {len(found)} of {len(self.faults)} faults. Missed: {len(missed)}. Falsely accused: {len(accused)}."
        )
        for fault in found:
            _print_remark("found", fault)
        for line in accused:
            _print_remark("falsely accused", self._defence(line))
        if reveal:
            for fault in missed:
                _print_remark("missed", fault)
        elif missed:
            print("Look again, or show what is missing with score(marked, reveal=True).")

    def _defence(self, line: int) -> Remark:
        """Why a line is right."""
        remark = next((remark for remark in self.right if line in remark.lines), None)
        why = remark.why if remark else "It does what it says. If you see a fault here, it belongs to another line."
        return Remark((line,), remark.title if remark else "nothing is wrong here", why)


def names() -> list[str]:
    """The names of all reviews, by the alphabet."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name: str) -> Review:
    """The review in `reviews/NAME.toml`. A script may be without faults."""
    content = tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))

    def remarks(key: str) -> list[Remark]:
        return [Remark(tuple(entry["lines"]), entry["title"], entry["why"].strip()) for entry in content.get(key, ())]

    return Review(content["script"].strip("\n"), remarks("fault"), remarks("right"))


def _print_remark(verdict: str, remark: Remark) -> None:
    lines = " or ".join(map(str, remark.lines))
    print(f"\n{verdict}, line {lines}: {remark.title}")
    print(textwrap.fill(" ".join(remark.why.split()), 110, initial_indent="  ", subsequent_indent="  "))
