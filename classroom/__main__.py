"""For instructors: hand out, collect, grade.

    python -m classroom release --out DIR              what students get, as a folder and a zip
    python -m classroom collect ARCHIVE… --out DIR     one folder a student, from what the platform gives you
    python -m classroom grade DIR --out DIR            points, a page for each student, a page about the class
    python -m classroom setup                          is the sandbox ready, and if not, what to install

Exit status 0: done; 1: stopped, and the same command goes on; 2: it cannot be done, and why.
"""

import argparse
import secrets
import sys
from pathlib import Path

from classroom.incoming.collect import CollectError, collect, load, summary
from classroom.incoming.roster import RosterError, read_roster

WITHOUT_A_SANDBOX = (
    "Without a sandbox, every submission may do what you may do: read and delete your files, use the network, read the "
    "reference and other submissions. Do it only in a machine that holds nothing else."
)


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except (CollectError, RosterError, *_errors()) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped. What is done is kept; the same command goes on.", file=sys.stderr)
        return 1


def _errors() -> tuple[type[Exception], ...]:
    """Errors of the parts that were loaded. Grading loads torch, which collecting does not need."""
    names = {"classroom.grading.runner": "GradeError", "classroom.grading.sandbox": "NoSandbox", "classroom.handout.release": "ReleaseError"}
    return tuple(getattr(sys.modules[module], name) for module, name in names.items() if module in sys.modules)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m classroom", description="Hand out, collect and grade the notebooks of a class.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    release = commands.add_parser("release", help="make what students get")
    release.add_argument("--out", type=Path, required=True, help="a new folder; the zip is put beside it")
    release.add_argument(
        "--without", action="append", default=[], choices=("grader", "quiz", "topics"), help="leave a part out; may be repeated"
    )
    release.add_argument("--with-solutions", action="store_true", help="for self-study: solutions, known mistakes and quiz are in")
    release.add_argument(
        "--with-quiz-keys", action="store_true", help="the quiz tells at once what was right; else answers are handed in"
    )
    release.set_defaults(run=_release)

    gather = commands.add_parser("collect", help="put submissions in order")
    gather.add_argument("archives", nargs="+", type=Path, metavar="ARCHIVE", help="Moodle's or Canvas's zip, a folder of notebooks or of clones")
    gather.add_argument("--out", type=Path, required=True, help="a new folder")
    gather.add_argument("--roster", type=Path, help="Moodle's grading worksheet, Canvas's gradebook, or a CSV with a name column")
    gather.set_defaults(run=_collect)

    grade = commands.add_parser("grade", help="grade a collection")
    grade.add_argument("collection", type=Path, metavar="DIR", help="what collect has made")
    grade.add_argument("--out", type=Path, required=True, help="a folder for gradebooks and pages; a stopped run goes on in it")
    grade.add_argument(
        "--seed", type=_seed, help="of the inputs (default: one that nobody has seen; it is kept in the folder); `new` draws another"
    )
    grade.add_argument("--jobs", type=_jobs, metavar="N", help="submissions at a time (default: one for each core)")
    grade.add_argument("--roster", type=Path, help="the gradebook gets its rows and columns")
    grade.add_argument("--scheduler", metavar="tcp://HOST:PORT", help="use a Dask cluster")
    grade.add_argument("--unsafe-no-sandbox", action="store_true", help=WITHOUT_A_SANDBOX)
    grade.set_defaults(run=_grade)

    commands.add_parser("setup", help="is the sandbox ready, and if not, what to install").set_defaults(run=_setup)
    return parser


def _seed(text: str) -> int:
    if text == "new":
        return secrets.randbelow(2**31)
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no seed; take a whole number, or new")
    return int(text)


def _jobs(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of submissions at a time; for example 2")
    return int(text)


def _release(options) -> int:
    from classroom.handout.release import release

    archive = release(options.out, options.without, options.with_solutions, options.with_quiz_keys)
    print(f"{options.out} and {archive} are what students get.")
    return 0


def _collect(options) -> int:
    roster = read_roster(options.roster) if options.roster else None
    collection = collect(options.archives, options.out, roster, tell=print)
    print("\n".join(summary(collection)))
    return 0


def _grade(options) -> int:
    from classroom import room

    collection = load(options.collection)
    roster = read_roster(options.roster) if options.roster else None
    if options.unsafe_no_sandbox:
        print(WITHOUT_A_SANDBOX, file=sys.stderr)
    lines = room.grade(
        collection, options.out, seed=options.seed, jobs=options.jobs, roster=roster, scheduler=options.scheduler,
        unsafe=options.unsafe_no_sandbox,
    )  # fmt: skip
    print("\n".join(lines))
    return 0


def _setup(options) -> int:
    from classroom.grading import sandbox

    sandbox.check()
    print("The sandbox is ready: bubblewrap is installed, and user namespaces are allowed.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
