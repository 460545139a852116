"""Grading on a real Dask cluster on this machine: a scheduler and two workers, one of which is killed half way."""

import json
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

from classroom import room
from classroom.grading import runner
from classroom.incoming.collect import collect
from grader import bank
from grader.problems import PROBLEMS
from grader.verdict import PUBLIC_SEED
from tests.conftest import needs_dask, needs_sandbox

pytestmark = needs_dask
LORA = PROBLEMS["lora"]


@contextmanager
def process(*command):
    started = subprocess.Popen(
        [sys.executable, "-m", *map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield started
    finally:
        started.kill()
        started.wait()


@pytest.fixture
def collected(tmp_path):
    reference = LORA.reference.read_text(encoding="utf-8")
    for number, mistake in enumerate(list(bank.known_mistakes(LORA).values())[:10]):
        folder = tmp_path / "in" / f"student{number:02d}"
        folder.mkdir(parents=True)
        (folder / "08_problem_lora.py").write_text(f"{reference}\n\n{mistake.source}", encoding="utf-8")
    return collect([tmp_path / "in"], tmp_path / "all")


@needs_sandbox
def test_a_worker_that_is_killed_changes_no_grade(collected, tmp_path, monkeypatch):
    room.grade(collected, tmp_path / "here", room.Stated(["lora"], seed=PUBLIC_SEED), jobs=2)
    file = tmp_path / "scheduler.json"
    worker = ("distributed.cli.dask_worker", "--scheduler-file", file, "--nthreads", 1, "--no-nanny", "--no-dashboard",
              "--host", "127.0.0.1", "--local-directory", tmp_path)  # fmt: skip
    scheduler = ("distributed.cli.dask_scheduler", "--scheduler-file", file, "--host", "127.0.0.1", "--port", 0, "--no-dashboard")
    with process(*scheduler), process(*worker) as victim, process(*worker):
        while not file.exists():
            time.sleep(0.05)
        address = json.loads(file.read_text())["address"]
        _wait_for_workers(address, 2)
        graded = runner.run

        def run(jobs, out, executor, workers, unsafe, tell):
            def tell_and_kill(count):
                tell(count)
                if count == 4:
                    victim.send_signal(signal.SIGKILL)

            return graded(jobs, out, executor, workers, unsafe, tell_and_kill)

        monkeypatch.setattr(runner, "run", run)
        room.grade(collected, tmp_path / "there", room.Stated(["lora"], seed=PUBLIC_SEED), scheduler=address)
        assert victim.wait() == -signal.SIGKILL
    assert (tmp_path / "there" / "gradebook.csv").read_bytes() == (tmp_path / "here" / "gradebook.csv").read_bytes()


def _wait_for_workers(address: str, count: int) -> None:
    from distributed import Client

    with Client(address) as client:
        client.wait_for_workers(count)


def test_a_scheduler_that_does_not_answer_is_a_sentence(collected, tmp_path, monkeypatch):
    monkeypatch.setattr(room, "ANSWER_LIMIT", 0.5)
    with pytest.raises(runner.GradeError, match="No Dask scheduler answers at tcp://127.0.0.1:9"):
        room.grade(collected, tmp_path / "out", room.Stated(["lora"]), scheduler="tcp://127.0.0.1:9")
