"""Many notebooks of many students, put in order: one folder a student, and in it the files by problem.

    collection = collect([Path("submissions.zip")], Path("collected"))
    print("\\n".join(summary(collection)))

Beside the notebooks, the answers to the quiz count that `python -m quiz hand-in` has written.

What is read: Moodle's and Canvas's zip of all submissions (also unpacked), a folder with notebooks or with a folder a
student, and a folder of clones of this course, one a student. No code of a student is run or parsed here.
"""

import io
import itertools
import json
import os
import re
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path

from classroom.incoming.archives import Budget, File, Refused, file_on_disk, folder, printable, shown, why_not, zipped
from classroom.incoming.claims import (
    TOPICS,
    Claim,
    by_content,
    by_name,
    claim_of,
    is_answers,
    module_name,
    unwrapped,
    without_course,
)
from classroom.incoming.roster import Person, Roster, plain_letters, spellings
from grader.problems import PROBLEMS
from quiz.hand_in import FILE as ANSWERS

FORMAT = 1
INDEX = "collected.json"
SUFFIXES = (".ipynb", ".md", ".py")
QUIZ = "quiz"  # stands where other files have their problem
LARGEST_ANSWERS = 1_000_000  # bytes; 102 answers in some lines each have 100,000


class CollectError(Exception):
    """The submissions cannot be collected, or a collection cannot be read. The message says why and what to do."""


@dataclass
class Student:
    """One student of a collection.

    folder: the name of the folder, of letters, digits, ".", "-" and "_".
    id: the platform's, else the roster's, else "".
    platform: "moodle", "canvas" or "folder".
    late: whether Canvas says so.
    files: for each problem that was handed in, the names in the folder.
    modules: the names in the folder of modules that the answers may import.
    quiz: the name in the folder of the answers to the quiz, "" if there are none.
    notes: what the instructor should know, in sentences.
    """

    folder: str
    name: str
    id: str
    email: str
    platform: str
    late: bool
    files: dict[str, list[str]]
    modules: list[str] = field(default_factory=list)
    quiz: str = ""
    notes: list[str] = field(default_factory=list)


@dataclass
class Collection:
    """What was collected into a folder.

    missing: those of the roster who handed nothing in: {"name", "id", "email"}.
    unreadable: what was refused: {"where", "why"}.
    doubles: files that claim one place: {"folder", "problem", "taken", "left"}.
    """

    folder: Path
    students: list[Student]
    missing: list[dict] = field(default_factory=list)
    unreadable: list[dict] = field(default_factory=list)
    doubles: list[dict] = field(default_factory=list)


