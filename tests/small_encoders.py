"""Texts of two kinds, the command that trains on them, and what it says: what the tests of `classify` share."""

import csv
import itertools
import json
from pathlib import Path

from classify.__main__ import main
from classify.practice import make_encoder

METHODS = ("full", "lora", "adapters", "bitfit")
WORDS = {"food": ["soup", "bread", "cheese", "rice"], "sport": ["goal", "match", "team", "race"]}
FRAMES = [
    "{}", "a {}", "the {} was good", "nobody saw the {}", "so much {} and {} and {} as in the whole of last year", "{} again",
    "where is the {}", "a {} here and then another {} in the town", "my {} is old", "{} and {}", "no {}", "she wrote to {} of {} and {}",
]  # fmt: skip
TEXTS = [
    (frame.replace("{}", word), label) for frame, (label, words) in itertools.product(FRAMES, WORDS.items()) for word in words
]
LEARN, VALID = TEXTS[:72], TEXTS[72:]
FAST = ["--epochs", "10", "--batch-size", "8"]
RATES = {"full": 0.003, "lora": 0.01, "adapters": 0.01, "bitfit": 0.02}


def encoder(kind: str, folder: Path, seed: int = 0) -> Path:
    """A folder with a small encoder of random weights, which knows the words of the texts."""
    return make_encoder(folder, [text for text, _ in TEXTS], kind, seed)


def table(path: Path, rows, header=("text", "label"), delimiter: str = ",", encoding: str = "utf-8") -> Path:
    with open(path, "w", newline="", encoding=encoding) as file:
        csv.writer(file, delimiter=delimiter).writerows([header, *rows])
    return path


def tables(folder: Path) -> Path:
    """A folder with train.csv and valid.csv."""
    table(folder / "train.csv", LEARN)
    table(folder / "valid.csv", VALID)
    return folder


def command(data: Path, base: Path | str, out: Path, method: str = "lora", *more) -> list[str]:
    files = [data / "train.csv", "--valid", data / "valid.csv", "--model", base, "--out", out]
    return [*map(str, files), "--method", method, "--lr", str(RATES[method]), *FAST, *map(str, more)]


def report_of(out: Path) -> dict:
    return json.loads((out / "report.json").read_text(encoding="utf-8"))


def predicted(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def refused(arguments, capsys) -> str:
    """What the program says when it stops with status 2."""
    capsys.readouterr()
    try:
        status = main([str(argument) for argument in arguments])
    except SystemExit as stopped:  # argparse
        status = stopped.code
    told = capsys.readouterr().err
    assert status == 2 and told.strip() and "Traceback" not in told
    return told
