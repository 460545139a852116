"""Whether two observations are equal within tolerance and, if not, what differs and where."""

from collections.abc import Callable
from math import isfinite, isnan

import torch

from grader.quote import named

# How far a number may be off, by the dtype of the expected tensor, in units of the largest number of that tensor. That stands for
# the size of the terms that were added: a sum near zero is off by the rounding of its terms. Mistakes are larger by far.
TOLERANCE = {
    torch.float64: 1e-5,  # a right solution may compute in float32
    torch.float32: 1e-5,
    torch.float16: 5e-3,
    torch.bfloat16: 4e-2,
}
LEAST = 1e-9  # where all that is expected is zero

SHOWN = 20  # entries of a list in a sentence: a wrong result may have many, and is compared with all known mistakes


def difference(expected, given, what: str = "") -> str | None:
    """None if both are equal, else a sentence on the first difference.

    Args:
        expected, given: data as `worker.to_data` makes it.
        what: the name of the thing compared, for the sentence.
    """
    if isinstance(expected, dict) and isinstance(given, dict):
        for key in expected:
            name = f"{what}, {key}" if what else key
            if key not in given:
                return _refusal(expected, given, what) or f"{name}: missing"
            found = difference(expected[key], given[key], name)
            if found:
                return _refusal(expected, given, what) or found
        extra = [key for key in given if key not in expected]
        return f"{what or 'result'}: unexpected {_names(extra)}" if extra else None
    if isinstance(expected, torch.Tensor):
        return _tensor_difference(expected, given, what)
    if isinstance(expected, list) and isinstance(given, list):
        return _list_difference(expected, given, what)
    number = (int, float)
    if isinstance(expected, number) and isinstance(given, number) and bool not in {type(expected), type(given)}:
        exact = isinstance(expected, int) or not isfinite(expected)
        allowed = 0 if exact else LEAST + TOLERANCE[torch.float64] * abs(expected)
        close = expected == given or abs(expected - given) <= allowed or (isnan(expected) and isnan(given))
        return None if close else f"{what}: expected {expected:g}, got {given:g}"
    if type(expected) is type(given) and expected == given:
        return None
    return f"{what}: expected {_show(expected)}, got {_show(given, named)}"


def same(one, other) -> bool:
    """Whether two observations (`grader.observe.Observation`) are equal within tolerance."""
    if one.kind != other.kind:
        return False
    if one.kind == "error":
        return (one.error["type"], one.error["message"]) == (other.error["type"], other.error["message"])
    return one.kind == "value" and difference(one.value, other.value) is None


def entries(value, what: str = "") -> dict[str, object]:
    """The smallest parts of an observation by their places: tensors, words, numbers, and lists of words or of numbers."""
    if isinstance(value, dict):
        parts = {f"{what}, {key}" if what else str(key): part for key, part in value.items()}
    elif isinstance(value, list) and not _is_plain(value):
        parts = {f"{what}[{index}]": part for index, part in enumerate(value)}
    else:
        return {what: value}
    return {place: leaf for name, part in parts.items() for place, leaf in entries(part, name).items()}


def _is_plain(items: list) -> bool:
    """Whether these are words alone or numbers alone."""
    return any(all(isinstance(item, kind) for item in items) for kind in (str, (int, float)))


def _refusal(expected: dict, given: dict, what: str) -> str | None:
    """How a call ended that `grader.checks.refusal` has tried, where it should have ended otherwise."""
    due, came, left = expected.get("raises"), given.get("raises"), given.get("not named in the message")
    place = f"{what}: " if what else ""
    if not isinstance(due, str) or not isinstance(came, str):
        return None
    if due == came:
        unnamed = [word for word in left if isinstance(word, str)] if isinstance(left, list) else []
        names = f", but its message does not name {_names(unnamed)}"
        return f"{place}{_article(due)} was raised{names}" if unnamed else None
    if due == "nothing":
        return f"{place}no error was expected, but {_article(came)} was raised"
    return f"{place}expected an error of kind {due}, but {'none' if came == 'nothing' else _article(came)} was raised"


def _article(kind: str) -> str:
    return f"{'an' if kind[:1] in 'AEIOU' else 'a'} {named(kind)}"


def _names(words: list[str]) -> str:
    """Words of a submission. It may have chosen them freely."""
    return ", ".join([*map(named, words[:SHOWN]), *["…"] * (len(words) > SHOWN)])


def _list_difference(expected: list, given: list, what: str) -> str | None:
    if all(isinstance(item, str) for item in expected + given):
        if expected == given:
            return None
        missing = [item for item in expected if item not in given]
        extra = [item for item in given if item not in expected]
        parts = [f"missing {', '.join(missing)}"] if missing else []
        parts += [f"too many: {_names(extra)}"] if extra else []
        return f"{what}: " + ("; ".join(parts) or f"expected {_show(expected)}, got {_show(given, named)}")
    if len(expected) != len(given):
        return f"{what}: expected {len(expected)} entries, got {len(given)}"
    for index, (one, other) in enumerate(zip(expected, given)):
        found = difference(one, other, f"{what}[{index}]")
        if found:
            return found
    return None


def _tensor_difference(expected: torch.Tensor, given, what: str) -> str | None:
    if not isinstance(given, torch.Tensor):
        return f"{what}: expected a tensor of shape {tuple(expected.shape)}, got {_show(given, named)}"
    if expected.shape != given.shape:
        return f"{what}: expected shape {tuple(expected.shape)}, got {tuple(given.shape)}"
    if expected.dtype != given.dtype:
        return f"{what}: expected dtype {expected.dtype}, got {given.dtype}"
    if torch.equal(expected, given):
        return None  # the common case, quickly
    one, other = expected.double(), given.double()
    finite = one[one.isfinite()]
    relative = TOLERANCE.get(expected.dtype)
    allowed = LEAST + relative * finite.abs().max().item() if relative and finite.numel() else 0.0
    gap = torch.where(one == other, 0.0, (one - other).abs()).masked_fill(one.isnan() & other.isnan(), 0.0).nan_to_num(nan=torch.inf)
    excess = gap - allowed
    if not (excess > 0).any():
        return None
    wrong = int((excess > 0).sum())
    worst = int(excess.argmax())
    place = [int(index) for index in torch.unravel_index(torch.tensor(worst), expected.shape)]
    count = f"{wrong} of {gap.numel()} numbers differ" if gap.numel() > 1 else "the number differs"
    at = f" at {place}" if place else ""
    return (
        f"{what}: {count}, most by {gap.flatten()[worst]:.3g}{at}: "
        f"expected {one.flatten()[worst]:.4g}, got {other.flatten()[worst]:.4g}"
    )


def _show(value, word: Callable[[str], str] = str) -> str:
    """A value in a sentence. `word` makes the words of a submission a quotation."""
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, str):
        return word(value)
    if isinstance(value, list):
        return "[" + ", ".join([_show(item, word) for item in value[:SHOWN]] + ["…"] * (len(value) > SHOWN)) + "]"
    if isinstance(value, dict):
        return f"a dict of {len(value)} entries"
    return repr(value)
