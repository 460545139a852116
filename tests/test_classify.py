"""The classifier from the command line: what it learns, survives, predicts and keeps."""

import importlib
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import transformers
from filelock import FileLock
from safetensors.torch import load_file

from classify import report, training
from classify.__main__ import main
from tests.small_encoders import LEARN, METHODS, VALID, command, encoder, predicted, refused, report_of, table

HEAD = {"classifier.weight", "classifier.bias"}


@pytest.fixture(scope="module")
def trained(data, bases, tmp_path_factory) -> dict[tuple[str, str], Path]:
    """The folder of a training for each kind of encoder and each method."""
    folders = {}
    for kind, method in itertools.product(bases, METHODS):
        folders[kind, method] = tmp_path_factory.mktemp("trained") / f"{kind}-{method}"
        assert main(command(data, bases[kind], folders[kind, method], method)) == 0
    return folders

# --- learning --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ("roberta", "bert"))
@pytest.mark.parametrize("method", METHODS)
def test_each_method_learns_what_a_text_is_about(trained, kind, method):
    found = report_of(trained[kind, method])
    assert found["validation"]["majority"] < 0.6 and found["validation"]["accuracy"] > 0.85
    assert "accuracy   " in (trained[kind, method] / "report.txt").read_text()


@pytest.mark.parametrize("kind", ("roberta", "bert"))
def test_what_was_trained_is_saved_and_nothing_else(trained, bases, kind):
    names = {method: load_file(trained[kind, method] / "weights.safetensors").keys() for method in METHODS}
    inner = {f"backbone.encoder.encoder.layer.{n}." for n in range(2)}
    assert names["lora"] - HEAD == {
        f"{layer}attention.self.{part}.lora_{factor}" for layer in inner for part in ("query", "value") for factor in "AB"
    }
    assert names["adapters"] - HEAD == {
        f"{layer}{part}output.dense.adapter.{linear}.{kind}"
        for layer in inner for part in ("", "attention.") for linear in ("down", "up") for kind in ("weight", "bias")
    }  # fmt: skip
    assert all(name.endswith("bias") for name in names["bitfit"] - HEAD) and names["bitfit"] >= HEAD
    assert {name.removeprefix("backbone.encoder.") for name in names["full"] - HEAD} == {
        name.partition(".")[2] for name in load_file(bases[kind] / "model.safetensors") if name.startswith(f"{kind}.")
    }
    for method in METHODS:
        found = report_of(trained[kind, method])["parameters"]
        assert (found["trainable"] == found["total"]) == (method == "full")
        assert found["trainable"] == sum(
            tensor.numel() for tensor in load_file(trained[kind, method] / "weights.safetensors").values()
        )


@pytest.mark.parametrize("method", METHODS)
def test_the_encoder_is_trained_and_not_only_the_head(trained, bases, method):
    base = {
        f"backbone.encoder.{name.partition('.')[2]}": tensor
        for name, tensor in load_file(bases["bert"] / "model.safetensors").items()
    }
    moved = []
    for name, tensor in load_file(trained["bert", method] / "weights.safetensors").items():
        zero_at_first = name.endswith("lora_B") or ".up." in name
        start = base.get(name, torch.zeros_like(tensor) if zero_at_first else None)
        if start is not None and "key.bias" not in name:  # attention does not depend on this bias
            moved.append(bool((tensor - start).abs().max() > 1e-3))
    assert len(moved) >= 4 and sum(moved) > 0.9 * len(moved)

# --- a training that is stopped --------------------------------------------------------------------


def same_result(one: Path, other: Path) -> bool:
    first, second = (load_file(folder / "weights.safetensors") for folder in (one, other))
    losses = [[entry["val_loss"] for entry in report_of(folder)["history"]] for folder in (one, other)]
    return losses[0] == pytest.approx(losses[1], rel=1e-6) and all(
        torch.allclose(first[n], second[n], atol=1e-6) for n in first
    )


