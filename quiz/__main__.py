"""The quiz in a terminal.

    python -m quiz            ask; --topic, --level, --article, --count, --all, --seed and --exam choose what and how
    python -m quiz --resume   go on where the last round was left
    python -m quiz review     ask what is due today
    python -m quiz stats      progress by topic
    python -m quiz hand-in    in a copy without keys: write your answers into a file for your instructor
    python -m quiz export     the questions as JSON; --format for Moodle, Canvas, Anki and others; --out names a file
    python -m quiz import     questions from Moodle XML or GIFT, as files of a bank of your own
    python -m quiz lint       look for faults in the craft of the questions

Asking, review, stats, export and lint take --bank DIR: your own questions, beside the course's (see quiz/own.py).

Exit status 0: done; 1: `lint` found something; 2: it cannot be done, and why.
"""

from desk import python

if __name__ == "__main__":
    python.right_one("quiz")

import argparse  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

from quiz import bank, keyless, own, packed, store, terminal  # noqa: E402
from quiz.export import FORMATS  # noqa: E402
from quiz.register import BANK, Broken  # noqa: E402

ROUND = 10  # questions, unless --count says otherwise
KINDS = ("single", "multiple", "numeric", "prints", "ordering", "matching", "open")


def main(arguments: list[str] | None = None) -> int:
    try:
        options = _options(arguments)
        return _beside(options) if options.bank else COMMANDS[options.command](options)
    except (Broken, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2


def _options(arguments: list[str] | None) -> argparse.Namespace:
    """What was asked for. The folder of own questions comes first, since its topics can be chosen too."""
    first = argparse.ArgumentParser("python -m quiz", add_help=False, allow_abbrev=False)
    first.add_argument("--bank", type=Path)
    folder = first.parse_known_args(arguments)[0].bank
    parser = _parser(list(bank.TOPICS | (own.topics(folder) if folder else {})))
    options = parser.parse_args(arguments)
    if options.file and options.command != "import":
        parser.error(f"only import reads a file, and {options.file} is one")
    return options


def _parser(topics: list[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m quiz",
        description="Questions on fine-tuning language models, with proved answers.",
        epilog="Answers are kept in your data folder, or where QUIZ_HOME says.",
    )
    parser.add_argument(
        "command", nargs="?", default="ask", choices=COMMANDS, metavar="COMMAND",
        help="review: what is due today; stats: progress; hand-in: your answers as a file for your instructor; "
        "export: the questions as data or for other systems; import: questions of other systems as a bank of your own; "
        "lint: check their craft; without a command, questions are asked",
    )  # fmt: skip
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="of the import: Moodle XML or GIFT")
    levels = "; ".join(f"{level}: {meaning}" for level, meaning in bank.LEVELS.items())
    parser.add_argument("--topic", choices=topics, metavar="TOPIC", help=f"only questions of this topic ({', '.join(topics)})")
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
    parser.add_argument("--bank", type=Path, metavar="DIR", help="your own questions too (see quiz/bank/README.md)")
    exported = parser.add_argument_group("export and import")
    exported.add_argument("--format", choices=[*FORMATS, "schema"], default="json", help="of the export (default %(default)s)")
    exported.add_argument("--kind", choices=KINDS, help="export only questions of this kind")
    exported.add_argument(
        "--out", type=Path, metavar="PATH", help="where the export is written, a file; or the import, a folder"
    )
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
        plan |= {"bank": str(options.bank.resolve())} if options.bank else {}
        session = kept.begin(plan)
        if words := terminal.opening(plan, options.count, attempts):
            screen.say(words)
    terminal.run(screen, kept, session, plan)
    return 0


def _review(options) -> int:
    _needs_keys()
    kept, screen = _store(), terminal.Terminal()
    plan = terminal.review_plan(kept.attempts(), options.count, store.now())
    due = plan.pop("due")
    if not due:
        screen.say("Nothing is due today. New questions: python -m quiz")
        return 0
    if due > len(plan["items"]):
        screen.say(f"{due} questions are due. The longest overdue comes first; --all asks all.")
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


def _beside(options) -> int:
    """Runs a command with own questions beside the course's."""
    if options.command not in ("ask", "review", "stats", "export", "lint"):
        raise Broken("--bank goes with asking, review, stats, export and lint.")
    _needs_keys()
    missing = own.unfinished(options.bank) if options.command == "lint" else []
    if missing:
        print("\n".join(missing))
        return 1
    with own.beside(options.bank):
        return COMMANDS[options.command](options)


def _export(options) -> int:
    from quiz import export

    if options.format == "schema":
        print(export.schema())
        return 0
    _needs_keys()
    if packed.holds(BANK / "sft.toml"):
        raise Broken("The questions of this copy are packed, so that nobody reads a key by accident. They are not exported.")
    if options.out is None and not FORMATS[options.format].is_text:
        suffix = FORMATS[options.format].suffix
        raise Broken(f"A package cannot be printed. Name a file for it, for example: --out questions{suffix}")
    written, notes = export.write(options.format, _chosen(options))
    print("\n".join(notes), end="\n" if notes else "", file=sys.stderr)
    if options.out is None:
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(encoding="utf-8")  # as the file says of itself; a terminal's own encoding may lack α
        print(written, end="")
    else:
        export.save(written, options.out)
    return 0


def _chosen(options) -> list:
    """The questions to export. As data, those about the article are among them; elsewhere they would only puzzle."""
    about = "article" if options.article else None if options.format == "json" else "interview"
    found = [item for item in bank.items(options.topic, options.level, about) if options.kind in (None, item.kind)]
    if not found:
        raise Broken("There is no such question. Leave out --topic, --level, --kind or --article.")
    return found


def _import(options) -> int:
    from quiz import importing

    if options.file is None:
        raise Broken("Name the file to import, Moodle XML or GIFT, for example: python -m quiz import questions.xml --out mine")
    said, notes = importing.convert(options.file, options.out)
    print(said)
    print("\n".join(notes), end="\n" if notes else "", file=sys.stderr)
    return 0


def _lint(options) -> int:
    from quiz import lint, strategies

    _needs_keys()
    items = own.items(options.bank) if options.bank else bank.items()
    known = {item.id for item in items}
    found = lint.lint(items, [item for item in bank.items() if item.id not in known])
    print("What one gets by looks alone, in per cent of the points (p, before correction for how many are tried):")
    print(strategies.table(strategies.measure(items)), end="\n\n")
    print("\n".join(found) or f"{len(items)} questions, and nothing to mend.")
    return int(bool(found))


COMMANDS = {
    "ask": _ask, "review": _review, "stats": _stats, "hand-in": _hand_in, "export": _export, "import": _import, "lint": _lint,
}  # fmt: skip


def _store() -> store.Store:
    kept = store.Store()
    if kept.note:
        print(kept.note, file=sys.stderr)
    return kept


if __name__ == "__main__":
    sys.exit(main())
