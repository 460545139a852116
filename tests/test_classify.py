"""The classifier from the command line: what it learns, survives, predicts, and says to those who give it something wrong."""

import csv
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
import tokenizers
import torch
import transformers
from filelock import FileLock
from safetensors.torch import load_file
from tokenizers import models, normalizers, pre_tokenizers, processors, trainers
from torch import nn

from classify import ClassifyError, report, training
from classify.__main__ import main
from classify.data import read
from classify.model import Method, make_classifier
from classify.training import Examples, Settings
from solutions import sft
from tests.checkpoints import model_of, saved

METHODS = ("full", "lora", "adapters", "bitfit")
WORDS = {"food": ["soup", "bread", "cheese", "rice"], "sport": ["goal", "match", "team", "race"]}
FRAMES = [
    "{}", "a {}", "the {} was good", "nobody saw the {}", "so much {} and {} and {} as in the whole of last year", "{} again",
    "where is the {}", "a {} here and then another {} in the town", "my {} is old", "{} and {}", "no {}", "she wrote to {} of {} and {}",
]  # fmt: skip
TEXTS = [
    (frame.replace("{}", word), label) for frame, (label, words) in itertools.product(FRAMES, WORDS.items()) for word in words
]
LEARN, VALID = TEXTS[:72], TEXTS[72:]
SIZES = {
    "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 42,
    "initializer_range": 0.06, "hidden_dropout_prob": 0.02,
}  # fmt: skip
FAST = ["--epochs", "10", "--batch-size", "8"]
RATES = {"full": 0.003, "lora": 0.01, "adapters": 0.01, "bitfit": 0.02}
HEAD = {"classifier.weight", "classifier.bias"}


# --- what the tests share -----------------------------------------------------------------------


def encoder(kind: str, folder: Path, seed: int = 0) -> Path:
    """A folder with a small encoder of random weights, and a tokenizer trained on a few texts."""
    special = {"roberta": ["<s>", "<pad>", "</s>", "<unk>", "<mask>"], "bert": ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]}[
        kind
    ]
    first, pad, last, unknown = special[:4] if kind == "roberta" else (special[2], special[0], special[3], special[1])
    words = tokenizers.Tokenizer(models.BPE() if kind == "roberta" else models.WordPiece(unk_token=unknown))
    if kind == "roberta":
        words.pre_tokenizer = pre_tokenizers.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=400, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
        )
    else:
        words.normalizer, words.pre_tokenizer = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(vocab_size=300, special_tokens=special)
    words.train_from_iterator([text for text, _ in TEXTS], trainer)
    ends = [(token, words.token_to_id(token)) for token in (first, last)]
    words.post_processor = processors.TemplateProcessing(single=f"{first} $A {last}", special_tokens=ends)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, bos_token=first, eos_token=last, pad_token=pad, unk_token=unknown
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(seed)
    name = {"roberta": "Roberta", "bert": "Bert"}[kind]
    config = getattr(transformers, f"{name}Config")(
        vocab_size=words.get_vocab_size(), pad_token_id=words.token_to_id(pad), **SIZES
    )
    getattr(transformers, f"{name}ForMaskedLM")(config).save_pretrained(folder)
    return folder


def table(path: Path, rows, header=("text", "label"), delimiter: str = ",", encoding: str = "utf-8") -> Path:
    with open(path, "w", newline="", encoding=encoding) as file:
        csv.writer(file, delimiter=delimiter).writerows([header, *rows])
    return path


def command(data: Path, base: Path | str, out: Path, method: str = "lora", *more: str) -> list[str]:
    files = [str(data / "train.csv"), "--valid", str(data / "valid.csv")]
    return [
        *files,
        "--model",
        str(base),
        "--method",
        method,
        "--out",
        str(out),
        *FAST,
        "--lr",
        str(RATES[method]),
        *map(str, more),
    ]


def report_of(out: Path) -> dict:
    return json.loads((out / "report.json").read_text())


