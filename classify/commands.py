"""The two commands: train, and predict with what was trained."""

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import nn

from classify import ClassifyError, data, files, report, saved
from classify import model as models
from classify.data import Row, Table
from classify.training import Examples, Settings, all_logits, train
from solutions.peft import count_parameters

RATES = {"full": 2e-5, "lora": 5e-4, "adapters": 5e-4, "bitfit": 5e-4}  # as the methods' papers use for RoBERTa and BERT
ADDED = ("prediction", "probability")
MOST_TOLD = 10  # labels, before the training


def run_training(options) -> None:
    """Train as the options of the command line say, save the classifier, and print and save the report."""
    out = Path(options.out)
    files.check_target(out, resume=options.resume)
    learn, valid, labels = _tables(options)
    device = _device(options.device)
    out.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(out / files.LOCK, timeout=0):
            if files.is_complete(out):
                _say(f"{out} holds a finished training. There is nothing to resume.")
                (out / files.STATE).unlink(missing_ok=True)
            else:
                _train(options, out, learn, valid, labels, device)
    except Timeout:
        raise ClassifyError(f"--out: another training writes into {out} now. Wait for its end, or name a new folder.") from None


def _tables(options) -> tuple[Table, Table, list[str]]:
    """The rows to learn from, those for validation, and the labels. --valid is a file, or the share that is held out."""
    learn = data.read(Path(options.train), **_columns(options))
    tables = [learn]
    if isinstance(options.valid, str):
        tables.append(data.read(Path(options.valid), **_columns(options)))
        data.check_pair(*tables)
    _say(*data.settle(tables, leave_out=options.bad == "leave-out"))
    labels = data.labels_of(learn)
    _say(*data.look_alikes(labels))
    if isinstance(options.valid, float):
        tables = data.held_out(learn, options.valid, options.seed)
    return *tables, labels


def _train(options, out: Path, learn: Table, valid: Table, labels: list[str], device: torch.device) -> None:
    model, tokenizer, card = _prepared(options, labels, device)
    settings = Settings(options.epochs, options.lr or RATES[card.method.name], options.batch_size, options.seed)
    counts = [f"{label}: {number}" for label, number in Counter(row.label for row in learn.rows).most_common()]
    more = f" and {len(counts) - MOST_TOLD} labels more" if len(counts) > MOST_TOLD else ""
    _say(f"{len(learn.rows)} texts to learn from, {len(valid.rows)} for validation; {', '.join(counts[:MOST_TOLD])}{more}")
    parameters = count_parameters(model)
    _say(f"{card.method.name}: {parameters.trainable:,} of {parameters.total:,} parameters are trained, on {device.type}")
    if options.resume and not (out / files.STATE).exists():
        _say("There is no finished epoch to go on from: the training begins.")
    examples = [_examples(table, tokenizer, labels, card.max_length) for table in (learn, valid)]
    pad_id = models.pad_id(tokenizer, model.backbone.encoder)
    with _progress(settings.epochs) as hooks:
        files_of = {"state": out / files.STATE, "identity": _identity(card, settings, learn, valid)}
        history = train(model, *examples, settings, pad_id=pad_id, **files_of, **hooks)
    logits = all_logits(model, examples[1].ids, pad_id=pad_id, batch_size=settings.batch_size)
    found = report.scores(examples[1].labels, logits.argmax(dim=1).tolist(), labels)
    saved.save(out, card, model, tokenizer)
    best = min(history, key=lambda entry: entry["val_loss"])["epoch"]
    title = f"{card.method.name} on {options.model}: epoch {best} of {settings.epochs}, which has the lowest validation loss"
    text = f"{title}\n\n{report.as_text(found)}"
    files.write_text(out / files.REPORT_TEXT, text)
    run = {"base": card.base, "method": asdict(card.method), "settings": asdict(settings), "parameters": parameters._asdict()}
    files.write_json(out / files.REPORT, {**run, "best_epoch": best, "history": history, "validation": found})
    (out / files.STATE).unlink()
    _say("", text, f"Saved in {out}. Predict with: python -m classify --predict FILE.csv --out {out}")


def _prepared(options, labels: list[str], device: torch.device) -> tuple[nn.Module, object, saved.Card]:
    """The model on its device, the tokenizer, and what will be said of the classifier."""
    base = str(Path(options.model).resolve()) if Path(options.model).is_dir() else options.model
    method = models.Method(options.method, options.targets, options.rank, options.alpha, options.bottleneck)
    encoder, tokenizer = models.load_encoder(base)
    max_length = _max_length(options.max_length, models.room(encoder, tokenizer))
    torch.manual_seed(options.seed)  # the head, LoRA and adapters are drawn
    model = models.make_classifier(encoder, len(labels), method)
    card = saved.Card(base, models.fingerprint(model), method, labels, options.text, options.label, max_length)
    return model.to(device), tokenizer, card


