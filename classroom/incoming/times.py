"""When something was handed in, and how late that is."""

import re
from datetime import UTC, datetime, timedelta

DAY, HOUR, MINUTE = 86_400, 3600, 60
# Moodle's words for its units, by their beginnings, in the languages of its users.
_UNITS = {
    "day": DAY, "tag": DAY, "jour": DAY, "día": DAY, "dia": DAY, "giorn": DAY, "dag": DAY, "дн": DAY, "ден": DAY,
    "日": DAY, "天": DAY,
    "hour": HOUR, "stunde": HOUR, "std": HOUR, "heure": HOUR, "hora": HOUR, "ora": HOUR, "ore": HOUR, "uur": HOUR, "uren": HOUR,
    "час": HOUR, "時間": HOUR, "小时": HOUR,
    "min": MINUTE, "мин": MINUTE, "分": MINUTE, "sec": 1, "sek": 1, "seg": 1, "сек": 1, "秒": 1,
    "year": 365 * DAY, "jahr": 365 * DAY, "an": 365 * DAY, "año": 365 * DAY, "week": 7 * DAY,
}  # fmt: skip


def seconds_in(words: str) -> int | None:
    """The length of `2 days 3 hours late`, in seconds. None if that is not understood."""
    total, found = 0, re.findall(r"(\d+)\s*([^\W\d_]+)", words.casefold())
    for number, unit in found:
        length = next((length for word, length in _UNITS.items() if unit.startswith(word)), None)
        if length is None:
            return None
        total += int(number) * length
    return total if found else None


def in_words(seconds: int) -> str:
    """`2 days 3 hours` for a length in seconds: the two largest units that are not zero."""
    said = []
    for length, unit in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"), (1, "second")):
        count, seconds = divmod(seconds, length)
        if count and len(said) < 2:
            said.append(f"{count} {unit}" if count == 1 else f"{count} {unit}s")
    return " ".join(said)


def late_by(submitted: datetime, due: datetime) -> int:
    """By how many seconds something is late, 0 if it is in time.

    A time without a zone is of the platform's zone. If only one of the two has a zone, both are taken as on the clock.
    """
    if (submitted.tzinfo is None) != (due.tzinfo is None):
        submitted, due = submitted.replace(tzinfo=None), due.replace(tzinfo=None)
    return max(0, int((submitted - due) / timedelta(seconds=1)))


def parsed(text: str) -> datetime | None:
    """A time in ISO's form, as `2025-11-20 23:59` or `2025-11-20T23:59:00+01:00`, or as Ruby writes it. None if it is none."""
    text = re.sub(r"(\.\d{6})\d+", r"\1", text.strip())
    text = re.sub(r"\s+(UTC|Z)$", "+00:00", re.sub(r"\s+([+-]\d\d:?\d\d)$", r"\1", text))
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def label(when: datetime) -> str:
    """The time as people read it, which sorts as time goes."""
    when = when.astimezone(UTC) if when.tzinfo else when
    return f"{when:%Y-%m-%d %H:%M:%S}".removesuffix(":00")
