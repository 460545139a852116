"""A new edition of the course, with the learner's work carried over.

The new edition comes from the remote of the git clone, from a folder or a zip that somebody hands out, or from the course that a
class shares. What the learner has written is what is not in the old edition (`desk.edition`). It is put into the new notebooks at its place. Where the
course has changed the same cell, both versions are kept and named. Before anything is written, all that is replaced goes to
the backups.
"""

import contextlib
import json
import shutil
import subprocess
import tempfile
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path, PurePosixPath

from desk import backups, edition, pair, place
from desk.files import write

NOT_TAKEN = (".venv", ".git", backups.KEPT, "__pycache__", ".ipynb_checkpoints")  # of a folder that is handed out
ALIKE = 0.5  # of difflib's ratio: from here on two texts are two versions of one cell


class NoUpdate(Exception):
    """The update cannot be made, and nothing was changed. The message says why and what to do."""


@dataclass
class Carried:
    """A notebook of the new edition with the learner's work in it.

    Attributes:
        notebook: the notebook.
        own: how many cells of the learner's are in it.
        conflicts: a sentence for each cell that both have changed.
    """

    notebook: object
    own: int = 0
    conflicts: list[str] = field(default_factory=list)


# --- one notebook -------------------------------------------------------------------------------


def carry(mine, new, old_marks: list[str]) -> Carried:
    """Put what a learner has written into the new edition of a notebook.

    Args:
        mine: the learner's notebook.
        new: the notebook of the new edition. It is changed.
        old_marks: the cells of the edition from which the learner began, as `edition.mark` gives them.
    """
    carried = Carried(new)
    marks = [edition.mark(cell) for cell in mine.cells]
    was = _versions(old_marks, marks)
    fresh = {edition.mark(cell): cell for cell in reversed(new.cells)}  # the first of several
    left, here = Counter(old_marks), None  # here: the cell of the new notebook behind which the next one belongs
    for index, cell in enumerate(mine.cells):
        left[marks[index]] -= 1
        if left[marks[index]] >= 0 or not cell.source.strip():
            here = fresh.get(marks[index], here)
            continue
        carried.own += 1
        stub = _stub(cell)
        home = next((other for other in new.cells if stub and _stub(other) == stub), None)
        unchanged = home is not None and edition.mark(home) in old_marks
        if home is None and was[index] in fresh:
            home = fresh[was[index]] if _alike(fresh[was[index]], cell) else None
            unchanged = True
        if home is not None:
            if not unchanged and edition.mark(home) != marks[index]:
                new.cells.insert(_index(new, home), _quoted(home))
                carried.conflicts.append(f"the stub {stub}: the course has changed its text, which now stands above your code")
            home.source = cell.source
            if cell.cell_type == "code" and home.cell_type == "code":
                home.outputs, home.execution_count = cell.outputs, cell.execution_count
            here = home
            continue
        if was[index] is not None and was[index] not in fresh:  # in the place of a cell that the course has changed or removed
            carried.conflicts.append(f"“{_first_line(cell)}”: the course has changed this cell; yours stands beside it")
        new.cells.insert(_index(new, here) + 1 if here is not None else 0, cell)
        here = cell
    return carried


def _versions(old_marks: list[str], marks: list[str]) -> list[str | None]:
    """For each cell of the learner's the mark of the old cell in whose place it stands, or None."""
    was: list[str | None] = [None] * len(marks)
    for kind, i1, i2, j1, j2 in SequenceMatcher(None, old_marks, marks, autojunk=False).get_opcodes():
        if kind == "replace":
            for old, index in zip(range(i1, i2), range(j1, j2)):
                was[index] = old_marks[old]
    return was


def _alike(one, other) -> bool:
    return one.cell_type == other.cell_type and SequenceMatcher(None, one.source, other.source).ratio() >= ALIKE


def _stub(cell) -> str | None:
    """The first tag that says that a cell is a stub."""
    return next((tag for tag in cell.metadata.get("tags", []) if tag.startswith("stub:")), None)


