"""What a room has answered, counted: the histogram of a question, who changed to what, and the beliefs behind it all."""

from dataclasses import dataclass

from classroom.live.round import Answer, Round
from quiz import asking, bank
from quiz.grading import key_of, readable

ANOTHER = "another answer"


@dataclass
class Row:
    """One answer in the histogram.

    letter: of an option, as it stands on the screen, else empty.
    counts: how many phones gave the answer, by vote.
    """

    letter: str
    text: str
    right: bool
    belief: str
    counts: list[int]


@dataclass
class Held:
    """A belief that came up at a question, how many held it and how many could have: in the first vote, and in the second."""

    belief: str
    correction: str
    question: str
    counts: list[int]
    totals: list[int]


def votes_of(live: Round, question: str) -> list[int]:
    """The votes that were held on a question: [1] or [1, 2]."""
    return [vote for vote in (1, 2) if vote == 1 or live.answers(2, question)]


def histogram(live: Round, question: str) -> list[Row]:
    """The answers to a question, with the belief behind each wrong one. Options stand in the order of the screen.

    What was typed and is neither right nor known is counted, but not shown: a stranger chooses its words.
    """
    asked = live.asked[question]
    item = asked.item
    answers = [list(live.answers(vote, question).values()) for vote in votes_of(live, question)]
    if asked.choices:
        shown = [(letter, index, item.options[index]) for letter, index in zip(asking.LETTERS, asked.order)]
        return [
            Row(letter, option.text, option.right, "" if option.right else option.thought, _count(answers, index))
            for letter, index, option in shown
        ]
    rows = [Row("", key_of(item), True, "", [sum(answer.result.right for answer in given) for given in answers])]
    for slip in item.slips:
        text = slip.text if item.kind == "prints" else f"{readable(slip.value)} {item.unit}"
        counts = [sum(slip.thought in answer.beliefs for answer in given) for given in answers]
        rows.append(Row("", text, False, slip.thought, counts))
    others = [sum(not answer.result.right and not answer.beliefs for answer in given) for given in answers]
    return [*rows, Row("", ANOTHER, False, "", others)]


def _count(answers: list[list[Answer]], index: int) -> list[int]:
    """How many chose an option, by vote."""
    chosen = [[answer.data if isinstance(answer.data, list) else [answer.data] for answer in given] for given in answers]
    return [sum(index in one for one in given) for given in chosen]


def changes(live: Round, question: str) -> dict[str, int]:
    """How the phones that have voted twice have changed."""
    first, second = live.answers(1, question), live.answers(2, question)
    both = [(first[phone].result.right, second[phone].result.right) for phone in second if phone in first]
    return {
        "stayed right": both.count((True, True)),
        "changed to right": both.count((False, True)),
        "changed from right": both.count((True, False)),
        "stayed wrong": both.count((False, False)),
    }


def beliefs(live: Round) -> list[Held]:
    """The beliefs that somebody held in the round, question by question, those of the largest share first.

    Questions are not added up: some were voted on once, and others twice.
    """
    found = []
    for name in live.played:
        answers = [live.answers(vote, name).values() for vote in votes_of(live, name)]
        for thought, correction in _wrong(live.asked[name].item).items():
            counts = [sum(thought in answer.beliefs for answer in given) for given in answers]
            if any(counts):
                found.append(Held(thought, correction, name, counts, [len(given) for given in answers]))
    return sorted(found, key=lambda held: -max(count / max(total, 1) for count, total in zip(held.counts, held.totals)))


def _wrong(item) -> dict[str, str]:
    """The beliefs behind the wrong answers to an item, each with what is true: the common correction, or the reply."""
    wrong = [option for option in item.options if not option.right] if item.choices else item.slips
    known = bank.misconceptions()
    return {one.thought: known[one.belief].correction if one.belief in known else one.reply for one in wrong}
