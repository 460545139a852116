"""What the projector and a phone show of a round, as data. Before the answers are shown, nothing in it tells the key."""

from classroom.live import tally
from classroom.live.round import FEW, Round
from quiz import asking

# By action, its key and its words.
ACTIONS = {
    "ask": ("n", "Next question"),
    "close": ("c", "Close the vote"),
    "discuss": ("d", "Discuss"),
    "vote": ("v", "Vote again"),
    "show": ("s", "Show the answers"),
    "reopen": ("o", "Open this vote again"),
    "end": ("e", "End the round"),
}
HOW = {
    "single": "Tap your answer.",
    "multiple": "Several are right. Tap them, then send.",
}
AWAIT = {
    "lobby": "You are in. The first question comes soon.",
    "first": "Answer on your own.",
    "closed": "The vote is closed. Look at the screen.",
    "discussion": "Talk to your neighbours: convince them, or let them convince you. Then you vote again.",
    "second": "Vote again, on your own.",
    "shown": "",
    "over": "The round is over. Thank you.",
}


def question(live: Round) -> dict:
    """The question on the screen."""
    asked = live.current
    return {
        "id": asked.item.id,
        "number": len(live.played),
        "kind": asked.item.kind,
        "stem": asked.item.stem,
        "code": asked.item.code.strip("\n"),
        "how": HOW.get(asked.item.kind, asked.how),
        "unit": getattr(asked.item, "unit", ""),
        "choices": [{"letter": letter, "text": text} for letter, text in zip(asking.LETTERS, asked.choices)],
    }


def phone(live: Round, name: str) -> dict:
    """What one phone shows: the question, its own answers, and once they are shown, what these are worth."""
    view = {"phase": live.phase, "vote": live.vote, "words": AWAIT[live.phase]}
    if not live.current or live.phase == "over":
        return view
    said = [live.answers(vote).get(name) for vote in (1, 2)]
    view |= {"question": question(live), "said": [answer.text if answer else "" for answer in said]}
    if live.phase == "shown":
        view["feedback"] = _feedback(live.current, said[1] or said[0])
    return view


def _feedback(asked: asking.Question, answer) -> list[str]:
    key = f"Answer: {_in_words(asking.key(asked))}"
    if not answer:
        return ["You have not answered.", key, asked.item.explanation]
    said = [] if answer.result.right else [f"Your answer: {_in_words(asking.in_words(asked, answer.data))}"]
    return [asking.verdict(answer.result), *said, *answer.result.replies, key, asked.item.explanation]


def _in_words(rows: list[tuple[str, str]]) -> str:
    return "; ".join(f"{label}. {text}" if label else text for label, text in rows)


def presenter(live: Round) -> dict:
    """What the projector shows."""
    view = {
        "phase": live.phase,
        "step": live.step,
        "vote": live.vote,
        "phones": len(live.phones),
        "actions": [{"name": name, "key": ACTIONS[name][0], "words": ACTIONS[name][1]} for name in live.actions],
        "left": [{"id": name, "stem": live.asked[name].item.stem} for name in live.left],
        "played": len(live.played),
    }
    if live.current:
        view |= {"question": question(live), "answered": [len(live.answers(vote)) for vote in (1, 2)]}
    if live.phase == "closed":
        view["right"] = live.right(1)
        view["advice"] = _advice(live)
    if live.phase == "shown":
        view |= _shown(live, live.played[-1])
    if live.phase == "over":
        view["beliefs"] = [vars(held) for held in tally.beliefs(live)]
    return view


def _advice(live: Round) -> str:
    answered, right = len(live.answers(1)), live.right(1)
    if not answered:
        return "Nobody has answered."
    if live.actions[0] == "show":
        return "Most of you know it."
    if right < FEW * answered:
        return "Few of you know it. Listen to a hint first, then discuss."
    return "Opinions differ. Find somebody who has answered otherwise, and discuss."


def _shown(live: Round, name: str) -> dict:
    votes = tally.votes_of(live, name)
    return {
        "rows": [vars(row) for row in tally.histogram(live, name)],
        "totals": [len(live.answers(vote, name)) for vote in votes],
        "right": [live.right(vote, name) for vote in votes],
        "changes": tally.changes(live, name) if len(votes) > 1 else {},
        "explanation": live.asked[name].item.explanation,
    }