def _index(notebook, cell) -> int:
    return next(index for index, other in enumerate(notebook.cells) if other is cell)


def _quoted(cell):
    """A cell of the new edition as text to read."""
    import nbformat

    return nbformat.v4.new_markdown_cell(f"**New in this edition.** The stub below now reads:\n\n```python\n{cell.source}\n```")


def _first_line(cell) -> str:
    return cell.source.strip().splitlines()[0][:60]


# --- all notebooks ------------------------------------------------------------------------------


class Work:
    """What a learner has in the notebooks of a course, taken before a new edition comes."""

    def __init__(self, notebooks: Path, marks: dict[str, list[str]]):
        self.folder, self.marks = notebooks, marks
        self.texts = {path: path.read_bytes() for path in self._halves()}
        self.notebooks, self.kept = {}, []
        for name in sorted({path.stem for path in self.texts}):
            try:
                mine = pair.read(pair.choose(self.folder / f"{name}.ipynb").counts)
            except pair.Unreadable as error:
                raise NoUpdate(f"{error} `make reset` lists the backups.") from None
            if edition.own_cells(name, mine.cells, self.marks.get(name, [])):
                self.notebooks[name] = mine

    def _halves(self) -> list[Path]:
        return sorted(path for path in self.folder.glob("[0-9]*") if path.suffix in pair.SUFFIXES)

    def keep(self) -> None:
        """Copy what will be written over to the backups."""
        halves = [path for path in self.texts if path.stem in self.notebooks]
        self.kept = [backups.keep(path) for path in halves]

    def put_back(self) -> None:
        """Make all notebooks as they were."""
        for path, data in self.texts.items():
            write(path, data)

    def carry(self) -> list[str]:
        """Put the work into the notebooks that lie there now. Returns what was done, in sentences."""
        said = []
        for name in self.notebooks:
            if (self.folder / f"{name}.ipynb").exists():
                said += self.carry_into(name, self.folder)
                continue
            for half in (half for half in self.texts if half.stem == name):
                write(half, self.texts[half])
            said.append(f"{name}: the new edition has no such notebook. Yours is as it was.")
        return said + self.where()

    def carry_into(self, name: str, new: Path) -> list[str]:
        """Put the work in one notebook into that of the folder `new`, and write it. Returns what was done, in sentences."""
        path = self.folder / f"{name}.ipynb"
        carried = carry(self.notebooks[name], pair.read(new / path.name), self.marks.get(name, []))
        pair.save_half(carried.notebook, path)
        if path.with_suffix(".md").exists():
            pair.save_half(carried.notebook, path.with_suffix(".md"))
        pair.remember(path)
        said = f"{name}: {carried.own} {'cell' if carried.own == 1 else 'cells'} of yours carried over."
        return [said, *(f"  Look at {conflict}." for conflict in carried.conflicts)]

    def where(self) -> list[str]:
        """The sentence that says where the backups lie."""
        return [f"The notebooks as they were: {backups.named(self.kept[0].parent)}."] if self.kept else []


def _marks(file: Path) -> dict[str, list[str]]:
    """The cells of an edition, by notebook."""
    return json.loads(file.read_text(encoding="utf-8"))


# --- from the course that a class shares --------------------------------------------------------


def changed(folder: Path) -> dict[Path, list[str]]:
    """The notebooks of the course that are not those that a student's folder was given, and the cells of each.

    Raises:
        NoUpdate: a notebook of the course cannot be read.
    """
    given, found = _marks(place.edition_file(folder)), {}
    for path in sorted((place.COURSE / "notebooks").glob("[0-9]*.ipynb")):
        try:
            marks = edition.of_file(path)
        except ValueError as error:
            raise NoUpdate(f"{error}. Tell the owner of the course.") from None
        if given.get(path.stem) != marks or not (folder / "notebooks" / path.name).exists():
            found[path] = marks
    return found


