"""Which submissions are suspiciously equal: to a known text of the course, or to each other?

The limits were chosen with 120 solutions of each problem by writers who had never seen the reference. They held at most 21 %
of it (LoRA), 16 % (PEFT) and 10 % (SFT). A copy in which two functions are rewritten holds 33 % to 100 % of it, mostly 85 %.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache
from itertools import combinations
from typing import NamedTuple

from classroom.likeness.fingerprints import Function, functions, hashes, winnowed

KNOWN = 0.4  # of a known text: so much of it in a submission is told …
FEWEST = 30  # … if these are as many fingerprints, and so is a whole function of that size. Of 20, some were equal by chance
PAIR = 0.75  # of the smaller of two submissions. Honest ones shared 29 %, and 58 % where one was a fragment …
FEWEST_IN_PAIR = 60  # … of as many fingerprints. Below, chance could decide
USUAL = 0.3  # what more than this share of the room has written does not count between two submissions …
RING = 5  # … if these are more than so many: in a small room, a few who copy are a large share
LONGEST = 200_000  # characters of one submission: many times what a problem needs, so that none takes minutes

_Prints = frozenset[int]
_Read = Callable[[tuple[str, ...]], _Prints]  # a function's tokens -> its fingerprints, without those of the hand-out


class Likeness(NamedTuple):
    """What the instructor is told of some submissions, such as `equals the reference`."""

    words: str
    folders: list[str]


class Pair(NamedTuple):
    """Two submissions, in the order of the alphabet, and the share of the smaller that stands in the larger."""

    one: str
    other: str
    share: float


class _Text(NamedTuple):
    name: str
    functions: list[tuple[str, _Prints]]
    prints: _Prints


def compare(
    sources: dict[str, list[str]], given: list[str], known: dict[str, list[Function]]
) -> tuple[list[Likeness], list[Pair]]:
    """What looks copied among the submissions to a problem.

    Each is compared with the known texts. A submission that holds much of one, or a long function as it is, is told with the
    name of this text. What stands in the hand-out never counts.

    Then each is compared with all others. There, the known text that it holds does not count, nor does what many of the room
    have written, for there are few ways to write a short function. But solutions that are equal as a whole are always told,
    however many have handed them in: each is paired with the first of them.

    Args:
        sources: the cells of code by the student's folder. They may be broken or empty.
        given: the cells of the hand-out, with the blank stubs.
        known: the functions of each known text by its name, the reference first.

    Returns:
        Likenesses and pairs, the most equal first.
    """
    blank = {function.tokens for function in functions(given)}
    usual = {found for tokens in blank for found in hashes(tokens)}

    @cache
    def read(tokens: tuple[str, ...]) -> _Prints:
        return winnowed([found for found in hashes(tokens) if found not in usual])

    texts = [_text(name, found, read) for name, found in known.items()]
    texts = texts[:1] + [text for text in texts[1:] if text.prints - texts[0].prints]  # others are parts of the reference
    told, prints = {}, {}
    for folder, cells in sorted(sources.items()):
        if sum(map(len, cells)) > LONGEST:
            told[folder] = 1.0, f"has more than {LONGEST:,} characters of code, so it was compared with nothing"
            continue
        found = functions(cells)
        submission = _text(folder, found, read)
        text = _held(submission, texts)
        prints[folder] = submission.prints - (text.prints if text else frozenset())
        if text:
            told[folder] = _words(submission, text)
        elif found and {function.tokens for function in found} <= blank:
            told[folder] = 0.0, "equals the handed-out stubs"
    ranks = {words: share for share, words in told.values()}
    in_order = sorted(ranks, key=lambda words: (-ranks[words], words))
    return [Likeness(words, [folder for folder in told if told[folder][1] == words]) for words in in_order], _pairs(prints)


def _text(name: str, found: Iterable[Function], read: _Read) -> _Text:
    of_functions = [(function.name, read(function.tokens)) for function in found]
    return _Text(name, of_functions, frozenset().union(*(prints for _, prints in of_functions)))


# --- known texts --------------------------------------------------------------------------------


def _held(submission: _Text, texts: list[_Text]) -> _Text | None:
    """The largest known text that stands in a submission as a whole; else the first of which it holds much.

    A text that is shorter than the first, the reference, is measured by the reference: a mistake may lack a long function.
    """
    held = []
    for text in texts:
        least = max(FEWEST, KNOWN * max(len(text.prints), len(texts[0].prints)))
        if len(submission.prints & text.prints) >= least or _whole(submission, text):
            held.append(text)
    equal = [text for text in held if text.prints <= submission.prints]
    return max(equal, key=lambda text: len(text.prints), default=held[0] if held else None)


def _whole(submission: _Text, text: _Text) -> list[str]:
    """The long functions of a known text that stand in a submission as they are."""
    return [name for name, prints in text.functions if len(prints) >= FEWEST and prints <= submission.prints]


def _words(submission: _Text, text: _Text) -> tuple[float, str]:
    """The share of a known text that stands in a submission, and what is said of it."""
    share = len(submission.prints & text.prints) / len(text.prints)
    if share == 1:
        return share, f"equals {text.name}"
    if share >= KNOWN:
        return share, f"holds {int(100 * share)} % of {text.name}"
    return share, f"holds {' and '.join(f'`{name}`' for name in _whole(submission, text))} of {text.name}"


# --- pairs --------------------------------------------------------------------------------------


def _pairs(prints: dict[str, _Prints]) -> list[Pair]:
    """The pairs of submissions that look copied from each other."""
    groups: dict[_Prints, list[str]] = {}
    for folder, found in prints.items():
        if len(found) >= FEWEST_IN_PAIR:
            groups.setdefault(found, []).append(folder)
    pairs = [Pair(first, other, 1.0) for first, *others in groups.values() for other in others]
    holders = Counter(fingerprint for found in prints.values() for fingerprint in found)
    limit = max(USUAL * len(prints), RING)
    distinct = {first: frozenset(f for f in found if holders[f] <= limit) for found, (first, *_) in groups.items()}
    compared = [folder for folder, found in distinct.items() if len(found) >= FEWEST_IN_PAIR]
    for one, other in combinations(compared, 2):
        share = len(distinct[one] & distinct[other]) / min(len(distinct[one]), len(distinct[other]))
        if share >= PAIR:
            pairs.append(Pair(one, other, share))
    return sorted(pairs, key=lambda pair: (-pair.share, pair.one, pair.other))
