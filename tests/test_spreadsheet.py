"""Gradebooks of a class with hostile names, opened in a spreadsheet: nothing that a student wrote becomes a formula there.

LibreOffice shows it for "=", the only sign that it takes for a formula in a file. Excel takes more signs. For those Python's
reader splits the files as a spreadsheet does, and no cell may begin with one.
"""

import csv
import io
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from xml.etree import ElementTree

import pytest

from classroom.assignment import of_problems
from classroom.incoming.collect import Student
from classroom.incoming.roster import read_roster
from classroom.outgoing.gradebooks import Grades, books
from classroom.outgoing.standing import Standing, totals
from desk import cells
from desk.cells import safe

needs_soffice = pytest.mark.skipif(
    not shutil.which("soffice"), reason="LibreOffice is not installed: apt-get install libreoffice-calc-nogui."
)

FORMULAS = ["=1+1", "+1+A1", "-1+A1", "@SUM(A1)", "＝1+1", "＋1", "－1", "＠SUM(A1)"]
BEFORE = ["", "a,", "a;", "a\t", "a|", "a:", "a\n", "a\r", "a "]  # where a cell begins, by separator
BETWEEN = ["", " ", "\u00a0", "\u3000", "\ufeff", "\0", '"', "'", '" ']  # what a reader may take away before the sign
ODD = [
    "=1+1;=2+2", "Bob =2+2", "= 1+1", "a; = 1+1", "a\t= 1+1", "=", "==", "-", "59+A1;", "a =", "a == b", "a = =1", "=1+1'",
    "a;=1+1'", 'a;"=1+1"', "a '= 1'", "a \u00a0=1", "a =\u00a01", '=HYPERLINK("http://x.example";"a")',
]  # fmt: skip
# These stay as they are, so they must be harmless.
ORDINARY = [
    "Anne-Marie O'Hara", "Müller, Jörg", "a - b", "a = b", "got -1.5 here", "jm+tag@example.org", "'twas she", 'the "best"',
    "x=1;y=2", "SFT: 4 of 7 points. First to mend: `logits`.", "https://example.org/?a=-1&b=+2", "Submitted for grading - ",
]  # fmt: skip
BOTH = of_problems(["sft", "lora"])


def gradebooks(texts: list[str], folder: Path) -> dict[str, str]:
    """Every gradebook of a class in which each text is a student's folder, name, id, address and feedback.

    The roster names the same texts again, for people who handed nothing in.
    """
    own = {text: {"sft": Standing(-1.5, 1, "graded", -1.5, text), "lora": Standing(None, 1, "by hand", None, text)} for text in texts}
    total = totals(own, BOTH)
    lists = {
        "plain": ["name", "id", "email"],
        "moodle": ["Identifier", "Full name", "Email address", "Grade", "Last modified (grade)", "Online text", "=1+1"],
        "canvas": ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "SFT (1)", "LoRA (2)"],
        "blackboard": ["Last Name", "First Name", "Username", "Student ID", "SFT [Total Pts: 5 Score] |1", "LoRA [Total Pts: 5 Score] |2"],
        "brightspace": ["OrgDefinedId", "Username", "Last Name", "SFT Points Grade <Numeric MaxPoints:5>", "LoRA Points Grade", "End-of-Line Indicator"],
        "google": ["Last Name", "First Name", "Email Address", "SFT", "LoRA"],
        "github": ["identifier", "github_username", "github_id", "name"],
    }
    written = {}
    for platform, header in lists.items():
        students = [Student(text, text, text, text, platform, text, {}) for text in texts]
        path = folder / f"roster-{platform}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerow(header)
            csv.writer(file).writerows([text] * len(header) for text in texts)
        for name, handed_in, roster in ((platform, students, None), (f"{platform}-roster", students[:1], read_roster(path))):
            missing = [{"name": text, "id": text, "email": text} for text in texts[1:]] if roster else []
            made, _ = books(Grades(handed_in, missing, own, total, BOTH, dict(zip(texts, texts)), roster, overwrite=True))
            if len(made) > 1 or platform == "plain":
                written[name] = made[-1].content.decode("utf-8-sig")
    assert {"canvas", "moodle", *(f"{platform}-roster" for platform in lists)} <= set(written)
    return written


@pytest.mark.parametrize("text", ORDINARY)
def test_an_ordinary_text_stays_as_it_is(text):
    assert safe(text) == text


@pytest.mark.parametrize(
    "text, written",
    [
        ("=1+1;=2+2", "’=1+1;’=2+2"),
        ("Bob =2+2", "Bob ’=2+2"),
        (" \u00a0＝1", " \u00a0’＝1"),
        ('say "-x"', 'say "’-x"'),
        ("- a, - b\u2028- c", "’- a, ’- b\u2028’- c"),
        ("labels are -100", "labels are ’-100"),  # behind the end of the text the cell may go on, so the number is not alone
    ],
)
def test_the_apostrophe_stands_before_the_sign(text, written):
    assert safe(text) == written


