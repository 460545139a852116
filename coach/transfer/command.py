"""`python -m coach export FILE` and `python -m coach import FILE`."""

import argparse
import json
import sqlite3
import sys
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from desk.files import write
from quiz import store
from quiz.terminal import INDENT, Terminal

HINTS = "hints.json"
WHOLE = {
    "attempts": "answers",
    "answers": "answers of copies without keys",
    "sessions": "rounds of questions",
    "events": "steps with the coach",
    "gradings": "gradings",
}


def main(arguments: list[str]) -> int:
    name, given = arguments[0], arguments[1:]
    return _export(given) if name == "export" else _import(given)


def _export(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m coach export",
        description="Writes all your data into one file: answers, rounds, plans, exercises, gradings, hints.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="where to, for example me.json")
    path = parser.parse_args(arguments).file
    if path.exists():
        raise ValueError(f"{path} is there already. Name another file.")
    if not path.absolute().parent.is_dir():
        raise ValueError(f"There is no folder {path.parent}. Make it first, or name another file.")
    from coach.transfer import file

    data = file.of(_here())
    if not any(getattr(data, name) for name in WHOLE):
        raise ValueError("Nothing was answered and nothing graded yet, so there is nothing to write.")
    try:
        write(path, file.text(data).encode())
    except OSError as error:
        raise OSError(f"cannot write {path} ({error.strerror}).") from None
    terminal = Terminal()
    terminal.say(f"{path} holds:")
    _count(terminal, {name: len(getattr(data, name)) for name in WHOLE})
    terminal.say(f"On the other computer: python -m coach import {path.name}")
    terminal.say("Your code is not in it: copy the folder notebooks, too.")
    return 0


def _import(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m coach import",
        description="Takes in what `python -m coach export` wrote, beside what is here, nothing twice. What is here stays.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the file")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    options = parser.parse_args(arguments)
    from coach.transfer import file, merge
    from grader import history

    terminal = Terminal()
    data = file.read(options.file)
    kept = store.Store()
    if kept.note:
        print(kept.note, file=sys.stderr)
    new = _added(kept, data) | {"gradings": len(merge.new_gradings(history.gradings(), data))}
    new_hints = data.hints.keys() - _hints().keys()
    if not any(new.values()) and not new_hints:
        terminal.say(f"All that {options.file} holds is here already. Nothing was changed.")
        return 0
    terminal.say(f"New in {options.file}:")
    _count(terminal, new)
    if not options.yes and terminal.ask("Take it in? (y/n) ").strip().lower() not in ("y", "yes"):
        terminal.say("Nothing was changed.")
        return 1
    copies = [_backup(kept), *_take_gradings(merge.new_gradings(history.gradings(), data)), *_take_hints(data)]
    kept.at_once(lambda connection: merge.take_in(connection, data))
    terminal.say("Done. What stood here before lies beside it:")
    for copy in copies:
        terminal.say(str(copy), indent=INDENT)
    return 0


def _count(terminal: Terminal, counts: dict[str, int]) -> None:
    for name, count in counts.items():
        if count:
            terminal.say(f"{count} {WHOLE.get(name, name)}", indent=INDENT)


# --- what is here -------------------------------------------------------------------------------


def _here() -> dict:
    from coach.transfer import merge
    from grader import history

    kept = store.existing()
    found = kept.at_once(merge.held) if kept else {}
    return found | {"gradings": [merge.line(one) for one in history.gradings()], "hints": _hints()}


def _folder() -> Path:
    from grader.store import FOLDER

    return FOLDER


def _hints() -> dict[str, list]:
    try:
        told = json.loads((_folder() / HINTS).read_text(encoding="utf-8"))
        return {problem: [check, step] for problem, (check, step) in told.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


# --- taking in ----------------------------------------------------------------------------------


def _added(kept: store.Store, data) -> dict[str, int]:
    """What an import would add, tried on a copy in memory."""
    from coach.transfer import merge

    with closing(sqlite3.connect(kept.path)) as source, closing(sqlite3.connect(":memory:")) as copy:
        source.backup(copy)
        added = merge.take_in(copy, data)
    return {"attempts": added["answers"], "sessions": added["sessions"], "events": added["events"]}


def _aside(path: Path) -> Path:
    """A name beside a file that is not taken."""
    stamp, number = datetime.now(UTC).strftime("%Y%m%d-%H%M%S"), 1
    while (found := path.with_name(f"{path.name}.before-import-{stamp}{f'-{number}' * (number > 1)}")).exists():
        number += 1
    return found


def _backup(kept: store.Store) -> Path:
    path = _aside(kept.path)
    with closing(sqlite3.connect(kept.path)) as source, closing(sqlite3.connect(path)) as copy:
        source.backup(copy)
    return path


def _replace(path: Path, text: str) -> list[Path]:
    """Writes a file anew. Returns the copy of what stood there, if something did."""
    copies = []
    if path.exists():
        copies.append(_aside(path))
        write(copies[0], path.read_bytes())
    write(path, text.encode())
    return copies


def _take_gradings(new: list[dict]) -> list[Path]:
    """The history with new lines, in the order of time. Lines that are damaged are left out; the copy has them."""
    from grader.history import NAME

    if not new:
        return []
    path, rows = _folder() / NAME, []
    if path.exists():
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            with suppress(ValueError, LookupError, TypeError):
                row = json.loads(line)
                datetime.fromisoformat(row["at"])
                rows.append(row)
    rows = sorted(rows + new, key=lambda row: datetime.fromisoformat(row["at"]))
    return _replace(path, "".join(json.dumps(row) + "\n" for row in rows))


def _take_hints(data) -> list[Path]:
    here = _hints()
    if data.hints.keys() <= here.keys():
        return []
    return _replace(_folder() / HINTS, json.dumps({name: list(told) for name, told in data.hints.items()} | here))
