"""A class of 44 students, and what each platform would give its instructor for it."""

import csv
import io
import json
import re
import unicodedata
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

NAMES = """Anna Berg|Ben Carter|Chloé Dupont|Jörg Müller|Søren Ærø|Łukasz Żak|王小明|李娜|محمد أحمد|فاطمة علي|Zoë O'Hara|Seán Ó Briain
|Mei-Ling Wu|Jean-Pierre Le Gall|Anne-Marie Schmidt|Plato|Madonna|María García López|José Núñez|İbrahim Yılmaz|Elif Şahin|Nguyễn Văn An|Trần Thị Bình
|Олег Иванов|Мария Петрова|Ἀλέξανδρος Νίκου|Lora Smith|Peter Sft|Con Air|Ana de la Cruz|J. R. Smith|Björk Guðmundsdóttir|दीपक कुमार|佐藤 花子
|김민수|Ngozi Okafor|Kwame Mensah|Tim 2 Turner|Van der Berg, Piet|Rita Copy|Al Li|Ali Al|Max Last|Una Nota"""
NOTEBOOK = "08_problem_lora.ipynb"


@dataclass(frozen=True)
class Pupil:
    """One of the class. The numbers are what the platforms would give."""

    name: str
    number: int
    files: dict[str, str] = field(hash=False)
    date: str = "2025-11-20 12:00"

    @property
    def login(self) -> str:
        return f"u{self.number}"

    @property
    def email(self) -> str:
        return f"{self.login}@example.org"

    @property
    def parts(self) -> tuple[str, str]:
        """First and last names."""
        if ", " in self.name:
            last, _, first = self.name.partition(", ")
            return first, last
        first, _, last = self.name.rpartition(" ")
        return first, last

    @property
    def sortable(self) -> str:
        first, last = self.parts
        return f"{last}, {first}" if first else last

    @property
    def in_canvas(self) -> str:
        """Marks of letters stay, as in Ruby's class of letters."""
        return "".join(letter for letter in self.sortable.lower() if letter.isalnum() or unicodedata.category(letter)[0] == "M")


def notebook(mark: str) -> str:
    return json.dumps(
        {"cells": [{"cell_type": "code", "source": f"def inject_lora(model):\n    return {mark!r}\n"}], "nbformat": 4}
    )


def the_class() -> list[Pupil]:
    """44 students, each with a notebook of their own."""
    names = NAMES.replace("\n", "").split("|")
    return [Pupil(name, 310001 + place, {NOTEBOOK: notebook(name)}) for place, name in enumerate(names)]


# --- what is downloaded -------------------------------------------------------------------------

Layout = Callable[[Pupil, str], list[str]]  # the paths of a student's file


def _stamp(date: str) -> str:
    return re.sub(r"\D", "-", date) + "-00"


def _in_words(date: str) -> str:
    """Nov 20, 2025 1200 PM"""
    year, month, day, hour, minute = map(int, re.findall(r"\d+", date))
    months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
    return f"{months[month - 1]} {day}, {year} {hour % 12 or 12}{minute:02} {'PM' if hour > 11 else 'AM'}"


def _clean(name: str) -> str:
    """What Moodle leaves of a name."""
    return re.sub(r"[\\/:*?\"<>|]", "", name.replace("_", " "))


