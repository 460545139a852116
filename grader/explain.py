"""Why a check fails, in three layers, each right or silent: a known mistake, a relation between numbers, a rule on the code.

A known mistake is named if it agrees with all that was observed in a stub, not with one check alone: one observation has many
possible causes. What no known mistake explains may still stand in a simple relation to what is right (`grader.relations`). Where
there is none, the code itself may show a pattern that cannot be right there (`grader.rules`).
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations

import torch

from grader import rules
from grader.compare import difference, entries, same
from grader.observe import Observation
from grader.relations import relations
from grader.verdict import Mistake

MOST_AT_ONCE = 3  # known mistakes in one stub
ENTANGLED = 4  # checks that are explained for each one in which two mistakes act and do not fit together
MOST_CANDIDATES = 40  # among more, three at once are not searched for


@dataclass(frozen=True)
class Evidence:
    """All that is known of one submission.

    Attributes:
        right, seen: what the checks saw in the reference and in the submission, by check.
        stubs: the stub of each check, in the order of the problem.
        passed, wrong: the checks that pass, and those that fail in a way that can be explained.
        bank: what the checks saw in each known mistake that may be the one.
        acts: the checks in which a known mistake shows.
        leaves_out: the term that a known mistake leaves out, in words, if it does so.
        found: what `rules.found` has told.
    """

    right: dict[str, Observation]
    seen: dict[str, Observation]
    stubs: dict[str, str]
    passed: set[str]
    wrong: list[str]
    bank: dict[str, dict[str, Observation]]
    acts: dict[str, frozenset[str]]
    leaves_out: dict[str, str] = field(default_factory=dict)
    found: Sequence[dict] = ()

    @cached_property
    def possible(self) -> list[str]:
        """The known mistakes that fail nothing that the submission passes. The others are not made here."""
        return [mistake for mistake in self.bank if not self.acts[mistake] & self.passed]

    @cached_property
    def agreement(self) -> dict[str, frozenset[str]]:
        """For each possible mistake the failing checks in which it looks like the submission."""
        return {
            mistake: frozenset(
                c for c in self.wrong if c in self.acts[mistake] and same(self.bank[mistake][c], self.seen[c])
            )
            for mistake in self.possible
        }

    def failing(self, stub: str) -> list[str]:
        return [check for check in self.wrong if self.stubs[check] == stub]

    @property
    def failing_stubs(self) -> list[str]:
        return [stub for stub in dict.fromkeys(self.stubs.values()) if self.failing(stub)]


@dataclass(frozen=True)
class Explanation:
    """Why one check fails: the ids of the known mistakes that act in it, or a fact in words."""

    mistakes: tuple[str, ...] = ()
    fact: str = ""


def explain(evidence: Evidence) -> dict[str, Explanation]:
    """What can be said of the failing checks. Those of which nothing is known are left out."""
    found = {check: Explanation(mistakes) for check, mistakes in known(evidence).items()}
    for stub in evidence.failing_stubs:
        open_checks = [check for check in evidence.failing(stub) if check not in found]
        facts = _related(evidence, open_checks)
        facts |= rules.facts(evidence.found, stub, [check for check in open_checks if check not in facts])
        found |= {check: Explanation(fact=fact) for check, fact in facts.items()}
    return found


# --- known mistakes -----------------------------------------------------------------------------


def known(evidence: Evidence) -> dict[str, tuple[str, ...]]:
    """The known mistakes that explain failing checks. Where two act at once, both."""
    found: dict[str, tuple[str, ...]] = {}
    unknown: list[str] = []  # failing checks of the stubs above that nothing explains
    for stub in evidence.failing_stubs:
        failing = evidence.failing(stub)
        chosen = _best(evidence, failing)
        doubtful = _rests_on(evidence, failing, unknown)
        if not all(
            _tells(evidence, m, failing) or (not doubtful and _is_the_same_everywhere(evidence, m)) for m in chosen
        ):
            chosen = ()
        for check in failing:
            acting = tuple(mistake for mistake in chosen if check in evidence.acts[mistake])
            if len(acting) > 1 or any(check in evidence.agreement[mistake] for mistake in acting):
                found[check] = acting
        unknown += [check for check in failing if check not in found]
    return found | _consequences(evidence, found)


def _rests_on(evidence: Evidence, failing: list[str], unknown: list[str]) -> bool:
    """Whether one cause may be behind both: some known mistake shows in these failing checks and in those above as well."""
    return any(acts & set(failing) and acts & set(unknown) for acts in evidence.acts.values())


def _is_the_same_everywhere(evidence: Evidence, mistake: str) -> bool:
    """Whether a mistake looks like the submission in all failing checks in which it acts, those of other stubs included."""
    return evidence.acts[mistake] & set(evidence.wrong) <= evidence.agreement[mistake]


def _consequences(evidence: Evidence, found: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """A mistake that is known from one stub is named in the checks of others too, where it looks the same."""
    named = [mistake for mistakes in found.values() for mistake in mistakes]
    left = [check for check in evidence.wrong if check not in found]
    return {check: (m,) for check in left for m in dict.fromkeys(named) if check in evidence.agreement[m]}


def _best(evidence: Evidence, failing: list[str]) -> tuple[str, ...]:
    """The smallest set of known mistakes that explains all failing checks of a stub. Of several, what is in all of them."""
    candidates = [mistake for mistake in evidence.possible if evidence.agreement[mistake] & set(failing)]
    for size in range(1, (MOST_AT_ONCE if len(candidates) <= MOST_CANDIDATES else 2) + 1):
        sets = [chosen for chosen in combinations(candidates, size) if _explains(evidence, chosen, failing)]
        if sets:
            scores = [len(set().union(*(evidence.agreement[mistake] for mistake in chosen))) for chosen in sets]
            best = [chosen for chosen, score in zip(sets, scores) if score == max(scores)]
            return tuple(mistake for mistake in best[0] if all(mistake in chosen for chosen in best))
    return ()


def _explains(evidence: Evidence, chosen: tuple[str, ...], failing: list[str]) -> bool:
    """Whether these mistakes, made at once, would give what was seen in all failing checks of a stub."""
    own = {mistake: [] for mistake in chosen}  # checks in which it alone acts
    entangled = 0  # checks in which the effect of one changes that of another
    for check in failing:
        acting = [mistake for mistake in chosen if check in evidence.acts[mistake]]
        if len(acting) == 1 and check in evidence.agreement[acting[0]]:
            own[acting[0]].append(check)
        elif len(acting) > 1:
            entangled += not _fits_both(evidence, acting, check)
        else:
            return False
    if ENTANGLED * entangled > sum(map(len, own.values())):
        return False
    if len(chosen) == 1:
        return True
    return all(
        _tells(evidence, mistake, checks) or _no_other(evidence, mistake, checks) for mistake, checks in own.items()
    )


def _fits_both(evidence: Evidence, acting: list[str], check: str) -> bool:
    """Whether a check in which several mistakes act saw in each entry that one of them alone changes what that one gives."""
    seen, right = evidence.seen[check], evidence.right[check]
    all_seen = [seen, right, *(evidence.bank[mistake][check] for mistake in acting)]
    if any(one.kind != "value" for one in all_seen):
        return True  # an error hides the entries
    given, expected, *others = [entries(one.value) for one in all_seen]
    for place in dict.fromkeys(place for one in (expected, given, *others) for place in one):
        changed = [other.get(place) for other in others if _differ(expected.get(place), other.get(place))]
        if len(changed) < 2 and _differ(changed[0] if changed else expected.get(place), given.get(place)):
            return False
    return True


def _tells(evidence: Evidence, mistake: str, checks: list[str]) -> bool:
    """Whether a mistake agrees with the submission in numbers, which is no coincidence. Words and counts may be one."""
    return any(
        _tells_much(evidence.right[check], evidence.seen[check])
        for check in checks
        if check in evidence.agreement[mistake]
    )


def _no_other(evidence: Evidence, mistake: str, checks: list[str]) -> bool:
    """Whether no other known mistake, even one that is ruled out, looks like this in one of these checks."""
    return any(
        not any(same(bank[check], evidence.seen[check]) for other, bank in evidence.bank.items() if other != mistake)
        for check in checks
    )


def _tells_much(right: Observation, seen: Observation) -> bool:
    if right.kind != "value" or seen.kind != "value":
        return False
    expected, given = entries(right.value), entries(seen.value)
    return any(_is_rich(given.get(place)) for place in expected if _differ(expected[place], given.get(place)))


def _is_rich(value) -> bool:
    """Whether these are numbers that only one computation gives: two different ones at least, or one with decimals."""
    if isinstance(value, list) and any(isinstance(item, float) for item in value):
        value = torch.tensor([float(item) for item in value])
    if isinstance(value, torch.Tensor):
        numbers = value[value.isfinite() & (value != 0)].unique() if value.is_floating_point() else value[:0]
        return numbers.numel() > 1 or bool(numbers.numel() and numbers[0] % 1)
    return isinstance(value, float) and value % 1 > 0


def _differ(one, other) -> bool:
    return difference(one, other) is not None


# --- relations ----------------------------------------------------------------------------------


def _related(evidence: Evidence, checks: list[str]) -> dict[str, str]:
    """Relations between what was seen and what is right, for the checks of one stub: first those that hold in most checks."""
    found = {check: relations(*_values(evidence, check), _terms(evidence, check)) for check in checks}
    votes = Counter(kind for sentences in found.values() for kind in sentences)
    return {
        check: sentences[max(sentences, key=lambda kind: votes[kind])]
        for check, sentences in found.items()
        if sentences
    }


def _values(evidence: Evidence, check: str) -> tuple:
    """What is right and what was seen; None where a probe has ended in an error."""
    return evidence.right[check].value, evidence.seen[check].value


def _terms(evidence: Evidence, check: str) -> list[tuple[str, object]]:
    """Terms, each with what the check sees without it."""
    return [
        (term, evidence.bank[mistake][check].value)
        for mistake, term in evidence.leaves_out.items()
        if check in evidence.acts.get(mistake, ())
    ]


def leaves_out(mistakes: dict[str, Mistake]) -> dict[str, str]:
    """The terms that known mistakes leave out, by the mistake: what its line `# Leaves out: the bias` says."""
    found = {
        name: re.search(r"^# Leaves out: (.+)$", mistake.source, re.MULTILINE) for name, mistake in mistakes.items()
    }
    return {name: line[1] for name, line in found.items() if line}