def predicted(path: Path) -> list[dict[str, str]]:
    with open(path, newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def refused(arguments, capsys) -> str:
    """What the program says when it stops with status 2."""
    capsys.readouterr()
    try:
        status = main([str(argument) for argument in arguments])
    except SystemExit as stopped:  # argparse
        status = stopped.code
    told = capsys.readouterr().err
    assert status == 2 and told.strip() and "Traceback" not in told
    return told


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    table(folder / "train.csv", LEARN)
    table(folder / "valid.csv", VALID)
    return folder


@pytest.fixture(scope="module")
def bases(tmp_path_factory) -> dict[str, Path]:
    return {kind: encoder(kind, tmp_path_factory.mktemp(kind)) for kind in ("roberta", "bert")}


@pytest.fixture(scope="module")
def trained(data, bases, tmp_path_factory) -> dict[tuple[str, str], Path]:
    """The folder of a training for each kind of encoder and each method."""
    folders = {}
    for kind, method in itertools.product(bases, METHODS):
        folders[kind, method] = tmp_path_factory.mktemp("trained") / f"{kind}-{method}"
        assert main(command(data, bases[kind], folders[kind, method], method)) == 0
    return folders


# --- learning -----------------------------------------------------------------------------------


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


class Words(nn.Module):
    """A small backbone."""

    def __init__(self, dropout: float):
        super().__init__()
        self.embedding = nn.Embedding(20, 8)
        self.linear = nn.Linear(8, 8)
        self.dropout = nn.Dropout(dropout)

    def forward(self, input_ids, attention_mask):
        return self.dropout(torch.tanh(self.linear(self.embedding(input_ids))))


class AsLanguageModel(nn.Module):
    """A classifier that says the label as the second token, so that `finetune` can train it."""

    def __init__(self, classifier):
        super().__init__()
        self.classifier = classifier

    def forward(self, input_ids, attention_mask):
        return self.classifier(input_ids, attention_mask)[:, None].expand(-1, 2, -1)


def small_task(rows: int, seed: int) -> Examples:
    drawn = torch.Generator().manual_seed(seed)
    ids = [torch.randint(0, 20, (3 + number % 4,), generator=drawn).tolist() for number in range(rows)]
    return Examples(ids, torch.randint(0, 3, (rows,), generator=drawn).tolist())


def small_classifier(dropout: float = 0.0) -> sft.SequenceClassifier:
    torch.manual_seed(1)
    return sft.SequenceClassifier(Words(dropout), 8, 3)


def test_it_trains_as_the_reference_does(tmp_path):
    learn, valid = small_task(12, 0), small_task(8, 1)
    reference, ours = small_classifier(), small_classifier()

    def batch(examples):
        ids, mask = training.collate(examples.ids, 0, "cpu")
        labels = torch.tensor([[sft.IGNORE_INDEX, label] for label in examples.labels])
        return {"input_ids": ids, "attention_mask": mask, "labels": labels}

    settings = Settings(epochs=20, lr=0.05, batch_size=12, seed=0, weight_decay=0.5, warmup_ratio=0.2, max_grad_norm=0.1)
    options = {"epochs": 20, "lr": 0.05, "weight_decay": 0.5, "warmup_ratio": 0.2, "max_grad_norm": 0.1}
    due = sft.finetune(AsLanguageModel(reference), [batch(learn)], [batch(valid)], **options)
    history = training.train(ours, learn, valid, settings, pad_id=0, state=tmp_path / "state.pt", identity={})
    for name in ("train_loss", "val_loss"):
        assert [entry[name] for entry in history] == pytest.approx([entry[name] for entry in due], rel=1e-3)
    assert [entry["val_accuracy"] for entry in history] == pytest.approx([entry["val_token_accuracy"] for entry in due])


def test_the_weights_of_the_best_epoch_are_kept(tmp_path):
    learn = small_task(24, 0)
    wrong = Examples(learn.ids, [(label + 1) % 3 for label in learn.labels])  # the better it learns, the worse it gets here
    model = small_classifier(dropout=0.3)
    settings = Settings(epochs=6, lr=0.05, batch_size=8, seed=0)
    losses = [e["val_loss"] for e in training.train(model, learn, wrong, settings, pad_id=0, state=tmp_path / "s", identity={})]
    logits = training.all_logits(model, wrong.ids, pad_id=0, batch_size=8)
    assert min(losses) < losses[-1] - 0.1
    assert nn.functional.cross_entropy(logits, torch.tensor(wrong.labels)).item() == pytest.approx(min(losses), rel=1e-5)


def test_dropout_acts_in_every_epoch_and_never_in_validation(tmp_path):
    """The weights stand still here, so nothing but dropout changes a loss."""
    settings = Settings(epochs=3, lr=1e-12, batch_size=8, seed=0)
    model, learn = small_classifier(dropout=0.5), small_task(24, 0)
    history = training.train(model, learn, learn, settings, pad_id=0, state=tmp_path / "s", identity={})
    train_losses, val_losses = ([entry[name] for entry in history] for name in ("train_loss", "val_loss"))
    assert min(abs(one - other) for one, other in itertools.combinations(train_losses, 2)) > 1e-5
    assert val_losses == pytest.approx([val_losses[0]] * 3, rel=1e-6)


FAMILIES = {
    "DistilBert": {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 48},
    "MPNet": SIZES,
    "DebertaV2": SIZES | {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]},
    "ModernBert": SIZES | {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2},
    "Albert": SIZES | {"embedding_size": 32},
}