LAYOUTS: dict[str, tuple[str, Callable[[Pupil, str], str]]] = {
    "moodle": ("FT101-LoRA-777.zip", lambda p, f: f"{_clean(p.name)}_{p.number}_assignsubmission_file/{f}"),
    "moodle before 4.1": (
        "FT101-Homework 3 (LoRA)-777.zip",
        lambda p, f: f"{_clean(p.name)}_{p.number}_assignsubmission_file_/{f}",
    ),
    "moodle flat": ("FT101-LoRA-777 (1).zip", lambda p, f: f"{_clean(p.name)}_{p.number}_assignsubmission_file_{f}"),
    "moodle in a group": (
        "FT101-LoRA-Group A-777.zip",
        lambda p, f: f"Group A-{_clean(p.name)}_{p.number}_assignsubmission_file/{f}",
    ),
    "moodle in two groups": (
        "FT101-LoRA-777.zip",
        lambda p, f: f"Group {'AB'[p.number % 2]}-{_clean(p.name)}_{p.number}_assignsubmission_file/{f}",
    ),
    "moodle blind": ("FT101-LoRA-777.zip", lambda p, f: f"Participant_{p.number}_assignsubmission_file/{f}"),
    "canvas": ("submissions.zip", lambda p, f: f"{p.in_canvas}_{p.number}_{900000 + p.number}_{f}"),
    "canvas in a folder": ("submissions (1).zip", lambda p, f: f"submissions/{p.in_canvas}_{p.number}_{900000 + p.number}_{f}"),
    "gradescope": ("submissions.zip", lambda p, f: f"assignment_4321_export/submission_{p.number}/{f}"),
    "blackboard": ("gradebook_LoRA.zip", lambda p, f: f"LoRA_{p.login}_attempt_{_stamp(p.date)}_{f}"),
    "blackboard in full": (
        "gradebook.zip",
        lambda p, f: f"gradebook_FT_101_LoRA20Assignment_{p.login}_attempt_{_stamp(p.date)}_{f}",
    ),
    "brightspace": (
        "LoRA Download Nov 21, 2025 900 AM.zip",
        lambda p, f: f"123456-{p.number} - {p.name} - {_in_words(p.date)}/{f}",
    ),
    "brightspace flat": ("LoRA.zip", lambda p, f: f"123456-78901 - {p.name} - {_in_words(p.date)} - {f}"),
    "google": ("LoRA homework-20251120T120000Z-1-001.zip", lambda p, f: f"LoRA homework/{p.name} - {f}"),
    "github": ("repos.zip", lambda p, f: f"lora-{p.login}/notebooks/{f}"),
    "github gathered": ("repos.zip", lambda p, f: f"lora-submissions/lora-{p.login}/notebooks/{f}"),
    "folders": ("hw3.zip", lambda p, f: f"{p.name}/{f}"),
    "folders in a folder": ("hw3.zip", lambda p, f: f"submissions/{p.name}/{f}"),
    "folders in the zip's folder": ("hw3.zip", lambda p, f: f"hw3/{p.name}/notebooks/{f}"),
    "files": ("hw3.zip", lambda p, f: f"{p.name} {f}"),
}


def archive(folder: Path, layout: str, pupils: Sequence[Pupil]) -> Path:
    """The zip that the platform gives. A student with several entries has several attempts."""
    name, path_of = LAYOUTS[layout]
    members = {path_of(pupil, file): text for pupil in pupils for file, text in pupil.files.items()}
    if layout == "gradescope":
        members["assignment_4321_export/submission_metadata.yml"] = _metadata(pupils)
    if layout.startswith("blackboard"):
        for pupil in pupils:
            start = path_of(pupil, "").rstrip("_")
            members[f"{start}.txt"] = f"Name: {pupil.name} ({pupil.login})\nAssignment: LoRA\nDate Submitted: {pupil.date}\n"
    if layout.startswith("brightspace"):
        members["index.html"] = "<html></html>"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as made:
        for path, text in {**members, "__MACOSX/._x": "", ".DS_Store": ""}.items():
            made.writestr(path, text)
    return folder / name


def _metadata(pupils: Sequence[Pupil]) -> str:
    lines = ["---"]
    for pupil in pupils:
        lines += [
            f"submission_{pupil.number}:",
            "  :submitters:",
            f"  - :name: {json.dumps(pupil.name, ensure_ascii=False)}",
            f"    :sid: '{pupil.number}'",
            f"    :email: {pupil.email}",
            f"  :created_at: {pupil.date}:00.000000000 Z",
            "  :score: 0.0",
        ]
    return "\n".join(lines) + "\n"


# --- lists of the class -------------------------------------------------------------------------


def _table(rows: list[list[str]], delimiter: str = ",") -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    return text.getvalue()


MOODLE = "Identifier,Full name,Email address,Status,Grade,Maximum Grade,Grade can be changed,Last modified (submission),Last modified (grade)"
GERMAN = "ID,Vollständiger Name,E-Mail-Adresse,Status,Bewertung,Bestwertung,Bewertung kann geändert werden,Zuletzt geändert (Abgabe),Zuletzt geändert (Bewertung)"
JAPANESE = "識別子,フルネーム,メールアドレス,ステータス,評点,最大評点,評点は変更可能,最終更新日時 (提出),最終更新日時 (評点)"
SUBMITTED = {MOODLE: "Submitted for grading", GERMAN: "Zur Bewertung abgegeben", JAPANESE: "評定のために提出済み"}


