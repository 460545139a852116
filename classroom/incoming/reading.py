"""Takes the files out of the archives, each to its owner. No code of a student is run or parsed here."""

import io
import itertools
import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from classroom.incoming.archives import Budget, File, Refused, file_on_disk, folder, shown, zipped
from classroom.incoming.claims import (
    TOPICS,
    by_content,
    by_name,
    is_answers,
    module_name,
    name_in,
    unwrapped,
    without_course,
)
from classroom.incoming.platforms import Claim, Listing, Who, recognise
from classroom.incoming.platforms.google import DOWNLOAD
from classroom.incoming.roster import Roster, same_name
from classroom.incoming.teams import Teams

SUFFIXES = (".ipynb", ".md", ".py")
QUIZ = "quiz"  # stands where other files have their problem
LARGEST_ANSWERS = 1_000_000  # bytes; 102 answers in some lines each have 100,000
_PACKED = (".rar", ".7z", ".tar", ".gz", ".tgz", ".xz", ".bz2")
_COUNT = re.compile(r"(?:-([0-9]{1,2})|\s*\(([0-9]+)\))$")


@dataclass(frozen=True)
class Candidate:
    """A file for a problem or the quiz, kept at `place` until it is decided which count. Of one attempt, the highest rank."""

    problem: str
    suffix: str
    claim: Claim
    archive: int
    rank: tuple
    where: str
    date: int
    place: Path
    digest: str


@dataclass
class Owner:
    """A student as one archive names them.

    team, members: the team that handed in, and the names of those in it, where there is one.
    claims: what the places of the files say.
    modules: Python files that an answer may import, by attempt and name: where they are kept, and where they were.
    others: the files that are no answers, each with the reason.
    """

    archive: int
    platform: str
    who: Who
    team: str = ""
    members: tuple[str, ...] = ()
    claims: list[Claim] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)
    modules: dict[tuple[str, str], tuple[Path, str]] = field(default_factory=dict)
    others: list[tuple[str, str]] = field(default_factory=list)


class NoAnswer(Exception):
    """Why a file that can be read is not an answer: the end of a sentence."""


