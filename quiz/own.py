"""An instructor's own questions: TOML files in a folder of theirs, in the bank's format, asked beside the course's.

The name of a file is its topic, one of the course's or a new one. Two files are no topics:

    topics.toml    titles of new topics, as in: rag = "Retrieval". Without it, the name of the file is the title
    sources.toml   sources that these questions cite, in the format of the course's

Numbers may name a formula of `quiz/formulas.py`, or be given as they are: formula = "given", arguments = { value = 14 }.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from quiz import bank, register
from quiz.register import Broken, loaded

TODO = "TODO"  # how a text begins that is still to be written


@contextmanager
def beside(folder: Path) -> Iterator[None]:
    """Inside this, the questions of the folder are asked beside the course's.

    Raises:
        Broken: there is no such folder, or no question in it, or something in it is wrong or still to be written.
    """
    if missing := unfinished(folder):
        others = f" There are {len(missing) - 1} more; python -m quiz lint --bank {folder} lists them." if missing[1:] else ""
        raise Broken(f"{missing[0]}{others}")
    new = {topic: title for topic, title in topics(folder).items() if topic not in bank.TOPICS}
    register.OWN.append(folder)
    bank.TOPICS.update(new)
    _forget()
    try:
        yield
    finally:
        register.OWN.remove(folder)
        for topic in new:
            del bank.TOPICS[topic]
        _forget()


def _forget() -> None:
    """What was read is read again."""
    register.sources.cache_clear()
    bank._all.cache_clear()


def topics(folder: Path) -> dict[str, str]:
    """The topics of a folder and their titles. Those of the course keep theirs."""
    titles = _titles(folder) | bank.TOPICS
    return {path.stem: titles.get(path.stem, title_of(path.stem)) for path in files(folder)}


def items(folder: Path) -> list[bank.Item]:
    """The questions of a folder, inside `beside`."""
    return [item for topic in topics(folder) for item in bank.read_topic(topic, folder).values()]


def files(folder: Path) -> list[Path]:
    """The files of questions in a folder. Broken if there are none."""
    if not folder.is_dir():
        raise Broken(f"There is no folder {folder}. Name the folder that holds your questions, as TOML files.")
    found = sorted(path for path in folder.glob("*.toml") if path.stem not in bank.NO_TOPICS)
    if not found:
        raise Broken(f"{folder} holds no questions: no TOML file, a topic each. quiz/bank/README.md tells their format.")
    return found


def unfinished(folder: Path) -> list[str]:
    """What is still to be written, a sentence each: every text that begins with TODO, in files that can be read."""
    found = []
    for path in files(folder):
        for name, fields in loaded(path, path).items():
            found += [f"{path}, [{name}], {field}: to be written: {text}" for field, text in _todos(fields)]
    return found


def _todos(value, field: str = "") -> list[tuple[str, str]]:
    if isinstance(value, str):
        return [(field or "entry", value)] if value.startswith(TODO) else []
    parts = value.items() if isinstance(value, dict) else enumerate(value, 1) if isinstance(value, list) else ()
    return [todo for key, part in parts for todo in _todos(part, f"{field}.{key}".lstrip("."))]


def _titles(folder: Path) -> dict[str, str]:
    path = folder / "topics.toml"
    titles = loaded(path, path) if path.exists() else {}
    for topic, title in titles.items():
        if not isinstance(title, str):
            raise Broken(f'{path}, {topic}: a title is a text, as in: {topic} = "Retrieval"')
    return titles


def title_of(topic: str) -> str:
    """The title of a new topic for which nobody has written one: the name of its file in words."""
    words = topic.replace("-", " ").replace("_", " ").strip()
    return words[:1].upper() + words[1:]
