"""Grades the answers to the quiz that students hand in. The keys are those of the bank here; nothing of a student's is run.

    marked = mark(Path("quiz_answers.json").read_bytes())
    marked.score, len(marked.graded)

A file is a stranger's. What does not fit is said in a sentence, and the rest of the file counts.
"""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from classroom.incoming.collect import ANSWERS, Collection
from quiz import asking, bank, keyless
from quiz.grading import Grade, grade
from quiz.hand_in import FORMAT

LONGEST_QUOTE = 80  # letters of a stranger's text in a sentence
MOST_NOTICES = 5
AGAIN = "Write it again with `python -m quiz hand-in`."


@dataclass(frozen=True)
class Answer:
    """An answer that could be read. Open ones are for a person to judge: their `result` is None.

    said: the student's words.
    beliefs: what someone who answers so believes, where the bank knows it.
    """

    item: bank.Item
    said: str
    result: Grade | None
    beliefs: tuple[str, ...] = ()


@dataclass
class Marked:
    """What a student's file is worth: a point for each question that is answered right, a share for one that is partly right.

    answers: in the order of the bank.
    refused: why the file cannot be read, in a sentence, else "".
    notices: what did not count, in sentences.
    """

    answers: list[Answer] = field(default_factory=list)
    refused: str = ""
    notices: list[str] = field(default_factory=list)

    @cached_property
    def graded(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.result]

    @property
    def score(self) -> float:
        return sum(answer.result.score for answer in self.graded)

    @property
    def points(self) -> str:
        """“7.5 of 9”: the score, and how many questions were answered."""
        if self.refused:
            return "not graded"
        return f"{round(self.score, 2):g} of {len(self.graded)}"

    @property
    def summary(self) -> str:
        """A sentence for a cell of the gradebook."""
        return f"Quiz: {self.refused or f'{self.points} points.'}"

    @property
    def missed(self) -> list[Answer]:
        return [answer for answer in self.graded if not answer.result.right]

    @property
    def open(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.result is None]


def mark_all(collection: Collection) -> dict[str, Marked]:
    """The marked answers of each student who handed some in, by folder."""
    found = {}
    for student in collection.students:
        if student.quiz:
            try:
                found[student.folder] = mark((collection.folder / student.folder / student.quiz).read_bytes())
            except OSError as error:
                found[student.folder] = Marked(refused=f"{ANSWERS} cannot be read: {error.strerror}.")
    return found


def most_points() -> int:
    """The questions of the bank that are graded: all but the open ones."""
    return sum(item.kind != "open" for item in bank.items())


def mark(data: bytes) -> Marked:
    """Grade a file of answers."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError):
        return Marked(refused=f"{ANSWERS} is not valid JSON. {AGAIN}")
    if not isinstance(content, dict) or not isinstance(content.get("answers"), dict):
        return Marked(refused=f"{ANSWERS} holds no answers. {AGAIN}")
    if content.get("format") != FORMAT:
        return Marked(refused=f"{ANSWERS} is not of format {FORMAT}, which this edition of the course reads. {AGAIN}")
    return _marked(content["answers"])


def _marked(entries: dict) -> Marked:
    marked, known = Marked(), {keyless.alias(item.id): item for item in bank.items()}
    for name, item in known.items():
        if name in entries:
            try:
                marked.answers.append(_answer(item, entries[name]))
            except ValueError as error:
                marked.notices.append(f"The answer to {_quote(item.stem)} does not count: {_short(str(error), 200)}.")
    strange = [name for name in entries if name not in known]
    if strange:
        names = ", ".join(_quote(_question(entries[name]) or name) for name in strange[:3])
        more = f" and {len(strange) - 3} more" if strange[3:] else ""
        marked.notices.append(f"This edition of the course does not have {len(strange)} of the questions: {names}{more}.")
    if marked.notices[MOST_NOTICES:]:
        left = len(marked.notices) - MOST_NOTICES
        marked.notices[MOST_NOTICES:] = [f"And {left} more {'answer does' if left == 1 else 'answers do'} not count."]
    return marked


def _answer(item: bank.Item, entry) -> Answer:
    """ValueError if the entry is no answer to the item."""
    words = entry.get("answer") if isinstance(entry, dict) else None
    answer = keyless.from_words(item, words)
    if item.kind == "open":
        return Answer(item, words, None)
    result = grade(item, answer)
    said = words if isinstance(words, str) else "; ".join(text for _, text in asking.in_words(asking.question(item), answer))
    return Answer(item, said, result, beliefs_of(item, answer, result))


def beliefs_of(item: bank.Item, answer, result: Grade) -> tuple[str, ...]:
    """What someone who answers so believes, where the bank knows it."""
    wrong = getattr(item, "slips", ())
    if item.kind in ("single", "multiple"):
        wrong = [item.options[index] for index in ([answer] if item.kind == "single" else answer)]
    return tuple(one.thought for one in wrong if one.reply and one.reply in result.replies)


def _question(entry) -> str:
    """The question as the student's file words it, else ""."""
    question = entry.get("question") if isinstance(entry, dict) else ""
    return question if isinstance(question, str) else ""


def _quote(text: str) -> str:
    return f"“{_short(text, LONGEST_QUOTE)}”"


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}…"


# --- the class ----------------------------------------------------------------------------------


@dataclass
class Missed:
    """A question that some of the class miss. beliefs: how many have shown each, the most frequent first."""

    item: bank.Item
    answered: int
    missed: int
    beliefs: list[tuple[str, int]]


def missed(all_marked: Iterable[Marked]) -> list[Missed]:
    """The questions that the room misses, those with the largest share of misses first."""
    answered: dict[str, list[Answer]] = {}
    for marked in all_marked:
        for answer in marked.graded:
            answered.setdefault(answer.item.id, []).append(answer)
    found = []
    for item in bank.items():
        answers = answered.get(item.id, [])
        count = sum(not answer.result.right for answer in answers)
        if count:
            beliefs = Counter(belief for answer in answers for belief in answer.beliefs)
            found.append(Missed(item, len(answers), count, sorted(beliefs.items(), key=lambda one: (-one[1], one[0]))))
    return sorted(found, key=lambda row: (-row.missed / row.answered, -row.missed))
