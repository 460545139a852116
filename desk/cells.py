"""Cells of a CSV file that a spreadsheet may open. Strangers choose the texts in them, so no text can become a formula."""

import csv
import io
import re
from collections.abc import Sequence


def digits(value: float | None, comma: bool = False) -> str:
    """At most two places, no zeros at the end: 8.5, or 8,5. None is an empty cell."""
    text = "" if value is None else f"{value:.2f}".rstrip("0").rstrip(".")
    return text.replace(".", ",") if comma else text


def as_number(cell: str) -> float | None:
    """100.00 and 100,00 are numbers, a scale's name is None."""
    cell = cell.strip().replace(",", ".")
    return float(cell) if re.fullmatch(r"\d+(\.\d+)?", cell) else None


# Wide signs too: East Asian editions of a spreadsheet read them as the narrow ones.
_SIGNS = "=+-@＝＋－＠"
_SEPARATORS = ",;|:\t\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_QUOTES = "\"'"
# Not the straight one: readers can take that for a quote, and then '=1+1' is a formula.
_APOSTROPHE = "’"
# Where a blank ends cells, this is a whole cell that computes nothing: the sign in `a - b`, the number in `a -1.5 b`.
_HARMLESS = re.compile("(?:[-+=@]|[-+][0-9.,]+) ")


def safe(text: str) -> str:
    """The text with an apostrophe before each sign that a spreadsheet could take for the start of a formula.

    The reader chooses the separator, and with another one than ours our quotes mean nothing. So a cell can begin at the
    start of the text and after each separator, blanks and quotes passed over. It can begin after a blank too, but there a
    sign or a number that stands alone is left as it is.
    """
    written, begins, blank = [], True, False  # whether a cell begins here, whether it does where blanks separate
    for place, letter in enumerate(text):
        if letter in _SIGNS and (begins or (blank and not _HARMLESS.match(text, place))):
            written.append(_APOSTROPHE)
        written.append(letter)
        if letter in _SEPARATORS:
            begins = True
        elif letter in _QUOTES:
            begins = begins or blank
        elif letter == " " or not letter.isprintable():  # all blanks of Unicode, and what has no width
            blank = True
        else:
            begins = blank = False
    return "".join(written)


def as_csv(rows: Sequence[Sequence[str | float | None]], delimiter: str = ",", comma: bool = False) -> str:
    """The rows as text: texts are made safe, numbers are written as numbers, None is an empty cell.

    comma: numbers have a decimal comma.
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n", delimiter=delimiter)
    for row in rows:
        writer.writerow([_written(cell, not column, comma) for column, cell in enumerate(row)])
    return out.getvalue()


def _written(cell: str | float | None, begins_line: bool, comma: bool) -> str:
    """A cell's text. A bare carriage return would end a row for some readers, so it becomes a line break.

    Moodle's "-", for a grade that is not there, stays as Moodle wrote it: alone it computes nothing. At the start of a line
    it would not be alone for who reads with another separator than ours.
    """
    if not isinstance(cell, str):
        return digits(cell, comma)
    return cell if cell == "-" and not begins_line else safe(cell.replace("\r\n", "\n").replace("\r", "\n"))
