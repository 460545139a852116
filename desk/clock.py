"""The clock of the course."""

import os
from datetime import UTC, datetime


def now() -> datetime:
    """The moment in UTC. QUIZ_NOW (ISO 8601) sets it, for rehearsals.

    Raises:
        ValueError: QUIZ_NOW is not a date.
    """
    text = os.environ.get("QUIZ_NOW")
    if not text:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"QUIZ_NOW is {text!r}; a date such as 2026-05-01 or 2026-05-01T09:30 is wanted") from None
    return moment.astimezone(UTC)
