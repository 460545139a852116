"""For instructors: hand out, collect, grade.

    python -m classroom release --out DIR              what students get, as a folder and a zip
    python -m classroom collect ARCHIVE… --out DIR     one folder a student, from what the platform gives you
    python -m classroom grade DIR --out DIR            points, a page for each student, a page about the class
    python -m classroom live --topic lora              questions for a room, answered on its phones
    python -m classroom setup                          is the sandbox ready, and if not, what to install

Exit status 0: done; 1: stopped, and the same command goes on; 2: it cannot be done, and why.
"""

import argparse
import os
import secrets
import shlex
import sys
from datetime import datetime
from glob import glob
from pathlib import Path

from classroom.incoming.collect import ATTEMPTS, CollectError, collect, load
from classroom.incoming.platforms import NAMES
from classroom.incoming.roster import RosterError, read_roster
from classroom.incoming.times import parsed

WITHOUT_A_SANDBOX = (
    "Without a sandbox, every submission may do what you may do: read and delete your files, use the network, read the "
    "reference and other submissions. Do it only in a machine that holds nothing else."
)


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    options.command = ["python", "-m", "classroom", *(sys.argv[1:] if arguments is None else arguments)]
    try:
        return options.run(options)
    except (CollectError, RosterError, *_errors()) as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:  # a folder that may not even be looked into
        print(f"{error.filename or 'A file'} cannot be used: {error.strerror}.", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped. What is done is kept; the same command goes on.", file=sys.stderr)
        return 1


def _errors() -> tuple[type[Exception], ...]:
    """Errors of the parts that were loaded. Grading loads torch, which collecting does not need."""
    names = {
        "classroom.assignment": "AssignmentError",
        "classroom.grading.runner": "GradeError",
        "classroom.grading.sandbox": "NoSandbox",
        "classroom.handout.release": "ReleaseError",
        "classroom.live.errors": "LiveError",
        "classroom.outgoing.overrides": "OverrideError",
    }
    return tuple(getattr(sys.modules[module], name) for module, name in names.items() if module in sys.modules)


def say(*lines: str) -> None:
    """Print lines. Nobody may listen any more, as behind `| head -1`: what is at work goes on."""
    try:
        print(*lines, sep="\n", flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
    gather.add_argument(
        "archives", nargs="*", type=Path, metavar="ARCHIVE", help="what the platform gives, zipped or unpacked, or folders named after students"
    )
    gather.add_argument("--from", dest="named", default="", help=argparse.SUPPRESS)  # as make passes them, in one text
    gather.add_argument("--out", type=Path, help="a new folder")
    gather.add_argument("--roster", type=Path, help="the platform's list of the class, or a CSV with a name column")
    gather.add_argument("--groups", type=Path, metavar="FILE", help="a CSV with the columns group and name (or id, or email): who is in which team")
    gather.add_argument("--platform", choices=NAMES, default="", help="from where the archives come, if that is not found out")
    gather.add_argument("--level", type=int, choices=range(1, 6), default=0, help="in folders of no platform: where the students' names stand")
    gather.add_argument("--attempt", choices=ATTEMPTS, default="last", help="which of several attempts counts (default: last)")
    gather.add_argument("--due", type=_time, metavar="'YYYY-MM-DD HH:MM'", help="when it was due, for platforms that give the time only")
    gather.add_argument("--dry-run", action="store_true", help="show what would be collected, and write nothing")
    gather.set_defaults(run=_collect)

    grade = commands.add_parser("grade", help="grade a collection")
    grade.add_argument("collection", type=Path, metavar="DIR", help="what collect has made")
    grade.add_argument("--out", type=Path, required=True, help="a folder for gradebooks and pages; a stopped run goes on in it")
    grade.add_argument("--problem", action="append", default=[], metavar="ID", help="what counts: sft, peft or lora; may be repeated")
    grade.add_argument("--yes", action="store_true", help="what counts: the problems that at least half of the class handed in")
    grade.add_argument("--assignment", type=Path, metavar="FILE", help="problems, points, late rule and more (default: assignment.toml in DIR)")
    grade.add_argument("--column", default="", help="the platform's name for the assignment")
    grade.add_argument("--roster", type=Path, help="the platform's list of the class, into which grades are filled")
    grade.add_argument("--overrides", type=Path, metavar="FILE", help="your own points and comments (default: overrides.csv in OUT)")
    grade.add_argument("--overwrite-grades", action="store_true", help="also the grades and comments that the list already holds")
    grade.add_argument(
        "--seed", type=_seed, help="of the inputs (default: one that nobody has seen; it is kept in the folder); `new` draws another"
    )
    grade.add_argument("--jobs", type=_jobs, metavar="N", help="submissions at a time (default: one for each core)")
    grade.add_argument("--scheduler", metavar="tcp://HOST:PORT", help="use a Dask cluster")
    grade.add_argument("--unsafe-no-sandbox", action="store_true", help=WITHOUT_A_SANDBOX)
    grade.set_defaults(run=_grade)

    live = commands.add_parser("live", help="ask a room, which answers on its phones")
    live.add_argument("--topic", help="only questions of this topic: sft, peft, lora, data, hyperparameters or code")
    live.add_argument("--level", help="only questions of this level: screening, on-site or expert")
    live.add_argument("--question", action="append", default=[], metavar="ID", help="this question; may be repeated")
    live.add_argument("--out", type=Path, metavar="DIR", help="the folder of the round; a stopped one goes on in it (default: live/DAY-TOPIC)")
    live.add_argument("--host", default="", metavar="ADDRESS", help="the address that the phones use (default: that of this machine in its network)")
    live.add_argument("--port", type=_port, default=8000, help="default: %(default)s")
    live.set_defaults(run=_live)

    commands.add_parser("setup", help="is the sandbox ready, and if not, what to install").set_defaults(run=_setup)
    return parser


def _seed(text: str) -> int:
    if text == "new":
        return secrets.randbelow(2**31)
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no seed; take a whole number, or new")
    return int(text)


def _time(text: str) -> datetime:
    if (found := parsed(text)) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no date; for example '2025-11-20 23:59'")
    return found


def _jobs(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of submissions at a time; for example 2")
    return int(text)


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port; for example 8000")
    return int(text)


def _release(options) -> int:
    from classroom.handout.release import release

    archive = release(options.out, options.without, options.with_solutions, options.with_quiz_keys)
    print(f"{options.out} and {archive} are what students get.")
    return 0


def _collect(options) -> int:
    archives = [*options.archives, *_named(options.named)]
    if not archives:
        raise CollectError("Collect from what? Name the zip that the platform gives you, or a folder.")
    if not options.out and not options.dry_run:
        raise CollectError("Where to? Name a new folder: --out DIR.")
    roster = read_roster(options.roster) if options.roster else None
    collect(
        archives, options.out or Path("collected"), roster, say, platform=options.platform, level=options.level, groups=options.groups,
        attempt=options.attempt, due=options.due, dry_run=options.dry_run,
    )  # fmt: skip
    say("This was a trial run: nothing was written." if options.dry_run else f"{options.out} holds the submissions.")
    return 0


def _named(text: str) -> list[Path]:
    """The archives in one text: a single name, which may have blanks in it, or several names with blanks between."""
    if not text or os.path.lexists(text):
        return [Path(text)] if text else []
    try:
        parts = shlex.split(text)
    except ValueError:  # an apostrophe
        parts = text.split()
    found = [path for part in parts for path in ([part] if os.path.lexists(part) else sorted(glob(os.path.expanduser(part))) or [part])]
    return [Path(path) for path in found] if all(map(os.path.lexists, found)) else [Path(text)]


def _grade(options) -> int:
    from classroom import room
    from classroom.assignment import NotStated

    collection = load(options.collection)
    if options.unsafe_no_sandbox:
        print(WITHOUT_A_SANDBOX, file=sys.stderr)
    stated = room.Stated(
        options.problem, options.assignment, options.column, options.roster, options.overrides, options.seed, options.yes,
        options.overwrite_grades,
    )  # fmt: skip
    try:
        say(*room.grade(collection, options.out, stated, options.jobs, options.scheduler, options.unsafe_no_sandbox))
    except NotStated as question:
        named = [f"--problem {problem}" for problem in question.proposed or ["ID"]]
        print(f"{question} Name what counts, for example:\n  {shlex.join(options.command)} {' '.join(named)}", file=sys.stderr)
        return 2
    return 0


def _live(options) -> int:
    try:
        from classroom.live import command
    except ModuleNotFoundError as error:
        if error.name not in ("starlette", "uvicorn", "segno"):
            raise
        print(f"Live questions need {error.name}: pip install -r requirements-live.txt -c constraints.txt", file=sys.stderr)
        return 2
    command.run(options.topic, options.level, options.question, options.out, options.host, options.port, say)
    return 0


def _setup(options) -> int:
    from classroom.grading import sandbox

    sandbox.check()
    print("The sandbox is ready: bubblewrap is installed, and user namespaces are allowed.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