@pytest.mark.parametrize("family", FAMILIES)
def test_lora_and_adapters_find_their_layers_in_other_encoders(family):
    """Two layers get LoRA, or one that makes queries and values at once; the ends of both parts of a block get adapters."""
    config = getattr(transformers, f"{family}Config")(vocab_size=100, **FAMILIES[family])
    for method in ("lora", "adapters"):
        model = make_classifier(transformers.AutoModel.from_config(config), 3, Method(method))
        found = [name for name, _ in model.named_parameters() if name.endswith(("lora_A", "adapter.up.weight"))]
        blocks = 1 if family == "Albert" else 2  # its blocks share their weights
        assert len(found) == blocks * (1 if (family, method) == ("ModernBert", "lora") else 2)
        mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
        model(torch.tensor([[5, 6, 7, 8], [9, 5, 0, 0]]), mask).sum().backward()
        assert all(parameter.grad is not None for parameter in model.parameters() if parameter.requires_grad)


def test_bitfit_needs_biases_in_the_encoder():
    encoder = transformers.AutoModel.from_config(transformers.ModernBertConfig(vocab_size=100, **FAMILIES["ModernBert"]))
    with pytest.raises(ClassifyError, match="has no biases for BitFit"):
        make_classifier(encoder, 3, Method("bitfit"))


# --- a training that is stopped -----------------------------------------------------------------


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


@pytest.mark.parametrize("method", ("full", "adapters"))
@pytest.mark.parametrize("moment", MOMENTS)
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


# --- predicting ---------------------------------------------------------------------------------


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


