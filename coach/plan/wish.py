"""What a plan is made for: the day of the interview, the minutes a day, the round, with coding or not."""

import re
from datetime import date, timedelta

from quiz import bank

SHORTEST, LONGEST = 20, 720  # minutes a day
FARTHEST = 366  # days
EXAMPLES = "tonight, tomorrow, 3 days, a week, or a date such as 2026-05-04"
YES, NO = ("y", "yes"), ("n", "no")
PER_UNIT = {"day": 1, "week": 7}


def when(text: str, today: date) -> str:
    """The day of the interview, as an ISO date.

    Raises:
        ValueError: that is no day, or one that is over or too far away.
    """
    said = " ".join(text.lower().split()).removeprefix("in ")
    count = re.fullmatch(r"(\d{1,4}|a|an|one) (day|week)s?", said)
    if said in ("tonight", "today", "tomorrow"):
        day = today + timedelta(days=said == "tomorrow")
    elif count:
        day = today + timedelta(days=(int(count[1]) if count[1].isdecimal() else 1) * PER_UNIT[count[2]])
    else:
        try:
            day = date.fromisoformat(said)
        except ValueError:
            raise ValueError(f"{text.strip()[:40]!r} is no day. Say {EXAMPLES}.") from None
    if day < today:
        raise ValueError(f"{day} is over: today is {today}.")
    if (day - today).days > FARTHEST:
        raise ValueError(f"{day} is more than a year away. Make the plan when it is nearer.")
    return day.isoformat()


def minutes(text: str) -> int:
    """The minutes a day. ValueError if that is no number, or no day's work."""
    said = re.fullmatch(r"(\d{1,4})( ?min(utes)?)?", text.strip().lower())
    if not said or not SHORTEST <= int(said[1]) <= LONGEST:
        raise ValueError(f"{text.strip()[:40]!r} is no number of minutes from {SHORTEST} to {LONGEST}; for example 150.")
    return int(said[1])


def round_(text: str) -> str:
    """The kind of interview, by its name or its number. ValueError if there is none."""
    said = text.strip().lower()
    names = list(bank.LEVELS)
    if said in ("1", "2", "3"):
        return names[int(said) - 1]
    if said not in names:
        raise ValueError(f"{text.strip()[:40]!r} is no round. Say {', '.join(names)}, or 1, 2 or 3.")
    return said


def coding(text: str) -> bool:
    """Whether there will be coding. ValueError if that is neither yes nor no."""
    said = text.strip().lower()
    if said not in YES + NO:
        raise ValueError(f"{text.strip()[:40]!r} is neither yes nor no. Say y or n.")
    return said in YES


# What is asked, in this order: the key, the question, what Enter alone means, and how the answer is read.
QUESTIONS = (
    ("when", f"When is your interview? ({EXAMPLES})\n", None, when),
    ("minutes", "How many minutes a day do you have? [150] ", "150", minutes),
    ("round", "Which round? 1 screening, 2 on-site, 3 expert [2] ", "2", round_),
    ("coding", "Will you be asked to write code? (y/n) [y] ", "y", coding),
)
