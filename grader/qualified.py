"""Relations between lists of names: the same ones in another order, those that lie too deep, those that hold a target as a piece."""

import re
from collections import Counter
from collections.abc import Iterator

SHOWN = 3  # names in a sentence
_NAME = re.compile(r"[\w.]+")


def of_names(expected, given, what: str) -> Iterator[tuple[str, str]]:
    """The relations between two lists of qualified names: kinds and sentences. Of anything else, nothing."""
    if not _are_names(expected) or not _are_names(given) or not any("." in name for name in expected + given):
        return
    if sorted(expected) == sorted(given):
        how = "in another order"
        if given == sorted(given):
            how = "sorted by the alphabet"
        elif given == expected[::-1]:
            how = "in reverse order"
        yield "names in another order", f"{capital(what)} holds the right names, but {how}."
        return
    twice = [name for name, count in Counter(given).items() if count > expected.count(name) > 0]
    if twice and set(expected) == set(given):
        yield "names twice", f"In {what} {_listed(twice)} {_stands(twice)} more often than it should."
        return
    yield from _renamed(expected, given, what)
    missing, extra = [n for n in expected if n not in given], [n for n in given if n not in expected]
    if missing and not extra:
        yield from _missing(missing, [name for name in expected if name in given], what)
    if extra and not missing:
        yield from _extra(extra, expected, what)


def of_keys(expected, given) -> Iterator[tuple[str, str]]:
    """The same for the keys of dicts of tensors, such as a state dict. Their order means nothing."""
    if not isinstance(expected, dict) or not isinstance(given, dict):
        return
    if any("." in str(key) for key in expected):
        if set(expected) != set(given):
            yield from of_names(sorted(map(str, expected)), sorted(map(str, given)), "the state")
        return
    for key in expected:
        yield from of_keys(expected[key], given.get(key))


def _are_names(value) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) and _NAME.fullmatch(item) for item in value)


def _renamed(expected: list[str], given: list[str], what: str) -> Iterator[tuple[str, str]]:
    """Something is put in front of every name, or cut off from it."""
    if len(expected) != len(given) or len(given) < 2:
        return
    if fronts := _fronts(given, expected):
        yield "names with a prefix", f"Every name in {what} has `{fronts}` in front of the right one."
    elif fronts := _fronts(expected, given):
        yield "names without a prefix", f"Every name in {what} lacks its beginning `{fronts}`."
    elif sorted(given) == sorted(name.rpartition(".")[2] for name in expected):
        yield "last parts", f"{capital(what)} holds the last parts of the names alone."


def _fronts(longer: list[str], shorter: list[str]) -> str | None:
    """What stands in front of each of the longer names, if that is the same for all."""
    fronts = {one[: len(one) - len(other)] if one.endswith(other) else "" for one, other in zip(longer, shorter)}
    return fronts.pop() if len(fronts) == 1 else None


def _missing(missing: list[str], kept: list[str], what: str) -> Iterator[tuple[str, str]]:
    if len(missing) < 2 or not kept:
        return
    deepest = max(name.count(".") for name in kept)
    if len(missing) > 2 and len(kept) > 1 and all(name.count(".") > deepest for name in missing):
        yield (
            "too deep",
            (
                f"What is missing in {what} lies deeper than all that is there: in names of more than {_parts(deepest + 1)}."
            ),
        )
    ends = {_last(name) for name in missing}
    if len(ends) == 1 and not ends & {_last(name) for name in kept}:
        yield "one kind missing", f"What is missing in {what} are the names that end in `{ends.pop()}`, all of them."


def _extra(extra: list[str], expected: list[str], what: str) -> Iterator[tuple[str, str]]:
    targets = {_last(name) for name in expected}
    pieces = {name: next((t for t in targets if t in _last(name)), "") for name in extra}
    inside = {name: next((t for t in targets if t in name.split(".")[:-1]), "") for name in extra}
    if all(len(piece) > 1 and piece != _last(name) for name, piece in pieces.items()):
        some = extra[0]
        yield (
            "a piece of the last part",
            (
                f"What is too much in {what} has a right name as a piece of its last part: `{_last(some)}` holds `{pieces[some]}`."
            ),
        )
    elif all(len(piece) > 1 for piece in inside.values()):
        yield (
            "a part of the path",
            (f"What is too much in {what} lies inside a module with a right name: {_listed(extra)}."),
        )
    ends = {_last(name) for name in extra}
    if expected and len(extra) > 1 and len(ends) == 1 and not ends & targets:
        yield "one kind too many", f"What is too much in {what} ends in `{ends.pop()}` everywhere."


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _listed(names: list[str]) -> str:
    return ", ".join([f"`{name}`" for name in names[:SHOWN]] + ["…"] * (len(names) > SHOWN))


def _stands(names: list[str]) -> str:
    return "stands" if len(names) == 1 else "stand"


def _parts(count: int) -> str:
    return f"{count} part" if count == 1 else f"{count} parts"


def capital(words: str) -> str:
    return words[0].upper() + words[1:]
