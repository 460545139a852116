"""The checks of `collate`."""

import copy

from grader.checks import check, refusal, shuffled, tried, whole
from grader.checks.sft.material import IGNORE

KEYS = ("input_ids", "attention_mask", "labels")


def example(rng, eos_id: int, *lengths: int) -> dict[str, list[int]]:
    """What encode_example gives. The lengths are those of a prompt, of an answer, perhaps of a second prompt, a second answer."""
    ids, labels = [], []
    for part, length in enumerate(lengths):
        tokens = [whole(rng, 10, 999) for _ in range(length)]
        if part % 2 == 1:  # an answer, which ends in EOS
            tokens[-1] = eos_id
        ids += tokens
        labels += tokens if part % 2 == 1 else [IGNORE] * length
    return {"input_ids": ids, "labels": labels}


def examples(rng, eos_id: int = 2) -> list[dict[str, list[int]]]:
    """Some of unequal length, in a drawn order. One has no prompt, and the longest is a talk of two turns."""
    lengths = [(2, whole(rng, 2, 4)), (0, whole(rng, 2, 3)), (2, 2, 3, whole(rng, 4, 6)), (whole(rng, 1, 4), 4)]
    return shuffled(rng, [example(rng, eos_id, *some) for some in lengths])


def pad(rng) -> int:
    """The id of a padding token that stands in no text."""
    return whole(rng, 3, 9)


def numbers(code, given, pad_id: int) -> dict:
    """The three tensors of the batch, whatever kind of integers they hold."""
    found = code.collate(copy.deepcopy(given), pad_id=pad_id)
    return {key: found[key].long() for key in KEYS}


@check(
    "collate",
    1,
    (
        "Rows of unequal length make no tensor. Which length should they all get?",
        "Fill each row of ids on the right with pad_id up to the longest row.",
        "row + [pad_id] * (longest - len(row))",
    ),
)
def ids_are_padded_on_the_right(code, rng):
    """input_ids are padded on the right with pad_id to the longest example of the batch."""
    given, pad_id = examples(rng), pad(rng)
    return {
        "input_ids": numbers(code, given, pad_id)["input_ids"],
        "of one example": numbers(code, given[:1], pad_id)["input_ids"],
    }


@check(
    "collate",
    1,
    (
        "The mask tells tokens from padding. Where do you know the difference from?",
        "1 for each token of the row, 0 for each token of padding: from the lengths.",
        "[1] * len(row) + [0] * (longest - len(row))",
    ),
)
def mask_marks_the_tokens(code, rng):
    """attention_mask is 1 on the example's tokens and 0 on padding."""
    return {f"attention_mask of batch {n}": numbers(code, examples(rng), pad(rng))["attention_mask"] for n in (1, 2, 3)}


@check(
    "collate",
    2,
    (
        "What should the model learn to say on padding? Nothing.",
        "Labels are padded with -100, whatever pad_id is.",
        "labels + [-100] * (longest - len(labels))",
    ),
)
def padded_labels_are_ignored(code, rng):
    """labels are those of the examples, and -100 on padding."""
    return {"labels": numbers(code, examples(rng), pad(rng))["labels"]}


@check(
    "collate",
    3,
    (
        "Many tokenizers have no padding token, so that of EOS is used. Can the value tell what is padding then?",
        "Mask and labels follow from the lengths. Comparing with pad_id also hides every real EOS.",
        "Never write input_ids != pad_id or labels[labels == pad_id] = -100.",
    ),
)
def works_when_pad_is_eos(code, rng):
    """If pad_id equals the id of EOS, or of another token of the text, the real token stays visible and is learned."""
    eos_id = whole(rng, 0, 2)
    given = [*examples(rng, eos_id), example(rng, eos_id, 2, 2, 0, 2, 1, 1)]
    first = given[0]["input_ids"][0]
    return {"pad_id is EOS": numbers(code, given, eos_id), "pad_id is another token": numbers(code, given, first)}


@check(
    "collate",
    1,
    (
        "Embeddings and losses want integers of 64 bits.",
        "All three tensors are torch.long and have the same shape (B, T).",
        "torch.tensor(rows, dtype=torch.long)",
    ),
)
def gives_three_long_tensors(code, rng):
    """The result holds input_ids, attention_mask and labels, each (B, T) long, and nothing else."""
    equal = (whole(rng, 1, 4), whole(rng, 2, 5))  # so nothing is padded
    found = code.collate([example(rng, 2, *equal) for _ in range(whole(rng, 2, 4))], pad_id=pad(rng))
    return {key: found[key] for key in sorted(found)}


@check(
    "collate",
    1,
    (
        "max() of nothing is an error of another kind. Say what was wrong instead.",
        "An empty list is a ValueError that names the argument.",
        'if not examples: raise ValueError("examples is empty")',
    ),
)
def refuses_an_empty_list(code, rng):
    """An empty list of examples is a ValueError that names `examples`; one example is a batch of one row."""
    one, pad_id = [example(rng, 2, whole(rng, 1, 3), whole(rng, 2, 4))], pad(rng)
    return tried(
        rng,
        **{
            "an empty list": lambda: refusal(ValueError, lambda: code.collate([], pad_id=pad_id), "examples"),
            "one example": lambda: numbers(code, one, pad_id),
        },
    )


@check(
    "collate",
    1,
    (
        "The next epoch uses the same examples again.",
        "Pad copies of the rows. += and extend on a row change the example.",
        "row + [pad_id] * missing makes a new list.",
    ),
)
def examples_stay_as_they_are(code, rng):
    """The examples are not changed, so a second batch of them is the same."""
    own, pad_id = examples(rng), pad(rng)
    code.collate(own, pad_id=pad_id)
    return {"examples afterwards": own, "the same batch again": numbers(code, own, pad_id)}
