"""Real data for instruction tuning, made on this machine: what functions do, by the first sentences of their docstrings.

    docs = collect()                                      numpy, torch, the standard library: aliases, markup, signatures, jokes
    pairs = to_pairs(docs)                                "What does `numpy.mean` do?", and its first sentence without markup
    train, test = split(without_duplicates(pairs))        nothing of the test is told in training

A pair has a prompt and an answer, as `lab.data.chat_batch` wants them. The versions of numpy and torch are pinned, so each
Python version gives the same data everywhere (in a notebook without builtins.input, which Jupyter replaces).
"""

import importlib
import inspect
import math
import random
import re
import sys
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

MODULES = """
    numpy numpy.char numpy.fft numpy.lib.stride_tricks numpy.linalg numpy.ma numpy.polynomial numpy.random numpy.strings
    torch torch.autograd torch.distributions torch.fft torch.func torch.linalg torch.nn torch.nn.functional
    torch.nn.init torch.nn.utils torch.optim torch.optim.lr_scheduler torch.sparse torch.special torch.utils.data
    argparse array ast asyncio base64 bisect builtins calendar cmath collections configparser contextlib copy csv
    datetime decimal difflib email.message enum fractions functools gzip hashlib heapq html html.parser inspect io
    ipaddress itertools json logging math mimetypes operator os.path pathlib pickle pprint queue random re secrets
    shutil statistics string struct subprocess tarfile tempfile textwrap threading time timeit tokenize traceback types
    typing unittest unittest.mock urllib.parse urllib.request uuid weakref xml.etree.ElementTree zipfile zlib
""".split()
TENSOR_OF_A_TYPE = re.compile(r"torch\.\w+Tensor$")  # old names, each of which repeats all methods of torch.Tensor


@dataclass(frozen=True)
class Doc:
    """A docstring as it was written."""

    name: str  # such as "numpy.absolute"
    text: str
    thing: str  # the first name under which the same object was met, such as "numpy.abs"


@dataclass(frozen=True)
class Pair:
    """A question and its answer."""

    prompt: str
    answer: str
    name: str
    thing: str


# --- collecting ---------------------------------------------------------------------------------


def collect(modules: Iterable[str] = MODULES) -> list[Doc]:
    """The docstrings of the public functions and classes of these modules, and of the methods of these classes."""
    docs, first_names = [], {}
    for module in modules:
        for name, thing in _public(module):
            text = getattr(thing, "__doc__", None)
            if isinstance(text, str) and text.strip() and _is_ours(thing, module):
                docs.append(Doc(name, text, first_names.setdefault(id(thing), name)))
    return docs


def _public(module: str) -> Iterator[tuple[str, object]]:
    """Names and objects, in alphabetical order, each class followed by its methods."""
    with warnings.catch_warnings(action="ignore"):  # old names warn
        content = importlib.import_module(module)
        names = getattr(content, "__all__", None) or [name for name in vars(content) if not name.startswith("_")]
        public = sorted({name for name in names if not name.startswith("_")})
        found = {name: getattr(content, name, None) for name in public}  # some names are there on some systems alone
    for name, thing in found.items():
        if TENSOR_OF_A_TYPE.match(f"{module}.{name}"):
            continue
        if inspect.isclass(thing):
            yield f"{module}.{name}", thing
            yield from ((f"{module}.{name}.{method}", function) for method, function in _methods(thing))
        elif inspect.isroutine(thing) or type(thing).__name__ == "ufunc":
            yield f"{module}.{name}", thing


def _methods(kind: type) -> list[tuple[str, object]]:
    """The public methods that a class defines, itself or in a base that has no public place, as torch.Tensor does."""
    hidden = [base for base in kind.__mro__[1:] if re.search(r"(^|\.)_", base.__module__)]
    methods = {}
    for place in (kind, *hidden):
        for name, member in vars(place).items():
            function = getattr(member, "__func__", member)  # out of a classmethod or staticmethod
            if not name.startswith("_") and inspect.isroutine(function):
                methods.setdefault(name, function)
    return sorted(methods.items())


