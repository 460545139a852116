"""Ratios that the README quotes: `make bench`. Both sides of each ratio are measured in this one run."""

import copy
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import peft
import torch

from desk import pair
from grader import stubs
from grader.problems import PROBLEMS, ROOT
from lab import checkpoint, data, world
from lab.measure import next_token_loss
from solutions.lora import inject_lora

sys.path.insert(0, str(Path(__file__).parent))
import loading  # noqa: E402  the benchmarks beside this one
import room  # noqa: E402

LINEAR_LAYERS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return time.perf_counter() - started


CHECK = [sys.executable, "-m", "pytest", "tests/problems", "-qq", "--no-header", "--tb=no", "-rN", "--disable-plugin-autoload",
         "-p", "no:unraisableexception"]  # fmt: skip  as `make check` runs it


def grading_time(rounds: int = 5) -> None:
    """`make check` with all solved, against the time to import torch and pytest, by what has changed since it ran last."""
    with tempfile.TemporaryDirectory() as folder:
        notebooks, kept = Path(folder, "notebooks"), Path(folder, "store")
        notebooks.mkdir()
        for problem in PROBLEMS.values():
            notebook = pair.read(problem.notebook_path(".ipynb"))
            stubs.put(notebook, problem, stubs.solved)
            for suffix in pair.SUFFIXES:
                pair.save_half(notebook, problem.notebook_path(suffix, notebooks))
        check = [*CHECK, "--notebooks", str(notebooks), "--store", str(kept)]
        seconds(check)
        times = {"nothing changed": [], "one problem changed": [], "everything anew": []}
        imports = []
        for _ in range(rounds):
            imports.append(seconds([sys.executable, "-c", "import torch, pytest"]))
            for changed, measured in zip(("none", "lora", "*"), times.values()):
                for verdict in kept.glob(f"verdict-{changed}-*"):
                    verdict.unlink()
                measured.append(seconds(check))
    base = median(imports)
    print(f"importing torch and pytest: {base:.2f} s")
    for name, measured in times.items():
        print(f"make check, all solved, {name}: {median(measured):.2f} s = {median(measured) / base:.2f} x that")


def step_time(rounds: int = 60) -> None:
    """One training step of our LoRA, of PEFT's and of full fine-tuning, in turns on the same batch."""
    model, tokenizer = checkpoint.load()
    batch = data.chat_batch(tokenizer, world.split()[0][:32])
    ours, theirs, full = (copy.deepcopy(model).train() for _ in range(3))
    inject_lora(ours, LINEAR_LAYERS, rank=8, alpha=16)
    config = peft.LoraConfig(r=8, lora_alpha=16, target_modules=LINEAR_LAYERS)
    for parameter in theirs.parameters():
        parameter.requires_grad_(False)
    theirs = peft.inject_adapter_in_model(config, theirs)
    runs = {"ours": ours, "peft": theirs, "full": full}
    steppers = {name: stepper(module, batch) for name, module in runs.items()}
    times = {name: [] for name in runs}
    for _ in range(rounds):
        for name, step in steppers.items():
            started = time.perf_counter()
            step()
            times[name].append(time.perf_counter() - started)
    middle = {name: median(values[5:]) for name, values in times.items()}
    print(f"one training step: LoRA {1000 * middle['ours']:.1f} ms = {middle['ours'] / middle['peft']:.2f} x PEFT's, "
          f"{middle['ours'] / middle['full']:.2f} x full fine-tuning")  # fmt: skip


def stepper(model, batch):
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4)

    def step():
        optimizer.zero_grad()
        next_token_loss(model, batch).backward()
        optimizer.step()

    return step


if __name__ == "__main__":
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    step_time()
    grading_time()
    loading.main()
    if shutil.which("bwrap"):
        room.main([20, 400])
