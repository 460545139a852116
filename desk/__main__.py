"""The course's commands: `python -m desk COMMAND`, or `course COMMAND`. They serve the notebooks of whoever types them.

check    grade your notebooks: what is solved, what is next
watch    the same, each time you save; q quits
quiz     answer ten questions; `quiz --topic lora --exam` chooses
coach    before an interview: `coach plan`, `coach drill`, `coach interview`, `coach progress`; `coach --help` tells more
lab      open the course in JupyterLab, after bringing the halves of all notebooks in step. Takes JupyterLab's options
real     fetch a real language model (93 MB), once; notebook 9 needs it
reset    list the backups; `reset lora inject_lora` blanks one stub, `reset --back NAME` brings a backup back
update   take a new edition and carry your work over. `update FROM` names a folder, a zip, or a branch such as origin/main

Where a class shares one installation:
start    make a folder of your own; `start FOLDER` says where. Without this, the other commands make ~/finetuning
hub      what JupyterHub starts for a student
share    for the owner of the installation: make it ready for all

For whoever publishes the course:
address  `address https://github.com/NAME/REPO`: where notebooks can be opened and installed from, in all of them

Exit status 0: done; 2: it cannot be done, and why.
"""

import os
import subprocess
import sys
from pathlib import Path

from desk import place

FIRST = "01_supervised_finetuning.ipynb"
CHECK = "pytest -qq --no-header --tb=no -rN --disable-plugin-autoload -p no:unraisableexception -p no:cacheprovider".split()


def main(arguments: list[str]) -> int:
    from desk import update

    try:
        match arguments:
            case [name, *options] if name in COMMANDS:
                return COMMANDS[name](_folder(place.own(), renew=name == "lab"), options)
            case ["hub", *options]:
                own = place.own()  # whoever owns the course is a student here, too
                return hub(_folder(place.usual() if own == place.COURSE else own, renew=True), options)
            case ["start", *where] if _is_one_at_most(where):
                return start(*where)
            case ["update", *where] if _is_one_at_most(where):
                return new_edition(*where)
            case ["share"]:
                return share()
            case ["address", *url] if _is_one_at_most(url):
                return address(*url)
    except (update.NoUpdate, OSError) as error:
        print(_sentence(error), file=sys.stderr)
        return 2
    is_question = arguments[-1:] in ([], ["help"], ["--help"], ["-h"])
    print(__doc__, file=sys.stdout if is_question else sys.stderr)
    return 0 if is_question else 2


def _is_one_at_most(given: list[str]) -> bool:
    """Whether a command that takes one name has got it or none. An option is no name: `start --help` makes no folder."""
    return len(given) < 2 and not any(one.startswith("-") for one in given)


def command() -> int:
    """The program `course`."""
    return main(sys.argv[1:])


def _sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"This cannot be done: {error.strerror}, at {error.filename}."
    return str(error)


# --- the student's folder -----------------------------------------------------------------------


def _folder(folder: Path, renew: bool = False) -> Path:
    """The folder, after it was made if it is a student's and not there.

    Args:
        renew: a new edition of the course comes into it, too.
    """
    from desk import start, update

    is_there = folder == place.COURSE or place.edition_file(folder).exists()
    if not is_there:
        _tell(start.begin(folder))
    elif folder != place.COURSE:
        try:
            if renew:
                _tell(start.begin(folder))
            elif update.changed(folder):
                _tell(["There is a new edition of the course. It comes, with your work carried over, by: make update"])
        except (
            update.NoUpdate,
            OSError,
        ) as error:  # a notebook that cannot be read, a full disk: JupyterLab is where it is mended
            _tell([_sentence(error)])
    return folder


def start(where: str = "") -> int:
    """Make a student's folder, or bring it to the edition of the course."""
    from desk import start as making

    own = place.own()
    folder = Path(os.path.expanduser(where)).absolute() if where else place.usual() if own == place.COURSE else own
    said = making.begin(folder) or ["This is the edition that you have already."]
    _tell([*said, "" if place.of(Path.cwd()) == folder else f"Go there: cd {folder}", "Open JupyterLab: make lab"])
    return 0


def _environment(folder: Path) -> dict[str, str]:
    """What a program is given, so that it and all that it starts serve this folder."""
    if folder == place.COURSE:
        return dict(os.environ)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    # Many share the machine, and the tiny model is no faster with more threads.
    return {"OMP_NUM_THREADS": "1"} | os.environ | {place.VARIABLE: str(folder), "PATH": path}


