"""Archives made to do harm."""

import os
import stat
import struct
import zipfile
import zlib

import pytest

from classroom.incoming import archives as limits
from classroom.incoming.collect import collect
from tests.zips import GOOD, MOODLE, files, member, only, put, reasons, refusals, zip_bytes, zip_of

posix = pytest.mark.skipif(os.name != "posix", reason="Windows has no such files")


def refused(place, *members, name="a.zip"):
    """Collect a zip of these members and a good one. Returns the reasons; the good file must have arrived."""
    archive = zip_of(place / "in" / name, *members, ("ann li/06_problem_sft.py", "good"))
    collection = collect([archive], place / "out")
    assert files(place / "out") == {"ann-li/06_problem_sft.py": "good"}
    return reasons(collection)


@pytest.mark.parametrize(
    "name, why",
    [
        ("../../evil_06_problem_sft.py", "“..”"),
        ("bob/../../06_problem_sft.py", "“..”"),
        ("bob/./06_problem_sft.py", "“.”"),
        ("bob//06_problem_sft.py", "“”"),
        ("/etc/evil_06_problem_sft.py", "absolute"),
        ("C:/evil_06_problem_sft.py", "absolute"),
        ("C:evil_06_problem_sft.py", "absolute"),
        ("bob\\06_problem_sft.py", "backslash"),
        ("bob\n06_problem_sft.py", "control"),
        ("bob\x1b[2J06_problem_sft.py", "control"),
        ("b" * 201 + "_06_problem_sft.py", "200 letters"),
        ("AUX/06_problem_sft.py", "device"),
        ("bob/con.py", "device"),
        ("com1 .06_problem_sft.py", "device"),
        (".git/../../06_problem_sft.py", "“..”"),
    ],
)
def test_hostile_names(place, name, why):
    found = refused(place, (name, "bad"))
    (where,) = found
    assert why in found[where]
    assert where.isprintable() and where.startswith("a.zip/")


def test_a_name_with_nul(place):
    archive = zip_of(place / "in" / "a.zip", ("bob@06_problem_sft.py", "bad"), (GOOD, "good"))
    archive.write_bytes(archive.read_bytes().replace(b"bob@", b"bob\0"))
    collection = collect([archive], place / "out")
    assert "control characters" in reasons(collection)["a.zip/bob\\x0006_problem_sft.py"]
    assert files(place / "out") == {"ann-li-8/06_problem_sft.py": "good"}


@pytest.mark.parametrize("kind, why", [(stat.S_IFLNK, "link"), (stat.S_IFIFO, "regular"), (stat.S_IFCHR, "regular")])
def test_links_and_special_files_in_a_zip(place, kind, why):
    found = refused(place, (member("bob/06_problem_sft.py", mode=kind | 0o777), "/etc/passwd"))
    assert why in found["a.zip/bob/06_problem_sft.py"]


@posix
def test_links_and_pipes_in_a_folder(place):
    secret = put(place / "in", "secret/06_problem_sft.py", "secret")
    put(place / "in", "class/ann/06_problem_sft.py", "a")
    os.symlink(secret, place / "in/class/bob_06_problem_sft.py")
    os.symlink(secret.parent, place / "in/class/carla")
    os.symlink(place / "in/class", place / "in/class/ann/round")
    os.mkfifo(place / "in/class/dan_06_problem_sft.py")
    collection = collect([place / "in" / "class"], place / "out")
    assert files(place / "out") == {"ann/06_problem_sft.py": "a"}
    link = "is a link, and links are not followed"
    assert reasons(collection) == {
        "class/ann/round": link,
        "class/bob_06_problem_sft.py": link,
        "class/carla": link,
        "class/dan_06_problem_sft.py": "is no regular file",
    }


@posix
def test_a_file_that_becomes_a_link_is_not_read(place):
    secret, path = put(place / "in", "secret.py", "secret"), put(place / "in", "class/ann.py")
    (file,) = limits.folder(place / "in" / "class", "class", lambda where, why: None)
    path.unlink()
    path.symlink_to(secret)
    with pytest.raises(limits.Refused):
        file.read()


@posix
def test_names_on_disk_are_looked_at_too(place):
    put(place / "in", "bob\n06_problem_sft.py")
    put(place / "in", "nul/06_problem_sft.py")
    put(place / "in", "mia_06_problem_sft.py")
    found = reasons(collect([place / "in"], place / "out"))
    assert found == {"in/bob\\x0a06_problem_sft.py": "has control characters in its name", "in/nul": "has the name of a Windows device"}