# --- LibreOffice --------------------------------------------------------------------------------

# The separators and the quote, as LibreOffice's filter takes them. MRG: separators that follow each other are one.
READERS = {
    "comma": "44,34", "semicolon": "59,34", "tab": "9,34", "blank": "32,34", "blanks as one": "32/MRG,34", "bar": "124,34",
    "colon": "58,34", "all as one": "44/59/9/32/124/58/MRG,34", "no quote": "59,", "quote '": "44,39",
}  # fmt: skip
# UTF-8 from line 1, no column formats, the language of the system; quoted fields are no texts, special numbers are found;
# two tokens for the export; blanks at the ends are removed; one token for the export; formulas are evaluated.
OPTIONS = "76,1,,0,false,true,,,true,,true"
FORMULA = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}formula"


def opened(files: list[Path], separators: str, out: Path) -> dict[str, list[str]]:
    """The formulas that LibreOffice finds in each CSV file. It has a profile of its own, so several can run at once."""
    command = ["soffice", f"-env:UserInstallation={(out / 'profile').as_uri()}", "--headless", "--convert-to", "fods"]
    command += [f"--infilter=Text - txt - csv (StarCalc):{separators},{OPTIONS}", "--outdir", out, *files]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    sheets = {file.stem: ElementTree.parse(out / f"{file.stem}.fods") for file in files}
    return {stem: [cell.get(FORMULA) for cell in sheet.iter() if FORMULA in cell.keys()] for stem, sheet in sheets.items()}


@pytest.fixture(scope="module")
def formulas(tmp_path_factory) -> dict[str, dict[str, list[str]]]:
    """By reader and gradebook, the formulas. `bare` is a gradebook without the protection, `straight` one with "'"."""
    folder = tmp_path_factory.mktemp("spreadsheet")
    texts = [*ORDINARY, *ODD, *map("".join, product(BEFORE, BETWEEN, ["=1+1"]))]
    books = gradebooks(texts, folder)
    for book, name, value in (("bare", "safe", str), ("straight", "_APOSTROPHE", "'")):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cells, name, value)
            books[book] = gradebooks(texts, folder)["plain"]
    files = [folder / f"{book}.csv" for book in books]
    for file, text in zip(files, books.values()):
        file.write_text(text, encoding="utf-8", newline="")
    with ThreadPoolExecutor(4) as executor:  # a start is mostly waiting
        jobs = {reader: executor.submit(opened, files, READERS[reader], folder / reader) for reader in READERS}
    return {reader: job.result() for reader, job in jobs.items()}


@needs_soffice
@pytest.mark.parametrize("reader", READERS)
def test_libreoffice_finds_no_formula_in_a_gradebook(formulas, reader):
    found = formulas[reader]
    assert found["bare"], "the class is not hostile enough to show anything"
    assert {book: cells for book, cells in found.items() if cells and book not in ("bare", "straight")} == {}


@needs_soffice
def test_a_straight_apostrophe_would_not_do_where_it_is_the_quote(formulas):
    assert formulas["comma"]["straight"] == []
    assert formulas["quote '"]["straight"]


# --- signs that only other spreadsheets take ----------------------------------------------------


def dangerous(text: str, separator: str, quote: str | None) -> list[str]:
    """The cells that begin with a sign, blanks and quotes passed over, and are more than a sign or a number."""
    quoting = {"quotechar": quote} if quote else {"quoting": csv.QUOTE_NONE}
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, **quoting)
    cells = (re.sub(r"""^[\s\0\ufeff"']+|[\s\0]+$""", "", cell) for row in rows for cell in row)
    return [cell for cell in cells if re.match("[-+=@＝＋－＠]", cell) and not re.fullmatch("[-+=@]|[-+][0-9.,]+", cell)]


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> dict[str, list[str]]:
    """Gradebooks full of odd texts: as they are written, and as they would be without care."""
    texts, folder = [*ORDINARY, *ODD, *map("".join, product(BEFORE, BETWEEN, FORMULAS))], tmp_path_factory.mktemp("books")
    safe = list(gradebooks(texts, folder).values())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cells, "safe", str)
        return {"safe": safe, "bare": list(gradebooks(texts, folder).values())}


@pytest.mark.parametrize("quote", ['"', "'", None])
@pytest.mark.parametrize("separator", [",", ";", "\t", " ", "|", ":"])
def test_no_cell_begins_with_a_sign_for_any_reader(separator, quote, written):
    assert [dangerous(text, separator, quote) for text in written["safe"]] == [[]] * len(written["safe"])
    assert all(dangerous(text, separator, quote) for text in written["bare"])
