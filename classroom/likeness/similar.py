"""Which submissions are suspiciously alike: to a known text of the course, or to each other?

The limits are measured: `tests/benchmarks/likeness.py` prints the table. Of the solutions of each problem by writers who knew
nothing of each other or of the reference, no two share more than a third, and no function of the size that counts has more
than 70 % of it in another solution. A disguised copy shares 65 % at least, mostly 90 % and more.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import NamedTuple

from classroom.likeness.fingerprints import Function, functions, prints

HONEST = 0.33  # what two solutions had in common at most whose writers knew nothing of each other
ALIKE = 0.5  # of the smaller of two texts: so much in common is told. Honest ones had HONEST, and parts of them 45 % …
FEWEST = 60  # … if the smaller has as many fingerprints. Parts of 50 had 52 % by chance, and of 20, 75 %
WHOLE = 0.85  # of a function: then it stands in another text. Honest ones had 69 % …
LONG = 18  # … of as many fingerprints. Of 15, some had 80 %, and of 10, some were equal: there are few ways to write them
RING = 5  # what more than so many have written, each for themselves, and more than half of the room, tells nothing
SMALL = 8  # in a larger group that is alike, each is paired with who is most like them, not with everybody
LONGEST = 200_000  # characters of one submission: many times what a problem needs, so that none takes minutes

_Prints = frozenset[int]


class Likeness(NamedTuple):
    """What the instructor is told of some submissions, such as `equals the reference`.

    text: the name of the known text; "" if there is none.
    """

    words: str
    folders: list[str]
    text: str = ""


class Pair(NamedTuple):
    """Two submissions, in the order of the alphabet, and the share of the smaller that stands in the larger.

    functions: the names of the long functions of one that stand in the other.
    """

    one: str
    other: str
    share: float
    functions: tuple[str, ...] = ()


class _Text(NamedTuple):
    name: str
    functions: tuple[tuple[str, _Prints], ...]
    prints: _Prints

    def without(self, usual: _Prints) -> "_Text":
        return _Text(self.name, tuple((name, found - usual) for name, found in self.functions), self.prints - usual)


def compare(
    sources: dict[str, list[str]], given: list[str], known: dict[str, list[Function]]
) -> tuple[list[Likeness], list[Pair]]:
    """What looks copied among the submissions to a problem.

    Each is compared with the known texts. A submission that has much in common with one, or holds a long function of it, is
    told with the name of this text. What stands in the hand-out never counts.

    Then each is compared with all others. There, the known text that it is like does not count, nor does what most of the room
    have written, for it was shown to them, or there is one natural way. Those who are alike count as one there: what a third of
    the room has copied is not usual.

    Args:
        sources: the cells of code by the student's folder. They may be broken or empty.
        given: the cells of the hand-out, with the blank stubs.
        known: the functions of each known text by its name, the reference first.

    Returns:
        Likenesses and pairs, the most alike first.
    """
    blank = functions(given)
    usual, blanks = prints(blank), {function.source.strip() for function in blank}
    texts = [_text(name, found, usual) for name, found in known.items()]
    texts = texts[:1] + [text for text in texts[1:] if text.prints - texts[0].prints]  # others are parts of the reference
    told: dict[str, tuple[float, str, str]] = {}
    own: list[_Text] = []
    for folder, cells in sorted(sources.items()):
        if sum(map(len, cells)) > LONGEST:
            told[folder] = 1.0, f"has more than {LONGEST:,} characters of code, so it was compared with nothing", ""
            continue
        found = functions(cells, given)
        submission = _text(folder, found, usual)
        text = _held(submission, texts)
        own.append(submission.without(text.prints) if text else submission)
        if text:
            told[folder] = *_words(submission, text), text.name
        elif found and {function.source.strip() for function in found} <= blanks:
            told[folder] = 0.0, "equals the handed-out stubs", ""
    shares = {words: share for share, words, _ in told.values()}
    alike: dict[tuple[str, str], list[str]] = defaultdict(list)
    for folder, (_, *what) in told.items():
        alike[*what].append(folder)
    in_order = sorted(alike, key=lambda what: (-shares[what[0]], *what))
    return [Likeness(words, alike[words, text], text) for words, text in in_order], _pairs(own)


def _text(name: str, found: Iterable[Function], usual: _Prints) -> _Text:
    of_functions = tuple((function.name, frozenset(function.lines) - usual) for function in found)
    return _Text(name, of_functions, frozenset().union(*(prints for _, prints in of_functions)))


def _share(one: _Text, other: _Text) -> float:
    """How much of the smaller of two texts stands in the larger. 0 if chance could decide."""
    fewest = min(len(one.prints), len(other.prints))
    return len(one.prints & other.prints) / fewest if fewest >= FEWEST else 0.0


def _whole(text: _Text, other: _Text) -> tuple[str, ...]:
    """The long functions of a text that stand in another."""
    if len(text.prints & other.prints) < WHOLE * LONG:
        return ()
    return tuple(n for n, found in text.functions if len(found) >= LONG and len(found & other.prints) >= WHOLE * len(found))


# --- known texts --------------------------------------------------------------------------------


def _held(submission: _Text, texts: list[_Text]) -> _Text | None:
    """The largest known text that stands in a submission as it is; else the first that it is like.

    The reference is the first, so another one is named only if it is no more like the reference than honest work is, or if all
    of it is there.
    """
    like = [text for text in texts if _share(submission, text) >= ALIKE or _whole(text, submission)]
    equal = [text for text in like if text.prints <= submission.prints]
    return max(equal, key=lambda text: len(text.prints), default=like[0] if like else None)


def _words(submission: _Text, text: _Text) -> tuple[float, str]:
    """The share of a known text that stands in a submission, and what is said of it."""
    common = len(submission.prints & text.prints)
    share = common / len(text.prints)
    if share == 1:
        return share, f"equals {text.name}"
    if share >= ALIKE:
        return share, f"holds {int(100 * share)} % of {text.name}"
    if _share(submission, text) >= ALIKE:
        return share, f"is a part of the task, and {int(100 * common / len(submission.prints))} % of it stand in {text.name}"
    return share, f"holds {' and '.join(f'`{name}`' for name in _whole(text, submission))} of {text.name}"


# --- pairs --------------------------------------------------------------------------------------


def _pairs(texts: list[_Text]) -> list[Pair]:
    """The pairs of submissions that look copied from each other."""
    texts = [text for text in texts if len(text.prints) >= LONG]
    found = list(_alike(texts))
    usual = _usual(texts, found)
    if usual:
        found = list(_alike([text.without(usual) for text in texts]))
    found.sort(key=lambda pair: (-pair.share, pair.one, pair.other))
    group, tree = _joined(found)
    sizes = Counter(group.values())
    return [pair for pair in found if pair in tree or sizes[group[pair.one]] <= SMALL]


def _alike(texts: list[_Text]) -> Iterator[Pair]:
    for one, other in combinations(texts, 2):
        share, names = _share(one, other), {*_whole(one, other), *_whole(other, one)}
        if share >= ALIKE or names:
            yield Pair(one.name, other.name, share, tuple(sorted(names)))


def _usual(texts: list[_Text], found: list[Pair]) -> _Prints:
    """What most of the room have written, where all who are alike count as one."""
    group, _ = _joined([pair for pair in found if pair.share >= ALIKE])
    voices: dict[str, set[int]] = defaultdict(set)
    for text in texts:
        voices[group.get(text.name, text.name)] |= text.prints
    holders = Counter(fingerprint for voice in voices.values() for fingerprint in voice)
    limit = max(len(voices) / 2, RING)
    return frozenset(fingerprint for fingerprint, count in holders.items() if count > limit)


def _joined(found: list[Pair]) -> tuple[dict[str, str], set[Pair]]:
    """Groups that hang together: a name of the group by folder, and the pairs by which each was joined to it."""
    root: dict[str, str] = {}
    tree = set()

    def top(folder: str) -> str:
        while root.setdefault(folder, folder) != folder:
            folder = root[folder] = root[root[folder]]
        return folder

    for pair in found:
        one, other = top(pair.one), top(pair.other)
        if one != other:
            root[max(one, other)] = min(one, other)
            tree.add(pair)
    return {folder: top(folder) for folder in list(root)}, tree