def test_encrypted_members(place):
    archive = zip_of(place / "in" / "a.zip", ("bob/06_problem_sft.py", "bad"))
    data = bytearray(archive.read_bytes())
    data[6] |= 1  # in the local header
    data[data.index(b"PK\1\2") + 8] |= 1  # in the list of files
    archive.write_bytes(data)
    assert "encrypted" in refusals(place, archive)["a.zip/bob/06_problem_sft.py"]


def test_a_packing_method_that_could_flood_the_memory(place):
    info = member("bob/06_problem_sft.py")
    info.compress_type = zipfile.ZIP_LZMA
    assert "packed by a method" in refused(place, (info, "x"))["a.zip/bob/06_problem_sft.py"]


def with_header(archive, offset_local, offset_central, value):
    """Overwrite four bytes in both headers of the zip's first member."""
    data = bytearray(archive.read_bytes())
    for position in (offset_local, data.index(b"PK\1\2") + offset_central):
        struct.pack_into("<I", data, position, value)
    archive.write_bytes(data)


@pytest.mark.parametrize("claimed", [1, 5_000_000])
def test_a_size_that_is_not_as_claimed(place, claimed):
    content = b"def collate(): ...\n" * 100
    archive = zip_of(place / "in" / "a.zip", ("bob/06_problem_sft.py", content))
    with_header(archive, 22, 24, claimed)
    found = refusals(place, archive)
    assert found == {"a.zip/bob/06_problem_sft.py": f"claims {claimed:,} bytes and has 1,900"}


def test_a_file_that_claims_to_be_too_large_costs_no_time(place):
    archive = zip_of(place / "in" / "a.zip", ("bob/06_problem_sft.py", "x"))
    with_header(archive, 22, 24, 20_000_001)
    assert refusals(place, archive) == {"a.zip/bob/06_problem_sft.py": "is larger than 20 MB"}


def test_a_checksum_of_the_claimed_bytes_hides_nothing(place):
    archive = zip_of(place / "in" / "a.zip", ("bob/06_problem_sft.py", b"def collate(): ...\n" * 100))
    with_header(archive, 22, 24, 4)
    with_header(archive, 14, 16, zlib.crc32(b"def "))
    with zipfile.ZipFile(archive) as naive:
        assert naive.read("bob/06_problem_sft.py") == b"def "
    assert list(refusals(place, archive)) == ["a.zip/bob/06_problem_sft.py"]


def test_a_file_that_is_too_large(place, monkeypatch):
    monkeypatch.setattr(limits, "LARGEST", 1_000_000)
    archive = zip_of(place / "in" / "a.zip", (MOODLE.format(name="Bob", id=9, rest="/06_problem_sft.py"), os.urandom(1_000_001)), (GOOD, "good"))
    put(place / "in", "f/carla/06_problem_sft.py", "x" * 1_000_001)
    collection = collect([archive, place / "in" / "f"], place / "out")
    assert files(place / "out") == {"ann-li-8/06_problem_sft.py": "good"}
    assert list(reasons(collection).values()) == ["is larger than 1 MB"] * 2


def test_the_limit_of_one_file_is_20_mb():
    assert (limits.LARGEST, limits.LARGEST_SUM, limits.MOST_FILES, limits.LARGEST_RATIO) == (20_000_000, 500_000_000, 20_000, 200)


def test_a_zip_bomb_by_its_ratio(place):
    assert "200 times" in refused(place, ("bob/06_problem_sft.py", b"\0" * 5_000_000))["a.zip/bob/06_problem_sft.py"]


def test_the_sum_counts_inner_zips_too(place, monkeypatch):
    monkeypatch.setattr(limits, "LARGEST_SUM", 3_100_000)
    noise = os.urandom(1_000_000)
    names = [f"a{number}_{number}_assignsubmission_file_/06_problem_sft.py" for number in range(2)]
    inner = zip_bytes(("06_problem_sft.py", noise))
    archive = zip_of(place / "in" / "a.zip", *((name, noise) for name in names), ("b_3_assignsubmission_file_/hw.zip", inner))
    collection = collect([archive], place / "out")
    assert set(files_names(place / "out")) == {f"a{n}-{n}/06_problem_sft.py" for n in range(2)}
    assert "unpacks to more than 3 MB" in next(iter(reasons(collection).values()))