def moodle_list(
    pupils: Sequence[Pupil], header: str = MOODLE, status: dict[str, str] | None = None, comma: bool = False
) -> str:
    word = {MOODLE: "Participant ", GERMAN: "Teilnehmer/in", JAPANESE: "参加者"}[header]
    most = "100,00" if comma else "100.00"
    rows = [
        [f"{word}{p.number}", p.name, p.email, (status or {}).get(p.name, SUBMITTED[header]), "", most, "Yes", p.date, "-", ""]
        for p in pupils
    ]
    return _table([[*header.split(","), "Feedback comments" if header == MOODLE else "…"], *rows], ";" if comma else ",")


def blind_list(pupils: Sequence[Pupil]) -> str:
    header = "Identifier,Status,Grade,Maximum Grade,Grade can be changed,Last modified (grade),Feedback comments"
    return _table(
        [
            header.split(","),
            *([f"Participant {p.number}", "Submitted for grading", "", "100.00", "Yes", "-", ""] for p in pupils),
        ]
    )


def canvas_list(pupils: Sequence[Pupil]) -> str:
    header = "Student,ID,SIS User ID,SIS Login ID,Section,HW3: LoRA (45678)".split(",")
    rows = [[p.sortable, str(p.number), f"S{p.number}", p.login, "FT101", ""] for p in pupils]
    return _table([header, ["    Points Possible", "", "", "", "", "59"], *rows, ["Student, Test", "7", "", "x", "FT101", ""]])


def blackboard_list(pupils: Sequence[Pupil]) -> str:
    header = [
        "Last Name",
        "First Name",
        "Username",
        "Student ID",
        "Last Access",
        "Availability",
        "LoRA [Total Pts: 59 Score] |12345",
    ]
    return _table([header, *([p.parts[1], p.parts[0], p.login, f"S{p.number}", "", "Yes", ""] for p in pupils)], "\t")


def brightspace_list(pupils: Sequence[Pupil]) -> str:
    header = "OrgDefinedId,Username,Last Name,First Name,Email,LoRA Points Grade <Numeric MaxPoints:100>,End-of-Line Indicator".split(
        ","
    )
    return _table([header, *([f"#{p.number}", f"#{p.login}", p.parts[1], p.parts[0], p.email, "", "#"] for p in pupils)])


def gradescope_list(pupils: Sequence[Pupil]) -> str:
    header = (
        "First Name,Last Name,SID,Email,Total Score,Max Points,Status,Submission ID,Submission Time,Lateness (H:M:S)".split(",")
    )
    return _table(
        [header, *([*p.parts, str(p.number), p.email, "", "59", "Ungraded", str(p.number), p.date, "00:00:00"] for p in pupils)]
    )


def google_list(pupils: Sequence[Pupil]) -> str:
    rows = [[p.parts[1], p.parts[0], p.email, ""] for p in pupils]
    return _table(
        [["Last Name", "First Name", "Email Address", "LoRA"], ["", "", "Date", "2025-11-20"], ["", "", "Points", "59"], *rows]
    )


def github_list(pupils: Sequence[Pupil]) -> str:
    return _table(
        [["identifier", "github_username", "github_id", "name"], *([p.name, p.login, str(p.number), ""] for p in pupils)]
    )


def plain_list(pupils: Sequence[Pupil]) -> str:
    return _table([["name", "id", "email"], *([p.name, str(p.number), p.email] for p in pupils)])


LISTS = {
    "moodle": moodle_list,
    "moodle blind": blind_list,
    "canvas": canvas_list,
    "gradescope": gradescope_list,
    "blackboard": blackboard_list,
    "brightspace": brightspace_list,
    "google": google_list,
    "github": github_list,
}


def class_list(layout: str, pupils: Sequence[Pupil]) -> str:
    """The platform's own list; a plain one for folders."""
    return LISTS.get(layout, LISTS.get(layout.split()[0], plain_list))(pupils)
