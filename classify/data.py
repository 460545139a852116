"""Labelled texts from CSV files. What is wrong with a row is told by its line."""

import codecs
import csv
import io
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from classify import ClassifyError

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
MARKS = {  # the byte-order mark at the start of a file; UTF-32 before UTF-16, whose mark begins like it
    codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
MOST_TOLD = 20


@dataclass(frozen=True)
class Row:
    """One text of a file. `label` is empty if the file has no labels; `cells` are the row as it stands there."""

    line: int
    text: str
    label: str
    cells: list[str]


@dataclass
class Table:
    """A file's good rows, and a sentence for each bad one, by its line."""

    path: Path
    header: list[str]
    delimiter: str
    encoding: str
    has_labels: bool
    rows: list[Row] = field(default_factory=list)
    bad: dict[int, str] = field(default_factory=dict)


def read(
    path: Path, *, text: str, label: str, needs_label: bool = True, delimiter: str | None = None, encoding: str | None = None
) -> Table:
    """Read a CSV file with a header.

    Args:
        text, label: the names of the two columns.
        needs_label: whether the column of labels has to be there.
        delimiter, encoding: None finds them out: the delimiter by the names of the columns; UTF-8 by trial, UTF-16 and UTF-32 by
            their mark. No other encoding is guessed, since a wrong guess would change the texts unseen.

    Raises:
        ClassifyError: the file as a whole cannot be read.
    """
    content, encoding = _decoded(path, encoding)
    wanted = [text, label] if needs_label else [text]
    if text == label:
        raise ClassifyError(
            f"The texts and the labels are said to be in the same column, {text!r}. Name two with --text and --label."
        )
    delimiter = delimiter or _delimiter(path, content, wanted)
    lines = _lines(path, content, delimiter)
    _, header = next(lines)
    header = [name.strip() for name in header]
    for name, option in zip(wanted, ("--text", "--label")):
        if header.count(name) != 1:
            found = "has no column" if name not in header else "has more than one column"
            raise ClassifyError(
                f"{path}, line 1: the header {found} {name!r}. Its columns are {_quoted(header)}. "
                f"Name the right one with {option}, or the delimiter with --delimiter."
            )
    table = Table(path, header, delimiter, encoding, has_labels=header.count(label) == 1)
    place, place_of_label = header.index(text), header.index(label) if table.has_labels else None
    for line, cells in lines:
        if len(cells) != len(header):
            sign = DELIMITERS.get(delimiter, "delimiter")
            table.bad[line] = (
                f"it has {_count(len(cells), 'column')}, the header has {len(header)}. A text with a {sign} needs quotes"
            )
            continue
        row = Row(line, cells[place].strip(), cells[place_of_label].strip() if table.has_labels else "", cells)
        if not row.text:
            table.bad[line] = "it has no text"
        elif needs_label and not row.label:
            table.bad[line] = "it has no label"
        else:
            table.rows.append(row)
    return table


def check_pair(train: Table, valid: Table) -> None:
    """Mark as bad the rows for validation that training makes worthless: unknown labels, and texts that training has seen."""
    if not train.rows:
        return  # `settle` says so
    labels = {row.label for row in train.rows}
    seen = {_plain(row.text): row.line for row in reversed(train.rows)}
    good = []
    for row in valid.rows:
        if row.label not in labels:
            why = f"the label {row.label!r} does not occur in {train.path}, which has {_quoted(sorted(labels))}"
        elif line := seen.get(_plain(row.text)):
            why = f"its text is also in {train.path}, line {line}. The validation would not show what is new to the model"
        else:
            good.append(row)
            continue
        valid.bad[row.line] = why
    valid.rows = good


def settle(tables: Iterable[Table], *, leave_out: bool) -> list[str]:
    """The sentences about all bad rows, which are left out.

    Raises:
        ClassifyError: there are bad rows, and they are not to be left out; or a file has no good row.
    """
    told = [f"{table.path}, line {line}: {why}." for table in tables for line, why in sorted(table.bad.items())]
    listed = told[:MOST_TOLD] + ([f"… and {len(told) - MOST_TOLD} more."] if len(told) > MOST_TOLD else [])
    if told and not leave_out:
        advice = f"{_count(len(told), 'row')} cannot be used. Correct the file, or leave such rows out with --bad leave-out."
        raise ClassifyError("\n".join([*listed, advice]))
    for table in tables:
        if not table.rows:
            raise ClassifyError("\n".join([*listed, f"{table.path} has a header, but no row that can be used. Add rows."]))
    return [*listed, f"{_count(len(told), 'row')} left out."] if told else []


def labels_of(train: Table) -> list[str]:
    """The names of the classes in order. ClassifyError if there is only one."""
    counts = Counter(row.label for row in train.rows)
    if len(counts) < 2:
        raise ClassifyError(
            f"{train.path}: all rows have the label {next(iter(counts))!r}. Training needs at least two labels."
        )
    return sorted(counts)


def _decoded(path: Path, encoding: str | None) -> tuple[str, str]:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ClassifyError(f"{path} cannot be read: {error.strerror}. Check the path.") from None
    if not raw.strip():
        raise ClassifyError(f"{path} is empty. It needs a header and rows.")
    if raw.startswith(b"PK\x03\x04"):
        raise ClassifyError(
            f"{path} is a workbook or an archive, not a CSV file. Save the sheet as “CSV UTF-8” and name that file."
        )
    encoding = encoding or next((name for mark, name in MARKS.items() if raw.startswith(mark)), "utf-8")
    try:
        return raw.decode(encoding), encoding
    except LookupError:
        raise ClassifyError(
            f"There is no encoding {encoding!r}. Common ones are utf-8, utf-16, cp1252, gb18030 and shift_jis."
        ) from None
    except UnicodeError as error:
        line = raw.count(b"\n", 0, getattr(error, "start", 0)) + 1
        raise ClassifyError(
            f"{path}, line {line}: this is not text in {encoding}. Name the file's encoding with --encoding, for example cp1252 or "
            "gb18030, or save the file as UTF-8."
        ) from None


def _delimiter(path: Path, content: str, wanted: list[str]) -> str:
    """The one with which the header has the wanted columns; else the one that splits it most."""

    def header(delimiter: str) -> list[str]:
        return [name.strip() for name in next(_lines(path, content, delimiter))[1]]

    fitting = [delimiter for delimiter in DELIMITERS if set(wanted) <= set(header(delimiter))]
    return max(fitting or DELIMITERS, key=lambda delimiter: len(header(delimiter)))


def _lines(path: Path, content: str, delimiter: str):
    """Each row that is not blank, with the line on which it begins. ClassifyError if quotes do not match."""
    csv.field_size_limit(sys.maxsize)  # a text may be long
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for cells in reader:
            if cells and any(cell.strip() for cell in cells):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise ClassifyError(
            f"{path}, line {line}: the quotes of the row that begins here do not match ({error}). "
            'In a quoted text, write each quotation mark twice: "".'
        ) from None


def _plain(text: str) -> str:
    """What two texts have in common that differ in spaces and capitals only."""
    return " ".join(text.split()).casefold()


def _quoted(names: list[str], most: int = 10) -> str:
    return ", ".join(map(repr, names[:most])) + (f" and {len(names) - most} more" if len(names) > most else "")


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