def test_a_killed_training_goes_on_to_the_same_result(data, bases, trained, tmp_path, capsys):
    """SIGKILL in the middle of epoch 3."""
    out = tmp_path / "out"
    code = (
        "import os, signal, sys; from classify import training; from classify.__main__ import main; step, count = training._step, []\n"
        "def killed(*given):\n"
        "    count.append(1)\n"
        "    if len(count) == 22: os.kill(os.getpid(), signal.SIGKILL)\n"  # an epoch has nine steps
        "    return step(*given)\n"
        "training._step = killed; main(sys.argv[1:])"
    )
    arguments = command(data, bases["roberta"], out)
    root = Path(__file__).parents[1]
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    stopped = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=root, env=environment, capture_output=True, text=True
    )
    assert stopped.returncode == -signal.SIGKILL and "epoch 2 of 10" in stopped.stdout and "epoch 3" not in stopped.stdout
    assert "--resume" in refused(arguments, capsys)
    assert "not finished" in refused(["--predict", data / "valid.csv", "--out", out], capsys)
    assert "another lr: 0.01, not 0.02." in refused([*arguments, "--lr", "0.02", "--resume"], capsys)
    assert main([*arguments, "--resume"]) == 0
    assert same_result(out, trained["roberta", "lora"]) and not (out / "state.pt").exists()


class Killed(BaseException):
    """In the place of a kill."""


MOMENTS = [
    ("training._step", 2),  # the name of a function, and at which of its calls the program stops
    ("training.torch.save", 1),
    ("training.torch.save", 3),
    ("saved.save_file", 1),
    *[("files.os.replace", number) for number in (3, 11, 12, 13, 14)],  # ten epochs; weights, card, and two reports
]


@pytest.mark.parametrize("moment, method", [*((moment, "adapters") for moment in MOMENTS), *((moment, "full") for moment in MOMENTS[:4])])
def test_it_can_be_stopped_at_any_moment(data, bases, trained, tmp_path, monkeypatch, capsys, method, moment):
    """In the first epoch, while the state is half written, and while the result is saved."""
    name, number = moment
    module, *inner, attribute = name.split(".")
    holder = (
        getattr(importlib.import_module(f"classify.{module}"), inner[0])
        if inner
        else importlib.import_module(f"classify.{module}")
    )
    action, calls = getattr(holder, attribute), []

    def stops(*given, **options):
        calls.append(1)
        if len(calls) == number:
            path = next((value for value in given if isinstance(value, Path)), None)
            if path:
                path.write_bytes(b"half")
            raise Killed
        return action(*given, **options)

    out = tmp_path / "out"
    with monkeypatch.context() as patched, pytest.raises(Killed):
        patched.setattr(holder, attribute, stops)
        main(command(data, bases["bert"], out, method))
    assert main([*command(data, bases["bert"], out, method), "--resume"]) == 0
    assert same_result(out, trained["bert", method])
    assert main(["--predict", str(data / "valid.csv"), "--out", str(out)]) == 0


def test_control_c_says_how_to_go_on(data, bases, tmp_path, monkeypatch, capsys):
    def interrupted(*given):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "_step", interrupted)
    assert main(command(data, bases["bert"], tmp_path / "out")) == 130
    assert capsys.readouterr().err == "Stopped. The same command with --resume goes on after the last finished epoch.\n"


@pytest.mark.parametrize(
    "place, words, said",
    [
        ("torch.save", "unexpected pos 100 vs 200", "state.pt cannot be written (unexpected pos 100 vs 200). Is the disk full?"),
        ("_step", "DefaultCPUAllocator: can't allocate memory", "The memory is too small. Choose a smaller --batch-size"),
    ],
)
def test_a_machine_that_is_too_small_is_told(data, bases, tmp_path, monkeypatch, capsys, place, words, said):
    def fails(*given):
        raise RuntimeError(words)

    monkeypatch.setattr(f"classify.training.{place}", fails)
    assert said in refused(command(data, bases["bert"], tmp_path / "out"), capsys)
    monkeypatch.undo()
    assert not (tmp_path / "out" / "state.pt.partial").exists()
    assert main([*command(data, bases["bert"], tmp_path / "out", "lora", "--epochs", 1), "--resume"]) == 0