class Reading:
    """What came from all archives.

    Args:
        parts: a folder in which the files are kept for now.
        platform: the one that the instructor has named, "" if none.
        level: where the names stand in folders that no platform has made, 0 if the instructor has not said so.
    """

    def __init__(self, parts: Path, roster: Roster | None, teams: Teams, platform: str = "", level: int = 0):
        self.parts, self.roster, self.teams, self.platform, self.level = parts, roster, teams, platform, level
        self.owners: dict[tuple, Owner] = {}
        self.unreadable: list[dict] = []
        self.platforms: list[str] = []
        self.counts: dict[str, int] = {}  # files for a problem, by archive
        self._places, self._numbers = itertools.count(), itertools.count()
        parts.mkdir()

    def refuse(self, where: str, why: str) -> None:
        """Keep why a file or an archive is not read."""
        self.unreadable.append({"where": where, "why": why})

    def read(self, archives: Sequence[Path], labels: Sequence[str]) -> None:
        """Read all archives. The zips into which Google Drive parts one folder are one archive."""
        for parts in _together(archives, labels):
            with ExitStack() as stack:
                budget, files = Budget(), []
                for archive, label in parts:
                    files += self._files(archive, label, budget, stack)
                archive, label = parts[0]
                is_zip = archive.is_file() and archive.suffix.lower() not in SUFFIXES and not is_answers(archive.name)
                stem = re.sub(r"\s*\([0-9]+\)$", "", archive.stem) if is_zip else ""
                self._read_listing(files, label, stem, budget, stack)

    def _files(self, archive: Path, label: str, budget: Budget, stack: ExitStack) -> list[File]:
        """The files of a folder, of a zip, or the single one."""
        try:
            if archive.is_dir():
                return folder(archive.resolve(), label, self.refuse)
            if archive.suffix.lower() in SUFFIXES or is_answers(archive.name):
                return [file_on_disk(archive.resolve(), (archive.name,), label)]
            if not archive.is_file():
                raise Refused("is no regular file")
            if archive.suffix.lower() in _PACKED:
                raise Refused("is packed in a way that is not read here; unpack it, and name the folder")
            stream = stack.enter_context(open(archive, "rb"))
            return stack.enter_context(zipped(stream, label, budget, self.refuse))
        except Refused as refused:
            self.refuse(label, str(refused))
        except PermissionError as error:
            self.refuse(label, f"cannot be read: {error.strerror}")
        return []

    def _read_listing(
        self, files: list[File], label: str, stem: str, budget: Budget, stack: ExitStack, inner: bool = False
    ) -> None:
        files = unwrapped(files, stem) if stem else files
        self.counts.setdefault(label, 0)
        opened, broken = [], {}
        for file in files:
            if file.path[-1].lower().endswith(".zip") and not inner:
                members = self._opened(file, budget, stack, broken)
                opened.append((file, members))
            else:
                opened.append((file, None))
        listing = self._listing(opened, label, stem)
        if not listing.files:
            return
        name, claims = recognise(listing, self.roster, self.platform)
        if name == "folder" and not self.platform:
            opened = [one for one in opened if not self._is_download(*one, budget, stack)]
            listing = self._listing(opened, label, stem)
            if not listing.files:
                return
            name, claims = recognise(listing, self.roster, self.platform)
        self.platforms.append(name)
        number = next(self._numbers)
        for file in listing.files:
            self._take(file, claims(file.path), name, number, label, broken.get(file.path))

    def _listing(self, opened: list[tuple[File, list[File] | None]], label: str, stem: str) -> Listing:
        files = [one for file, members in opened for one in (members or [file])]
        return Listing(without_course(files), label, stem, self.level)

    def _opened(self, file: File, budget: Budget, stack: ExitStack, broken: dict) -> list[File]:
        """The files of a zip in an archive, below its own path. Empty if it cannot be read."""
        try:
            stream = io.BytesIO(file.read())
            return stack.enter_context(zipped(stream, file.where, budget, self.refuse, above=file.path))
        except Refused as refused:
            broken[file.path] = str(refused)
            return []

    def _is_download(self, file: File, members: list[File] | None, budget: Budget, stack: ExitStack) -> bool:
        """Whether a zip at the top of a folder is itself what a platform has made. Then it is read as such.

        One that has a student's name is the student's, whatever the files in it are called.
        """
        if not members or len(file.path) > 1 or self.roster and self.roster.match(name_in(file.path[0], is_file=False)):
            return False
        inside = [File(one.path[len(file.path) :], one.where, one.date, one.read) for one in members]
        stem = Path(file.path[-1]).stem
        if recognise(Listing(unwrapped(inside, stem), file.where, stem), self.roster)[0] == "folder":
            return False
        self._read_listing(inside, file.where, stem, budget, stack, inner=True)
        return True

    def _take(self, file: File, claim: Claim | None, platform: str, number: int, label: str, broken: str | None) -> None:
        suffix = Path(file.path[-1]).suffix.lower()
        if claim is None:
            counts = suffix in (*SUFFIXES, ".zip") or is_answers(file.path[-1])
            self.refuse(file.where, broken or (_of_nobody(platform) if counts else "is no notebook"))
            return
        owners = list(self._owners(claim, platform, number))
        for owner in owners:
            owner.claims.append(claim)
        if not claim.own:
            return
        try:
            if broken:
                raise Refused(broken)
            if claim.typed:
                raise NoAnswer("is a text typed on the platform, not a file")
            self._read_file(file, claim, suffix, owners, number)
            self.counts[label] += 1
        except NoAnswer as reason:
            for owner in owners:
                owner.others.append((file.where, str(reason)))
        except Refused as refused:
            self.refuse(file.where, str(refused))
            for owner in owners if platform != "folder" else ():
                owner.others.append((file.where, str(refused)))

    def _owners(self, claim: Claim, platform: str, number: int) -> Iterator[Owner]:
        """The students for whom a file counts. Of a team, that is every member."""
        for who in claim.who:
            person = self.roster.match(who.name, who.id, platform) if self.roster else None
            members = () if person and same_name(person.name, who.name) else self.teams.members(who.name)
            together = members or (claim.who if len(claim.who) > 1 else ())
            names = tuple(one.name for one in together)
            for one in members or (who,):
                key = (number, one.id, one.login, one.email, _loose(one.name))
                team = (who.name if members else ", ".join(names)) if together else ""
                yield self.owners.setdefault(key, Owner(number, platform, one, team, names))

    def _read_file(self, file: File, claim: Claim, suffix: str, owners: list[Owner], number: int) -> None:
        """A file that is an answer, a module that one imports, or both: who knows before it runs?"""
        own = claim.own[-1]
        if is_answers(own):
            data = file.read()
            if len(data) > LARGEST_ANSWERS:
                raise Refused("is larger than 1 MB, which answers to the quiz are not")
            self._keep(file, claim, QUIZ, ".json", 0, data, owners, number)
            return
        if suffix not in SUFFIXES:
            why = {".zip": "is a zip without a file in it, or inside another zip"} | dict.fromkeys(
                _PACKED, "is packed in a way that is not read here; ask for a zip"
            )
            raise NoAnswer(why.get(suffix, "is no notebook"))
        if any(re.search(rf"(?<!\d){topic}", own) for topic in TOPICS):
            raise NoAnswer("is a notebook of a topic, not of a problem")
        data = file.read()
        problem, sure = by_name(claim.own)
        problem = problem or by_content(_text(data))
        module = module_name(own) if suffix == ".py" and not sure else ""
        if module:
            for owner in owners:
                owner.modules[claim.attempt, module] = self._kept(data), file.where
        if not problem:
            raise NoAnswer("belongs to no problem")
        self._keep(file, claim, problem, suffix, sure, data, owners, number)

    def _keep(
        self, file: File, claim: Claim, problem: str, suffix: str, sure: int, data: bytes, owners: list[Owner], number: int
    ) -> None:
        counted = _COUNT.search(Path(claim.own[-1]).stem)
        rank = (sure, file.date, int(counted[1] or counted[2]) if counted else 0, file.where)
        digest = sha256(data).hexdigest()
        candidate = Candidate(problem, suffix, claim, number, rank, file.where, file.date, self._kept(data), digest)
        for owner in owners:
            owner.candidates.append(candidate)

    def _kept(self, data: bytes) -> Path:
        """Put the content of a file aside."""
        place = self.parts / str(next(self._places))
        place.write_bytes(data)
        return place


