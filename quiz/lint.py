"""The craft of writing questions, as rules that a program can check. `python -m quiz lint` lists what they find.

The rules follow the usual guidelines for multiple-choice items: the stem can be answered without the options, and nothing but
knowledge leads to the key.
"""

import math
import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import chain, combinations, product

from quiz import strategies
from quiz.bank import Item

OF_THE_ABOVE = re.compile(r"\b(all|none|both|neither) of (the above|these|them)\b|\ball the above\b", re.I)
ABSOLUTE = re.compile(
    r"\b(always|never|impossible|certainly|absolutely|completely|entirely|guarante\w+|in (every|any) case|without exception)\b", re.I
)
NEGATION = re.compile(r"\b(not|never|except|no longer|cannot|false|incorrect)\b|n't\b")
EMPTY_STEM = re.compile(r"\b(the following|of these|of those|below)\b|(:|…|\.\.\.)\s*$", re.I)
ARTICLE = re.compile(r"\b(the|this|that) (article|source)\b", re.I)
TASK = re.compile(r"(\?|\.)[”\"]?$")


def lint(items: list[Item], others: Sequence[Item] = ()) -> list[str]:
    """What is to be mended, a sentence each, with the item's topic and id in front. Empty if all is well.

    others: questions that are not looked at, but that these must not ask once more.
    """
    found = []
    for item in items:
        found += [f"{item.topic}.toml, [{item.id}]: {words}" for rule in RULES for words in rule(item)]
    return found + _alike(items, others) + _position(items) + _length(items) + _looks(items)


# --- one item -----------------------------------------------------------------------------------


def _texts(item: Item) -> list[str]:
    return [option.text for option in getattr(item, "options", ())]


def stands_alone(item: Item) -> list[str]:
    """The stem is a question or a task, to be understood before the options are read."""
    words = []
    if not TASK.search(item.stem) or len(item.stem.split()) < 4:
        words.append("the stem is no whole question or task")
    if item.kind == "single" and EMPTY_STEM.search(item.stem):
        words.append("the stem needs the options to be understood; ask something")
    return words


def emphasises_negation(item: Item) -> list[str]:
    """The sentence that asks is positive, or its negation is in capitals."""
    asking = re.split(r"(?<=[.!?:])\s+", item.stem)[-1]
    found = NEGATION.search(asking)
    return [f"the question is negated by {found[0]!r}: ask for what is true, or write it in capitals"] if found else []


def has_honest_options(item: Item) -> list[str]:
    """No “all of the above”, and no word that marks an option as wrong."""
    words = []
    for text in _texts(item):
        if OF_THE_ABOVE.search(text):
            words.append(f"the option {text!r} speaks of the others")
        if found := ABSOLUTE.search(text):
            words.append(f"the option {text!r} gives itself away by {found[0]!r}")
    return words


def has_options_alike(item: Item) -> list[str]:
    """Options of one length, roughly: the longest at most 2.5 times the shortest, or 30 characters more."""
    lengths = sorted(map(len, _texts(item)))
    if lengths and lengths[-1] > 2.5 * lengths[0] and lengths[-1] - lengths[0] > 30:
        return [f"the options are of {lengths[0]} to {lengths[-1]} characters; make them alike"]
    return []


def has_options_of_one_grammar(item: Item) -> list[str]:
    """Either each option is a sentence with a full stop or none is; the same for a capital letter in front."""
    texts = _texts(item)
    words = []
    if len({text.endswith(".") for text in texts}) > 1:
        words.append("some options end with a full stop and some do not")
    return words


def keeps_the_article_apart(item: Item) -> list[str]:
    """A question for interviews can be understood by someone who never heard of the article."""
    texts = [item.stem, item.explanation, *_texts(item)]
    texts += [slip.reply for slip in (*getattr(item, "options", ()), *getattr(item, "slips", ()))]
    if item.about == "interview" and any(map(ARTICLE.search, texts)):
        return ['it speaks of the article: word it without, or set about = "article"']
    return []


def is_not_solved_by_the_alphabet(item: Item) -> list[str]:
    """Steps and right sides, as they belong, are not in the order in which a copy without keys lists them."""
    if item.kind in ("ordering", "matching") and list(item.choices) == sorted(item.choices):
        return ["the key is the order of the alphabet; word one of the choices in another way"]
    return []


RULES = [
    stands_alone, emphasises_negation, has_honest_options, has_options_alike, has_options_of_one_grammar,
    keeps_the_article_apart, is_not_solved_by_the_alphabet,
]  # fmt: skip


# --- the whole bank -----------------------------------------------------------------------------


def _alike(items: list[Item], others: Sequence[Item]) -> list[str]:
    """No two items ask the same."""
    found = []
    for first, second in chain(combinations(items, 2), product(others, items)):
        a, b = (re.sub(r"\W+", " ", one.stem + one.code).casefold() for one in (first, second))
        if min(len(a), len(b)) / max(len(a), len(b)) > 0.7 and SequenceMatcher(None, a, b, autojunk=False).quick_ratio() > 0.85:
            if SequenceMatcher(None, a, b, autojunk=False).ratio() > 0.8:
                found.append(f"{second.topic}.toml, [{second.id}]: it asks the same as [{first.id}]")
    return found


def _singles(items: list[Item]) -> list:
    return [item for item in items if item.kind == "single"]


def _position(items: list[Item]) -> list[str]:
    """The key stands in each place as often as chance puts it there, within three standard deviations."""
    found = []
    most = max((len(item.options) for item in _singles(items)), default=0)
    for place in range(most):
        able = [item for item in _singles(items) if len(item.options) > place]
        count = sum(item.options[place].right for item in able)
        expected, spread = _chance(able)
        if abs(count - expected) > 3 * spread + 0.5:
            found.append(f"the key stands in place {place + 1} in {count} of {len(able)} items; chance gives {expected:.0f}")
    return found


def _length(items: list[Item]) -> list[str]:
    """The key is neither the longest nor the shortest option more often than chance makes it, within two standard deviations."""
    found = []
    expected, spread = _chance(_singles(items))
    for name, extreme in (("longest", max), ("shortest", min)):
        count = 0
        for item in _singles(items):
            lengths = [len(option.text) for option in item.options]
            key = next(len(option.text) for option in item.options if option.right)
            count += key == extreme(lengths) and lengths.count(key) == 1
        limit = expected if name == "longest" else expected + 2 * spread
        if count > limit:
            found.append(f"the key is the {name} option in {count} of {len(_singles(items))} items; chance gives {expected:.0f}")
    return found


def _looks(items: list[Item]) -> list[str]:
    """No strategy of a test-taker who knows nothing is above chance, on the whole bank or on a topic."""
    return [
        f"{one.group}: by “{one.strategy}” alone one gets {one.share:.0%}, by chance {one.chance:.0%} (p {one.p:.1g}); "
        f"reword some of: {', '.join(one.items)}"
        for one in strategies.above_chance(strategies.measure(items))
    ]


def _chance(items: list) -> tuple[float, float]:
    """How often a blind guess is right in these items: mean and standard deviation."""
    shares = [1 / len(item.options) for item in items]
    return sum(shares), math.sqrt(sum(share * (1 - share) for share in shares))