def _identity(card: saved.Card, settings: Settings, learn: Table, valid: Table) -> dict:
    """All on which the numbers of a training depend, by names for people. With the method "full" the state holds all weights."""
    named = {f"method {name}" if name != "name" else "method": value for name, value in asdict(card.method).items()}
    tables = {"training file": _hash(learn), "validation file": _hash(valid)}
    return {
        **asdict(settings),
        **named,
        **tables,
        "model": card.base,
        "frozen part": card.base_hash,
        "maximal length": card.max_length,
    }


def run_prediction(options) -> None:
    """Write the file's rows with the prediction and its probability beside each. Print scores if the file has labels."""
    out, source = Path(options.out), Path(options.predict)
    saved.check_complete(out)
    target = Path(options.to) if options.to else out / f"{source.stem}.predicted.csv"
    if target.exists():
        raise ClassifyError(f"{target} is there already, and is not written over. Name another file with --to.")
    if not target.parent.is_dir():
        raise ClassifyError(f"--to: there is no folder {target.parent}. Make it first.")
    card, model, tokenizer = saved.load(out, options.model)
    columns = _columns(options)
    columns |= {"text": columns["text"] or card.text, "label": columns["label"] or card.label}
    table = data.read(source, needs_label=False, **columns)
    for name in ADDED:
        if name in table.header:
            raise ClassifyError(f"{source} has a column {name!r} already. Rename it, since the result needs this name.")
    _say(*data.settle([table], leave_out=options.bad == "leave-out"))
    device = _device(options.device)
    ids, cut = models.encode(tokenizer, [row.text for row in table.rows], card.max_length)
    _tell_of_cuts(cut, table, card.max_length)
    settings = {"pad_id": models.pad_id(tokenizer, model.backbone.encoder), "batch_size": options.batch_size}
    probabilities, numbers = all_logits(model.to(device), ids, **settings).softmax(dim=1).max(dim=1)
    rows = [[*row.cells, card.labels[n], f"{p:.6f}"] for row, n, p in zip(table.rows, numbers.tolist(), probabilities.tolist())]
    _write_csv(target, table, rows)
    known = [(card.labels.index(row.label), n) for row, n in zip(table.rows, numbers.tolist()) if row.label in card.labels]
    if table.has_labels and len(known) < len(rows):
        _say(f"{data.count(len(rows) - len(known), 'row')} without a label that the classifier knows: not in the scores.")
    if known:
        _say(report.as_text(report.scores(*zip(*known), card.labels)))
    _say(f"{target} holds {data.count(len(rows), 'prediction')}.")


def _write_csv(path: Path, table: Table, rows: list[list[str]]) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=table.delimiter, lineterminator="\n").writerows([[*table.header, *ADDED], *rows])
    files.write_text(path, text.getvalue(), "utf-8" if table.encoding == "utf-8" else "utf-8-sig")  # Excel needs the mark


def _columns(options) -> dict:
    return {"text": options.text, "label": options.label, "delimiter": options.delimiter, "encoding": options.encoding}


def _examples(table: Table, tokenizer, labels: list[str], max_length: int) -> Examples:
    ids, cut = models.encode(tokenizer, [row.text for row in table.rows], max_length)
    _tell_of_cuts(cut, table, max_length)
    return Examples(ids, [labels.index(row.label) for row in table.rows])


def _tell_of_cuts(cut: int, table: Table, max_length: int) -> None:
    if cut:
        _say(f"{table.path}: {cut} of {len(table.rows)} texts are longer than {max_length} tokens; what is beyond is not read.")


def _max_length(wanted: int | None, room: int) -> int:
    if wanted and wanted > room:
        raise ClassifyError(f"--max-length: this encoder reads at most {room} tokens.")
    return wanted or min(room, models.USUAL_LENGTH)


def _device(name: str | None) -> torch.device:
    name = name or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise ClassifyError(f"--device: there is no {name!r} here: {str(error).splitlines()[0][:200]}") from None


def _hash(table: Table) -> str:
    rows: list[Row] = table.rows
    return hashlib.sha256(repr([(row.text, row.label) for row in rows]).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _epoch(entry: dict, epochs: int) -> str:
    return (
        f"epoch {entry['epoch']} of {epochs}: training loss {entry['train_loss']:.4f}, "
        f"validation loss {entry['val_loss']:.4f}, accuracy {entry['val_accuracy']:.4f}"
    )


@contextmanager
def _progress(epochs: int) -> Iterator[dict]:
    """What `train` calls: a bar for each epoch on a terminal, and a line after it everywhere."""
    console, tasks = Console(stderr=True), {}
    parts = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*parts, console=console, disable=not console.is_terminal) as bar:

        def step_done(epoch: int, steps: int) -> None:
            if epoch not in tasks:
                tasks[epoch] = bar.add_task(f"epoch {epoch} of {epochs}", total=steps)
            bar.advance(tasks[epoch])

        yield {"step_done": step_done, "epoch_done": lambda entry: _say(_epoch(entry, epochs))}


def _say(*lines: str) -> None:
    for line in lines:
        print(line, flush=True)
