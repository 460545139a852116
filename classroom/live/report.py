"""What is left of a round: a page on what the room believed before and after, and every answer in a CSV file."""

from pathlib import Path

from classroom.live import tally
from classroom.live.round import Round
from classroom.outgoing.markup import page
from desk import files
from desk.cells import as_csv
from quiz import asking

PAGE, ANSWERS = "round.html", "answers.csv"
COLUMNS = ["question", "vote", "phone", "answer", "points", "beliefs"]


def write(live: Round, out: Path, began: str) -> None:
    """Write both files, each at once. OSError if a file cannot be written.

    began: when the round began, for the heading.
    """
    told = [_told(live, name) for name in live.played]
    html = page("round.html", began=began, phones=len(live.phones), csv=ANSWERS, beliefs=tally.beliefs(live), questions=told)
    files.write(out / PAGE, html.encode())
    files.write(out / ANSWERS, b"\xef\xbb\xbf" + as_csv(rows(live)).encode())  # Excel knows UTF-8 by these three bytes


def _told(live: Round, name: str) -> dict:
    votes = tally.votes_of(live, name)
    return {
        "item": live.asked[name].item,
        "right": [(live.right(vote, name), len(live.answers(vote, name))) for vote in votes],
        "changes": tally.changes(live, name) if len(votes) > 1 else {},
        "rows": tally.histogram(live, name),
    }


def rows(live: Round) -> list[list]:
    """A row for each answer that counts: by question, vote and phone. Phones have numbers, in the order of joining."""
    found = [COLUMNS]
    for name in live.played:
        for vote in tally.votes_of(live, name):
            for phone, answer in sorted(live.answers(vote, name).items(), key=lambda one: live.phones[one[0]]):
                words = "; ".join(text for _, text in asking.in_words(live.asked[name], answer.data))
                found.append([name, str(vote), str(live.phones[phone]), words, answer.result.score, "; ".join(answer.beliefs)])
    return found
