"""Simple relations between what was seen and what is right: a factor, a transpose, a shift, a missing term, an order of names.

A relation is a fact about data, so it needs no knowledge of the code. It is stated only if it holds within the tolerance of the
comparison, on so many different numbers that chance cannot have made it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

import torch

from grader.compare import LEAST, TOLERANCE, difference, entries
from grader.qualified import capital, of_keys, of_names

ENOUGH = 4  # different numbers on which a relation must hold
CLEARLY = 100  # numbers below so many tolerances show nothing
FINE = (torch.float32, torch.float64)  # other dtypes round so much that many factors would fit
ROW = 3  # numbers in a row that has a factor of its own
MOST_NUMBERS = 100_000  # in what is looked at

Found = Iterator[tuple[str, str]]  # kinds of relations, and sentences


@dataclass(frozen=True)
class Pair:
    """What is right and what was given, in float64.

    Attributes:
        allowed: how far each number may be off.
        places: the entries of the observation that it is made of.
        fine: the numbers are real ones, known well enough for factors and sums. Ids and labels are not.
    """

    expected: torch.Tensor
    given: torch.Tensor
    allowed: torch.Tensor
    places: tuple[str, ...]
    fine: bool

    @property
    def what(self) -> str:
        return quoted(self.places[0]) if len(self.places) == 1 else "all that differs"

    def numbers(self, every: str, are: str) -> str:
        """`Every number in `x` is`, or `Every number that differs is`."""
        where = f"in {self.what}" if len(self.places) == 1 else "that differs" if are == "is" else "that differ"
        return f"{every} {where} {are}"

    def is_given(self, numbers: torch.Tensor, scale: float = 1.0) -> bool:
        """Whether these numbers are those that were given. `scale`: how much larger they are than the right ones."""
        return bool(((numbers - self.given).abs() <= self.allowed * (1 + abs(scale))).all())

    def different(self, numbers: torch.Tensor) -> int:
        """How many different numbers there are, up to their sign, without those near zero."""
        return different(numbers[numbers.abs() > CLEARLY * self.allowed])


def relations(expected, given, terms: Iterable[tuple[str, object]] = ()) -> dict[str, str]:
    """The relations that hold between two observations: sentences by the kind of the relation, the most telling first.

    Args:
        expected, given: data as `worker.to_data` makes it; None if a check has ended in an error.
        terms: terms in words, each with what would have been given without it.
    """
    right, seen = entries(expected), entries(given)
    wrong = [place for place in right if place in seen and difference(right[place], seen[place]) is not None]
    pairs = [pair for place in wrong if (pair := _pair(right[place], seen[place], place))]
    alike = [pair for pair in pairs if pair.fine and pair.expected.shape == pair.given.shape]
    found: dict[str, str] = {}
    for place in wrong:
        _keep(found, _of_dtypes(right[place], seen[place], quoted(place)))
    found |= _in_most(alike, [(term, entries(without)) for term, without in terms])
    for pair in pairs:
        _keep(found, _of_places(pair))
        if pair.expected.shape == pair.given.shape and pair.expected.dim() > 1:
            _keep(found, _of_rows(pair))
    for place in wrong:
        _keep(found, of_names(right[place], seen[place], quoted(place)))
    _keep(found, of_keys(expected, given))
    return found


def _in_most(pairs: list[Pair], terms: list[tuple[str, dict[str, object]]]) -> dict[str, str]:
    """The relations between numbers that hold in all that differs, or else in half of the entries at least."""

    def of(pair: Pair) -> dict[str, str]:
        found: dict[str, str] = {}
        _keep(found, _of_numbers(pair))
        for term, without in terms:
            _keep(found, _of_a_term(pair, term, without))
        return found

    together = of(_joined(pairs)) if len(pairs) > 1 else {}
    by_entry = [of(pair) for pair in pairs if pair.expected.numel() >= ENOUGH]
    counts = Counter(kind for one in by_entry for kind in one)
    often = {
        kind: text for one in reversed(by_entry) for kind, text in one.items() if 2 * counts[kind] >= len(by_entry)
    }
    return together | {kind: text for kind, text in often.items() if kind not in together}


def _keep(found: dict[str, str], new: Found) -> None:
    for kind, sentence in new:
        found.setdefault(kind, sentence)


def quoted(place: str) -> str:
    return f"`{place}`" if place else "the result"


def _pair(expected, given, place: str) -> Pair | None:
    """The two as tensors, if both hold numbers."""
    dtype = expected.dtype if isinstance(expected, torch.Tensor) else torch.float64
    one, other = _numbers(expected), _numbers(given)
    if one is None or other is None or one.numel() > MOST_NUMBERS or other.numel() > MOST_NUMBERS:
        return None
    whole = isinstance(expected, list) and all(isinstance(item, int) for item in expected)
    finite = one[one.isfinite()]
    largest = finite.abs().max().item() if finite.numel() else 0.0
    allowed = torch.full_like(one, LEAST + TOLERANCE.get(dtype, 0.0) * largest)
    return Pair(one, other, allowed, (place,), dtype in FINE and not whole)


def _numbers(value) -> torch.Tensor | None:
    """The numbers of an entry as a tensor in float64."""
    if isinstance(value, torch.Tensor):
        return None if value.is_complex() else value.double()
    items = value if isinstance(value, list) else [value]
    if not items or not all(isinstance(item, (int, float)) and not isinstance(item, bool) for item in items):
        return None
    numbers = torch.tensor([float(item) for item in items], dtype=torch.float64)
    return numbers if isinstance(value, list) else numbers[0]


def _joined(pairs: list[Pair]) -> Pair:
    """All entries that differ, as one list of numbers."""
    parts = [torch.cat([getattr(pair, name).flatten() for pair in pairs]) for name in ("expected", "given", "allowed")]
    return Pair(*parts, places=tuple(pair.places[0] for pair in pairs), fine=True)


def different(numbers: torch.Tensor) -> int:
    """How many numbers are clearly different ones, up to their sign."""
    sizes = numbers[numbers.isfinite()].abs()
    return (sizes / sizes.max() * 1000).round().unique().numel() if sizes.any() else 0


# --- numbers ------------------------------------------------------------------------------------


def _of_numbers(pair: Pair) -> Found:
    right, given = pair.expected, pair.given
    if not right.isfinite().all():
        return
    if not given.isfinite().all():
        count, kind = int((~given.isfinite()).sum()), "NaN" if given.isnan().any() else "infinite"
        if given.numel() >= ENOUGH:
            yield "not finite", f"{pair.numbers(f'{count} of {given.numel()} numbers', 'are')} {kind}."
        return
    yield from _of_offsets(pair)
    if pair.different(right) < ENOUGH:
        return
    if not given.any():
        yield "zero", f"{pair.numbers('All numbers', 'are')} zero."
        return
    if different(given) == 1 and bool((given == given.flatten()[0]).all()):
        yield "equal", f"{pair.numbers('All numbers', 'are')} equal: {given.flatten()[0]:.4g}."
        return
    factor = float((right * given).sum() / (right * right).sum())
    if abs(factor) > 1e-4 and abs(factor - 1) > 1e-3 and pair.is_given(factor * right, factor):
        yield f"factor {factor:.3g}", f"{pair.numbers('Every number', 'is')} {_times(factor)}."


def _times(factor: float) -> str:
    if abs(factor + 1) < 1e-4:
        return "the right one with the wrong sign"
    return f"{_ratio(factor)} times the right one"


def _ratio(number: float) -> str:
    """`0.4 (2/5)`, if the fraction is a simple one."""
    near = Fraction(number).limit_denominator(50)
    simple = abs(number - near) < 1e-5 * abs(number) and near.denominator > 1
    return f"{number:.4g} ({near})" if simple else f"{number:.4g}"


def _of_offsets(pair: Pair) -> Found:
    """The same number, or the same row of numbers, is added everywhere."""
    gap = pair.given - pair.expected
    if gap.numel() >= ENOUGH and pair.is_given(pair.expected + gap.mean()) and gap.mean().abs() > pair.allowed.max():
        size = f"{abs(gap.mean()):.4g} too {'large' if gap.mean() > 0 else 'small'}"
        yield f"offset {gap.mean():.3g}", f"{pair.numbers('Every number', 'is')} {size}."
    elif gap.dim() > 1 and gap[..., 0].numel() >= ROW:
        row = gap.flatten(0, -2).mean(0)
        if pair.different(row.expand_as(gap)) >= ENOUGH and pair.is_given(pair.expected + row):
            yield "row added", f"In {pair.what} each row is wrong by the same numbers."


def _of_a_term(pair: Pair, term: str, without: dict[str, object]) -> Found:
    """A term that is missing, or counts too often: what was given lies on the line through what is right with and without it."""
    parts = [_numbers(without.get(place)) for place in pair.places]
    if any(part is None for part in parts) or sum(part.numel() for part in parts) != pair.expected.numel():
        return
    rest = torch.cat([part.flatten() for part in parts]).view_as(pair.expected)
    part = pair.expected - rest
    if not part.isfinite().all() or pair.different(part) < ENOUGH:
        return
    times = 1 - float(((pair.expected - pair.given) * part).sum() / (part * part).sum())
    if abs(times - 1) < 1e-3 or not pair.is_given(rest + times * part, times):
        return
    if abs(times) < 1e-4:
        how = "is missing"
    elif abs(times + 1) < 1e-4:
        how = "is subtracted instead of added"
    else:
        how = "counts twice" if abs(times - 2) < 1e-4 else f"counts {_ratio(times)} times as much as it should"
    yield f"{term} {times:.3g}", f"In {pair.what} {term} {how}."


# --- rows and columns ---------------------------------------------------------------------------


def _of_rows(pair: Pair) -> Found:
    """Relations of whole rows or columns, in tensors of the right shape."""
    if not (pair.expected.isfinite().all() and pair.given.isfinite().all()) or pair.different(pair.expected) < ENOUGH:
        return
    for name, axis in (("row", 0), ("column", -1)):
        right, given = (tensor.movedim(axis, 0).flatten(1) for tensor in (pair.expected, pair.given))
        if len(right) < 2:
            continue
        gap = pair.allowed.max()
        if (
            len(right) >= ROW
            and ((given - given[0]).abs() <= gap).all()
            and not ((right - right[0]).abs() <= gap).all()
        ):
            yield f"equal {name}s", f"All {name}s of {pair.what} are the same."
        elif pair.fine and right.shape[1] >= ROW:
            factors = (right * given).sum(1) / (right * right).sum(1).clamp(min=1e-300)
            rich = all(different(row[row.abs() > CLEARLY * gap]) >= ROW for row in right)
            close = ((factors[:, None] * right - given).abs() <= gap * (1 + factors.abs().max())).all()
            if rich and close and different(factors) > 1:
                low, high = factors.min(), factors.max()
                yield (
                    f"{name} factors",
                    (
                        f"Each {name} of {pair.what} is the right one times a number of its own, from {low:.3g} to {high:.3g}."
                    ),
                )


# --- places -------------------------------------------------------------------------------------


def _of_places(pair: Pair) -> Found:
    """The right numbers, but elsewhere; or wrong ones at one end alone."""
    right, given = pair.expected, pair.given
    if right.dim() == 0 or right.dim() != given.dim() or different(right) < ENOUGH:
        return
    if right.dim() > 1 and given.mT.shape == right.shape and _close(pair, given.mT, right):
        yield "transposed", f"{capital(pair.what)} is transposed: its last two axes are swapped."
        return
    for axis in range(right.dim()):
        where = f"along axis {axis} of {pair.what}" if right.dim() > 1 else f"in {pair.what}"
        others = [size for place, size in enumerate(right.shape) if place != axis]
        if others != [size for place, size in enumerate(given.shape) if place != axis]:
            continue
        if right.shape[axis] != given.shape[axis]:
            yield from _of_lengths(pair, axis, where)
            continue
        yield from _of_shifts(pair, axis, where)
        yield from _of_orders(pair, axis, where)
        yield from _of_ends(pair, axis, where)


def _close(pair: Pair, one: torch.Tensor, other: torch.Tensor) -> bool:
    return bool(((one - other).abs() <= pair.allowed.max()).all())


def _of_lengths(pair: Pair, axis: int, where: str) -> Found:
    """Entries too many, or missing, at one end."""
    right, given = pair.expected, pair.given
    many, few = (given, right) if given.shape[axis] > right.shape[axis] else (right, given)
    extra, size = many.shape[axis] - few.shape[axis], few.shape[axis]
    if different(few) < ENOUGH:
        return
    what = f"{extra} {'entry' if extra == 1 else 'entries'}"
    verb = "too many" if many is given else "missing"
    for place, begin in (("start", extra), ("end", 0)):
        if _close(pair, many.narrow(axis, begin, size), few):
            be = "is" if extra == 1 else "are"
            yield (
                f"{verb} at the {place}",
                f"{capital(where)} {what} {be} {verb} at the {place}; the others are right.",
            )


def _of_shifts(pair: Pair, axis: int, where: str) -> Found:
    """The right numbers, some places too late or too early along an axis on which no two slices are equal."""
    size = pair.expected.shape[axis]
    slices = pair.expected.movedim(axis, 0).reshape(size, -1)
    if len(slices.unique(dim=0)) < size:
        return
    for by in range(1, size // 3 + 1):
        head, tail = (0, size - by), (by, size - by)
        for word, of_right, of_given in (("late", head, tail), ("early", tail, head)):
            part = pair.expected.narrow(axis, *of_right)
            if different(part) >= ENOUGH and _close(pair, part, pair.given.narrow(axis, *of_given)):
                places = "one place" if by == 1 else f"{by} places"
                yield f"shift {word} {by}", f"{capital(where)} all stands {places} too {word}."
                return


def _of_orders(pair: Pair, axis: int, where: str) -> Found:
    """The right rows in another order."""
    right, given = (tensor.movedim(axis, 0).reshape(tensor.shape[axis], -1) for tensor in (pair.expected, pair.given))
    if not 2 <= len(right) <= 1000 or not right.isfinite().all():
        return
    same = torch.cdist(given, right, p=float("inf")) <= pair.allowed.max()
    if bool((same.sum(0) == 1).all() and (same.sum(1) == 1).all()):
        order, places = same.int().argmax(1).tolist(), list(range(len(right)))
        how = "in reverse order" if order == places[::-1] else "in another order"
        if order != places:
            yield (
                "order",
                f"{capital(where)} stand the right {'numbers' if right.shape[1] == 1 else 'parts'}, but {how}.",
            )


def _of_ends(pair: Pair, axis: int, where: str) -> Found:
    """All is right but the first or the last place."""
    size = pair.expected.shape[axis]
    wrong = ((pair.expected - pair.given).abs() > pair.allowed.max()).movedim(axis, 0).reshape(size, -1)
    for name, place, others in (("first", 0, slice(1, None)), ("last", size - 1, slice(0, -1))):
        rest = pair.expected.movedim(axis, 0)[others]
        if size > 2 and wrong[place].all() and not wrong[others].any() and different(rest) >= ENOUGH:
            yield f"{name} alone", f"{capital(where)} the {name} place alone is wrong."


# --- dtypes -------------------------------------------------------------------------------------


def _of_dtypes(expected, given, what: str) -> Found:
    """The right numbers in another dtype."""
    both = isinstance(expected, torch.Tensor) and isinstance(given, torch.Tensor)
    if not both or expected.dtype == given.dtype or expected.shape != given.shape or not expected.numel():
        return
    if expected.is_complex() or given.is_complex():
        return
    one, other = expected.double(), given.double()
    rough = max(TOLERANCE.get(expected.dtype, 0.0), TOLERANCE.get(given.dtype, 0.0))
    if bool(((one - other).abs() <= LEAST + rough * one.abs().max()).all()):
        yield "dtype", f"The numbers of {what} are right, but they are {_dtype(given)} instead of {_dtype(expected)}."


def _dtype(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
