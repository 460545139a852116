"""How well a classifier sorts: accuracy, macro-F1, each label, and what is taken for what."""

import itertools
from collections.abc import Sequence

WIDEST = 14  # of a label in a table
MOST_LABELS = 12  # in a table


def scores(truth: Sequence[int], predicted: Sequence[int], labels: Sequence[str]) -> dict:
    """Compare the right labels with the predicted ones, each given by its number.

    Returns:
        A dict of texts (how many), accuracy, majority (the accuracy of whoever always says the most frequent label), macro_f1 (the
        mean over the labels that occur or were predicted), labels (precision, recall, f1 and texts of each) and confusion (rows:
        the right label; columns: the predicted one).
    """
    confusion = [[0] * len(labels) for _ in labels]
    for due, given in zip(truth, predicted, strict=True):
        confusion[due][given] += 1
    by_label, f1s = {}, []
    for number, label in enumerate(labels):
        right, texts, said = confusion[number][number], sum(confusion[number]), sum(row[number] for row in confusion)
        f1 = 2 * right / (texts + said) if texts + said else 0.0
        by_label[label] = {"precision": _share(right, said), "recall": _share(right, texts), "f1": f1, "texts": texts}
        f1s += [f1] if texts + said else []
    return {
        "texts": len(truth),
        "accuracy": sum(confusion[number][number] for number in range(len(labels))) / len(truth),
        "majority": max(entry["texts"] for entry in by_label.values()) / len(truth),
        "macro_f1": sum(f1s) / len(f1s),
        "labels": by_label,
        "confusion": confusion,
    }


def as_text(found: dict) -> str:
    """What `scores` has found, to be read by people. Of many labels it shows those with the lowest F1, and the most frequent mistakes."""
    labels = found["labels"]
    few = len(labels) <= MOST_LABELS
    met = [label for label, entry in labels.items() if entry["texts"]]
    shown = list(labels) if few else sorted(met, key=lambda label: labels[label]["f1"])[:MOST_LABELS]
    names = [_short(label) for label in labels]
    wide = max(map(len, [*names, "right label"]))
    lines = [
        f"texts      {found['texts']}",
        f"accuracy   {found['accuracy']:.4f}   (always the most frequent label: {found['majority']:.4f})",
        f"macro-F1   {found['macro_f1']:.4f}",
        "",
        *([] if few else [f"{len(shown)} of {len(labels)} labels, those with the lowest F1:"]),
        f"{'label':{wide}}  precision  recall      F1   texts",
    ]
    for label in shown:
        entry = labels[label]
        lines.append(
            f"{_short(label):{wide}}  {entry['precision']:9.4f}  {entry['recall']:6.4f}  {entry['f1']:6.4f}  {entry['texts']:6}"
        )
    return "\n".join([*lines, "", *(_matrix if few else _mistakes)(names, found["confusion"], wide)]) + "\n"


def _matrix(names: list[str], confusion: list[list[int]], wide: int) -> list[str]:
    """What was taken for what: a line for each right label."""
    columns = [max(len(name), 5) for name in names]
    lines = [f"{'right label':{wide}}  predicted label"]
    lines.append(" " * wide + "".join(f"  {name:>{width}}" for name, width in zip(names, columns)))
    for name, row in zip(names, confusion):
        lines.append(f"{name:{wide}}" + "".join(f"  {count:>{width}}" for count, width in zip(row, columns)))
    return lines


def _mistakes(names: list[str], confusion: list[list[int]], wide: int) -> list[str]:
    """What was most often taken for what: a line for each kind of mistake."""
    pairs = itertools.product(enumerate(names), repeat=2)
    wrong = [
        (-confusion[due][given], name, other) for (due, name), (given, other) in pairs if due != given and confusion[due][given]
    ]
    wide = max(wide, len("predicted label"))
    lines = [f"{'right label':{wide}}  {'predicted label':{wide}}  texts"]
    return lines + [f"{name:{wide}}  {other:{wide}}  {-count:5}" for count, name, other in sorted(wrong)[:MOST_LABELS]]


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _short(label: str) -> str:
    label = " ".join(label.split())
    return label if len(label) <= WIDEST else label[: WIDEST - 1] + "…"
