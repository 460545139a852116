"""The coach in a terminal: `python -m coach COMMAND`.

Each command is a module with `main(arguments)`, loaded when it is asked for. Exit status 0: done; 1: it was left before its end;
2: it cannot be done, and why.
"""

import argparse
import sys
from importlib import import_module

from desk import python

COMMANDS = {
    "plan": ("coach.plan", "what to do until the interview, step by step"),
    "drill": ("coach.drill", "what you missed, now, until it is right twice"),
    "interview": ("coach.interview", "a mock interview, timed, with a debrief"),
    "debug": ("coach.debug", "find and mend a known mistake in a whole file"),
    "compare": ("coach.compare", "your code beside the reference"),
    "cheatsheet": ("coach.cheatsheet", "formulas, numbers, recipes and traps, to print"),
    "progress": ("coach.progress", "what you know, now and on the day, on one page"),
    "export": ("coach.transfer", "all your data as one file"),
    "import": ("coach.transfer", "take such a file in, beside what is here"),
}


def main(arguments: list[str] | None = None) -> int:
    given = sys.argv[1:] if arguments is None else arguments
    if not given or given[0] not in COMMANDS:
        _parser().parse_args(given)  # prints the help, or what is wrong
        _parser().print_help()
        return 2
    module, _ = COMMANDS[given[0]]
    try:
        return import_module(module).main(given)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    except (KeyboardInterrupt, EOFError):
        print("\nStopped. What you have done is kept.")
        return 1


def _parser() -> argparse.ArgumentParser:
    width = max(map(len, COMMANDS))
    listed = "\n".join(f"  {name:<{width}}  {words}" for name, (_, words) in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="python -m coach",
        description="The way to your interview.",
        epilog=f"commands:\n{listed}\n\npython -m coach COMMAND --help tells more of each.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", metavar="COMMAND", choices=COMMANDS, nargs="?", help="one of the commands below")
    return parser


if __name__ == "__main__":
    python.right_one("coach")
    sys.exit(main())
