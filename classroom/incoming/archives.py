"""What lies in a zip file or a folder of strangers, read without trust.

Nothing is ever unpacked to the place that an archive names: a file is listed, and its bytes are given out. Whatever is
refused is told by its name, with a sentence, and the rest goes on. The sizes in a zip's headers are not believed.
"""

import calendar
import copy
import os
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

LARGEST = 20_000_000  # bytes of one file
LARGEST_SUM = 500_000_000  # bytes that one archive may unpack to
MOST_FILES = 20_000  # in one zip
LARGEST_RATIO = 200  # of the bytes unpacked to the bytes packed; text has 3 to 20
LONGEST_NAME = 200  # letters
_LARGEST_DIRECTORY = 10_000_000  # bytes of a zip's list of files: 20,000 entries have 2 to 4 million

_DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(\..*)?", re.IGNORECASE)
_LINK = "is a link, and links are not followed"
_IGNORED = {"__MACOSX", "__pycache__", "node_modules", "site-packages"}
_BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, ValueError, OverflowError, RuntimeError)


class Refused(Exception):
    """Why a file or an archive is not read: the end of a sentence that begins with its name."""


Refuse = Callable[[str, str], None]  # is told the name and the reason


@dataclass(frozen=True)
class File:
    """A file that may be read.

    path: folders and name inside the archive.
    where: the archive and the path, for messages.
    date: of its last change, in nanoseconds since 1970. A zip knows no time zone; its dates are taken as UTC.
    read: gives the bytes. Refused if that cannot be done within the limits.
    """

    path: tuple[str, ...]
    where: str
    date: int
    read: Callable[[], bytes]