def test_without_a_file_for_validation_a_share_is_held_out(data, bases, tmp_path, capsys):
    arguments = [data / "train.csv", "--valid", "0.25", *command(data, bases["bert"], tmp_path / "out", "bitfit", "--epochs", 1)[3:]]
    assert main([str(argument) for argument in arguments]) == 0
    assert "54 texts to learn from, 18 for validation; food: 27, sport: 27" in capsys.readouterr().out


def test_the_seed_decides(data, bases, trained, tmp_path):
    again, other = tmp_path / "again", tmp_path / "other"
    assert (
        main(command(data, bases["bert"], again)) == 0 and main(command(data, bases["bert"], other, "lora", "--seed", 1)) == 0
    )
    assert same_result(again, trained["bert", "lora"])
    assert not same_result(other, trained["bert", "lora"])
    heads = []
    for seed in (1, 2):  # without learning, to see what is drawn
        out = tmp_path / f"drawn {seed}"
        assert main(command(data, bases["bert"], out, "lora", "--seed", seed, "--lr", 1e-12, "--epochs", 1)) == 0
        heads.append(load_file(out / "weights.safetensors")["classifier.weight"])
    assert (heads[0] - heads[1]).abs().max() > 0.01


def test_nothing_is_written_over(data, bases, trained, tmp_path, capsys):
    out = trained["bert", "lora"]
    before = {path: path.read_bytes() for path in out.iterdir() if path.is_file()}
    assert "finished training" in refused(command(data, bases["bert"], out), capsys)
    assert main([*command(data, bases["bert"], out), "--resume"]) == 0 and "nothing to resume" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in out.iterdir() if path.is_file()} == before
    (tmp_path / "diary.txt").write_text("mine")
    for more in ([], ["--resume"]):
        assert "diary.txt" in refused([*command(data, bases["bert"], tmp_path), *more], capsys)
    assert "is a file" in refused(command(data, bases["bert"], tmp_path / "diary.txt"), capsys)
    there = table(tmp_path / "there.csv", VALID)
    told = refused(["--predict", data / "valid.csv", "--out", out, "--to", there], capsys)
    assert "there.csv is there already" in told


def test_two_trainings_do_not_share_a_folder(data, bases, tmp_path, capsys):
    with FileLock(tmp_path / ".lock"):
        assert "another training writes" in refused(command(data, bases["bert"], tmp_path), capsys)

# --- predicting ------------------------------------------------------------------------------------


def by_hand(kind: str, base: Path, out: Path, texts: list[str]) -> torch.Tensor:
    """The probabilities of a LoRA classifier: its update added to the weights of the base, one text at a time, without padding."""
    model = transformers.AutoModel.from_pretrained(base).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    weights = load_file(out / "weights.safetensors")
    with torch.no_grad():
        for name in (name for name in weights if name.endswith("lora_A")):
            layer = model.get_submodule(name.removeprefix("backbone.encoder.").removesuffix(".lora_A"))
            layer.weight += 16 / 8 * weights[name.replace("lora_A", "lora_B")] @ weights[name]
        states = [model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(dim=0) for text in texts]
        return (torch.stack(states) @ weights["classifier.weight"].T + weights["classifier.bias"]).softmax(dim=1)


