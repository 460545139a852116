"""A question of another system as an item of the bank, with TODO texts where the bank wants more than it tells."""

import math
import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from quiz.bank import LEVELS, MOST, NO_TOPICS, TOPICS
from quiz.export.content import BELIEF
from quiz.export.notes import Notes
from quiz.keyless import alias

LEVEL = f"TODO: {', '.join(LEVELS)}"
SOURCES = ["TODO: a key of sources.toml, the course's or your own"]
EXPLANATION = "TODO: why the key is right"
BELIEF_OF = "TODO: what someone who answers so believes"
TOLERANCE = "TODO: a share of the number, above 0 and below 0.2"
REPLY = "TODO: what to tell whoever answers so"


class Unreadable(ValueError):
    """The file cannot be read. The message goes on after the name of the file."""


@dataclass(frozen=True)
class Answer:
    """An answer: its text, its worth in per cent, the feedback in paragraphs, and for a number its absolute tolerance."""

    text: str
    worth: float
    feedback: tuple[str, ...] = ()
    tolerance: float = 0.0


@dataclass
class Question:
    """A question as Moodle XML and GIFT tell it. Texts are plain, with code in backticks.

    type: as Moodle names it.
    lost: what of it cannot be kept, a sentence each.
    category: the name of the category that it is in, without the path to it.
    """

    type: str
    name: str
    category: str
    stem: str
    code: str = ""
    explanation: tuple[str, ...] = ()
    answers: list[Answer] = field(default_factory=list)
    pairs: list[tuple[str, str]] = field(default_factory=list)
    rubric: list[str] = field(default_factory=list)
    unit: str = ""
    tags: tuple[str, ...] = ()
    lost: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Draft:
    """An item to be: its topic and that topic's title, the id that it would like to have, and its fields."""

    topic: str
    title: str
    name: str
    fields: dict[str, object]


def drafts(questions: Iterable[Question], otherwise: str) -> tuple[list[Draft], Notes]:
    """The questions as items, and what could not be kept. otherwise: the topic of what stands in no category."""
    found, notes = [], Notes()
    for question in questions:
        question.name = " ".join(question.name.split())[:80]
        for sentence in question.lost:
            notes.add(sentence, question.name)
        make = KINDS.get(question.type)
        if make is None:
            notes.add(f"The bank has no kind for Moodle's “{question.type}”: left out.", question.name)
        elif (parts := make(question, notes)) is not None and _most(parts) > MOST:
            notes.add(f"The bank takes {MOST} choices, steps, pairs or key points at most: left out.", question.name)
        elif parts is not None:
            question.category = question.category or otherwise
            found.append(_draft(question, parts))
    return found, notes


def _most(parts: dict[str, object]) -> int:
    return max((len(parts[name]) for name in ("options", "steps", "pairs", "rubric") if name in parts), default=0)


def _draft(question: Question, parts: dict[str, object]) -> Draft:
    topic = next((topic for topic, title in TOPICS.items() if title == question.category), _topic(question.category))
    fields = {"kind": parts.pop("kind"), "level": next((tag for tag in question.tags if tag in LEVELS), LEVEL)}
    if "article" in question.tags:
        fields["about"] = "article"
    fields["stem"] = question.stem or "TODO: the question"
    if question.code:
        fields["code"] = question.code
    right = [
        answer for answer in question.answers if answer.worth == 100 or (fields["kind"] == "multiple" and answer.worth > 0)
    ]
    said = [*question.explanation, *(part for answer in right for part in answer.feedback)]
    explanation = "\n\n".join(dict.fromkeys(said)) or EXPLANATION
    return Draft(topic, question.category, question.name, fields | parts | {"explanation": explanation, "sources": SOURCES})


def _topic(title: str) -> str:
    """A topic for a title: a name that a file can have, and none that means something else in a folder of own questions."""
    name = slug(title) or f"topic-{alias(title)[:6]}"
    return f"{name}-questions" if name in NO_TOPICS else name


def slug(text: str) -> str:
    """A text as the name of a file or an id: small letters, digits and hyphens."""
    ascii_ = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", ascii_.lower()).strip("-")[:60].strip("-")


def named(group: list[Draft], taken: set[str]) -> dict[str, dict[str, object]]:
    """The items of a topic by ids that nobody has: their names, with a number behind where one is taken."""
    items = {}
    for one in group:
        wish = slug(one.name) or slug(str(one.fields["stem"]).removeprefix("TODO")) or "question"
        name, number = wish, 1
        while name in taken:
            number += 1
            name = f"{wish}-{number}"
        taken.add(name)
        items[name] = one.fields
    return items


# --- the parts of each kind ---------------------------------------------------------------------


def _mistake(answer: Answer) -> dict[str, str]:
    """Belief and reply out of the feedback: as this course exports them, or the feedback as the reply."""
    belief, reply = BELIEF_OF, list(answer.feedback)
    if reply and reply[0].startswith(BELIEF):
        belief = reply.pop(0).removeprefix(BELIEF).strip()
    return {"belief": belief, "reply": "\n\n".join(reply) or REPLY}


