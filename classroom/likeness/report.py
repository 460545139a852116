"""All that looks copied in a run, and the codes that an instructor then puts beside each other."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from classroom.incoming.collect import Collection
from classroom.likeness import texts
from classroom.likeness.beside import Row, beside
from classroom.likeness.fingerprints import Function, functions, prints
from classroom.likeness.similar import ALIKE, Likeness, Pair, compare
from grader.problems import PROBLEMS


class View(NamedTuple):
    """Two codes for one problem that look alike.

    one: a student's folder.
    other: another folder, or the name of a known text.
    known: whether it is a known text.
    words: what is said of them.
    """

    problem: str
    one: str
    other: str
    known: bool
    words: str
    rows: list[Row]


class _Material(NamedTuple):
    """What was compared for a problem: the cells by folder, those of the hand-out, and the known texts."""

    sources: dict[str, list[str]]
    given: list[str]
    known: dict[str, list[Function]]


@dataclass
class Alike:
    """What looks copied, each with the id of its problem."""

    likenesses: list[tuple[str, Likeness]] = field(default_factory=list)
    pairs: list[tuple[str, Pair]] = field(default_factory=list)
    _material: dict[str, _Material] = field(default_factory=dict)

    def folders(self, problem: str) -> set[str]:
        """Whose work for a problem looks copied."""
        of_texts = {folder for id, one in self.likenesses if id == problem and one.text for folder in one.folders}
        return of_texts | {folder for id, pair in self.pairs if id == problem for folder in pair[:2]}

    def views(self) -> Iterator[View]:
        """The codes to be put beside each other, one after the other: all at once would be much."""
        for problem, one in self.likenesses:
            for folder in one.folders if one.text else ():
                yield self._view(problem, folder, one.text, True, one.words)
        for problem, pair in self.pairs:
            yield self._view(problem, pair.one, pair.other, False, words_of(pair))

    def _view(self, problem: str, one: str, other: str, known: bool, words: str) -> View:
        sources, given, texts = self._material[problem]
        codes = functions(sources[one], given), texts[other] if known else functions(sources[other], given)
        return View(problem, one, other, known, words, beside(*codes, prints(functions(given))))


def words_of(pair: Pair) -> str:
    """What is said of a pair."""
    if pair.share >= ALIKE:
        return f"{int(100 * pair.share)} % of the smaller stand in the other"
    return f"{' and '.join(f'`{name}`' for name in pair.functions)} of one stand in the other"


def look(collection: Collection, problems: Iterable[str]) -> Alike:
    """Compare the submissions to each of these problems with the known texts and with each other."""
    found = Alike()
    for problem in (PROBLEMS[id] for id in problems):
        material = _Material(texts.handed_in(collection, problem), texts.handed_out(problem), texts.known(problem))
        likenesses, pairs = compare(*material)
        found.likenesses += [(problem.id, one) for one in likenesses]
        found.pairs += [(problem.id, one) for one in pairs]
        found._material[problem.id] = material
    return found
