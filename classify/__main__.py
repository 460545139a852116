"""The command line: python -m classify TRAIN.csv … trains, python -m classify --predict FILE.csv … uses the result."""

import argparse
import math
import os
import re
import sys

from classify import ClassifyError

EPILOG = """A training that was stopped goes on with the same command and --resume. Nothing is written over."""
METHODS = ("full", "lora", "adapters", "bitfit")
USED_BY = {"targets": ("lora", "adapters"), "rank": ("lora",), "alpha": ("lora",), "bottleneck": ("adapters",)}
OF_TRAINING = ("train", "valid", "method", "resume", "epochs", "lr", "max_length", "seed", *USED_BY)
DELIMITERS = {"tab": "\t", r"\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}


class Parser(argparse.ArgumentParser):
    """Says what is wrong without the list of all options before it."""

    def error(self, message: str):
        self.exit(2, f"{message[:1].upper()}{message[1:]}\nAll options: python -m classify --help\n")


def main(arguments: list[str] | None = None) -> int:
    """Run one command. 0 if it was done, 2 if something was wrong that the user can put right, 130 if the user stopped it."""
    parser = _parser()
    options = parser.parse_args(arguments)
    _check(parser, options)
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    from classify import commands  # here, since torch and transformers take seconds to import
    from lab.contents import CheckpointError

    try:
        (commands.run_prediction if options.predict else commands.run_training)(options)
    except (ClassifyError, CheckpointError) as error:
        print(error, file=sys.stderr)
    except OSError as error:
        print(f"{error.filename or 'A file'} cannot be read or written: {error.strerror or error}.", file=sys.stderr)
    except (MemoryError, RuntimeError) as error:
        if not re.search("memory|alloc", f"{type(error).__name__} {error}", re.IGNORECASE):
            raise
        print("The memory is too small. Choose a smaller --batch-size or --max-length.", file=sys.stderr)
    except KeyboardInterrupt:
        advice = "" if options.predict else " The same command with --resume goes on after the last finished epoch."
        print(f"Stopped.{advice}", file=sys.stderr)
        return 130
    else:
        return 0
    return 2


def _check(parser: argparse.ArgumentParser, options) -> None:
    """Stop with a sentence if arguments are missing, or belong to the other command."""
    given = [name for name, value in vars(options).items() if value != parser.get_default(name)]
    if options.predict:
        if foreign := [name for name in given if name in OF_TRAINING]:
            parser.error(f"--predict uses a finished training. Leave {' and '.join(map(_as_typed, foreign))} out.")
        return
    needed = {"TRAIN.csv": options.train, "--valid": options.valid, "--model": options.model, "--method": options.method}
    if missing := [name for name, value in needed.items() if not value]:
        parser.error(f"A training needs {' and '.join(missing)} as well.")
    if options.to:
        parser.error("--to belongs to --predict.")
    for name in given:
        if options.method not in USED_BY.get(name, METHODS):
            parser.error(f"{_as_typed(name)} is of no use to --method {options.method}. Leave it out.")
    options.text, options.label = options.text or "text", options.label or "label"


def _as_typed(name: str) -> str:
    return "TRAIN.csv" if name == "train" else f"--{name.replace('_', '-')}"


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="python -m classify",
        description="Fine-tune an encoder such as RoBERTa to sort texts into classes, and predict with it.",
        epilog=EPILOG,
    )
    parser.add_argument("train", metavar="TRAIN.csv", nargs="?", help="the labelled texts to learn from")
    parser.add_argument("--predict", metavar="FILE.csv", help="predict the labels of these texts with the training in --out")
    parser.add_argument("--out", metavar="DIR", required=True, help="the folder of the training: new, or with --resume")
    parser.add_argument("--to", metavar="FILE.csv", help="where predictions go (default: into DIR)")

    training = parser.add_argument_group("training")
    training.add_argument(
        "--valid", type=_file_or_share, metavar="FILE.csv", help="labelled texts that choose the best epoch; or a share, such as 0.2"
    )
    training.add_argument("--model", metavar="NAME", help="a hub name or a folder; with --predict: where the encoder lies now")
    training.add_argument("--method", choices=METHODS, help="what is trained")
    training.add_argument("--epochs", type=_whole(1), default=5, metavar="N", help="default: %(default)s")
    training.add_argument("--lr", type=_positive, metavar="X", help="the learning rate (default: 2e-5 for full, else 5e-4)")
    training.add_argument(
        "--batch-size", type=_whole(1), default=16, metavar="N", help="texts for an update (default: %(default)s)"
    )
    training.add_argument(
        "--max-length", type=_whole(8), metavar="N", help="tokens of a text that are read (default: at most 512)"
    )
    training.add_argument(
        "--targets", type=_names, default=(), metavar="A,B", help="ends of the names of the layers to adapt (default: the usual ones)"
    )
    training.add_argument("--rank", type=_whole(1), default=8, metavar="N", help="of LoRA (default: %(default)s)")
    training.add_argument("--alpha", type=_positive, default=16.0, metavar="X", help="of LoRA (default: %(default)s)")
    training.add_argument("--bottleneck", type=_whole(1), default=64, metavar="N", help="of adapters (default: %(default)s)")
    training.add_argument("--seed", type=_whole(0), default=0, metavar="N", help="default: %(default)s")
    training.add_argument("--resume", action="store_true", help="go on with a training that was stopped")
    training.add_argument("--device", metavar="NAME", help="such as cpu or cuda:1 (default: a GPU if there is one)")

    rows = parser.add_argument_group("the files")
    rows.add_argument("--text", metavar="NAME", help="the column of the texts (default: text)")
    rows.add_argument("--label", metavar="NAME", help="the column of the labels (default: label)")
    rows.add_argument("--delimiter", type=_delimiter, metavar="C", help="between columns (default: found out)")
    rows.add_argument("--encoding", metavar="NAME", help="default: UTF-8, or by the mark at the start of the file")
    rows.add_argument(
        "--bad", choices=("refuse", "leave-out"), default="refuse", help="rows that cannot be used (default: refuse)"
    )
    return parser


def _whole(least: int):
    def number(text: str) -> int:
        if not text.isascii() or not text.isdecimal() or not least <= int(text) < 2**31:
            raise argparse.ArgumentTypeError(f"{text!r} should be a whole number of at least {least}")
        return int(text)

    return number


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} should be a number above 0")
    return value


def _delimiter(text: str) -> str:
    text = DELIMITERS.get(text, text)
    if len(text) != 1 or text in '"\r\n':
        raise argparse.ArgumentTypeError(f"{text!r} should be one character, or comma, semicolon, tab or pipe")
    return text


def _file_or_share(text: str) -> str | float:
    """A number between 0 and 1 is the share of TRAIN.csv that is held out."""
    try:
        return float(text) if 0 < float(text) < 1 else text
    except ValueError:
        return text


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


if __name__ == "__main__":
    sys.exit(main())
