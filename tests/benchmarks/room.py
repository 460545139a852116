"""How fast a room is graded, sandboxed, beside a kernel for each submission: `make bench`, or alone with counts:

    .venv/bin/python tests/benchmarks/room.py 20 2000
"""

import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
import psutil
from nbclient import NotebookClient

from classroom.grading import runner, sandbox
from grader import bank
from grader.problems import PROBLEMS

LORA = PROBLEMS["lora"]
SEED = 77
WORKERS = 2
# The same checks, in a kernel that is started for one submission, as notebook autograders do it.
IN_A_KERNEL = """
from grader import worker
from grader.checks import checks_of
code, cells = worker.Code(globals()), []
seen = {name: worker.observe(check.probe, code, cells, worker.seed_of(77, name)) for name, check in checks_of("lora").items()}
"""


def submissions(count: int) -> list[runner.Job]:
    """One in three is right, the others make one known mistake each."""
    reference = LORA.reference.read_text(encoding="utf-8")
    mistakes = [mistake.source for mistake in bank.known_mistakes(LORA).values()]
    jobs = []
    for number in range(count):
        text = reference + (f"\n\n{mistakes[number % len(mistakes)]}" if number % 3 else f"# {number}")
        jobs.append(runner.Job(f"s{number:05d}", "lora", (("lora.py", 1, text.encode()),), SEED, f"{number}"))
    return jobs


class Memory(threading.Thread):
    """The most memory that this process and all its children hold at once: proportional shares, in bytes."""

    def __init__(self):
        super().__init__(daemon=True)
        self.most, self.over = 0, threading.Event()

    def run(self):
        while not self.over.wait(0.5):
            total = 0
            for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
                try:
                    total += process.memory_full_info().pss
                except psutil.Error:
                    pass  # it has ended
            self.most = max(self.most, total)


def room(count: int) -> float:
    """Submissions graded a second, once all is prepared."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(WORKERS) as executor:
        started = time.perf_counter()
        results = runner.run(submissions(count), Path(folder), executor, WORKERS)
        rate = count / (time.perf_counter() - started)
    assert all((result["score"] == result["max_score"]) == (number % 3 == 0) for number, result in enumerate(results.values()))
    return rate


def kernels(count: int = 6) -> float:
    """The same with a kernel for each, two at a time, without a sandbox."""

    def one(job: runner.Job) -> None:
        cells = [nbformat.v4.new_code_cell(text) for text in (job.files[0][2].decode(), IN_A_KERNEL)]
        NotebookClient(nbformat.v4.new_notebook(cells=cells), kernel_name="python3").execute()

    jobs = [job for number, job in enumerate(submissions(3 * count)) if number % 3 == 0]
    with ThreadPoolExecutor(WORKERS) as executor:
        started = time.perf_counter()
        list(executor.map(one, jobs))
        return count / (time.perf_counter() - started)


def main(counts: list[int]) -> None:
    sandbox.check()
    memory = Memory()
    memory.start()
    started = time.perf_counter()
    runner.prepare(LORA, SEED)
    runner.grade_job(submissions(1)[0])
    print(f"prepared in {time.perf_counter() - started:.1f} s")
    rates = {count: room(count) for count in counts}
    memory.over.set()
    base = kernels()
    for count, rate in rates.items():
        print(f"{count} submissions: {rate:.1f} a second = {rate / base:.0f} x a kernel for each ({base:.2f} a second)")
    print(f"memory at most {memory.most / 2**30:.2f} GiB")
    runner.close()


if __name__ == "__main__":
    main([int(count) for count in sys.argv[1:]] or [20, 400])