def from_shared(folder: Path) -> list[str]:
    """Bring the notebooks of a student's folder to those of the course. Returns what was done, in sentences.

    A notebook that is not there is taken from the course. Each is written once, with the work in it, and then its cells are
    noted; so whoever goes on after a crash finds nothing lost and nothing doubled.
    """
    given, work, said = _marks(place.edition_file(folder)), None, []
    for path, marks in changed(folder).items():
        halves = [half for half in map(path.with_suffix, pair.SUFFIXES) if half.exists()]
        there = [half for half in halves if (folder / "notebooks" / half.name).exists()]
        if work is None and there:
            work = Work(folder / "notebooks", dict(given))
            work.keep()
        if there and path.stem in work.notebooks and not all(same(folder / "notebooks" / half.name, half) for half in there):
            said += work.carry_into(path.stem, path.parent)
        else:
            for half in halves:
                write(folder / "notebooks" / half.name, half.read_bytes())
            said.append(f"{path.stem}: as in the course.")
        given[path.stem] = marks
        write(place.edition_file(folder), (json.dumps(given, indent=1) + "\n").encode())
    return said + (work.where() if work else [])


def same(path: Path, other: Path) -> bool:
    """Whether two files hold the same bytes."""
    return path.exists() and other.exists() and path.read_bytes() == other.read_bytes()


# --- from a folder or a zip ---------------------------------------------------------------------


def from_copy(course: Path, source: Path) -> list[str]:
    """Take the edition in a folder or a zip. Files that are not in it stay. Returns what was done, in sentences.

    Raises:
        NoUpdate: it is no copy of the course, or cannot be read.
    """
    with contextlib.ExitStack() as stack:
        new = _unpacked(source, stack)
        work = Work(course / "notebooks", _marks(course / "desk" / "edition.json"))
        work.keep()
        replaced = _replace(course, new)
        said = [f"{replaced} files are new or changed."] if replaced else ["This is the edition that you have already."]
        return said + (work.carry() if replaced else [])


def _unpacked(source: Path, stack: contextlib.ExitStack) -> Path:
    """The folder of the course in a folder or a zip."""
    if not source.exists():
        raise NoUpdate(f"{source} does not exist. Check the spelling and the folder you are in.")
    folder = source
    if source.is_file():
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        try:
            with zipfile.ZipFile(source) as archive:
                archive.extractall(folder)  # Python leaves out what would lead outside
        except (zipfile.BadZipFile, OSError, RuntimeError) as error:
            raise NoUpdate(f"{source} cannot be unpacked: {error}.") from None
    for inner in [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]:
        if (inner / "notebooks").is_dir() and (inner / "desk" / "edition.json").is_file():
            return inner
    raise NoUpdate(
        f"{source} is no copy of the course: there is no folder `notebooks` with a file desk/edition.json beside it."
    )


def _replace(course: Path, new: Path) -> int:
    """Copy each file that differs, and tell how many. What is replaced is kept: notebooks by `Work`, all others here."""
    before = course / backups.KEPT / "before-update"
    same = (course / "desk" / "edition.json").read_bytes() == (new / "desk" / "edition.json").read_bytes()
    count = 0
    for path in sorted(path for path in new.rglob("*") if path.is_file()):
        inner = path.relative_to(new)
        target = course / inner
        if set(inner.parts) & set(NOT_TAKEN) or (target.exists() and target.read_bytes() == path.read_bytes()):
            continue
        is_notebook = inner.parts[0] == "notebooks"
        if is_notebook and same and target.exists():
            continue  # it differs by the learner's work alone
        if target.exists() and not is_notebook:
            (before / inner).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(target, before / inner)
        write(target, path.read_bytes())
        count += 1
    return count


# --- from git -----------------------------------------------------------------------------------


