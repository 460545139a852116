"""Questions of other systems as files of a bank of one's own: Moodle XML and GIFT.

What the bank needs and a file lacks is written as a text that begins with TODO. `python -m quiz lint --bank DIR` names each.
"""

from pathlib import Path

from quiz import bank, own
from quiz.importing import draft, gift, moodle, toml
from quiz.register import Broken

MISSING = "To import, {package} is needed. Install it with: pip install -r requirements-export.txt -c constraints.txt"

GIFT = (".gift", ".txt", "")  # how its files end


def convert(path: Path, out: Path | None) -> tuple[str, list[str]]:
    """Read a file, and write what is in it as a bank: into the folder `out`, or as a text if there is none.

    Returns:
        The text, or a sentence on what was written; and what could not be kept, a line a reason.

    Raises:
        Broken: the file cannot be read, or would overwrite another.
    """
    drafts, notes = _read(path)
    topics: dict[str, list[draft.Draft]] = {}
    for one in drafts:
        topics.setdefault(one.topic, []).append(one)
    taken = {item.id for item in bank.items()} if bank.has_questions() else set()
    files = {f"{topic}.toml": toml.written(draft.named(group, taken)) for topic, group in topics.items()}
    if not files:
        raise Broken("\n".join([f"{path} holds no question that the bank has a kind for.", *notes.lines()]))
    if out is None:
        return "\n".join(f"# {name}\n\n{text}" for name, text in files.items()), notes.lines()
    titles = {one.topic: one.title for one in drafts if one.topic not in bank.TOPICS and one.title != own.title_of(one.topic)}
    if titles:
        files["topics.toml"] = toml.table(titles)
    _save(files, out)
    held = f"{out} holds {len(drafts)} question{'s' if len(drafts) > 1 else ''}: {', '.join(files)}."
    todos = sum(text.count(f'"{own.TODO}') for text in files.values())
    return (
        f"{held} What begins with {own.TODO} is still to be written, {todos} texts. This lists them: python -m quiz lint --bank {out}"
    ), notes.lines()


def _read(path: Path):
    """The questions of a file, whichever of the two formats it is in."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Broken(f"{path} cannot be read: {error.strerror}.") from None
    is_xml = path.suffix == ".xml" or data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"<?xml", b"<quiz"))
    if not is_xml and path.suffix not in GIFT:  # nearly any text can be read as GIFT
        raise Broken(f"{path} is neither Moodle XML (.xml) nor GIFT (.gift, or .txt as Moodle writes it).")
    try:
        if is_xml:
            return draft.drafts(moodle.questions(data), path.stem)
        return draft.drafts(gift.questions(data.decode("utf-8-sig")), path.stem)
    except UnicodeDecodeError:
        raise Broken(f"{path} is neither XML nor a text in UTF-8. Save it as UTF-8, and import it again.") from None
    except ImportError as error:
        raise Broken(MISSING.format(package=error.name)) from None
    except draft.Unreadable as error:
        raise Broken(f"{path} {error}") from None


def _save(files: dict[str, str], out: Path) -> None:
    if there := [name for name in files if (out / name).exists()]:
        raise Broken(f"{out} holds {', '.join(there)} already. Name another folder for the import, or move these away.")
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (out / name).write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise Broken(f"{out} cannot be written ({error.strerror}).") from None