def _choice(question: Question, notes: Notes, several: bool) -> dict[str, object] | None:
    several = several and sum(answer.worth > 0 for answer in question.answers) > 1
    best = max((answer.worth for answer in question.answers), default=0)
    options = []
    for answer in sorted(question.answers, key=lambda answer: -answer.worth):  # the bank has the right ones first
        right = answer.worth > 0 if several else answer.worth == best and not any("right" in option for option in options)
        if not right and answer.worth > 0:
            notes.add("An answer of partial credit is a wrong option now.", question.name)
        options.append({"text": answer.text} | ({"right": True} if right else _mistake(answer)))
    if best <= 0:
        notes.add("No answer is right: left out.", question.name)
        return None
    while len(options) < 3 or all("right" in option for option in options):
        options.append({"text": f"TODO: wrong option {len(options) + 1}", "belief": BELIEF_OF, "reply": REPLY})
    return {"kind": "multiple" if several else "single", "options": options}


def _numeric(question: Question, notes: Notes) -> dict[str, object] | None:
    numbers = [(value, answer) for answer in question.answers if (value := _number(answer.text)) is not None]
    right = [(value, answer) for value, answer in numbers if answer.worth == 100]
    if not right:
        notes.add("No number is right: left out.", question.name)
        return None
    if len(right) > 1 or len(numbers) < len(question.answers) or any(0 < answer.worth < 100 for _, answer in numbers):
        notes.add("Only the first right number and known wrong ones are kept.", question.name)
    value, key = right[0]
    share = key.tolerance / abs(value) if value else 0
    slips = [
        {"formula": "given", "arguments": {"value": number}, **_mistake(answer)}
        for number, answer in numbers
        if answer.worth <= 0 and abs(number - value) > share * abs(value)
    ]
    fields = {"kind": "numeric", "formula": "given", "arguments": {"value": value}}
    fields |= {"unit": question.unit or "TODO: the unit", "tolerance": float(f"{share:.6g}") if 0 < share < 0.2 else TOLERANCE}
    return fields | ({"slips": slips} if slips else {})


def _number(text: str) -> float | None:
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _typed(question: Question, notes: Notes) -> dict[str, object] | None:
    """A short answer. With code it asks what that prints; else the nearest kind is an open question."""
    right = [answer.text for answer in question.answers if answer.worth == 100]
    if not right:
        notes.add("No answer is right: left out.", question.name)
        return None
    if not question.code:
        notes.add("A short answer without code is an open question now, its answer a key point.", question.name)
        return {"kind": "open", "rubric": [right[0], "TODO: another key point"]}
    known = {right[0]} | {"".join(text.split()) for text in right}
    slips = []
    for answer in question.answers:
        if answer.worth <= 0 and "".join(answer.text.split()) not in known:
            known.add("".join(answer.text.split()))  # the same, typed in another way
            slips.append({"text": answer.text, **_mistake(answer)})
    return {"kind": "prints", "output": right[0]} | ({"slips": slips} if slips else {})


def _ordering(question: Question, notes: Notes) -> dict[str, object]:
    steps = [answer.text for answer in sorted(question.answers, key=lambda answer: answer.worth)]
    return {"kind": "ordering", "steps": _filled(steps, 3, "TODO: step")}


def _matching(question: Question, notes: Notes) -> dict[str, object] | None:
    pairs = [list(pair) for pair in question.pairs if pair[0]]
    if len(pairs) < len(question.pairs):
        notes.add("A partner that belongs to nothing is not kept.", question.name)
    if any(len({pair[side] for pair in pairs}) < len(pairs) for side in (0, 1)):
        notes.add("Two pairs share a side, which the bank has not: left out.", question.name)
        return None
    while len(pairs) < 3:
        pairs.append([f"TODO: left side {len(pairs) + 1}", f"TODO: its partner {len(pairs) + 1}"])
    return {"kind": "matching", "pairs": pairs}


def _open(question: Question, notes: Notes) -> dict[str, object]:
    return {"kind": "open", "rubric": _filled(question.rubric, 2, "TODO: key point")}


def _filled(texts: list[str], count: int, todo: str) -> list[str]:
    return texts + [f"{todo} {place}" for place in range(len(texts) + 1, count + 1)]


KINDS: dict[str, Callable[[Question, Notes], dict[str, object] | None]] = {
    "multichoice": lambda question, notes: _choice(question, notes, several=False),
    "multichoiceset": lambda question, notes: _choice(question, notes, several=True),
    "truefalse": lambda question, notes: _choice(question, notes, several=False),
    "numerical": _numeric,
    "shortanswer": _typed,
    "ordering": _ordering,
    "matching": _matching,
    "essay": _open,
}
