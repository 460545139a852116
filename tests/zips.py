"""Archives of submissions, as the tests make them, and what has become of them."""

import io
import zipfile

from classroom.incoming.collect import collect

MOODLE = "{name}_{id}_assignsubmission_file_{rest}"
GOOD = MOODLE.format(name="Ann Li", id=8, rest="/06_problem_sft.py")


def member(name, date=(2026, 5, 1, 10, 0, 0), mode=0):
    info = zipfile.ZipInfo(name, date)
    info.external_attr, info.compress_type = mode << 16, zipfile.ZIP_DEFLATED
    return info


def zip_of(path, *members):
    """A zip of (name or ZipInfo, content) pairs."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name if isinstance(name, zipfile.ZipInfo) else member(name), content)
    return path


def zip_bytes(*members):
    buffer = io.BytesIO()
    zip_of(buffer, *members)
    return buffer.getvalue()


def put(root, name, text="x"):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def files(out):
    """Paths and texts of all that lies in a collection, without the index."""
    found = {path.relative_to(out).as_posix(): path.read_text() for path in out.rglob("*") if path.is_file()}
    del found["collected.json"]
    return found


def reasons(collection):
    return {one["where"]: one["why"] for one in collection.unreadable}


def refusals(place, archive):
    """Collect an archive beside a good one, since nothing but bad files is an error. Returns the reasons."""
    good = put(place / "in", "good/mia_06_problem_sft.py", "good")
    return reasons(collect([archive, good.parent], place / "out"))


def only(collection):
    (student,) = collection.students
    return student
