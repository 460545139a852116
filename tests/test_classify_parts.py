"""The parts of the classifier, and what it says to those who give it something wrong."""

import itertools
import shutil

import pytest
import torch
import transformers
from torch import nn

from classify import ClassifyError, report, training
from classify.__main__ import main
from classify.data import held_out, read
from classify.model import Method, make_classifier
from classify.practice import SIZES
from classify.training import Examples, Settings
from solutions import sft
from tests.checkpoints import model_of, saved
from tests.small_encoders import LEARN, VALID, command, refused, table

# --- training --------------------------------------------------------------------------------------


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


def test_scores_are_those_of_the_definitions():
    truth, predicted = [0, 0, 0, 0, 1, 1, 2], [0, 0, 1, 2, 1, 0, 2]
    found = report.scores(truth, predicted, ["a", "b", "c", "never seen"])
    assert found["confusion"] == [[2, 1, 1, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    assert found["accuracy"] == pytest.approx(4 / 7) and found["majority"] == pytest.approx(4 / 7)
    assert found["labels"]["a"] == pytest.approx({"precision": 2 / 3, "recall": 1 / 2, "f1": 4 / 7, "texts": 4})
    assert found["macro_f1"] == pytest.approx((4 / 7 + 1 / 2 + 2 / 3) / 3)


def test_a_report_on_many_labels_shows_the_worst_and_the_mistakes():
    truth = [number for number in range(500) for _ in range(3)]
    said = [7 if number == 3 else number for number in truth]
    shown = report.as_text(report.scores(truth, said, [f"label {number}" for number in range(500)]))
    lines = shown.splitlines()
    assert len(lines) < 40 and max(map(len, lines)) < 80
    assert "12 of 500 labels, those with the lowest F1:" in lines
    assert lines[lines.index("12 of 500 labels, those with the lowest F1:") + 2].split()[:2] == ["label", "3"]
    assert lines[-1].split() == ["label", "3", "label", "7", "3"]

# --- what is wrong with the files ------------------------------------------------------------------


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


def test_lines_for_excel_and_blank_ones_are_passed_over(tmp_path):
    """The first tells Excel the delimiter; the last are what a spreadsheet leaves behind."""
    path = tmp_path / "t.csv"
    path.write_bytes(b"sep=;\r\ntext;label\r\na soup;food\r\n\r\nthe goal;sport\r\n;\r\n;\r\n")
    found = read(path, text="text", label="label")
    assert [(row.line, row.text, row.label) for row in found.rows] == [(3, "a soup", "food"), (5, "the goal", "sport")]
    assert not found.bad


def test_in_a_file_of_one_column_an_empty_text_is_no_blank_line(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('text\na soup\n""\n  \nthe goal\n')
    found = read(path, text="text", label="label", needs_label=False)
    assert found.bad == {3: "it has no text", 4: "it has no text"} and [row.line for row in found.rows] == [2, 5]


def test_a_share_is_held_out_of_each_label(tmp_path):
    rows = [*([f"{word} {n}", "food"] for n in range(20) for word in ("soup", "Soup")), *([f"goal {n}", "sport"] for n in range(10))]
    rows += [["a rare one", "rare"], ["both", "food"], ["both", "sport"]]
    whole = read(table(tmp_path / "t.csv", rows), text="text", label="label")
    kept, held = held_out(whole, 0.2, seed=0)
    assert sorted(row.line for row in kept.rows + held.rows) == [row.line for row in whole.rows]
    assert [sum(row.label == label for row in held.rows) for label in ("food", "sport", "rare")] == [8, 2, 0]
    seen = {row.text.casefold() for row in kept.rows}
    assert not [row for row in held.rows if row.text.casefold() in seen]
    assert held_out(whole, 0.2, seed=0)[1].rows == held.rows != held_out(whole, 0.2, seed=1)[1].rows
    with pytest.raises(ClassifyError, match="too few texts for it: at least 50 of a label"):
        held_out(whole, 0.02, seed=0)


def test_labels_that_look_alike_are_told(bases, tmp_path, capsys):
    table(tmp_path / "train.csv", [*LEARN, ["a new soup", "Food"]])
    table(tmp_path / "valid.csv", VALID)
    assert main(command(tmp_path, bases["bert"], tmp_path / "out", "bitfit", "--epochs", 1)) == 0
    assert "The labels 'Food', 'food' differ in capitals or spaces only, and are taken as 2 labels." in capsys.readouterr().out


FILES = {
    "empty": (b"", "is empty"),
    "a header alone": (b"text,label\n", "no row that can be used"),
    "no such column": (b"sentence,label\na,b\n", "the header has no column 'text'. Its columns are 'sentence', 'label'"),
    "a column twice": (b"text,label,text\na,b,c\n", "more than one column 'text'"),
    "one label": (b"text,label\na,food\nb,food\n", "all rows have the label 'food'"),
    "an open quote": (b'text,label\n"a,food\nb,sport\n', "line 2: the quotes"),
    "no header": (b"a soup,food\nthe goal,sport\n", "If this is the first text already, put a header above it"),
    "a workbook": (b"PK\x03\x04rest", "workbook"),
    "an old workbook": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "workbook"),
    "UTF-16 without its mark": ("text,label\na,b\n".encode("utf-16-le"), "line 1: a character of this text is NUL. Perhaps the file is UTF-16"),
    "blank lines alone": (b",\n,\n", "the header has no column 'text'"),
}


@pytest.mark.parametrize("case", FILES)
def test_a_file_that_cannot_be_used(bases, tmp_path, capsys, case):
    content, words = FILES[case]
    (tmp_path / "train.csv").write_bytes(content)
    table(tmp_path / "valid.csv", [["a new text", "food"], ["another", "sport"]])
    told = refused(command(tmp_path, bases["bert"], tmp_path / "out"), capsys)
    assert words in told and "train.csv" in told and not (tmp_path / "out").exists()

# --- what is wrong with the command ----------------------------------------------------------------


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
        (["--rank", "65"], "the weight of query has a rank of at most 64"),
        (["--bottleneck", "8"], "--bottleneck is of no use to --method lora"),
        (["--method", "bitfit", "--targets", "query"], "--targets is of no use to --method bitfit"),
        (["--delimiter", "semi"], "one character, or comma, semicolon, tab or pipe"),
        (["--delimiter", "semicolon"], "Its columns are 'text,label'"),
        (["--valid", "1.5"], "1.5 cannot be read"),
        (["--valid", "0.01"], "too few texts"),
        (["--to", "p.csv"], "belongs to --predict"),
        (["--predict", "p.csv"], "Leave TRAIN.csv"),
    ],
)
def test_a_wrong_option_is_told_in_a_sentence(data, bases, tmp_path, capsys, more, words):
    told = refused([*command(data, bases["bert"], tmp_path / "out"), *more], capsys)
    assert words in told and len(told.splitlines()) <= 2


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
    assert "Leave --epochs and --rank out" in refused(
        ["--predict", data / "valid.csv", "--out", tmp_path, "--epochs", 3, "--rank", 4], capsys
    )
    told = refused([data / "train.csv", "--valid", data / "train.csv", *command(data, tmp_path, tmp_path / "out")[3:]], capsys)
    assert "is the training file" in told and "--valid 0.2" in told
    assert "no trained classifier" in refused(["--predict", data / "valid.csv", "--out", tmp_path / "out"], capsys)