LIBRARIES = {"numpy", "torch", *sys.stdlib_module_names}


def _is_ours(thing, module: str) -> bool:
    """Whether it comes from these libraries, or that of the module. Others add to them: IPython to builtins, transformers to Logger."""
    home = getattr(thing, "__module__", None)
    return not isinstance(home, str) or home.partition(".")[0] in {*LIBRARIES, module.partition(".")[0]}


# --- cleaning -----------------------------------------------------------------------------------


def to_pairs(docs: Iterable[Doc]) -> list[Pair]:
    """A question and an answer for each docstring that says something."""
    answers = ((doc, clean_markup(first_sentence(doc.text))) for doc in docs)
    return [Pair(f"What does `{doc.name}` do?", answer, doc.name, doc.thing) for doc, answer in answers if is_sentence(answer)]


SIGNATURE = re.compile(r"[\w.]+\((?:[^()]|\([^()]*\))*\)[ \t]*(?:(?:->|=)[^\n]*?(?:\.  |\n|$)|--?(?!>)|:?[ \t]*(?:\n|$))\s*")


def without_signature(text: str) -> str:
    """Functions written in C begin with how they are called, such as "abs(input) -> Tensor"; some name several ways."""
    while signature := SIGNATURE.match(text):
        text = text[signature.end() :]
    return text


SENTENCE_END = re.compile(r"(?<=[.!?])(?<!e\.g\.)(?<!i\.e\.)(?<!etc\.)(?<!vs\.)(?<!cf\.)\s+(?=[^a-z\s])")


def first_sentence(text: str) -> str:
    """The first sentence of a docstring, on one line. Empty if the docstring begins with something else than text."""
    paragraph = without_signature(inspect.cleandoc(text)).partition("\n\n")[0]
    if paragraph.startswith((".. ", ">>>", "-", "=", ":")) and not re.match(r":\w+:`", paragraph):
        return ""  # a directive, an example, a list of fields
    paragraph = re.split(r"\n(?:\.\. |>>> |[-=~]{3,})", paragraph)[0]
    return SENTENCE_END.split(" ".join(paragraph.split()))[0]


MARKUP = [
    (r":[\w:+-]+:`[^`]*?\s*<([^`>]+)>`", r"\1"),  # :func:`the mean <numpy.mean>`: the object is the surer name
    (r":[\w:+-]+:`~(?:[^`]*\.)?([^`]+)`", r"\1"),  # :class:`~torch.nn.Linear`: Sphinx shows the last part
    (r":[\w:+-]+:`!?([^`]+)`", r"\1"),  # :attr:`input`
    (r"`([^`<]+?)\s*<[^`>]+>`__?", r"\1"),  # `a paper <https://…>`_
    (r"``([^`]+)``", r"\1"),
    (r"`([^`]+)`_?", r"\1"),
    (r"(?<![\w*])\*\*(?=[^\s*])([^*]+?)(?<=[^\s,])\*\*(?!\w)", r"\1"),  # **strong**, but not **kwargs
    (r"(?<![\w*])\*(?=[^\s*])([^*]+?)(?<=[^\s,])\*(?![\w*])", r"\1"),
]


def clean_markup(text: str) -> str:
    """The text without the marks of reStructuredText, as Sphinx would show it."""
    for pattern, plain in MARKUP:
        text = re.sub(pattern, plain, text)
    return text


def is_sentence(text: str) -> bool:
    """Whether an answer is worth learning: 3 to 40 words, and nothing of formulas, code or markup in them."""
    is_prose = not re.search(r"[`\\|]|::|->|>>>|__", text)
    return 3 <= len(text.split()) <= 40 and is_prose and bool(re.search(r"[\w.!?)\"']$", text))


# --- duplicates ---------------------------------------------------------------------------------


