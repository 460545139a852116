"""The quiz in a terminal.

    python -m quiz            ask; --topic, --level, --article, --count, --all, --seed and --exam choose what and how
    python -m quiz --resume   go on where the last round was left
    python -m quiz review     ask what is due today
    python -m quiz stats      progress by topic
    python -m quiz hand-in    in a copy without keys: write your answers into a file for your instructor
    python -m quiz export     the questions as JSON, or with --format schema what that JSON is made of
    python -m quiz lint       look for faults in the craft of the questions

Exit status 0: done; 1: `lint` found something; 2: it cannot be done, and why.
"""

import argparse
import sys

from quiz import bank, keyless, packed, store, terminal
from quiz.register import BANK, Broken

ROUND = 10  # questions, unless --count says otherwise


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return COMMANDS[options.command](options)
    except (Broken, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m quiz",
        description="Questions on fine-tuning language models, with proved answers.",
        epilog="Answers are kept in your data folder, or where QUIZ_HOME says.",
    )
    parser.add_argument(
        "command", nargs="?", default="ask", choices=COMMANDS, metavar="COMMAND",
        help="review: what is due today; stats: progress; hand-in: your answers as a file for your instructor; "
        "export: the questions as data; lint: check their craft; without a command, questions are asked",
    )  # fmt: skip
    levels = "; ".join(f"{level}: {meaning}" for level, meaning in bank.LEVELS.items())
    parser.add_argument("--topic", choices=bank.TOPICS, help="only questions of this topic")
    parser.add_argument("--level", choices=bank.LEVELS, help=f"only questions of this level ({levels})")
    parser.add_argument(
        "--article", action="store_true",
        help="questions about the errors of the article that the course corrects, which no interviewer asks",
    )  # fmt: skip
    parser.add_argument("--count", type=_count, default=ROUND, metavar="N", help="how many (default %(default)s)")
    parser.add_argument("--all", action="store_const", const=None, dest="count", help="ask all of them")
    parser.add_argument("--seed", type=int, metavar="N", help="the same seed, the same questions in the same order")
    parser.add_argument("--exam", action="store_true", help="what was right is told at the end")
    parser.add_argument("--resume", action="store_true", help="go on where the last round was left")
    parser.add_argument("--format", choices=("json", "schema"), default="json", help="of the export")
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of questions; for example 10")
    return int(text)


def _ask(options) -> int:
    kept, screen = _store(), terminal.Terminal()
    if options.resume:
        left = kept.unfinished()
        if left is None:
            screen.say("No round was left unfinished. Begin one with: python -m quiz")
            return 0
        session, plan = left
    else:
        attempts, about = kept.attempts(), "article" if options.article else "interview"
        plan = terminal.plan(options.topic, options.level, options.count, options.seed, options.exam, attempts, about)
        session = kept.begin(plan)
        if words := terminal.opening(plan, options.count, attempts):
            screen.say(words)
    terminal.run(screen, kept, session, plan)
    return 0


def _review(options) -> int:
    _needs_keys()
    kept, screen = _store(), terminal.Terminal()
    plan = terminal.review_plan(kept.attempts(), options.count, store.now())
    if not plan["items"]:
        screen.say("Nothing is due today. New questions: python -m quiz")
        return 0
    terminal.run(screen, kept, kept.begin(plan), plan)
    return 0


def _stats(options) -> int:
    kept = store.existing()
    if kept and kept.note:
        print(kept.note, file=sys.stderr)
    terminal.stats(terminal.Terminal(), kept.attempts() if kept else [], store.now())
    return 0


def _hand_in(options) -> int:
    from quiz.hand_in import hand_in

    print(hand_in(_store()))
    return 0


def _needs_keys() -> None:
    if not bank.has_keys():
        raise Broken(f"This command needs the keys to the questions, and this copy of the course has none. {keyless.WHO}")


def _export(options) -> int:
    from quiz import export

    if options.format == "json":
        _needs_keys()
    if options.format == "json" and packed.holds(BANK / "sft.toml"):
        raise Broken("The questions of this copy are packed, so that nobody reads a key by accident. They are not exported.")
    print(export.schema() if options.format == "schema" else export.as_json())
    return 0


def _lint(options) -> int:
    from quiz import lint, strategies

    _needs_keys()
    found = lint.lint(bank.items())
    print("What one gets by looks alone, in per cent of the points (p, before correction for how many are tried):")
    print(strategies.table(strategies.measure(bank.items())), end="\n\n")
    print("\n".join(found) or f"{len(bank.items())} questions, and nothing to mend.")
    return int(bool(found))


COMMANDS = {"ask": _ask, "review": _review, "stats": _stats, "hand-in": _hand_in, "export": _export, "lint": _lint}


def _store() -> store.Store:
    kept = store.Store()
    if kept.note:
        print(kept.note, file=sys.stderr)
    return kept


if __name__ == "__main__":
    sys.exit(main())
