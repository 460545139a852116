"""Which submissions are suspiciously equal? Fingerprints of the code, which is only read, never run.

The method is winnowing: Schleimer, Wilkerson and Aiken (2003), "Winnowing: Local Algorithms for Document
Fingerprinting", SIGMOD. Every run of K tokens has a hash. Of each window of hashes the smallest is kept. So two texts
that share a run of K + WINDOW - 1 tokens share a fingerprint, wherever the run stands.
"""

import builtins
import hashlib
import keyword
import re
from collections import Counter
from itertools import combinations

K = 10  # tokens in a hash: about two lines. Shorter runs are shared by chance
WINDOW = 4  # hashes of which one is kept
FEWEST = (
    30  # distinctive fingerprints that a submission needs to be compared, about 15 lines: below, chance could decide
)
USUAL = 0.3  # what more than this share of the room has written does not count …
RING = 5  # … if these are more than so many: in a small room, a few who copy are a large share
MOST_TOKENS = 50_000  # of one submission: many times what a problem needs, so that no file takes minutes

# An unfinished string ends with its line, or with the text if it is tripled. So every text can be read.
_STRING = r"""(?>[A-Za-z]{0,2}(?:"{3}(?:\\.|[^\\])*?(?:"{3}|\Z)|'{3}(?:\\.|[^\\])*?(?:'{3}|\Z)"""
_STRING += r"""|"(?:\\.|[^"\\\n])*(?:"|$)|'(?:\\.|[^'\\\n])*(?:'|$)))"""
_TOKEN = re.compile(
    rf"(?P<skip>^[ \t]*{_STRING}[ \t]*$|\#[^\n]*|\n|[^\S\n]+|\\)"  # a docstring, a comment, blanks
    rf"|(?P<string>{_STRING})"
    r"|(?P<number>\d[\w.]*|\.\d\w*)"
    r"|(?P<name>[^\W\d]\w*)"
    r"|(?P<sign>->|:=|\*\*=?|//=?|>>=?|<<=?|[-+*/%&|^@=!<>]=|.)",
    re.MULTILINE | re.DOTALL,
)
_LANGUAGE = set(keyword.kwlist) | set(dir(builtins)) | {"self"}


def similar(sources: dict[str, str], given: str, least: float = 0.85) -> list[tuple[str, str, float]]:
    """Pairs of submissions to a problem that look copied, the most equal first.

    The share of a pair is what the smaller of the two has in common with the larger: the number of common distinctive
    fingerprints, divided by those of the smaller. Not distinctive is what stands in the hand-out, and what many of the
    room have written: there are few ways to write a short function. Who has fewer than FEWEST is never in a pair.
    But a whole solution that is equal token by token is always reported, however many have handed it in: each is
    paired with the first of them.

    Args:
        sources: the code by the student's folder. It may be broken or empty.
        given: the code of the hand-out, with the blank stubs.
        least: the smallest share that is reported, above 0 and up to 1.

    Returns:
        Triples (folder, folder, share), the two folders in the order of the alphabet.
    """
    known = set(_hashes(_tokens(given)))
    tokens = {folder: _tokens(code) for folder, code in sources.items()}
    prints = {folder: _winnowed([h for h in _hashes(found) if h not in known]) for folder, found in tokens.items()}
    alike = _alike({folder: found for folder, found in tokens.items() if len(prints[folder]) >= FEWEST})
    holders = Counter(fingerprint for found in prints.values() for fingerprint in found)
    limit = max(USUAL * len(prints), RING)
    prints = {folder: {f for f in found if holders[f] <= limit} for folder, found in prints.items()}
    compared = sorted(folder for folder, found in prints.items() if len(found) >= FEWEST)
    pairs = [(first, other, 1.0) for first, *others in alike for other in others]
    known_alike = {folder for group in alike for folder in group[1:]}
    for one, other in combinations([folder for folder in compared if folder not in known_alike], 2):
        share = len(prints[one] & prints[other]) / min(len(prints[one]), len(prints[other]))
        if share >= least:
            pairs.append((one, other, share))
    return sorted(pairs, key=lambda pair: (-pair[2], pair[0], pair[1]))


def _alike(tokens: dict[str, list[str]]) -> list[list[str]]:
    """Groups of folders whose tokens are all equal."""
    groups: dict[str, list[str]] = {}
    for folder, found in sorted(tokens.items()):
        groups.setdefault("\n".join(found), []).append(folder)
    return [group for group in groups.values() if len(group) > 1]


def _tokens(code: str) -> list[str]:
    """The code without what a copier changes first: comments, docstrings, blanks, names, numbers' and strings' values.

    A name that the writer is free to choose becomes "n". Words of the language stay, and so do attributes, for most
    of them belong to PyTorch; those of `self` are the writer's own.
    """
    tokens: list[str] = []
    for found in _TOKEN.finditer(code):
        kind, text = found.lastgroup, found.group()
        if kind == "skip":
            continue
        if kind == "name":
            attribute = tokens[-1:] == ["."] and tokens[-2:-1] != ["self"]
            text = text if attribute or text in _LANGUAGE else "n"
        elif kind != "sign":
            text = kind
        tokens.append(text)
        if len(tokens) == MOST_TOKENS:
            break
    return tokens


def _hashes(tokens: list[str]) -> list[bytes]:
    """One hash for each run of K tokens. They are the same on every machine, unlike Python's own."""
    runs = ("\n".join(tokens[i : i + K]) for i in range(len(tokens) - K + 1))
    return [hashlib.blake2b(run.encode("utf-8", "replace"), digest_size=8).digest() for run in runs]


def _winnowed(hashes: list[bytes]) -> set[bytes]:
    """The smallest hash of each window."""
    return {min(hashes[i : i + WINDOW]) for i in range(max(len(hashes) - WINDOW + 1, min(len(hashes), 1)))}
