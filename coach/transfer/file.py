"""The file that holds all of one's data.

JSON in UTF-8:

    kind     "finetuning-course"
    format   1
    digest   SHA-256 of `data`, written with sorted keys and without blanks, so that a file that was cut or edited is known
    data
        attempts   answers with their scores: item, topic, score, answer, at, session
        answers    the same of copies without keys, where score is null
        sessions   number, plan, at, ended; an answer names its session by the number
        events     what the coach keeps: number, kind, content, at; a content names a session, and under `round` and
                   `exercise` an earlier event, by the number
        gradings   what was graded when: at, problem, stubs, mistakes (grader.history)
        hints      by problem, the check and the number of the hint that was given last

Times are in UTC, ISO 8601. A reader of this format refuses fields that it does not know: whoever adds one raises the number.
"""

import json
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

KIND, FORMAT = "finetuning-course", 1
LARGEST = 200_000_000  # bytes
YEARS = range(2000, 2200)


def _moment(text: str) -> str:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None or moment.year not in YEARS:
        raise ValueError("a time in UTC is wanted")
    return moment.astimezone(UTC).isoformat()


Moment = Annotated[str, AfterValidator(_moment)]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Number = Annotated[int, Field(ge=1, lt=2**53)]
Count = Annotated[int, Field(ge=0, lt=2**31)]


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Answered(Part):
    item: Name
    topic: Name
    score: Annotated[float, Field(ge=0, le=1)] | None
    answer: Any
    at: Moment
    session: Number | None


class Attempt(Answered):
    score: Annotated[float, Field(ge=0, le=1)]


class Ungraded(Answered):
    score: None


class Session(Part):
    number: Number
    plan: dict[str, Any]
    at: Moment
    ended: bool

    @model_validator(mode="after")
    def can_be_gone_on_with(self):
        items, seed, exam = (self.plan.get(name) for name in ("items", "seed", "exam"))
        has_items = isinstance(items, list) and all(isinstance(item, str) for item in items)
        if not (has_items and type(seed) is int and type(exam) is bool):
            raise ValueError("its plan has no items, seed and exam")
        return self


class Event(Part):
    number: Number
    kind: Name
    content: dict[str, Any]
    at: Moment


class Grading(Part):
    at: Moment
    problem: Name
    stubs: dict[Name, tuple[Count, Count]]
    mistakes: dict[Name, list[Name]]


class Data(Part):
    attempts: list[Attempt] = []
    answers: list[Ungraded] = []
    sessions: list[Session] = []
    events: list[Event] = []
    gradings: list[Grading] = []
    hints: dict[Name, tuple[str, Annotated[int, Field(ge=0, le=3)]]] = {}

    @model_validator(mode="after")
    def names_what_it_holds(self):
        for name in ("sessions", "events"):
            numbers = [one.number for one in getattr(self, name)]
            if len(set(numbers)) < len(numbers):
                raise ValueError(f"two of its {name} have one number")
        sessions = {session.number for session in self.sessions} | {None}
        if not {one.session for one in (*self.attempts, *self.answers)} <= sessions:
            raise ValueError("an answer names a session that is not there")
        return self


def of(held: dict) -> Data:
    """Data of what is kept. ValueError if some of it is damaged, so that no file is written that nobody can read."""
    try:
        return Data.model_validate_json(json.dumps(held))
    except ValidationError as error:
        raise ValueError(f"Nothing was written: what is kept here is damaged ({_first(error)}).") from None


def text(data: Data) -> str:
    """The file's content."""
    told = data.model_dump(mode="json")
    whole = {"kind": KIND, "format": FORMAT, "digest": _digest(_canonical(told)), "data": told}
    return json.dumps(whole, ensure_ascii=False, indent=1) + "\n"


def read(path: Path) -> Data:
    """The data in a file.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no such file, or a damaged one. The message says which.
    """
    try:
        size, content = path.stat().st_size, b""
        if size <= LARGEST:
            content = path.read_bytes()
    except OSError as error:
        raise OSError(f"cannot read {path} ({error.strerror}).") from None
    if size > LARGEST:
        raise ValueError(f"{path} is larger than {LARGEST // 10**6} MB: python -m coach export did not write it.")
    try:
        told = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        raise ValueError(f"{path} is not a file that python -m coach export wrote, or it was cut.") from None
    if not isinstance(told, dict) or told.get("kind") != KIND or not isinstance(told.get("data"), dict):
        raise ValueError(f"{path} is not a file that python -m coach export wrote.")
    if told.get("format") != FORMAT:
        its = str(told.get("format"))[:20]
        raise ValueError(f"{path} has the format {its!r}, and this edition reads {FORMAT}. Try: make update")
    try:
        written = _canonical(told["data"])
    except (ValueError, RecursionError):
        raise ValueError(f"{path} holds what the course never writes.") from None
    if told.get("digest") != _digest(written):
        raise ValueError(f"{path} was changed or cut after it was written. Export it once more.")
    try:
        return Data.model_validate_json(json.dumps(told["data"]))  # in the order in which it was written, which a round goes by
    except ValidationError as error:
        raise ValueError(f"{path} holds what the course never writes ({_first(error)}).") from None


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{', '.join(map(str, first['loc'][:4])) or 'as a whole'}: {first['msg']}"


def _digest(written: str) -> str:
    return sha256(written.encode("ascii")).hexdigest()


def _canonical(told: dict) -> str:
    return json.dumps(told, sort_keys=True, separators=(",", ":"), allow_nan=False)