def from_git(course: Path, branch: str = "") -> list[str]:
    """Take the edition of a branch of a remote; without a name, of the one that this clone follows.

    Raises:
        NoUpdate: there is no such branch, it cannot be fetched, or files other than notebooks are in the way.
    """
    git = Git(course)
    branch = branch or git(
        "rev-parse",
        "--abbrev-ref",
        "@{upstream}",
        wrong="This clone follows no branch. Name one: make update FROM=origin/main.",
    )
    git("fetch", PurePosixPath(branch).parts[0], wrong="The new edition cannot be fetched.")
    new = git("rev-parse", "--verify", f"{branch}^{{commit}}", wrong=f"There is no branch {branch}.")
    if git("merge-base", "HEAD", new) == new:
        return _after_nbgitpuller(git, course, branch) or ["This is the newest edition already."]
    work = Work(course / "notebooks", _marks(course / "desk" / "edition.json"))
    work.keep()
    try:
        git("checkout", "HEAD", "--", "notebooks")
        _merge(git, branch)
    except NoUpdate:
        work.put_back()
        raise
    return [f"The course is now that of {branch} ({new[:8]}).", *work.carry()]


def _merge(git: "Git", branch: str) -> None:
    """Merge a branch. In the notebooks its version counts: the learner's is carried over afterwards."""
    try:
        git("merge", "--no-commit", "--no-ff", branch)
    except NoUpdate as refused:
        if not git.merging():
            raise NoUpdate(f"{refused} Put these changes aside (git stash), and run `make update` again.") from None
    git("checkout", branch, "--", "notebooks")
    others = git("diff", "--name-only", "--diff-filter=U")
    if others:
        git("merge", "--abort")
        raise NoUpdate(
            f"You and the course have changed the same lines of {', '.join(others.split())}. Merge them by hand: git merge {branch}."
        )
    git("commit", "--no-edit", "--no-verify", wrong="git could not commit the merge.", undo=("merge", "--abort"))


def _after_nbgitpuller(git: "Git", course: Path, branch: str) -> list[str]:
    """Bring what nbgitpuller has left out of the notebooks when it merged an edition. Returns what was done, in sentences.

    It merges line by line, and where both sides have changed the same lines, it takes the learner's: so cells of the course,
    and changes to them, can be missing.
    """
    if not git("log", "-1", "--format=%h", "--grep=^Automatic commit by nbgitpuller"):
        return []
    commits = git("log", "--format=%h", "--", "desk/edition.json").split()
    latest, *before = [json.loads(git("show", f"{commit}:desk/edition.json")) for commit in commits]
    if not before:
        return []
    known = {name: _all_marks([one.get(name, []) for one in (*before, latest)]) for name in latest}
    work, said = Work(course / "notebooks", known), []
    with tempfile.TemporaryDirectory() as new:
        for name in sorted(set(work.notebooks) & set(latest)):
            path = Path(new, f"{name}.ipynb")
            path.write_text(git("show", f"{branch}:notebooks/{name}.ipynb"), encoding="utf-8")
            whole, mine = carry(work.notebooks[name], pair.read(path), known[name]).notebook, work.notebooks[name]
            if list(map(edition.mark, whole.cells)) != list(map(edition.mark, mine.cells)):
                work.keep()
                said += work.carry_into(name, Path(new))
    return ["nbgitpuller had left out parts of this edition. They are there now.", *said, *work.where()] if said else []


def _all_marks(editions: list[list[str]]) -> list[str]:
    """The marks of the first edition in their order, and then those that only the others have."""
    found = list(editions[0])
    for marks in editions[1:]:
        found += (Counter(marks) - Counter(found)).elements()
    return found


class Git:
    """Runs git in a folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        if not shutil.which("git") or not (folder / ".git").exists():
            raise NoUpdate(f"{folder} is no git clone. Name the new copy: make update FROM=../course.zip")

    def __call__(self, *words: str, wrong: str = "git refused.", undo: tuple[str, ...] = ()) -> str:
        done = subprocess.run(
            ["git", *words], cwd=self.folder, capture_output=True, text=True, encoding="utf-8", errors="replace"
        )
        if done.returncode:
            if undo:
                self(*undo)
            said = " ".join((done.stderr or done.stdout).split())[:400]
            raise NoUpdate(f"{wrong} git says: {said}")
        return done.stdout.strip()

    def merging(self) -> bool:
        return (self.folder / self("rev-parse", "--git-path", "MERGE_HEAD")).exists()