def _of_nobody(platform: str) -> str:
    """Why an answer is left out whose place tells no student."""
    if platform in ("folder", "google"):
        return "does not tell whose it is; put it into a folder with the student's name"
    return f"is in no place where {platform.title()} puts a submission; collect it by itself"


def _loose(name: str) -> str:
    """A name to compare where nothing else tells students apart: without case, blanks and signs between the words."""
    return " ".join(re.findall(r"[^\W_]+", unicodedata.normalize("NFC", name).casefold())) or name


def _text(data: bytes) -> str:
    """The text, in the encoding that its first bytes show, else in UTF-8. It is only looked at for names."""
    return data.decode(json.detect_encoding(data), errors="replace")


def _together(archives: Sequence[Path], labels: Sequence[str]) -> list[list[tuple[Path, str]]]:
    """The archives, with the parts of one download of Google Drive in one list."""
    found: dict[tuple, list[tuple[Path, str]]] = {}
    for archive, label in zip(archives, labels):
        stem = re.sub(r"\s*\([0-9]+\)$", "", archive.stem)
        part = re.fullmatch(r"(.+)-\d{3}", stem)
        key = (archive.parent, part[1]) if part and DOWNLOAD.fullmatch(stem) else (archive, shown(label), len(found))
        found.setdefault(key, []).append((archive, label))
    return list(found.values())