def collect(
    archives: Sequence[Path], out: Path, roster: Roster | None = None, tell: Callable[[str], None] | None = None
) -> Collection:
    """Put the notebooks of all archives into `out`, which must not exist yet or be empty.

    Args:
        archives: zips, folders or single notebooks.
        roster: gives the students' names, and who is missing.
        tell: is called with a line for each archive.

    Raises:
        CollectError: nothing was collected, and `out` is as it was.
    """
    archives, out = [Path(archive) for archive in archives], Path(out).resolve()
    _check_places(archives, out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as work:
            collection = _collect_into(Path(work), archives, roster, tell or (lambda line: None))
            if out.exists():
                out.rmdir()  # it is empty
            os.replace(Path(work, "out"), out)
    except OSError as error:
        raise CollectError(f"Nothing was collected: {error.strerror}, at {error.filename or out}.") from None
    collection.folder = out
    return collection


def load(out: Path) -> Collection:
    """Read what `collect` has written. CollectError if it is missing or broken."""
    path = Path(out) / INDEX
    again = "Collect the submissions again into a new folder."
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CollectError(f"{out} is no collection, since it has no {INDEX}. Collect the submissions first.") from None
    except (OSError, ValueError, RecursionError) as error:
        raise CollectError(f"{path} cannot be read: {error}. {again}") from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise CollectError(f"{path} is not of format {FORMAT}, which this version reads. {again}")
    try:
        students = [Student(**student) for student in data["students"]]
        collection = Collection(Path(out), students, data["missing"], data["unreadable"], data["doubles"])
        for student in students:
            names = [student.folder, student.quiz or ANSWERS, *student.modules]
            names += [name for files in student.files.values() for name in files]
            if not all(re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*", name) for name in names):
                raise ValueError
    except (KeyError, TypeError, ValueError, AttributeError):
        raise CollectError(f"{path} is broken. {again}") from None
    return collection


def summary(collection: Collection) -> list[str]:
    """Lines for the terminal: how many students, files by problem, who is missing, what is double or unreadable."""
    students = collection.students
    late = [student.name for student in students if student.late]
    lines = [f"{_many(len(students), 'student')} in {collection.folder}"]
    for problem in PROBLEMS.values():
        count = sum(problem.id in student.files for student in students)
        lines.append(f"  {problem.id:5} {count:4} of {len(students)}  {problem.title}")
    if count := sum(bool(student.quiz) for student in students):
        lines.append(f"  {QUIZ:5} {count:4} of {len(students)}  Answers to the quiz")
    if late:
        lines.append(f"Late: {', '.join(map(shown, late))}.")
    if collection.missing:
        names = ", ".join(shown(person["name"]) for person in collection.missing)
        lines.append(f"Nothing came from {len(collection.missing)}: {names}.")
    for student in students:
        lines += [f"{student.folder}: {printable(note)}" for note in student.notes]
    if collection.unreadable:
        lines.append(f"{_many(len(collection.unreadable), 'file')} left out:")
        lines += [f"  {printable(one['where'])} {printable(one['why'])}." for one in collection.unreadable]
    return lines


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


# --- where it may go ----------------------------------------------------------------------------


def _check_places(archives: list[Path], out: Path) -> None:
    for archive in archives:
        if not archive.exists():
            raise CollectError(f"{archive} does not exist. Check the spelling and the folder you are in.")
        if archive.is_dir() and out.is_relative_to(archive.resolve()):
            raise CollectError(f"{out} lies in {archive}, from which it would be filled. Choose a place outside of it.")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CollectError(f"{out} exists and is not empty. Name a new folder, or take that one away first.")


def _collect_into(work: Path, archives: list[Path], roster: Roster | None, tell: Callable[[str], None]) -> Collection:
    """Read all archives, and make `work`/out."""
    reading = _Reading(work / "parts")
    for number, (archive, label) in enumerate(zip(archives, _labels(archives))):
        before = reading.count
        reading.read(archive, label, number)
        tell(f"{label}: {_many(reading.count - before, 'file')} for a problem")
    collection = Collection(work / "out", [], unreadable=reading.unreadable)
    collection.folder.mkdir()
    groups = _grouped(list(reading.owners.values()), roster)
    used: set[str] = set()
    for group in sorted(groups, key=lambda group: (_slug(group.name), group.id, group.name)):
        if group.is_somebody:
            collection.students.append(_placed(group, collection, used))
        else:
            collection.unreadable += [{"where": where, "why": why} for owner in group.owners for where, why in owner.others]
    handed_in = {group.person.row for group in groups if group.person and group.is_somebody}
    for person in roster.people if roster else ():
        if person.row not in handed_in:
            collection.missing.append({"name": person.name, "id": person.id, "email": person.email})
    collection.students.sort(key=lambda student: student.folder)
    collection.unreadable.sort(key=lambda one: (one["where"], one["why"]))
    collection.doubles.sort(key=lambda one: (one["folder"], one["taken"]))
    content = {"format": FORMAT} | {key: value for key, value in asdict(collection).items() if key != "folder"}
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    (collection.folder / INDEX).write_text(text, encoding="utf-8", newline="\n")
    return collection


def _labels(archives: list[Path]) -> list[str]:
    """What messages call the archives: their names, with the folder where two have the same name."""
    full = [archive.resolve() for archive in archives]
    counts = Counter(path.name for path in full)
    return [shown(path.name if counts[path.name] == 1 else f"{path.parent.name}/{path.name}") for path in full]


# --- reading ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Candidate:
    """A file for a problem or the quiz, kept at `place` until it is decided which files count. The highest rank does."""

    problem: str
    suffix: str
    rank: tuple
    where: str
    date: int
    place: Path
    digest: str


@dataclass
class _Owner:
    """A student as one archive names them.

    modules: Python files that an answer may import, by name: where they are kept, and where they were.
    others: the files that are no answers, each with the reason.
    """

    archive: int
    platform: str
    name: str
    id: str
    late: bool = False
    candidates: list[_Candidate] = field(default_factory=list)
    modules: dict[str, tuple[Path, str]] = field(default_factory=dict)
    others: list[tuple[str, str]] = field(default_factory=list)


class _Reading:
    """Takes the files out of the archives, each to its owner."""

    def __init__(self, parts: Path):
        self.parts = parts
        self.count = 0  # files for a problem
        self.places = itertools.count()
        self.owners: dict[tuple, _Owner] = {}
        self.unreadable: list[dict] = []
        parts.mkdir()

    def refuse(self, where: str, why: str) -> None:
        self.unreadable.append({"where": where, "why": why})

    def read(self, archive: Path, label: str, number: int) -> None:
        """A folder, a single notebook, or else a zip."""
        if archive.is_dir():
            root = archive.resolve()
            for file in without_course(folder(root, label, self.refuse)):
                self._take(file, number, alone=label if file.path[0] == "notebooks" else "", budget=Budget())
        elif archive.suffix.lower() in SUFFIXES or is_answers(archive.name):
            self._take(file_on_disk(archive.resolve(), (archive.name,), label), number, "", Budget())
        elif archive.is_file():
            self._read_zip(archive, label, number)
        else:
            self.refuse(label, "is no regular file")

    def _read_zip(self, archive: Path, label: str, number: int) -> None:
        budget, stem = Budget(), re.sub(r"\s*\([0-9]+\)$", "", archive.stem)
        try:
            with open(archive, "rb") as stream, zipped(stream, label, budget, self.refuse) as files:
                for file in without_course(unwrapped(files, stem)):
                    self._take(file, number, stem, budget)
        except Refused as refused:
            self.refuse(label, str(refused))
        except PermissionError as error:
            self.refuse(label, f"cannot be read: {error.strerror}")

    def _take(self, file: File, number: int, alone: str, budget: Budget, inner: bool = False) -> None:
        claim = claim_of(file.path, alone)
        suffix = Path(file.path[-1]).suffix.lower()
        if claim is None:
            why = "does not tell whose it is; put it into a folder with the student's name"
            counts = suffix in (*SUFFIXES, ".zip") or is_answers(file.path[-1])
            self.refuse(file.where, why if counts else "is no notebook")
            return
        owner = self._owner(claim, number)
        try:
            if claim.typed:
                raise _NoAnswer("is a text typed on the platform, not a file")
            if suffix == ".zip" and not inner:
                self._read_inner_zip(file, number, alone, budget)
            elif suffix in SUFFIXES:
                self._take_code(file, claim, suffix, owner)
                owner.late |= claim.late
            elif is_answers(claim.own[-1]):
                self._take_answers(file, claim, owner)
                owner.late |= claim.late
            else:
                raise _NoAnswer("is a zip inside a zip inside a zip" if suffix == ".zip" else "is no notebook")
        except _NoAnswer as reason:
            owner.others.append((file.where, str(reason)))
        except Refused as refused:
            self.refuse(file.where, str(refused))
            if claim.platform != "folder":
                owner.others.append((file.where, str(refused)))

    def _read_inner_zip(self, file: File, number: int, alone: str, budget: Budget) -> None:
        with zipped(io.BytesIO(file.read()), file.where, budget, self.refuse, above=file.path) as files:
            for one in without_course(files):
                self._take(one, number, alone, budget, inner=True)

    def _owner(self, claim: Claim, number: int) -> _Owner:
        key = (number, claim.platform, claim.id, min(spellings(claim.name), default=claim.name))
        return self.owners.setdefault(key, _Owner(number, claim.platform, claim.name, claim.id))

    def _take_code(self, file: File, claim: Claim, suffix: str, owner: _Owner) -> None:
        """A file that is an answer, a module that one imports, or both: who knows before it runs?"""
        if any(re.search(rf"(?<!\d){topic}", claim.own[-1]) for topic in TOPICS):
            raise _NoAnswer("is a notebook of a topic, not of a problem")
        data = file.read()
        problem, sure = by_name(claim.own)
        problem = problem or by_content(data.decode("utf-8", errors="replace"))
        module = module_name(claim.own[-1]) if suffix == ".py" and not sure else ""
        if module:
            owner.modules[module] = self._kept(data), file.where
        if not problem:
            raise _NoAnswer("belongs to no problem")
        owner.candidates.append(self._candidate(file, claim, problem, suffix, sure, data))
        self.count += 1

    def _take_answers(self, file: File, claim: Claim, owner: _Owner) -> None:
        data = file.read()
        if len(data) > LARGEST_ANSWERS:
            raise Refused("is larger than 1 MB, which answers to the quiz are not")
        owner.candidates.append(self._candidate(file, claim, QUIZ, ".json", 0, data))

    def _candidate(self, file: File, claim: Claim, problem: str, suffix: str, sure: int, data: bytes) -> _Candidate:
        rank = (claim.attachment, sure, file.date, file.where)
        return _Candidate(problem, suffix, rank, file.where, file.date, self._kept(data), sha256(data).hexdigest())

    def _kept(self, data: bytes) -> Path:
        """Put the content of a file aside."""
        place = self.parts / str(next(self.places))
        place.write_bytes(data)
        return place


class _NoAnswer(Exception):
    """Why a file that can be read is not an answer: the end of a sentence."""


# --- one student out of several archives --------------------------------------------------------


@dataclass
class _Group:
    """All that came from one student."""

    owners: list[_Owner]
    roster: Roster | None
    person: Person | None
    notes: list[str] = field(default_factory=list)

    @property
    def platform(self) -> str:
        return next((owner.platform for owner in self.owners if owner.platform != "folder"), "folder")

    @property
    def name(self) -> str:
        return unicodedata.normalize("NFC", self.person.name if self.person else self.owners[0].name)

    @property
    def ids(self) -> list[str]:
        """The platform's numbers for this student. Moodle gives one for each assignment."""
        return list(dict.fromkeys(owner.id for owner in self.owners if owner.platform == self.platform and owner.id))

    @property
    def id(self) -> str:
        if self.person and (self.roster.kind == self.platform or not self.ids):
            return self.person.id
        return self.ids[0] if self.ids else ""

    @property
    def is_somebody(self) -> bool:
        """Whether it is a student: a platform says so, or there is an answer."""
        return self.platform != "folder" or any(owner.candidates for owner in self.owners)


def _grouped(owners: list[_Owner], roster: Roster | None) -> list[_Group]:
    """The owners by student: by the person of the roster, else by name, unless several students have it."""
    people: dict[Person | None, list[_Owner]] = {}
    for owner in owners:
        people.setdefault(roster.match(owner.name, owner.id) if roster else None, []).append(owner)
    strangers = people.pop(None, [])
    for person, members in people.items():  # of two students of one name, the roster may have only one
        if not _is_one_student(members):
            strangers += [owner for owner in members if owner.id != person.id]
            members[:] = [owner for owner in members if owner.id == person.id]
    groups = [_Group(members, roster, person) for person, members in people.items() if members]
    for members in _of_one_name(strangers):
        groups += [_Group(one, roster, None) for one in members]
        if len(members) > 1 and len({owner.archive for one in members for owner in one}) > 1:
            for group in groups[-len(members) :]:
                group.notes.append(f"{len(members)} students may be called {group.name}; they were kept apart by number.")
    for group in groups:
        if roster and group.person is None:
            group.notes.append("The roster has nobody of this name and number, or several of this name.")
    return groups


def _of_one_name(owners: list[_Owner]) -> Iterator[list[list[_Owner]]]:
    """For each name its students, each a list of owners."""
    by_spelling: dict[str, list[_Owner]] = {}
    names: list[list[_Owner]] = []
    for owner in owners:
        known = spellings(owner.name) or {owner.name}
        members = next((by_spelling[spelling] for spelling in sorted(known) if spelling in by_spelling), None)
        if members is None:
            names.append(members := [])
        members.append(owner)
        for spelling in known:
            by_spelling.setdefault(spelling, members)
    for members in names:
        yield [members] if _is_one_student(members) else _by_number(members)


def _is_one_student(owners: list[_Owner]) -> bool:
    """Whether owners of one name can be one student. Canvas's numbers are of the person, Moodle's of the assignment."""
    canvas = {owner.id for owner in owners if owner.platform == "canvas"}
    in_archive = Counter((owner.archive, owner.platform) for owner in owners if owner.id)
    return len(canvas) <= 1 and max(in_archive.values(), default=1) == 1


def _by_number(owners: list[_Owner]) -> list[list[_Owner]]:
    found: dict[tuple, list[_Owner]] = {}
    for owner in owners:
        found.setdefault((owner.platform, owner.id), []).append(owner)
    return list(found.values())


# --- writing ------------------------------------------------------------------------------------


def _placed(group: _Group, collection: Collection, used: set[str]) -> Student:
    """Put the files of a student into a folder of their own."""
    email = group.person.email if group.person else ""
    late = any(owner.late for owner in group.owners)
    name = _folder_name(group, used)
    student = Student(name, group.name, group.id, email, group.platform, late, {}, notes=list(group.notes))
    (collection.folder / name).mkdir()
    if len(group.ids) > 1:
        student.notes.append(f"{group.platform.title()} has several numbers for this student: {', '.join(group.ids)}.")
    candidates = [candidate for owner in group.owners for candidate in owner.candidates]
    for problem in PROBLEMS.values():
        for suffix in SUFFIXES:
            rivals = [one for one in candidates if (one.problem, one.suffix) == (problem.id, suffix)]
            if rivals:
                _place(rivals, problem.notebook + suffix, student, collection)
                student.files.setdefault(problem.id, []).append(problem.notebook + suffix)
        names = student.files.get(problem.id, [])
        if len(names) > 1 and names[-1].endswith(".py"):
            student.notes.append(f"For {problem.id} there are a notebook and {names[-1]}; see which one counts.")
    rivals = [one for one in candidates if one.problem == QUIZ]
    if rivals:
        _place(rivals, ANSWERS, student, collection)
        student.quiz = ANSWERS
    taken = set()
    for owner in group.owners if student.files else ():
        for module, (place, where) in owner.modules.items():
            if module not in student.modules:
                os.replace(place, collection.folder / name / module)
                student.modules.append(module)
                taken.add(where)
    others = sorted(f"{where} {why}." for owner in group.owners for where, why in owner.others if where not in taken)
    student.notes += others[:5]
    if others[5:]:
        student.notes.append(f"{_many(len(others) - 5, 'more file')} of this student were left out.")
    return student


def _place(rivals: list[_Candidate], name: str, student: Student, collection: Collection) -> None:
    """Move the file of the highest rank into the student's folder, and say which others there were."""
    best = max(rivals, key=lambda one: one.rank)
    target = collection.folder / student.folder / name
    os.replace(best.place, target)
    os.utime(target, ns=(best.date, best.date))
    left = sorted(one.where for one in rivals if one.digest != best.digest)
    if left:
        double = {"folder": student.folder, "problem": best.problem, "taken": best.where, "left": left}
        collection.doubles.append(double)
        student.notes.append(f"{len(left) + 1} files claim to be {name}: {best.where} was taken, not {', '.join(left)}.")


def _slug(text: str) -> str:
    """Small letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", plain_letters(text)).strip("-")[:60].strip("-")


def _folder_name(group: _Group, used: set[str]) -> str:
    """A name for the folder, such as `jorg-muller-1234567`, that no other student has."""
    base = "-".join(filter(None, [_slug(group.name) or "student", _slug(group.id)]))
    if why_not(base):
        base += "-student"  # Con is a name, and a device of Windows
    name, count = base, 1
    while name in used:
        count += 1
        name = f"{base}-{count}"
    used.add(name)
    return name