@pytest.mark.parametrize("kind", ("roberta", "bert"))
@pytest.mark.parametrize("side", ("right", "left"))
def test_predictions_are_those_of_the_model(trained, bases, data, tmp_path, kind, side):
    """Whatever the batch, and the side on which the tokenizer would pad."""
    out = shutil.copytree(trained[kind, "lora"], tmp_path / "out")
    settings = out / "encoder" / "tokenizer_config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | {"padding_side": side}))
    due = by_hand(kind, bases[kind], out, [text for text, _ in VALID])
    for size in (1, 5, 64):
        target = tmp_path / f"{size}.csv"
        assert (
            main(["--predict", str(data / "valid.csv"), "--out", str(out), "--to", str(target), "--batch-size", str(size)]) == 0
        )
        rows = predicted(target)
        assert [row["text"] for row in rows] == [text for text, _ in VALID]
        assert [float(row["probability"]) for row in rows] == pytest.approx(due.max(dim=1).values.tolist(), abs=1e-5)
        assert [row["prediction"] for row in rows] == [["food", "sport"][number] for number in due.argmax(dim=1)]


@pytest.mark.parametrize("method", METHODS)
def test_a_saved_classifier_scores_as_its_report_says(trained, data, tmp_path, capsys, method):
    out = trained["roberta", method]
    assert main(["--predict", str(data / "valid.csv"), "--out", str(out), "--to", str(tmp_path / "p.csv")]) == 0
    shown = report.as_text(report_of(out)["validation"])
    assert shown in capsys.readouterr().out and shown in (out / "report.txt").read_text()
    right = sum(row["prediction"] == row["label"] for row in predicted(tmp_path / "p.csv")) / len(VALID)
    assert right == pytest.approx(report_of(out)["validation"]["accuracy"])


def test_rows_keep_their_other_columns_and_need_no_label(trained, tmp_path):
    source = table(
        tmp_path / "new.csv", [["7", "a soup; cold", "x"], ["8", "the goal", ""]], ("id", "text", "note"), ";", "utf-16"
    )
    assert main(["--predict", str(source), "--out", str(trained["bert", "lora"]), "--to", str(tmp_path / "p.csv")]) == 0
    lines = (tmp_path / "p.csv").read_text(encoding="utf-8-sig").splitlines()
    assert lines[0] == "id;text;note;prediction;probability"
    assert lines[1].startswith('7;"a soup; cold";x;food;0.') and lines[2].startswith("8;the goal;;sport;0.")


def test_rows_that_are_not_in_the_scores_are_told(trained, tmp_path, capsys):
    source = table(tmp_path / "new.csv", [["a soup", "food"], ["the goal", ""], ["the rain", "weather"]])
    assert main(["--predict", str(source), "--out", str(trained["bert", "lora"]), "--to", str(tmp_path / "p.csv")]) == 0
    shown = capsys.readouterr().out
    assert "2 rows without a label that the classifier knows: not in the scores." in shown and "texts      1\n" in shown
    assert shown.endswith("holds 3 predictions.\n")


def test_another_base_is_noticed(data, trained, bases, tmp_path, capsys):
    arguments = ["--predict", str(data / "valid.csv"), "--out", str(trained["bert", "bitfit"]), "--to", str(tmp_path / "p.csv")]
    other = encoder("bert", tmp_path / "other", seed=1)
    assert "its weights differ" in refused([*arguments, "--model", other], capsys)
    moved = shutil.copytree(bases["bert"], tmp_path / "moved")
    assert main([*arguments, "--model", str(moved)]) == 0


def test_long_texts_are_cut_and_told(data, bases, tmp_path, capsys):
    table(tmp_path / "train.csv", [*LEARN, ["soup " * 200, "food"]])
    table(tmp_path / "valid.csv", VALID)
    assert main(command(tmp_path, bases["roberta"], tmp_path / "out", "lora", "--epochs", 1)) == 0
    assert "train.csv: 1 of 73 texts are longer than 40 tokens" in capsys.readouterr().out
    assert "at most 40 tokens" in refused(command(data, bases["roberta"], tmp_path / "new", "lora", "--max-length", 41), capsys)


def test_a_damaged_result_is_told(trained, data, tmp_path, capsys):
    for name in ("classifier.json", "weights.safetensors"):
        out = shutil.copytree(trained["bert", "full"], tmp_path / name)
        (out / name).write_bytes((out / name).read_bytes()[:100])
        assert f"{name} is damaged" in refused(["--predict", data / "valid.csv", "--out", out], capsys)
