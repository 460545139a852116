"""Follow-ups: what an interviewer asks next, by what the answer was worth and by the belief behind it.

A tree begins at an item of the bank. It is data (`bank/followups.toml`), checked field by field like the bank itself.
"""

from collections.abc import Iterable
from functools import cache
from typing import Literal

from pydantic import Field

from quiz import bank
from quiz.register import Broken, read, sources

FILE = "followups.toml"
Outcome = Literal["right", "wrong", "vague"]


class Branches(bank.Strict):
    """What is asked next after an answer that was right, wrong or vague. None where nothing follows."""

    right: "Node | None" = None
    wrong: "Node | None" = None
    vague: "Node | None" = None


class Node(Branches):
    """One follow-up.

    Attributes:
        ask: what the interviewer says.
        points: what a good answer holds, as a rubric.
        answer: the answer in one to three sentences.
        sources: keys of the bibliography.
    """

    ask: str
    points: tuple[str, ...] = Field(min_length=2, max_length=4)
    answer: str
    sources: tuple[str, ...] = Field(min_length=1)


class Tree(Branches):
    """What may be asked after an item of the bank. `beliefs` goes before `wrong`, by the id of a misconception."""

    right: Node
    wrong: Node
    vague: Node
    beliefs: dict[str, Node] = {}


@cache
def trees() -> dict[str, Tree]:
    """The trees by the id of the item at which each begins. None at all in a copy without keys: their answers are keys as well.

    Raises:
        Broken: a tree is not as it should be. The message names it and the field.
    """
    if not bank.has_keys():
        return {}
    found = read(FILE, Tree.model_validate)
    for name, tree in found.items():
        _check(name, tree)
    return found


def follow(node: Tree | Node, outcome: Outcome, beliefs: Iterable[str] = ()) -> Node | None:
    """What is asked next, or None if nothing is.

    Args:
        outcome: what the answer to the node, or to the tree's item, was.
        beliefs: ids of misconceptions that a wrong answer showed. The first one that has a branch decides.

    Raises:
        ValueError: there is no such outcome.
    """
    if outcome not in ("right", "wrong", "vague"):
        raise ValueError(f"there is no outcome {outcome!r}; there are right, wrong, vague")
    own = getattr(node, "beliefs", {}) if outcome == "wrong" else {}
    return next((own[belief] for belief in beliefs if belief in own), getattr(node, outcome))


def branches(node: Tree | Node) -> dict[str, Node]:
    """Each branch of a node by its name, such as “right” or “beliefs.D8”, where there is one."""
    named = {name: getattr(node, name) for name in ("right", "wrong", "vague")}
    named |= {f"beliefs.{belief}": branch for belief, branch in getattr(node, "beliefs", {}).items()}
    return {name: branch for name, branch in named.items() if branch}


def _check(name: str, tree: Tree) -> None:
    """That all which a tree names exists. Broken tells what does not."""
    try:
        item = bank.item(name)
    except ValueError:
        raise Broken(f"{FILE}, [{name}]: no item of the bank has this id") from None
    known = {one.belief for one in (*getattr(item, "options", ()), *getattr(item, "slips", ()))}
    for belief in tree.beliefs:
        if belief not in known & bank.misconceptions().keys():
            raise Broken(
                f"{FILE}, [{name}], beliefs.{belief}: no wrong answer of the item has this misconception, so nobody comes here"
            )
    for path, node in walk(tree):
        for key in node.sources:
            if key not in sources():
                raise Broken(f"{FILE}, [{name}], {path}.sources: there is no {key!r} in sources.toml")


def walk(node: Tree | Node, path: str = "") -> list[tuple[str, Node]]:
    """Every node below this one, with the way to it, such as “right.wrong”."""
    found = []
    for name, branch in branches(node).items():
        here = f"{path}.{name}".lstrip(".")
        found += [(here, branch), *walk(branch, here)]
    return found