def test_scores_are_those_of_the_definitions():
    truth, predicted = [0, 0, 0, 0, 1, 1, 2], [0, 0, 1, 2, 1, 0, 2]
    found = report.scores(truth, predicted, ["a", "b", "c", "never seen"])
    assert found["confusion"] == [[2, 1, 1, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    assert found["accuracy"] == pytest.approx(4 / 7) and found["majority"] == pytest.approx(4 / 7)
    assert found["labels"]["a"] == pytest.approx({"precision": 2 / 3, "recall": 1 / 2, "f1": 4 / 7, "texts": 4})
    assert found["macro_f1"] == pytest.approx((4 / 7 + 1 / 2 + 2 / 3) / 3)


# --- what is wrong with the files ---------------------------------------------------------------

BAD_ROWS = {
    "no text": ("train", ["  ", "food"], "it has no text"),
    "no label": ("train", ["the new soup", " "], "it has no label"),
    "too few columns": ("train", ["the new soup"], "it has 1 column, the header has 2"),
    "too many columns": ("valid", ["soup", " and rice", "food"], "it has 3 columns, the header has 2"),
    "an unknown label": ("valid", ["the new soup", "fud"], "the label 'fud' does not occur in"),
    "a leak": ("valid", ["Soup", "food"], "its text is also in"),
}


@pytest.mark.parametrize("case", BAD_ROWS)
def test_a_bad_row_is_told_by_its_line_or_left_out(bases, tmp_path, capsys, case):
    name, row, words = BAD_ROWS[case]
    for other, rows in (("train", LEARN), ("valid", VALID)):
        # the quoted text has two lines, so that the bad row stands on line 5
        start = [(rows[0][0].upper(), rows[0][1]), (f"{rows[1][0]}\nor so", rows[1][1])]
        table(tmp_path / f"{other}.csv", [*start, row, *rows[2:]] if other == name else [*start, *rows[2:]])
    told = refused(command(tmp_path, bases["bert"], tmp_path / "out"), capsys)
    assert f"{name}.csv, line 5: {words}" in told and "1 row cannot be used" in told and "--bad leave-out" in told
    assert not (tmp_path / "out").exists()
    assert main(command(tmp_path, bases["bert"], tmp_path / "out", "bitfit", "--bad", "leave-out", "--epochs", 1)) == 0
    shown = capsys.readouterr().out
    assert f"{name}.csv, line 5: {words}" in shown and "1 row left out." in shown
    due = (len(LEARN), len(VALID))
    assert f"{due[0]} texts to learn from, {due[1]} for validation" in shown


@pytest.mark.parametrize("delimiter", ",;\t|")
@pytest.mark.parametrize("encoding", ("utf-8", "utf-8-sig", "utf-16", "cp1252"))
def test_delimiters_and_encodings_are_found_or_told(tmp_path, delimiter, encoding):
    rows = [["die Käse; und, so\t|viel", "Essen", "1,5"], ["das Tor", "Spört", "2,5"]]
    path = table(tmp_path / "t.csv", rows, ("Satz", "Art", "a,b;c"), delimiter, encoding)
    columns = {"text": "Satz", "label": "Art"}
    if encoding == "cp1252":
        with pytest.raises(ClassifyError, match="line 2: this is not text in utf-8. Name the file's encoding with --encoding"):
            read(path, **columns)
        columns["encoding"] = "cp1252"
    assert [[row.text, row.label, row.cells[2]] for row in read(path, **columns).rows] == rows


FILES = {
    "empty": (b"", "is empty"),
    "a header alone": (b"text,label\n", "no row that can be used"),
    "no such column": (b"sentence,label\na,b\n", "the header has no column 'text'. Its columns are 'sentence', 'label'"),
    "a column twice": (b"text,label,text\na,b,c\n", "more than one column 'text'"),
    "one label": (b"text,label\na,food\nb,food\n", "all rows have the label 'food'"),
    "an open quote": (b'text,label\n"a,food\nb,sport\n', "line 2: the quotes"),
    "a workbook": (b"PK\x03\x04rest", "workbook"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_that_cannot_be_used(bases, tmp_path, capsys, case):
    content, words = FILES[case]
    (tmp_path / "train.csv").write_bytes(content)
    table(tmp_path / "valid.csv", [["a new text", "food"]])
    told = refused(command(tmp_path, bases["bert"], tmp_path / "out"), capsys)
    assert words in told and "train.csv" in told and not (tmp_path / "out").exists()


# --- what is wrong with the command -------------------------------------------------------------


@pytest.mark.parametrize(
    "more, words",
    [
        (["--method", "prefix"], "invalid choice: 'prefix'"),
        (["--model", "/no/such/model"], "There is no model"),
        (["--epochs", "0"], "a whole number of at least 1"),
        (["--lr", "nan"], "a number above 0"),
        (["--lr", "1e30", "--method", "full"], "--lr"),
        (
            ["--targets", "kwery"],
            "no linear layer of the encoder ends in 'kwery'. There are intermediate.dense, output.dense, self.key",
        ),
        (["--encoding", "klingon"], "There is no encoding 'klingon'"),
        (["--label", "text"], "same column"),
        (["--device", "abacus"], "there is no 'abacus' here"),
        (["--to", "p.csv"], "belongs to --predict"),
        (["--predict", "p.csv"], "Leave TRAIN.csv"),
    ],
)
def test_a_wrong_option_is_told_in_a_sentence(data, bases, tmp_path, capsys, more, words):
    told = refused([*command(data, bases["bert"], tmp_path / "out"), *more], capsys)
    assert words in told.replace("error: ", "")


def test_what_is_no_encoder_is_refused(data, bases, tmp_path, capsys):
    causal = saved(model_of("Qwen2"), tmp_path / "causal")
    assert "each token sees only those before it" in refused(command(data, causal, tmp_path / "out"), capsys)
    lacking = shutil.copytree(bases["bert"], tmp_path / "lacking")
    (lacking / "tokenizer.json").unlink()
    assert "The tokenizer of" in refused(command(data, lacking, tmp_path / "out"), capsys)
    (lacking / "tokenizer_config.json").unlink()
    assert "holds no vocabulary" in refused(command(data, lacking, tmp_path / "out"), capsys)
    shutil.copy(bases["roberta"] / "tokenizer.json", lacking)
    shutil.copy(bases["roberta"] / "tokenizer_config.json", lacking)
    assert "They do not belong together" in refused(command(data, lacking, tmp_path / "out"), capsys)
    alone = shutil.copytree(bases["bert"], tmp_path / "alone")
    (alone / "model.safetensors").unlink()
    assert "holds no weights" in refused(command(data, alone, tmp_path / "out"), capsys)
    assert not (tmp_path / "out" / "state.pt").exists()


def test_a_command_that_lacks_something_says_what(data, tmp_path, capsys):
    assert "A training needs --valid and --model and --method" in refused(
        [data / "train.csv", "--out", tmp_path / "out"], capsys
    )
    assert "no trained classifier" in refused(["--predict", data / "valid.csv", "--out", tmp_path / "out"], capsys)


def test_a_damaged_result_is_told(trained, data, tmp_path, capsys):
    for name in ("classifier.json", "weights.safetensors"):
        out = shutil.copytree(trained["bert", "full"], tmp_path / name)
        (out / name).write_bytes((out / name).read_bytes()[:100])
        assert f"{name} is damaged" in refused(["--predict", data / "valid.csv", "--out", out], capsys)
