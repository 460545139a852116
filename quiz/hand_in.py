"""The file of answers that a student hands in, from a copy of the course without keys."""

import json
import os
from pathlib import Path

from quiz import bank
from quiz.register import NOTEBOOKS, Broken
from quiz.store import Store

FORMAT = 1
FILE = "quiz_answers.json"


def hand_in(kept: Store, folder: Path | None = None) -> str:
    """Write the latest answer to each question beside the notebooks. Returns what was done, in sentences.

    Raises:
        Broken: this copy grades by itself, or nothing was answered yet.
        OSError: the file cannot be written. The message names it.
    """
    if bank.has_keys():
        raise Broken("This copy of the course has the keys and grades your answers itself. There is nothing to hand in.")
    items, path = bank.items(), (folder or NOTEBOOKS) / FILE
    last = {attempt.item: attempt.answer for attempt in kept.attempts()}
    answers = {item.id: {"question": item.stem, "answer": last[item.id]} for item in items if item.id in last}
    if not answers:
        raise Broken("No question was answered yet. Begin with: python -m quiz")
    _write(path, json.dumps({"format": FORMAT, "answers": answers}, indent=1, ensure_ascii=False) + "\n")
    return (
        f"{path} holds your latest answers to {len(answers)} of {len(items)} questions. Hand it in with your notebooks. "
        "When you have answered more, write it again by the same command."
    )


def _write(path: Path, text: str) -> None:
    """Write a file at once: through another file, which then takes its place."""
    other = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        other.write_text(text, encoding="utf-8", newline="\n")
        os.replace(other, path)
    except OSError as error:
        raise OSError(f"{path} cannot be written ({error.strerror}). Mend that, and run the command again.") from None
    finally:
        other.unlink(missing_ok=True)