def files_names(out):
    return [path.relative_to(out).as_posix() for path in out.rglob("*.py")]


def test_too_many_members(place, monkeypatch):
    monkeypatch.setattr(limits, "MOST_FILES", 5)
    many = zip_bytes(*((f"{number}.txt", "") for number in range(6)))
    archive = zip_of(place / "in" / "a.zip", (MOODLE.format(name="Bo", id=1, rest="/hw.zip"), many), (GOOD, "good"))
    collection = collect([archive], place / "out")
    assert "more than 5 files" in reasons(collection)[f"a.zip/{MOODLE.format(name='Bo', id=1, rest='/hw.zip')}"]
    assert files(place / "out") == {"ann-li-8/06_problem_sft.py": "good"}


def test_a_list_of_files_that_is_too_long_is_not_even_read(place, monkeypatch):
    monkeypatch.setattr(limits, "_LARGEST_DIRECTORY", 300)
    monkeypatch.setattr(zipfile.ZipFile, "infolist", lambda self: pytest.fail("it was read"))
    archive = zip_of(place / "in" / "a.zip", *((f"{number}.txt", "") for number in range(9)))
    assert "more than 20,000 files" in refusals(place, archive)["a.zip"]


def test_overlapping_members(place):
    """Two entries of the list of files point to one local header."""
    archive = zip_of(place / "in" / "a.zip", ("bo1/06_problem_sft.py", "x"), ("bo2/06_problem_sft.py", "x"), (GOOD, "good"))
    data = bytearray(archive.read_bytes())
    second = data.index(b"PK\1\2", data.index(b"PK\1\2") + 4)
    data[second + 42 : second + 46] = struct.pack("<I", 0)
    archive.write_bytes(data)
    collection = collect([archive], place / "out")
    assert files(place / "out") == {"ann-li-8/06_problem_sft.py": "good"}
    assert all("zip bomb" in why for why in reasons(collection).values()) and len(reasons(collection)) == 2


@pytest.mark.parametrize("cut", [0, 10, 60, -10, -60])
def test_what_is_no_whole_zip(place, cut):
    data = zip_bytes(("bob/06_problem_sft.py", "x" * 300), ("carla/06_problem_sft.py", "y"))
    (place / "in" / "a.zip").write_bytes(data[:cut])
    good = put(place / "in", "f/ann/06_problem_sft.py", "good")
    (good.parent / "hw.zip").write_bytes(data[:cut] or b"Rar!")
    collection = collect([place / "in" / "a.zip", place / "in" / "f"], place / "out")
    assert files(place / "out") == {"ann/06_problem_sft.py": "good"}
    assert all("no zip file, or a part of it is missing" in reasons(collection)[where] for where in ("a.zip", "f/ann/hw.zip"))


def test_damaged_bytes(place):
    archive = zip_of(place / "in" / "a.zip", ("bob/06_problem_sft.py", os.urandom(500)))
    data = bytearray(archive.read_bytes())
    data[120] ^= 0xFF
    archive.write_bytes(data)
    assert "is damaged" in refusals(place, archive)["a.zip/bob/06_problem_sft.py"]


@pytest.mark.parametrize("flag", [True, False])
def test_names_in_utf8_with_and_without_saying_so(place, flag):
    archive = zip_of(place / "in" / "a.zip", ("Jörg_06_problem_sft.py", "x"))
    if not flag:
        data = bytearray(archive.read_bytes())
        data[7] &= ~8
        data[data.index(b"PK\1\2") + 9] &= ~8
        archive.write_bytes(data)
    assert only(collect([archive], place / "out")).name == "Jörg"


def test_names_in_cp437(place):
    archive = zip_of(place / "in" / "a.zip", ("J@rg_06_problem_sft.py", "x"))
    archive.write_bytes(archive.read_bytes().replace(b"J@rg", "Jörg".encode("cp437")))
    assert only(collect([archive], place / "out")).name == "Jörg"


def test_a_month_that_does_not_exist(place):
    archive = zip_of(place / "in" / "a.zip", (member("ann/06_problem_sft.py", (1980, 1, 1, 0, 0, 0)), "x"))
    data = archive.read_bytes()
    archive.write_bytes(data.replace(struct.pack("<HH", 0, 33), b"\0\0\0\0"))
    assert only(collect([archive], place / "out")).name == "ann"