def _run(folder: Path, *words: str) -> int:
    """Run a module of this Python in a folder."""
    try:
        return subprocess.run([sys.executable, "-m", *words], cwd=folder, env=_environment(folder)).returncode
    except KeyboardInterrupt:  # Ctrl-C reaches both, and the other has said what there is to say
        return 0


def _tell(sentences: list[str]) -> None:
    if any(sentences):
        print("\n".join(filter(None, sentences)), flush=True)


# --- commands -----------------------------------------------------------------------------------


def check(folder: Path, options: list[str]) -> int:
    tests = place.COURSE / "tests" / "problems"
    if not tests.is_dir():  # of a copy that the instructor grades
        return _run(folder, "grader")
    settings = place.COURSE / "pyproject.toml" if place.is_a_copy() else os.devnull  # nor those of a folder above
    return _run(folder, *CHECK, str(tests), "--rootdir", str(place.COURSE), "-c", str(settings), *options)


def watch(folder: Path, options: list[str]) -> int:
    is_there = (place.COURSE / "grader" / "watch.py").exists()
    return _run(folder, "grader.watch", *options) if is_there else check(folder, [])


def quiz(folder: Path, options: list[str]) -> int:
    return _run(folder, "quiz", *options)


def coach(folder: Path, options: list[str]) -> int:
    if not (place.COURSE / "coach").is_dir():
        print("The copy that a class is given has no coach.", file=sys.stderr)
        return 2
    return _run(folder, "coach", *options)


def real(folder: Path, options: list[str]) -> int:
    return _run(folder, "lab.smollm2", *options)


def reset(folder: Path, options: list[str]) -> int:
    return _run(folder, "grader.reset", *options)


def lab(folder: Path, options: list[str]) -> int:
    """Start JupyterLab in a folder, after bringing its notebooks in step."""
    from desk import pair, server

    for notebook in sorted({path.with_suffix(".ipynb") for path in (folder / "notebooks").glob("[0-9]*.*")}):
        try:
            said = pair.bring_in_step(notebook)
        except (pair.Unreadable, OSError) as error:
            said = f"{notebook.name}: {error}"
        if said:
            print(f"Note: {said}")
    try:
        server.install()
    except OSError:  # the environment belongs to somebody else
        options = [*server.OPTIONS, *options]
    if not any("default_url" in option for option in options):
        options = [*options, f"--LabApp.default_url=/lab/tree/notebooks/{FIRST}"]
    if hasattr(os, "geteuid") and os.geteuid() == 0 and "--allow-root" not in options:
        print(
            "You are the user root, so JupyterLab is started with --allow-root: what runs in a notebook may change the whole system."
        )
        options = [*options, "--allow-root"]
    return _run(folder, "jupyter", "lab", *options)


def hub(folder: Path, options: list[str]) -> int:
    """Become the server that JupyterHub has asked for, in a student's folder."""
    from desk import server

    where = [f"--ServerApp.root_dir={folder}", f"--ServerApp.default_url=/lab/tree/notebooks/{FIRST}"]
    words = [sys.executable, "-m", "jupyterhub.singleuser", *server.OPTIONS, *where, *options]
    os.chdir(folder)
    os.execve(sys.executable, words, _environment(folder))  # JupyterHub stops the process that it has started


COMMANDS = {"check": check, "watch": watch, "quiz": quiz, "coach": coach, "lab": lab, "real": real, "reset": reset}


def new_edition(source: str = "") -> int:
    """Update the course, or a student's folder from the course, and tell what was done."""
    from desk import update

    folder = place.own()
    try:
        if folder != place.COURSE:
            from desk import start

            if source:
                raise update.NoUpdate(
                    f"Your notebooks follow the course in {place.COURSE}. A new edition comes from there: make update"
                )
            said = start.begin(folder) or ["This is the edition that you have already."]
        elif source and (Path(source).exists() or source.endswith(".zip")):
            said = update.from_copy(place.COURSE, Path(source))
        else:
            said = update.from_git(place.COURSE, source)
    except (update.NoUpdate, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    print("\n".join([*said, "If a notebook is open in JupyterLab, reload it from disk."]))
    return 0


def share() -> int:
    """Make an installation ready for a class, and tell what its owner should know."""
    from desk.share import share

    _tell(share())
    return 0


def address(url: str = "") -> int:
    """Put the address where the course is published into it, and tell what was done."""
    from desk import elsewhere, pair

    try:
        _tell(elsewhere.set_address(url))
    except (elsewhere.NoAddress, pair.Unreadable) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
