"""Two codes beside each other: the functions that belong together in one row, and in them the lines that are alike."""

from collections.abc import Iterator
from typing import NamedTuple

from classroom.likeness.fingerprints import Function, prints

SHORTEST = 8  # characters of a line that counts as alike because it is the same text


class Line(NamedTuple):
    number: int
    text: str
    alike: bool


class Block(NamedTuple):
    """A function, with the lines that are alike marked."""

    name: str
    lines: list[Line]

    @property
    def alike(self) -> int:
        return sum(line.alike for line in self.lines)


class Row(NamedTuple):
    """Two functions that belong together, or one that has no counterpart."""

    one: Block | None
    other: Block | None


def beside(one: list[Function], other: list[Function], usual: frozenset[int] = frozenset()) -> list[Row]:
    """The functions of two codes in rows: those that belong together in the order of the first code, then all others.

    Args:
        usual: fingerprints of what the hand-out gives, which count for nothing.
    """
    shared = (prints(one) & prints(other)) - usual
    partner = dict(_matched(one, other, shared))
    rows = []
    for index, function in enumerate(one):
        if index in partner:
            fellow = other[partner[index]]
            rows.append(Row(_block(function, shared, fellow), _block(fellow, shared, function)))
    rows += [Row(_block(function, shared), None) for index, function in enumerate(one) if index not in partner]
    taken = set(partner.values())
    return rows + [Row(None, _block(function, shared)) for index, function in enumerate(other) if index not in taken]


def _matched(one: list[Function], other: list[Function], shared: frozenset[int]) -> Iterator[tuple[int, int]]:
    """Which function of one belongs to which of the other: by what they share, then by name. Each belongs to one at most."""
    scored = []
    for i, first in enumerate(one):
        for j, second in enumerate(other):
            common = len(first.lines.keys() & second.lines.keys() & shared)
            if common or first.name == second.name:
                scored.append((-common, first.name != second.name, i, j))
    left, right = set(), set()
    for _, _, i, j in sorted(scored):
        if i not in left and j not in right:
            left.add(i)
            right.add(j)
            yield i, j


def _block(function: Function, shared: frozenset[int], fellow: Function | None = None) -> Block:
    marked = {line for fingerprint, lines in function.lines.items() if fingerprint in shared for line in lines}
    same = {line.strip() for line in fellow.source.split("\n")} if fellow else set()
    lines = function.source.split("\n")
    return Block(
        function.name,
        [
            Line(
                number + 1,
                text,
                bool(text.strip()) and (number in marked or len(text.strip()) >= SHORTEST and text.strip() in same),
            )
            for number, text in enumerate(lines)
        ],
    )