class Budget:
    """The bytes that an archive, with the zips inside it, may still unpack to."""

    def __init__(self, left: int | None = None):
        self.left = LARGEST_SUM if left is None else left

    def take(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise Refused(f"was not read, since the archive unpacks to more than {_megabytes(LARGEST_SUM)}")


def printable(text: str) -> str:
    """The text without control characters, which a terminal would obey."""
    return "".join(letter if letter.isprintable() else f"\\x{ord(letter):02x}" for letter in text)


def shown(name: str) -> str:
    """A name as messages give it: printable, and not endless."""
    name = printable(name)
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"


def why_not(name: str) -> str | None:
    """Why a path is not accepted, as the end of a sentence. None if it is."""
    if any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        return "has control characters in its name"
    if "\\" in name:
        return "has a backslash in its name"
    if name.startswith("/") or re.match(r"[A-Za-z]:", name):
        return "has an absolute path"
    for part in name.rstrip("/").split("/"):
        if part in ("", ".", ".."):
            return f"has the part “{part}” in its path"
        if len(part) > LONGEST_NAME:
            return f"has a name of more than {LONGEST_NAME} letters"
        if _DEVICES.fullmatch(part):
            return "has the name of a Windows device"
    return None


def _is_ignored(path: tuple[str, ...]) -> bool:
    """Whether it is hidden or put there by a program: .git, .venv, .ipynb_checkpoints, __MACOSX."""
    return any(part.startswith(".") or part in _IGNORED for part in path)


def _megabytes(count: int) -> str:
    return f"{count // 1_000_000} MB"


# --- folders ------------------------------------------------------------------------------------


def folder(root: Path, label: str, refuse: Refuse) -> list[File]:
    """The files below a folder, sorted by path. Links are not followed."""
    found = []

    def failed(error: OSError) -> None:
        place = Path(error.filename).relative_to(root).as_posix()
        refuse(f"{label}/{place}", f"cannot be opened: {error.strerror}")

    for at, folders, names in os.walk(root, onerror=failed):
        inside = Path(at).relative_to(root).parts
        for name in sorted(folders + names):
            path, where = (*inside, name), "/".join((label, *map(shown, (*inside, name))))
            if _is_ignored(path) and not why_not(name):
                continue
            reason = why_not(name) or (_LINK if _is_link(Path(at, name)) else None)
            if reason:
                refuse(where, reason)
            elif name not in folders:
                found.append(file_on_disk(Path(at, name), path, where))
        folders[:] = [name for name in folders if not (why_not(name) or _is_ignored((name,)) or _is_link(Path(at, name)))]
    return sorted(found, key=lambda file: file.path)


def file_on_disk(place: Path, path: tuple[str, ...], where: str) -> File:
    return File(path, where, place.lstat().st_mtime_ns, lambda: _read_on_disk(place))


def _is_link(place: Path) -> bool:
    """Symbolic links, and the junctions of Windows."""
    info = place.lstat()
    return stat.S_ISLNK(info.st_mode) or getattr(info, "st_reparse_tag", 0) == 0xA0000003


def _read_on_disk(place: Path) -> bytes:
    """The bytes of a regular file. Should it have become a link or a pipe by now, nothing is opened or waited for."""
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        with open(os.open(place, flags), "rb") as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                raise Refused("is no regular file")
            data = stream.read(LARGEST + 1)
    except OSError as error:
        raise Refused(f"cannot be read: {error.strerror}") from None
    if len(data) > LARGEST:
        raise Refused(f"is larger than {_megabytes(LARGEST)}")
    return data


# --- zips ---------------------------------------------------------------------------------------


@contextmanager
def zipped(source: BinaryIO, label: str, budget: Budget, refuse: Refuse, above: tuple[str, ...] = ()) -> Iterator[list[File]]:
    """The files in a zip, sorted by path, to be read while it is open. `above` is put before each path.

    Refused if it is no zip, is cut off, or has too many files.
    """
    try:
        _check_directory(source)
        archive = zipfile.ZipFile(source)
    except Refused:
        raise
    except _BROKEN:
        raise Refused("is no zip file, or a part of it is missing; get it again") from None
    with archive:
        yield _members(archive, label, budget, refuse, above)


def _check_directory(source: BinaryIO) -> None:
    """Refused if the zip's list of files is too long to be read at all."""
    end = source.seek(0, os.SEEK_END)
    source.seek(max(0, end - 66_000))  # where the record of the directory begins, before a comment of at most 65,535 bytes
    tail = source.read()
    sizes = [int.from_bytes(tail[m.start() + 40 : m.start() + 48], "little") for m in re.finditer(b"PK\x06\x06", tail)]
    last = tail.rfind(b"PK\x05\x06")
    size = int.from_bytes(tail[last + 12 : last + 16], "little") if last >= 0 else 0
    if max([*sizes, 0 if size == 0xFFFFFFFF else size]) > _LARGEST_DIRECTORY:
        raise Refused(f"holds more than {MOST_FILES:,} files")


def _members(archive: zipfile.ZipFile, label: str, budget: Budget, refuse: Refuse, above: tuple[str, ...]) -> list[File]:
    infos = archive.infolist()
    if len(infos) > MOST_FILES:
        raise Refused(f"holds more than {MOST_FILES:,} files")
    overlapping = _overlapping(infos)
    found = []
    for index, info in enumerate(infos):
        name = _name(info)
        path, where = tuple(name.split("/")), f"{label}/{shown(name)}"
        reason = why_not(name)
        if not reason and (info.is_dir() or _is_ignored(path)):
            continue
        reason = reason or _why_not_member(info, index in overlapping)
        if reason:
            refuse(where, reason)
        else:
            found.append(File((*above, *path), where, _date(info), _reader(archive, info, budget)))
    return sorted(found, key=lambda file: file.path)


def _name(info: zipfile.ZipInfo) -> str:
    """The name as the archive has it. Some programs write UTF-8 without saying so; Python then reads it as cp437."""
    name = info.orig_filename
    if not info.flag_bits & 0x800:
        try:
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError:
            pass  # really cp437
    return name


def _why_not_member(info: zipfile.ZipInfo, overlaps: bool) -> str | None:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return _LINK
    if kind not in (0, stat.S_IFREG):
        return "is no regular file"
    if overlaps:
        return "shares its bytes with another file of the zip, as in a zip bomb"
    return None


def _overlapping(infos: list[zipfile.ZipInfo]) -> set[int]:
    """The members, by index, whose bytes in the zip overlap those of another one."""
    bad, end, owner = set(), 0, -1
    for index in sorted(range(len(infos)), key=lambda index: infos[index].header_offset):
        info = infos[index]
        if info.header_offset < end:
            bad |= {index, owner}
        # The local header has at least 30 bytes and the name.
        stop = info.header_offset + 30 + len(info.orig_filename) + info.compress_size
        if stop > end:
            end, owner = stop, index
    return bad


def _date(info: zipfile.ZipInfo) -> int:
    try:
        return calendar.timegm((*info.date_time, 0, 0, 0)) * 1_000_000_000
    except ValueError:  # month 0, which some programs write
        return calendar.timegm((1980, 1, 1, 0, 0, 0)) * 1_000_000_000


def _reader(archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: Budget) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            return _unpacked(archive, info, budget)
        except _BROKEN:
            raise Refused("is damaged; get it again") from None

    return read


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo, budget: Budget) -> bytes:
    if info.flag_bits & 0x41:
        raise Refused("is encrypted; ask for it without a password")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Refused("is packed by a method that is not read here; ask for an ordinary zip")
    if info.file_size > LARGEST:
        raise Refused(f"is larger than {_megabytes(LARGEST)}")
    generous = copy.copy(info)
    generous.file_size = LARGEST + 1  # else Python stops at the size that the header claims
    data = bytearray()
    with archive.open(generous) as stream:
        while chunk := stream.read(1 << 16):
            data += chunk
            budget.take(len(chunk))
            if len(data) > LARGEST:
                raise Refused(f"is larger than {_megabytes(LARGEST)}")
            # A ratio does no harm below a megabyte.
            if len(data) > max(LARGEST_RATIO * info.compress_size, 1_000_000):
                raise Refused(f"unpacks to more than {LARGEST_RATIO} times its size, as in a zip bomb")
    if len(data) != info.file_size:
        raise Refused(f"claims {info.file_size:,} bytes and has {len(data):,}")
    return bytes(data)