def words(text: str) -> list[str]:
    """What is compared: small letters, single spaces, no full stop."""
    return text.casefold().rstrip(".").split()


def exact_duplicates(pairs: list[Pair]) -> list[list[Pair]]:
    """The groups of pairs that have the same answer."""
    return [group for group in _by_answer(pairs).values() if len(group) > 1]


def without_duplicates(pairs: list[Pair]) -> list[Pair]:
    """The first pair of each answer."""
    return [group[0] for group in _by_answer(pairs).values()]


def _by_answer(pairs: list[Pair]) -> dict[str, list[Pair]]:
    groups = defaultdict(list)
    for pair in pairs:
        groups[" ".join(words(pair.answer))].append(pair)
    return groups


def shingles(text: str) -> set[tuple[str, ...]]:
    """The pairs of neighbouring words."""
    found = words(text)
    return set(zip(found, found[1:])) or {tuple(found)}


def jaccard(one: set, other: set) -> float:
    """The share of what two sets have in common. 0 to 1."""
    return len(one & other) / len(one | other)


def near_duplicates(pairs: list[Pair], threshold: float = 0.7) -> list[tuple[Pair, Pair]]:
    """Pairs whose answers are nearly the same: the Jaccard similarity of their shingles is at least the threshold. 0 to 1.

    Not all are compared with all. Two similar sets share so much that one of the few rarest shingles of each is common to both,
    so only texts that share such a one are compared. Nothing is missed (prefix filtering, Chaudhuri et al. 2006).
    """
    pairs = without_duplicates(pairs)
    sets = [shingles(pair.answer) for pair in pairs]
    counts = Counter(shingle for found in sets for shingle in found)
    seen, near = defaultdict(list), []
    for i, found in enumerate(sets):
        needed = math.ceil(threshold * len(found) - 1e-9)  # at least so many are shared with a similar text
        rarest = sorted(found, key=lambda shingle: (counts[shingle], shingle))[: len(found) - max(needed, 1) + 1]
        for j in sorted({j for shingle in rarest for j in seen[shingle]}):
            if jaccard(found, sets[j]) >= threshold:
                near.append((pairs[j], pairs[i]))
        for shingle in rarest:
            seen[shingle].append(i)
    return near


# --- splitting ----------------------------------------------------------------------------------


def families(pairs: list[Pair], threshold: float = 0.7) -> list[list[Pair]]:
    """Groups of pairs that tell of each other: one object under several names, the same answer, or nearly the same.

    Friends of friends belong to a family too, so each pair is in one family.
    """
    parent: dict = {}

    def head(node):
        while parent.setdefault(node, node) != node:
            node = parent[node]
        return node

    for pair in pairs:
        parent[head(("answer", *words(pair.answer)))] = head(("thing", pair.thing))
    for one, other in near_duplicates(pairs, threshold):
        parent[head(("thing", one.thing))] = head(("thing", other.thing))
    groups = defaultdict(list)
    for pair in pairs:
        groups[head(("thing", pair.thing))].append(pair)
    return list(groups.values())


def split(pairs: list[Pair], share: float = 0.1, seed: int = 0) -> tuple[list[Pair], list[Pair]]:
    """Training and test data. A family is on one side as a whole, so nothing leaks.

    Args:
        share: of the pairs that are for the test, 0 to 1. Families are not cut, so it is met roughly.
    """
    groups = families(pairs)
    random.Random(seed).shuffle(groups)
    train, test = [], []
    for group in groups:
        (test if len(test) + len(group) <= share * len(pairs) else train).extend(group)
    return train, test


def leaks(train: list[Pair], test: list[Pair]) -> list[Pair]:
    """The pairs of the test of whose family some are in the training data."""
    trained = {pair.name for pair in train}
    mixed = [group for group in families(train + test) if any(pair.name in trained for pair in group)]
    return [pair for group in mixed for pair in group if pair.name not in trained]
