"""Labelled texts from CSV files. What is wrong with a row is told by its line."""

import codecs
import csv
import io
import math
import random
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from classify import ClassifyError

DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
MARKS = {  # the byte-order mark at the start of a file; UTF-32 before UTF-16, whose mark begins like it
    codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip
BINARY = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"\x1f\x8b", b"%PDF")  # how .xlsx and .zip, .xls, .gz and .pdf begin
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
    header = _header(lines)
    for name, option in zip(wanted, ("--text", "--label")):
        if header.count(name) != 1:
            found = "has no column" if name not in header else "has more than one column"
            raise ClassifyError(
                f"{path}: the header {found} {name!r}. Its columns are {quoted(header) or 'none'}. Name the right one with {option}, "
                "or the delimiter with --delimiter. If this is the first text already, put a header above it: text,label"
            )
    table = Table(path, header, delimiter, encoding, has_labels=header.count(label) == 1)
    place, place_of_label = header.index(text), header.index(label) if table.has_labels else None
    for line, cells in lines:
        if _is_blank(cells) and len(header) > 1:
            continue  # a spreadsheet leaves such lines behind; in a file of one column they may be empty texts
        if len(cells) != len(header):
            sign = DELIMITERS.get(delimiter, "delimiter")
            table.bad[line] = (
                f"it has {count(len(cells), 'column')}, the header has {len(header)}. A text with a {sign} needs quotes"
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
    labels = {row.label for row in train.rows}
    if len(labels) < 2:
        return  # `settle` or `labels_of` says so
    if valid.path.exists() and valid.path.samefile(train.path):
        raise ClassifyError(
            f"--valid: {valid.path} is the training file. Name another one, or let a share of it be held out: --valid 0.2"
        )
    seen = {_plain(row.text): row.line for row in reversed(train.rows)}
    good = []
    for row in valid.rows:
        if row.label not in labels:
            why = f"the label {row.label!r} does not occur in {train.path}, which has {quoted(sorted(labels))}"
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
        advice = f"{count(len(told), 'row')} cannot be used. Correct the file, or leave such rows out with --bad leave-out."
        raise ClassifyError("\n".join([*listed, advice]))
    for table in tables:
        if not table.rows:
            raise ClassifyError("\n".join([*listed, f"{table.path} has a header, but no row that can be used. Add rows."]))
    return [*listed, f"{count(len(told), 'row')} left out."] if told else []


def labels_of(train: Table) -> list[str]:
    """The names of the classes in order. ClassifyError if there is only one."""
    counts = Counter(row.label for row in train.rows)
    if len(counts) < 2:
        raise ClassifyError(
            f"{train.path}: all rows have the label {next(iter(counts))!r}. Training needs at least two labels."
        )
    return sorted(counts)


def look_alikes(labels: Iterable[str]) -> list[str]:
    """A sentence for labels that differ in capitals or spaces only: they may be meant to be one."""
    groups = defaultdict(list)
    for label in labels:
        groups[_plain(label)].append(label)
    alike = [group for group in groups.values() if len(group) > 1]
    return [f"The labels {quoted(group)} differ in capitals or spaces only, and are taken as {len(group)} labels." for group in alike]


def held_out(table: Table, share: float, seed: int) -> tuple[Table, Table]:
    """The table without about this share of the texts of each label, and these texts. A text that occurs twice is on one side.

    Raises:
        ClassifyError: nothing would be held out.
    """
    groups = defaultdict(list)
    for row in table.rows:
        groups[_plain(row.text)].append(row)
    by_label = defaultdict(list)
    for group in groups.values():
        if len({row.label for row in group}) == 1:
            by_label[group[0].label].append(group)
    drawn, chosen = random.Random(seed), set()
    for label in sorted(by_label):
        some = drawn.sample(by_label[label], int(share * len(by_label[label])))
        chosen |= {row.line for group in some for row in group}
    if not chosen:
        raise ClassifyError(
            f"--valid {share:g}: {table.path} has too few texts for it: at least {math.ceil(1 / share)} of a label are needed. "
            "Name a larger share, or a file."
        )
    kept, held = ([row for row in table.rows if (row.line in chosen) == wanted] for wanted in (False, True))
    return replace(table, rows=kept), replace(table, rows=held)


def _decoded(path: Path, encoding: str | None) -> tuple[str, str]:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ClassifyError(f"{path} cannot be read: {error.strerror}. Check the path.") from None
    if not raw.strip():
        raise ClassifyError(f"{path} is empty. It needs a header and rows.")
    if raw.startswith(BINARY):
        raise ClassifyError(
            f"{path} is a workbook, an archive or a PDF, not a CSV file. Save the sheet as “CSV UTF-8” and name that file."
        )
    encoding = encoding or next((name for mark, name in MARKS.items() if raw.startswith(mark)), "utf-8")
    try:
        content = raw.decode(encoding)
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
    if "\0" in content:
        line = content.count("\n", 0, content.index("\0")) + 1
        raise ClassifyError(
            f"{path}, line {line}: a character of this text is NUL. Perhaps the file is UTF-16: try --encoding utf-16-le, or save it "
            "as UTF-8."
        )
    return content, encoding


def _delimiter(path: Path, content: str, wanted: list[str]) -> str:
    """The one with which the header has the wanted columns; else the one that splits it most."""

    def header(delimiter: str) -> list[str]:
        return _header(_lines(path, content, delimiter))

    fitting = [delimiter for delimiter in DELIMITERS if set(wanted) <= set(header(delimiter))]
    return max(fitting or DELIMITERS, key=lambda delimiter: len(header(delimiter)))


def _header(lines: Iterator[tuple[int, list[str]]]) -> list[str]:
    """The names of the columns. Blank lines, and the line "sep=;" with which some files tell Excel the delimiter, stand before it."""
    rows = (cells for _, cells in lines if not _is_blank(cells) and not cells[0].startswith("sep="))
    return [name.strip() for name in next(rows, [])]


def _is_blank(cells: list[str]) -> bool:
    return not "".join(cells).strip()


def _lines(path: Path, content: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Each row, with the line on which it begins, but no empty lines. ClassifyError if quotes do not match."""
    csv.field_size_limit(sys.maxsize)  # a text may be long
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for cells in reader:
            if cells:
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


def quoted(names: list[str], most: int = 10) -> str:
    """The first names of a list, for a sentence."""
    return ", ".join(map(repr, names[:most])) + (f" and {len(names) - most} more" if len(names) > most else "")


def count(number: int, thing: str) -> str:
    """Such as "1 row" or "2 rows"."""
    return f"{number} {thing}{'' if number == 1 else 's'}"
